#include "support/seam_checker.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status.h"

namespace ringecho::support {
namespace {

// Enough to see what is wrong; one mistake per message would fill the screen.
constexpr size_t kMaxViolations = 20;

}  // namespace

void SeamChecker::Note(std::string_view call, ConnId id, std::string_view what) {
  if (violations_.size() >= kMaxViolations) return;
  violations_.push_back(absl::StrCat(base::ToAbsl(call), " of slot ", id.slot, " generation ",
                                     id.generation, ": ", base::ToAbsl(what)));
}

void SeamChecker::CheckCall(std::string_view call) {
  if (std::this_thread::get_id() != thread_) Note(call, {}, "not on the engine's thread");
  if (inside_engine_ != 0) Note(call, {}, "from inside a call the handler made");
  if (returned_) Note(call, {}, "after Run returned");
}

SeamChecker::Stream* SeamChecker::Find(ConnId id) {
  auto found = live_.find(Key(id));
  return found == live_.end() ? nullptr : &found->second;
}

SeamChecker::Stream* SeamChecker::Open(ConnId id, std::string_view call) {
  CheckCall(call);
  Stream* stream = Find(id);
  if (stream == nullptr || !stream->open) {
    Note(call, id, "not open");
    return nullptr;
  }
  if (stream->closing) Note(call, id, "after Close");
  return stream;
}

void SeamChecker::Opened(ConnId id) {
  CheckCall("OnOpen");
  if (id.slot >= max_connections_) Note("OnOpen", id, "slot out of range");
  Stream* stream = Find(id);
  if (stream == nullptr) {  // accepted
    if (!live_slots_.insert(id.slot).second) Note("OnOpen", id, "slot in use");
    if (!seen_.insert(Key(id)).second) Note("OnOpen", id, "id used before");
    stream = &live_[Key(id)];
  }
  if (stream->open) Note("OnOpen", id, "open already");
  if (stream->closing) Note("OnOpen", id, "after Close");
  stream->open = true;
}

void SeamChecker::Data(ConnId id, size_t bytes) {
  Stream* stream = Open(id, "OnData");
  if (stream == nullptr) return;
  if (bytes == 0) Note("OnData", id, "no bytes");
}

void SeamChecker::Answered(ConnId id, Verdict verdict, size_t bytes) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  if (verdict == Verdict::kEcho) stream->echo_bytes += bytes;
  if (verdict == Verdict::kClose) stream->closing = true;
}

void SeamChecker::Sent(ConnId id, size_t bytes) {
  Stream* stream = Open(id, "OnSent");
  if (stream == nullptr) return;
  if (bytes == 0) Note("OnSent", id, "no bytes");
  if (stream->payload_bytes != 0) {
    if (bytes != stream->payload_bytes) Note("OnSent", id, "not the size of the payload");
    stream->payload_bytes = 0;
  } else if (bytes > stream->echo_bytes) {
    Note("OnSent", id, "more than there was to send");
  } else {
    stream->echo_bytes -= bytes;
  }
}

void SeamChecker::Closed(ConnId id) {
  CheckCall("OnClosed");
  if (live_.erase(Key(id)) == 0) Note("OnClosed", id, "not live");
  live_slots_.erase(id.slot);
}

void SeamChecker::NextDeadline(int64_t deadline_ns) {
  CheckCall("NextDeadline");
  deadline_ns_ = deadline_ns;
}

void SeamChecker::Deadline(int64_t now_ns) {
  CheckCall("OnDeadline");
  if (now_ns < deadline_ns_) Note("OnDeadline", {}, "early");
  if (now_ns > base::NowNs()) Note("OnDeadline", {}, "a time that has not come");
}

void SeamChecker::Connecting(const ConnectResult& result) {
  if (!result.ok) return;
  if (result.id.slot >= max_connections_) Note("Connect", result.id, "slot out of range");
  if (!live_slots_.insert(result.id.slot).second) Note("Connect", result.id, "slot in use");
  if (!seen_.insert(Key(result.id)).second) Note("Connect", result.id, "id used before");
  live_[Key(result.id)] = {};
}

void SeamChecker::AskedCanSend(ConnId id, bool can) {
  const Stream* stream = Find(id);
  bool may = stream != nullptr && stream->open && !stream->closing && !stream->finishing &&
             stream->payload_bytes == 0;
  if (can && !may) Note("CanSend", id, "true, but a Send is under way or the stream is not open");
}

void SeamChecker::Sending(ConnId id, size_t bytes) {
  if (Stream* stream = Find(id); stream != nullptr) stream->payload_bytes = bytes;
}

void SeamChecker::Closing(ConnId id) {
  if (Stream* stream = Find(id); stream != nullptr) stream->closing = true;
}

void SeamChecker::Finishing(ConnId id) {
  if (Stream* stream = Find(id); stream != nullptr) stream->finishing = true;
}

size_t SeamChecker::open() const {
  return static_cast<size_t>(std::count_if(live_.begin(), live_.end(),
                                           [](const auto& entry) { return entry.second.open; }));
}

}  // namespace ringecho::support
