#include "sim_kernel.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/clock.h"
#include "engine/uring/connection.h"

namespace ringecho::engine::uring {

SimSocket& SimKernel::AddClient(std::string to_send, bool eof_after, bool reads) {
  int fd = kFirstFd + static_cast<int>(sockets_.size());
  SimSocket& socket = sockets_[fd];
  socket.unsent = std::move(to_send);
  socket.eof_after_unsent = eof_after;
  socket.reads = reads;
  backlog_.push_back(fd);
  return socket;
}

int SimKernel::Submit() {
  // The kernel may refuse while completions are aside (before 5.19), and may take only a part.
  if (overflowing() && Chance(20)) return -EBUSY;
  unsigned take = Chance(90) ? Queued() : Some(Queued());
  for (unsigned i = 0; i < take; ++i) Take(TakeSqe());
  return static_cast<int>(take);
}

int SimKernel::SubmitAndWait(int64_t timeout_ns) {
  if (Chance(2)) return -EINTR;
  int result = Submit();
  if (result < 0) {
    FlushAside();
    return result;
  }
  FlushAside();
  // Some things happen whether or not anybody waits.
  for (uint64_t n = random_.Below(8); n > 0; --n) Step();
  while (CompletionsReady() == 0 && timeout_ns != 0) {
    if (Step()) continue;
    if (timeout_ns != base::kNever) {
      // The engine's own deadline is next; the clock is the real one.
      usleep(static_cast<useconds_t>(timeout_ns / 1000 + 1));
      return -ETIME;
    }
    if (Queued() > 0) return 0;  // a part was left behind: the engine submits it next
    on_quiet();
    if (CompletionsReady() == 0 && !Step()) return -ETIME;
  }
  return 0;
}

void SimKernel::WakeEngine() {
  if (!wake_) return;
  Post(wake_->user_data, 8, 0);
  wake_.reset();
}

uint32_t SimKernel::Some(size_t most) {
  return most == 0 ? 0 : static_cast<uint32_t>(1 + random_.Below(most));
}

// Puts the socket in place of its number in the table of files.
bool SimKernel::Resolve(io_uring_sqe& sqe) {
  bool closes_direct = sqe.opcode == IORING_OP_CLOSE && sqe.file_index != 0;
  if ((sqe.flags & IOSQE_FIXED_FILE) == 0 && !closes_direct) return true;
  auto file = files_.find(closes_direct ? sqe.file_index - 1 : static_cast<unsigned>(sqe.fd));
  if (file == files_.end()) {
    Violation("a direct descriptor that is not there");
    return false;
  }
  sqe.fd = file->second;
  if (closes_direct) files_.erase(file);
  return true;
}

void SimKernel::TakeAccept(const io_uring_sqe& sqe) {
  if (sqe.file_index == 0 && !accepts_.empty()) Violation("two accepts on one listener");
  if (sqe.file_index != 0 && files_.count(sqe.file_index - 1) != 0) {
    Violation("accept into a place that is taken");
  }
  accepts_.push_back(sqe);
}

void SimKernel::Take(io_uring_sqe sqe) {
  if (!Resolve(sqe)) return;
  switch (UserData::GetOp(sqe.user_data)) {
    case Op::kAccept:
      TakeAccept(sqe);
      break;
    case Op::kInstall:
      if (sockets_[sqe.fd].closed) Violation("install of a closed descriptor");
      Post(sqe.user_data, Chance(20) ? -EMFILE : sqe.fd, 0);
      break;
    case Op::kWake:
      wake_ = sqe;
      break;
    case Op::kReceive:
      TakeReceive(sqe);
      break;
    case Op::kSend:
    case Op::kSendZc:
      TakeSend(sqe);
      break;
    case Op::kWatch:
      if (sockets_[sqe.fd].watch) Violation("two watches on one socket");
      sockets_[sqe.fd].watch = sqe.user_data;
      break;
    case Op::kWritable:
      writable_poll_ = sqe.user_data;
      break;
    case Op::kCancel:
      Cancel(sqe);
      break;
    case Op::kClose:
      Close(sqe);
      break;
    case Op::kConnect:
      Violation("connect in a simulation of a server");
      break;
  }
}

void SimKernel::TakeReceive(const io_uring_sqe& sqe) {
  SimSocket& socket = sockets_[sqe.fd];
  if (socket.closed) Violation("receive on a closed descriptor");
  if (socket.receive) Violation("two receives on one socket");
  socket.receive = SimSocket::Request(sqe);
  // An empty group ends a multishot receive at once, even on an idle socket.
  if (socket.receive->multishot && BuffersFree() == 0) {
    EndReceive(socket, -ENOBUFS, 0);
  }
}

void SimKernel::TakeSend(const io_uring_sqe& sqe) {
  SimSocket& socket = sockets_[sqe.fd];
  if (socket.closed) Violation("send on a closed descriptor");
  if (socket.send) Violation("two sends on one socket");
  socket.send = SimSocket::Request(sqe);
  // Beyond the locked-memory limit, for one.
  if (socket.send->zero_copy && Chance(3)) {
    EndSend(socket, -ENOBUFS);
  } else if (!socket.send->may_wait) {
    if (!SendSome(socket)) {
      socket.wants_edge = true;
      EndSend(socket, -EAGAIN);
    }
  } else if (Chance(70)) {
    SendSome(socket);
  }
}

void SimKernel::Cancel(const io_uring_sqe& sqe) {
  // On its way from one place in the kernel to another a request cannot be found.
  if (Chance(2)) {
    Post(sqe.user_data, Chance(50) ? -ENOENT : -EALREADY, 0);
    return;
  }
  // What is cancelled may finish first.
  for (auto& [fd, socket] : sockets_) {
    if (socket.receive && socket.receive->user_data == sqe.addr && Chance(40)) Receive(socket);
    if (socket.send && socket.send->user_data == sqe.addr && Chance(40)) SendSome(socket);
  }
  int res = -ENOENT;
  for (auto& [fd, socket] : sockets_) {
    if (socket.receive && socket.receive->user_data == sqe.addr) {
      EndReceive(socket, -ECANCELED, 0);
      res = 0;
    }
    if (socket.send && socket.send->user_data == sqe.addr) {
      // A part that was taken is reported instead of the cancel (REQ_F_PARTIAL_IO).
      uint32_t done = socket.send->done;
      EndSend(socket, done > 0 ? static_cast<int>(done) : -ECANCELED);
      res = 0;
    }
    if (socket.watch == sqe.addr) {
      Post(sqe.addr, -ECANCELED, 0);
      socket.watch.reset();
      res = 0;
    }
  }
  bool of_file = (sqe.cancel_flags & IORING_ASYNC_CANCEL_FD) != 0;
  for (size_t i = accepts_.size(); i-- > 0;) {
    if (of_file ? accepts_[i].fd != sqe.fd : accepts_[i].user_data != sqe.addr) continue;
    EndAccept(i, -ECANCELED, 0);
    res = 0;
  }
  Post(sqe.user_data, res, 0);
}

void SimKernel::Close(const io_uring_sqe& sqe) {
  SimSocket& socket = sockets_[sqe.fd];
  if (socket.closed) Violation("closed twice");
  if (socket.receive) Violation("closed with a receive in flight");
  if (socket.send) Violation("closed with a send in flight");
  if (socket.watch) Violation("closed with a watch in flight");
  if (socket.set_tag) Violation("closed while in the writable set");
  socket.closed = true;
  socket.edge_tag.reset();  // epoll forgets a file with its last holder
  Post(sqe.user_data, 0, 0);
}

// Something that can happen, if anything can.
bool SimKernel::Step() {
  if (ReportWritable()) return true;
  size_t choices = sockets_.size() + 1;
  size_t first = random_.Below(choices);
  for (size_t i = 0; i < choices; ++i) {
    size_t choice = (first + i) % choices;
    if (choice == sockets_.size()) {
      if (AcceptOne()) return true;
      continue;
    }
    if (StepSocket(sockets_[kFirstFd + static_cast<int>(choice)])) return true;
  }
  return false;
}

bool SimKernel::StepSocket(SimSocket& socket) {
  if (!socket.closed && !socket.reset && Chance(reset_percent)) {
    socket.reset = true;
    socket.arrived.clear();
    socket.unsent.clear();
    return true;
  }
  if (NoticeHalfClose(socket)) return true;
  if (Chance(20) && Notify(socket)) return true;
  switch (random_.Below(3)) {
    case 0:
      return Arrive(socket) || Receive(socket) || SendSome(socket) || Notify(socket);
    case 1:
      return Receive(socket) || SendSome(socket) || Arrive(socket) || Notify(socket);
    default:
      return SendSome(socket) || Arrive(socket) || Receive(socket) || Notify(socket);
  }
}

// The far end sends and reads.
bool SimKernel::Arrive(SimSocket& socket) {
  if (socket.reset) return false;
  bool happened = false;
  if (!socket.unsent.empty() && socket.arrived.size() < 256) {
    uint32_t bytes = Some(std::min<size_t>(socket.unsent.size(), 40));
    socket.arrived += socket.unsent.substr(0, bytes);
    socket.unsent.erase(0, bytes);
    happened = true;
  }
  if (socket.unsent.empty() && socket.eof_after_unsent && !socket.eof) {
    socket.eof = true;
    happened = true;
  }
  if (socket.reads && !socket.in_flight.empty()) {
    uint32_t bytes = Some(socket.in_flight.size());
    socket.echoed += socket.in_flight.substr(0, bytes);
    socket.in_flight.erase(0, bytes);
    happened = true;
  }
  return happened;
}

void SimKernel::EndReceive(SimSocket& socket, int res, uint32_t flags) {
  Post(socket.receive->user_data, res, flags);
  if ((flags & IORING_CQE_F_MORE) == 0) socket.receive.reset();
}

bool SimKernel::Receive(SimSocket& socket) {
  if (!socket.receive) return false;
  if (socket.reset) {
    EndReceive(socket, -ECONNRESET, 0);
    return true;
  }
  bool select = socket.receive->selects_buffer;
  if (socket.arrived.empty()) {
    if (!socket.eof) return false;
    // An empty group hides the end of the stream.
    EndReceive(socket, select && BuffersFree() == 0 ? -ENOBUFS : 0, 0);
    return true;
  }
  if (select) return ReceiveIntoRing(socket);
  uint32_t bytes = Some(std::min<size_t>(socket.receive->bytes, socket.arrived.size()));
  std::memcpy(socket.receive->memory, socket.arrived.data(), bytes);
  socket.arrived.erase(0, bytes);
  EndReceive(socket, static_cast<int>(bytes),
             socket.arrived.empty() ? 0 : IORING_CQE_F_SOCK_NONEMPTY);
  return true;
}

// One buffer, or with a bundle several: each but the last is filled to its length.
bool SimKernel::ReceiveIntoRing(SimSocket& socket) {
  io_uring_buf* first = NextBuffer();
  if (first == nullptr) {
    EndReceive(socket, -ENOBUFS, 0);
    return true;
  }
  uint32_t flags =
      static_cast<uint32_t>(first->bid) << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER;
  bool bundle = socket.receive->bundle;
  // Expecting less, a bundle shortens the buffer; and now and then nothing comes at all.
  if (bundle && Chance(10)) first->len = Some(first->len);
  if (bundle && Chance(5)) return true;
  bool used_up = true;
  bool filled = true;
  uint32_t bytes = 0;
  do {
    uint32_t length = NextBuffer()->len;
    uint32_t part = FillNextBuffer(socket, used_up);
    filled = part == length;
    bytes += part;
  } while (bundle && filled && !socket.arrived.empty() && BuffersFree() > 0 && Chance(80));
  if (!used_up) flags |= IORING_CQE_F_BUF_MORE;
  // It ends when the completion queue overflows, a bundle with the last buffer, and any now and
  // then for reasons of its own.
  bool goes_on = socket.receive->multishot && !CompletionQueueFull() && !overflowing() &&
                 (!bundle || BuffersFree() > 0);
  if (goes_on && Chance(95)) flags |= IORING_CQE_F_MORE;
  if (!socket.arrived.empty()) flags |= IORING_CQE_F_SOCK_NONEMPTY;
  EndReceive(socket, static_cast<int>(bytes), flags);
  return true;
}

// Of an incremental ring the rest of the buffer is left for the next receive, mostly.
uint32_t SimKernel::FillNextBuffer(SimSocket& socket, bool& used_up) {
  io_uring_buf* buffer = NextBuffer();
  size_t most = std::min<size_t>(buffer->len, socket.arrived.size());
  uint32_t bytes = Chance(50) ? static_cast<uint32_t>(most) : Some(most);
  std::memcpy(reinterpret_cast<char*>(buffer->addr), socket.arrived.data(), bytes);
  socket.arrived.erase(0, bytes);
  used_up = UseBuffer(bytes, /*whole=*/Chance(5));
  return bytes;
}

std::string SimSocket::Request::Bytes(uint32_t from, uint32_t count) const {
  std::string all;
  for (auto [data, length] : Pieces()) all.append(data, length);
  return all.substr(from, count);
}

std::vector<std::pair<const char*, size_t>> SimSocket::Request::Pieces() const {
  if (message == nullptr) return {{memory, bytes}};
  std::vector<std::pair<const char*, size_t>> pieces;
  for (size_t i = 0; i < message->msg_iovlen; ++i) {
    pieces.emplace_back(static_cast<const char*>(message->msg_iov[i].iov_base),
                        message->msg_iov[i].iov_len);
  }
  return pieces;
}

void SimKernel::EndSend(SimSocket& socket, int res) {
  SimSocket::Request& send = *socket.send;
  // A send that failed has a notification, too, as a rule.
  bool notifies = send.zero_copy && (res > 0 || Chance(80));
  if (notifies) {
    socket.notifications.push_back({.user_data = send.user_data,
                                    .after_read = socket.echoed.size() + socket.in_flight.size(),
                                    .memory = send.Pieces(),
                                    .sent = send.Bytes(0, send.bytes)});
  }
  Post(send.user_data, res, notifies ? IORING_CQE_F_MORE : 0);
  socket.send.reset();
}

// They need not come in order.
bool SimKernel::Notify(SimSocket& socket) {
  size_t count = socket.notifications.size();
  size_t first = count > 0 ? random_.Below(count) : 0;
  for (size_t i = 0; i < count; ++i) {
    size_t at = (first + i) % count;
    const SimSocket::Notification& due = socket.notifications[at];
    if (due.after_read > socket.echoed.size() && !socket.reset) continue;
    std::string now;
    for (auto [data, length] : due.memory) now.append(data, length);
    if (now != due.sent) Violation("memory of a zero-copy send changed before its notification");
    uint32_t copied = Chance(50) ? IORING_NOTIF_USAGE_ZC_COPIED : 0;
    Post(due.user_data, static_cast<int>(copied), IORING_CQE_F_NOTIF);
    socket.notifications.erase(socket.notifications.begin() + static_cast<ptrdiff_t>(at));
    return true;
  }
  return false;
}

// With MSG_WAITALL the kernel goes on by itself until all is taken, mostly.
bool SimKernel::SendSome(SimSocket& socket) {
  if (!socket.send) return false;
  if (socket.reset) {
    EndSend(socket, -EPIPE);
    return true;
  }
  SimSocket::Request& send = *socket.send;
  size_t room = kSendQueue - std::min(kSendQueue, socket.in_flight.size());
  if (room == 0) return false;
  uint32_t bytes = Some(std::min<size_t>(room, send.bytes - send.done));
  socket.in_flight += send.Bytes(send.done, bytes);
  send.done += bytes;
  if (!send.may_wait || send.done == send.bytes || !send.waits_for_all || Chance(10)) {
    EndSend(socket, static_cast<int>(send.done));
  }
  return true;
}

bool SimKernel::NoticeHalfClose(SimSocket& socket) {
  if (!socket.watch || !(socket.eof || socket.reset)) return false;
  Post(*socket.watch, POLLRDHUP | (socket.reset ? POLLHUP : 0), 0);
  socket.watch.reset();
  return true;
}

bool SimKernel::ReportWritable() {
  if (!writable_poll_) return false;
  for (auto& [fd, socket] : sockets_) {
    if (!IsToBeTold(socket)) continue;
    Post(*writable_poll_, POLLIN, 0);
    writable_poll_.reset();
    return true;
  }
  return false;
}

namespace {

// What epoll does for the engine, on simulated sockets.
class SimWritableSet final : public WritableSet {
 public:
  explicit SimWritableSet(SimKernel& kernel) : kernel_(kernel) {}

