#include "choice_kernel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "engine/uring/connection.h"

namespace ringecho::engine::uring {
namespace {

constexpr int kFirstFd = 100000;  // never descriptors of this process

// What a send of one or several buffers is to send, read when it is sent: memory that was given up
// too early shows.
std::string Text(const io_uring_sqe& sqe) {
  if (sqe.opcode != IORING_OP_SENDMSG) return {reinterpret_cast<const char*>(sqe.addr), sqe.len};
  const auto* message = reinterpret_cast<const msghdr*>(sqe.addr);
  std::string out;
  for (size_t i = 0; i < message->msg_iovlen; ++i) {
    out.append(static_cast<const char*>(message->msg_iov[i].iov_base), message->msg_iov[i].iov_len);
  }
  return out;
}

class ChoiceWritableSet final : public WritableSet {
 public:
  explicit ChoiceWritableSet(ChoiceKernel& kernel) : kernel_(kernel) {}
  int Add(int fd, uint64_t tag) override {
    ChoiceClient& client = Client(fd);
    if (client.in_set) return -EEXIST;
    client.set_tag = tag;
    client.in_set = used_ = true;
    return 0;
  }
  int AddAgain(int fd, uint64_t tag) override {
    ChoiceClient& client = Client(fd);
    if (!client.in_set) return -ENOENT;
    client.set_tag = tag;
    return 0;
  }
  int AddForGood(int, uint64_t) override { return -ENOSYS; }  // only direct descriptors
  void Remove(int fd) override {
    Client(fd).set_tag.reset();
    Client(fd).in_set = false;
  }
  int fd() const override { return used_ ? 1 : -1; }
  size_t Take(std::span<uint64_t> tags) override {
    size_t count = 0;
    for (ChoiceClient& client : kernel_.clients()) {
      if (!client.set_tag || !kernel_.Writable(client) || count == tags.size()) continue;
      tags[count++] = *client.set_tag;
      client.set_tag.reset();
    }
    return count;
  }

 private:
  ChoiceClient& Client(int fd) { return kernel_.clients()[static_cast<size_t>(fd - kFirstFd)]; }

