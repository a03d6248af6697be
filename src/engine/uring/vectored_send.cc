#include "engine/uring/vectored_send.h"

namespace ringecho::engine::uring {

VectoredSend* VectoredSends::Take() {
  if (free_.empty()) {
    all_.push_back(std::make_unique<VectoredSend>());
    free_.reserve(all_.capacity());  // so that GiveBack cannot fail
    return all_.back().get();
  }
  VectoredSend* send = free_.back();
  free_.pop_back();
  return send;
}

void VectoredSends::GiveBack(VectoredSend* send) {
  send->Clear();
  free_.push_back(send);
}

}  // namespace ringecho::engine::uring
