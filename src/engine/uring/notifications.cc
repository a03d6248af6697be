#include "engine/uring/notifications.h"

namespace ringecho::engine::uring {

uint32_t Notifications::Start(const ZcSend& send) {
  uint32_t number = sends_.Allocate();
  if (number == kNone) return kNone;
  sends_[number] = send;
  for (uint8_t i = 0; i < send.buffer_count; ++i) {
    if (buffers_[send.buffers[i]].sends++ == 0) ++held_;
  }
  return number;
}

}  // namespace ringecho::engine::uring