  ChoiceKernel& kernel_;
  bool used_ = false;
};

}  // namespace

std::unique_ptr<WritableSet> ChoiceKernel::NewWritableSet() {
  return std::make_unique<ChoiceWritableSet>(*this);
}

int ChoiceKernel::Submit() {
  int count = 0;
  for (; Queued() > 0; ++count) Take(TakeSqe());
  return count;
}

int ChoiceKernel::SubmitAndWait(int64_t timeout_ns) {
  Submit();
  asleep = CompletionsReady() == 0 && timeout_ns == base::kNever && Enabled().empty();
  return CompletionsReady() > 0 ? 0 : -ETIME;
}

void ChoiceKernel::Take(const io_uring_sqe& sqe) {
  size_t index = static_cast<size_t>(sqe.fd - kFirstFd);
  ChoiceClient* client = index < clients_.size() ? &clients_[index] : nullptr;
  switch (UserData::GetOp(sqe.user_data)) {
    case Op::kAccept:
      accept_ = sqe.user_data;
      break;
    case Op::kReceive:
      if (client->receive) violation = "two receives on one socket";
      client->receive = sqe;
      // An empty group ends a multishot receive at once, even on an idle socket.
      if ((sqe.ioprio & IORING_RECV_MULTISHOT) != 0 && BuffersFree() == 0) {
        EndReceive(*client, -ENOBUFS);
      }
      break;
    case Op::kSend:
      TakeSend(*client, sqe);
      break;
    case Op::kWatch:
      client->watch = sqe.user_data;
      break;
    case Op::kWritable:
      writable_poll_ = sqe.user_data;
      break;
    case Op::kCancel:
      Cancel(sqe);
      break;
    case Op::kClose:
      Close(*client, sqe);
      break;
    default:
      break;
  }
}

void ChoiceKernel::TakeSend(ChoiceClient& client, const io_uring_sqe& sqe) {
  if (client.send) violation = "two sends on one socket";
  client.send = sqe;
  bool waits = (sqe.msg_flags & MSG_DONTWAIT) == 0 || sqe.opcode == IORING_OP_WRITE_FIXED;
  if (waits) return;
  if (uint32_t room = Room(client); room > 0) {
    SendBytes(client, room);
  } else {
    Post(sqe.user_data, -EAGAIN, 0);
    client.send.reset();
  }
}

void ChoiceKernel::Cancel(const io_uring_sqe& sqe) {
  int found = -ENOENT;
  auto end = [&](uint64_t user_data) {
    Post(user_data, -ECANCELED, 0);
    found = 0;
  };
  for (ChoiceClient& client : clients_) {
    if (client.receive && client.receive->user_data == sqe.addr) {
      end(sqe.addr);
      client.receive.reset();
    }
    if (client.send && client.send->user_data == sqe.addr) {
      end(sqe.addr);
      client.send.reset();
    }
    if (client.watch == sqe.addr) {
      end(sqe.addr);
      client.watch.reset();
    }
  }
  if (accept_ == sqe.addr) {
    end(sqe.addr);
    accept_.reset();
  }
  Post(sqe.user_data, found, 0);
}

void ChoiceKernel::Close(ChoiceClient& client, const io_uring_sqe& sqe) {
  if (client.receive || client.send || client.watch) violation = "closed with work in flight";
  if (client.set_tag) violation = "closed while in the writable set";
  if (client.closed) violation = "closed twice";
  client.closed = true;
  Post(sqe.user_data, 0, 0);
}

uint32_t ChoiceKernel::Room(const ChoiceClient& client) const {
  auto bytes = static_cast<uint32_t>(Text(*client.send).size());
  return client.reads ? bytes : std::min(bytes, kSendQueueBytes - client.queued);
}

std::vector<ChoiceKernel::Event> ChoiceKernel::Enabled() {
  std::vector<Event> out;
  if (accept_ && accepted_ < clients_.size()) out.push_back({What::kConnect, accepted_});
  for (size_t i = 0; i < clients_.size(); ++i) {
    ChoiceClient& client = clients_[i];
    if (client.receive && !client.unsent.empty()) {
      bool selects = (client.receive->flags & IOSQE_BUFFER_SELECT) != 0;
      bool multishot = (client.receive->ioprio & IORING_RECV_MULTISHOT) != 0;
      bool starved = selects && BuffersFree() == 0;
      if (starved) out.push_back({What::kStarve, i});
      if (!starved && multishot) out.push_back({What::kReceive, i});
      if (!starved) out.push_back({What::kReceiveLast, i});
    } else if (client.receive && !client.ended) {
      out.push_back({What::kEnd, i});
    }
    if (client.watch && client.unsent.empty()) out.push_back({What::kHalfClose, i});
    if (client.send && Room(client) > 0) {
      out.push_back({What::kSendAll, i});
      if (Room(client) > 1) out.push_back({What::kSendSome, i});
    }
    if (client.set_tag && writable_poll_ && Writable(client)) out.push_back({What::kWritable, i});
  }
  return out;
}

void ChoiceKernel::Happen(const Event& event) {
  ChoiceClient& client = clients_[event.client];
  switch (event.what) {
    case What::kConnect:
      Post(*accept_, kFirstFd + static_cast<int>(accepted_++), IORING_CQE_F_MORE);
      break;
    case What::kReceive:
      Receive(client, true);
      break;
    case What::kReceiveLast:
      Receive(client, false);
      break;
    case What::kStarve:
      EndReceive(client, -ENOBUFS);
      break;
    case What::kEnd:
      client.ended = true;
      EndReceive(client, 0);
      break;
    case What::kHalfClose:
      Post(*client.watch, POLLRDHUP, 0);
      client.watch.reset();
      break;
    case What::kSendAll:
      SendBytes(client, Room(client));
      break;
    case What::kSendSome:
      SendBytes(client, Room(client) / 2);
      break;
    case What::kWritable:
      Post(*writable_poll_, POLLIN, 0);
      writable_poll_.reset();
      break;
  }
}

void ChoiceKernel::EndReceive(ChoiceClient& client, int res) {
  Post(client.receive->user_data, res, 0);
  client.receive.reset();
}

void ChoiceKernel::Receive(ChoiceClient& client, bool more) {
  const io_uring_sqe sqe = *client.receive;
  auto* memory = reinterpret_cast<char*>(sqe.addr);
  uint32_t flags = more ? IORING_CQE_F_MORE : 0;
  if ((sqe.flags & IOSQE_BUFFER_SELECT) != 0) {
    const io_uring_buf* buffer = NextBuffer();
    memory = reinterpret_cast<char*>(buffer->addr);
    flags |= static_cast<uint32_t>(buffer->bid) << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER;
    UseBuffer(chunk_bytes_);
  }
  size_t bytes = std::min<size_t>(chunk_bytes_, client.unsent.size());
  std::memcpy(memory, client.unsent.data(), bytes);
  client.unsent.erase(0, bytes);
  if (!client.unsent.empty()) flags |= IORING_CQE_F_SOCK_NONEMPTY;
  Post(sqe.user_data, static_cast<int>(bytes), flags);
  if (!more) client.receive.reset();
}

void ChoiceKernel::SendBytes(ChoiceClient& client, uint32_t bytes) {
  client.echoed += Text(*client.send).substr(0, bytes);
  if (!client.reads) client.queued += bytes;
  Post(client.send->user_data, static_cast<int>(bytes), 0);
  client.send.reset();
}

}  // namespace ringecho::engine::uring
