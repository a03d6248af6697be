// liburing, and what an old liburing's headers lack. Values and names are those of the kernel's
// include/uapi/linux/io_uring.h; a newer liburing is used as it is.
#ifndef RINGECHO_ENGINE_URING_COMPAT_H_
#define RINGECHO_ENGINE_URING_COMPAT_H_

#include <liburing.h>

#include <cstddef>

#ifndef IORING_SETUP_COOP_TASKRUN  // 5.19
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#define IORING_SETUP_TASKRUN_FLAG (1U << 9)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER  // 6.0
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN  // 6.1
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#ifndef IOU_PBUF_RING_INC
#define IOU_PBUF_RING_INC 2  // 6.12
#endif
#ifndef IORING_CQE_F_BUF_MORE  // 6.12
#define IORING_CQE_F_BUF_MORE (1U << 4)
#endif
#ifndef IORING_RECVSEND_BUNDLE  // 6.10
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif
#ifndef IORING_FEAT_REG_REG_RING  // 6.3
#define IORING_FEAT_REG_REG_RING (1U << 13)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE  // 6.10
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif
#ifndef IORING_FEAT_MIN_TIMEOUT  // 6.12
#define IORING_FEAT_MIN_TIMEOUT (1U << 15)
#endif

namespace ringecho::engine::uring {

// io_uring_buf_reg::flags, which older headers call `pad`.
inline constexpr size_t kBufRegFlagsOffset = offsetof(io_uring_buf_reg, bgid) + sizeof(__u16);

// 6.8: IORING_OP_FIXED_FD_INSTALL; an enumerator, so not to be asked for by the preprocessor.
inline constexpr int kOpFixedFdInstall = 54;

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_COMPAT_H_
