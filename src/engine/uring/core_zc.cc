// Core: zero-copy sends, from the choice to send so until the notification.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "engine/uring/core.h"

namespace ringecho::engine::uring {
namespace {

// Results that say no to zero-copy and not to the send: the socket is of a kind that has none (unix
// sockets), or more memory would have to be pinned than the locked-memory limit allows.
bool IsRefusal(int result) {
  return result == -EOPNOTSUPP || result == -ENOBUFS || result == -ENOMEM;
}

}  // namespace

// Not being allowed to pin memory costs the fixed buffers, not the run.
void Core::SetUpZeroCopy(const Capabilities& caps) {
  if (!Uses(FeatureId::kSendZc)) return;
  notifications_ = std::make_unique<Notifications>(buffers_ != nullptr ? buffers_->count() : 0);
  // Linux 6.1: IORING_OP_SENDMSG_ZC. Detect: the probe lists it. Otherwise: a backlog of several
  // buffers goes out in an ordinary SENDMSG.
  sendmsg_zc_ =
      std::binary_search(caps.opcodes.begin(), caps.opcodes.end(), uint8_t{IORING_OP_SENDMSG_ZC});
  zc_flags_ = caps.send_zc_reports_usage ? IORING_SEND_ZC_REPORT_USAGE : 0;
  if (!Uses(FeatureId::kSendZcFixed)) return;
  absl::Status status;
  if (buffers_ != nullptr) {
    status = fixed_regions_.Register(*ring_, {buffers_->memory(), options_.payload_region});
  } else if (own_buffers_->registered_slots() == 0) {
    status = own_buffers_->Register(*ring_, options_.payload_region);
  }
  if (!status.ok()) plan_.Drop(FeatureId::kSendZcFixed, std::string(status.message()));
}

// Index of the registered buffer that the send reads, or kNotRegistered.
int Core::FixedIndex(uint32_t slot, const Connection& c) const {
  if (!Uses(FeatureId::kSendZcFixed)) return FixedRegions::kNotRegistered;
  if (buffers_ != nullptr) return fixed_regions_.IndexOf({c.send_at, c.send_left});
  return c.source == SendSource::kOwn ? own_buffers_->SlotIndex(slot)
                                      : own_buffers_->payload_index();
}

// Whether the send that is about to start may leave its memory with the kernel for as long as the
// peer pleases. Not when provided buffers are short: those that a notification is awaited for
// cannot be taken back, those of an ordinary send can.
bool Core::MayZeroCopy(const Connection& c) const {
  if (notifications_ == nullptr || c.zc_refused || c.half_closed) return false;
  switch (c.source) {
    case SendSource::kNone:
    case SendSource::kSpill:
      return false;
    case SendSource::kOwn:
    case SendSource::kPayload:
      return true;
    case SendSource::kProvided:
      if (c.vector != nullptr && !sendmsg_zc_) return false;
      return starved_.empty() &&
             notifications_->MayHold(c.vector != nullptr ? c.vector->size() : 1);
  }
  return false;
}

// False when the send is to be an ordinary one.
bool Core::PrepareZeroCopy(uint32_t slot, Connection& c, io_uring_sqe* sqe) {
  if (!MayZeroCopy(c)) return false;
  ZcSend send{.slot = slot, .generation = table_.generation(slot)};
  send.reads_own_buffer = c.source == SendSource::kOwn;
  if (c.source == SendSource::kProvided) {
    size_t count = c.vector != nullptr ? c.vector->size() : 1;
    uint32_t piece = c.queue_head;
    for (; count > 0; --count, piece = pieces_[piece].next) send.Reads(pieces_[piece].buffer);
  }
  c.zc_send = notifications_->Start(send);
  if (c.zc_send == Notifications::kNone) return false;
  if (send.reads_own_buffer) ++c.own_buffer_sends;
  c.send_may_wait = true;
  int flags = MSG_NOSIGNAL | wait_all_;
  if (c.vector != nullptr) {
    io_uring_prep_sendmsg_zc(sqe, c.fd, c.vector->message(), static_cast<unsigned>(flags));
    sqe->ioprio = zc_flags_;
    return true;
  }
  io_uring_prep_send_zc(sqe, c.fd, c.send_at, c.send_left, flags, zc_flags_);
  if (int index = FixedIndex(slot, c); index != FixedRegions::kNotRegistered) {
    sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
    sqe->buf_index = static_cast<uint16_t>(index);
  }
  return true;
}

Sent Core::OnSendZc(const io_uring_cqe& cqe) {
  ZcSend* send = notifications_ != nullptr ? notifications_->Find(cqe.user_data) : nullptr;
  bool is_result = (cqe.flags & IORING_CQE_F_NOTIF) == 0;
  if (send == nullptr || (is_result && send->result_came)) {
    counters_.stale_completions.Increment();
    return {};
  }
  uint32_t number = UserData::Slot(cqe.user_data);
  if (!is_result) {
    OnNotification(number, *send, cqe.res);
    return {};
  }
  uint32_t slot = send->slot;
  // The close of a connection waits for the results of its sends.
  Connection& c = table_[slot];
  c.zc_send = Notifications::kNone;
  send->result_came = true;
  send->took_bytes = cqe.res > 0;
  if (send->took_bytes) counters_.zc_sends.Increment();
  if ((cqe.flags & IORING_CQE_F_MORE) == 0 || send->notified) EndZeroCopy(number, *send);
  if (IsRefusal(cqe.res)) {
    c.zc_refused = true;
    return EndSend(slot, c, -ECANCELED);  // and goes out again, the ordinary way
  }
  return EndSend(slot, c, cqe.res);
}

void Core::OnNotification(uint32_t number, ZcSend& send, int result) {
  send.copied = (static_cast<uint32_t>(result) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
  send.notified = true;
  // It comes behind the result; if ever it does not, the result still needs to find the send.
  if (!send.result_came) return;
  uint32_t slot = send.slot;
  bool own = send.reads_own_buffer;
  EndZeroCopy(number, send);
  if (!own) return;
  Connection& c = table_[slot];
  if (c.own_buffer_sends > 0) return;
  if (c.closed) {
    FreeSlot(slot);
  } else {
    Pump(slot, c);
  }
}

// The kernel reads the send's memory no more.
void Core::EndZeroCopy(uint32_t number, ZcSend& send) {
  if (send.took_bytes && send.copied) counters_.zc_copied.Increment();
  notifications_->Release(send, [this](uint16_t buffer) { GiveBack(buffer); });
  // A slot is not freed before the last send that reads its buffer is over.
  if (send.reads_own_buffer) --table_[send.slot].own_buffer_sends;
  notifications_->End(number);
}

}  // namespace ringecho::engine::uring