  int Add(int fd, uint64_t tag) override {
    SimSocket& socket = kernel_.sockets()[fd];
    if (socket.in_set) return -EEXIST;
    socket.set_tag = tag;
    socket.in_set = used_ = true;
    return 0;
  }
  int AddAgain(int fd, uint64_t tag) override {
    SimSocket& socket = kernel_.sockets()[fd];
    if (!socket.in_set) return -ENOENT;
    socket.set_tag = tag;
    return 0;
  }
  int AddForGood(int fd, uint64_t tag) override {
    SimSocket& socket = kernel_.sockets()[fd];
    if (socket.edge_tag) return -EEXIST;
    socket.edge_tag = tag;
    socket.wants_edge = used_ = true;
    return 0;
  }
  void Remove(int fd) override {
    SimSocket& socket = kernel_.sockets()[fd];
    socket.set_tag.reset();
    socket.in_set = false;
  }
  int fd() const override { return used_ ? 1 : -1; }
  size_t Take(std::span<uint64_t> tags) override {
    size_t count = 0;
    for (auto& [fd, socket] : kernel_.sockets()) {
      if (!SimKernel::IsToBeTold(socket) || count == tags.size()) continue;
      tags[count++] = socket.set_tag ? *socket.set_tag : *socket.edge_tag;
      socket.set_tag.reset();
      socket.wants_edge = false;
    }
    return count;
  }

 private:
  SimKernel& kernel_;
  bool used_ = false;
};

}  // namespace

std::unique_ptr<WritableSet> SimKernel::NewWritableSet() {
  return std::make_unique<SimWritableSet>(*this);
}

void SimKernel::EndAccept(size_t which, int res, uint32_t flags) {
  Post(accepts_[which].user_data, res, flags);
  if ((flags & IORING_CQE_F_MORE) != 0) return;
  accepts_.erase(accepts_.begin() + static_cast<ptrdiff_t>(which));
}

bool SimKernel::AcceptOne() {
  if (accepts_.empty() || backlog_.empty()) return false;
  size_t which = random_.Below(accepts_.size());
  const io_uring_sqe& accept = accepts_[which];
  bool multishot = (accept.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
  bool more = multishot && !CompletionQueueFull() && !overflowing() && Chance(90);
  if (Chance(5)) {
    EndAccept(which, -ECONNABORTED, 0);
    return true;
  }
  int fd = backlog_.front();
  backlog_.pop_front();
  if (accept.file_index != 0) {
    files_[accept.file_index - 1] = fd;
    fd = 0;
  }
  EndAccept(which, fd, more ? IORING_CQE_F_MORE : 0);
  return true;
}

}  // namespace ringecho::engine::uring
