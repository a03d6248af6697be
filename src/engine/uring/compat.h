// liburing, and what an old liburing's headers lack. Values and names are those of the kernel's
// include/uapi/linux/io_uring.h; a newer liburing is used as it is.
#ifndef RINGECHO_ENGINE_URING_COMPAT_H_
#define RINGECHO_ENGINE_URING_COMPAT_H_

#include <liburing.h>

#include <cstddef>
#include <cstdint>

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
#ifndef IORING_SETUP_NO_SQARRAY  // 6.6
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif
#ifndef IORING_SEND_ZC_REPORT_USAGE  // 6.2
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
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

// What the liburing this is built with can do (meson.build looks at its version).
inline constexpr bool kLiburingHasNoSqarray = RINGECHO_LIBURING_HAS_NO_SQARRAY;  // 2.5

// 6.9: operations of io_uring_register(2) and their argument (struct io_uring_napi; the fields
// behind these came with 6.13 and are 0 before).
inline constexpr unsigned kRegisterNapi = 27;    // IORING_REGISTER_NAPI
inline constexpr unsigned kUnregisterNapi = 28;  // IORING_UNREGISTER_NAPI
struct NapiArgument {
  uint32_t busy_poll_to;  // microseconds
  uint8_t prefer_busy_poll;
  uint8_t pad[3];
  uint64_t resv;
};
static_assert(sizeof(NapiArgument) == 16);

// 6.12: min_wait_usec is what was padding before.
struct GetEventsArgument {  // struct io_uring_getevents_arg
  uint64_t sigmask;
  uint32_t sigmask_sz;
  uint32_t min_wait_usec;
  uint64_t ts;
};
static_assert(sizeof(GetEventsArgument) == sizeof(io_uring_getevents_arg));

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_COMPAT_H_
