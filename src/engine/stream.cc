#include "engine/stream.h"

#include <cerrno>

namespace ringecho::engine {

std::string_view CloseReasonName(CloseReason reason) {
  switch (reason) {
    case CloseReason::kLocal:
      return "local";
    case CloseReason::kEof:
      return "eof";
    case CloseReason::kReset:
      return "reset";
    case CloseReason::kTimeout:
      return "timeout";
    case CloseReason::kRefused:
      return "connect_refused";
    case CloseReason::kUnreachable:
      return "unreachable";
    case CloseReason::kAddrNotAvail:
      return "eaddrnotavail";
    case CloseReason::kNoDescriptors:
      return "emfile";
    case CloseReason::kNoMemory:
      return "enomem";
    case CloseReason::kPayloadMismatch:
      return "payload_mismatch";
    case CloseReason::kInterrupted:
      return "interrupted";
    case CloseReason::kOther:
      return "other";
  }
  return "other";
}

CloseReason ReasonFromErrno(int error) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      return CloseReason::kReset;
    case ETIMEDOUT:
      return CloseReason::kTimeout;
    case ECONNREFUSED:
    case ENOENT:
    case EAGAIN:
      return CloseReason::kRefused;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
      return CloseReason::kUnreachable;
    case EADDRNOTAVAIL:
    case EADDRINUSE:
      return CloseReason::kAddrNotAvail;
    case EMFILE:
    case ENFILE:
      return CloseReason::kNoDescriptors;
    case ENOMEM:
    case ENOBUFS:
      return CloseReason::kNoMemory;
    default:
      return CloseReason::kOther;
  }
}

}  // namespace ringecho::engine
