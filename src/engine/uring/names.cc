#include "engine/uring/names.h"

#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace ringecho::engine::uring {
namespace {

// Bit and operation numbers are the kernel's ABI (include/uapi/linux/io_uring.h) and never change,
// so they are listed here in order instead of depending on what liburing's headers know.
constexpr const char* kFeatures[] = {
    "SINGLE_MMAP", "NODROP",      "SUBMIT_STABLE",   "RW_CUR_POS",   "CUR_PERSONALITY",
    "FAST_POLL",   "POLL_32BITS", "SQPOLL_NONFIXED", "EXT_ARG",      "NATIVE_WORKERS",
    "RSRC_TAGS",   "CQE_SKIP",    "LINKED_FILE",     "REG_REG_RING", "RECVSEND_BUNDLE",
    "MIN_TIMEOUT", "RW_ATTR",     "NO_IOWAIT"};

constexpr const char* kSetupFlags[] = {
    "IOPOLL",        "SQPOLL",        "SQ_AFF",     "CQSIZE",
    "CLAMP",         "ATTACH_WQ",     "R_DISABLED", "SUBMIT_ALL",
    "COOP_TASKRUN",  "TASKRUN_FLAG",  "SQE128",     "CQE32",
    "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP",    "REGISTERED_FD_ONLY",
    "NO_SQARRAY",    "HYBRID_IOPOLL", "CQE_MIXED"};

constexpr const char* kOpcodes[] = {"NOP",
                                    "READV",
                                    "WRITEV",
                                    "FSYNC",
                                    "READ_FIXED",
                                    "WRITE_FIXED",
                                    "POLL_ADD",
                                    "POLL_REMOVE",
                                    "SYNC_FILE_RANGE",
                                    "SENDMSG",
                                    "RECVMSG",
                                    "TIMEOUT",
                                    "TIMEOUT_REMOVE",
                                    "ACCEPT",
                                    "ASYNC_CANCEL",
                                    "LINK_TIMEOUT",
                                    "CONNECT",
                                    "FALLOCATE",
                                    "OPENAT",
                                    "CLOSE",
                                    "FILES_UPDATE",
                                    "STATX",
                                    "READ",
                                    "WRITE",
                                    "FADVISE",
                                    "MADVISE",
                                    "SEND",
                                    "RECV",
                                    "OPENAT2",
                                    "EPOLL_CTL",
                                    "SPLICE",
                                    "PROVIDE_BUFFERS",
                                    "REMOVE_BUFFERS",
                                    "TEE",
                                    "SHUTDOWN",
                                    "RENAMEAT",
                                    "UNLINKAT",
                                    "MKDIRAT",
                                    "SYMLINKAT",
                                    "LINKAT",
                                    "MSG_RING",
                                    "FSETXATTR",
                                    "SETXATTR",
                                    "FGETXATTR",
                                    "GETXATTR",
                                    "SOCKET",
                                    "URING_CMD",
                                    "SEND_ZC",
                                    "SENDMSG_ZC",
                                    "READ_MULTISHOT",
                                    "WAITID",
                                    "FUTEX_WAIT",
                                    "FUTEX_WAKE",
                                    "FUTEX_WAITV",
                                    "FIXED_FD_INSTALL",
                                    "FTRUNCATE",
                                    "BIND",
                                    "LISTEN",
                                    "RECV_ZC",
                                    "EPOLL_WAIT",
                                    "READV_FIXED",
                                    "WRITEV_FIXED",
                                    "PIPE"};

template <size_t N>
std::string NameOf(unsigned number, const char* const (&names)[N], const char* otherwise) {
  return number < N ? std::string(names[number]) : absl::StrCat(otherwise, number);
}

template <size_t N>
std::vector<std::string> BitNames(unsigned bits, const char* const (&names)[N]) {
  std::vector<std::string> out;
  for (unsigned bit = 0; bit < 32; ++bit) {
    if ((bits >> bit & 1) != 0) out.push_back(NameOf(bit, names, "bit_"));
  }
  return out;
}

}  // namespace

std::vector<std::string> FeatureNames(unsigned features) { return BitNames(features, kFeatures); }

std::vector<std::string> SetupFlagNames(unsigned flags) { return BitNames(flags, kSetupFlags); }

std::vector<std::string> OpcodeNames(const std::vector<uint8_t>& opcodes) {
  std::vector<std::string> out;
  out.reserve(opcodes.size());
  for (uint8_t opcode : opcodes) out.push_back(NameOf(opcode, kOpcodes, "op_"));
  return out;
}

}  // namespace ringecho::engine::uring
