// Core: ordinary descriptors for direct ones. What no request can ask a socket (ioctl), what a
// request would need a kernel thread for (shutdown) and epoll take a descriptor; a connection gets
// one for as long as that takes, which is seldom and short, or the limit would be back.
#include <cerrno>

#include "engine/uring/core.h"

namespace ringecho::engine::uring {

// The descriptor, or -1 when it has to be made first: Pump is called when it is there, or, with too
// many being made, may call this again.
int Core::PlainDescriptor(uint32_t slot, Connection& c) {
  if (!Uses(FeatureId::kDirectDescriptors)) return c.fd;
  if (c.plain_fd.valid() || c.install_armed) return c.plain_fd.get();
  // Connections that fall idle together must not take all descriptors together.
  constexpr uint32_t kInstallsAtOnce = 256;
  if (installs_ >= kInstallsAtOnce) {
    RestBeforePump(slot);
    return -1;
  }
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) return -1;
  io_uring_prep_rw(kOpFixedFdInstall, sqe, c.fd, nullptr, 0, 0);
  Address(sqe, Op::kInstall, slot);
  c.install_armed = true;
  ++installs_;
  return -1;
}

void Core::PlainDescriptorDone(Connection& c) {
  if (!c.plain_fd.valid()) return;
  counters_.syscalls.Increment();
  c.plain_fd.Reset();
}

void Core::OnInstall(const io_uring_cqe& cqe) {
  Connection* c = FindFor(cqe);
  if (c == nullptr) return;
  uint32_t slot = UserData::Slot(cqe.user_data);
  c->install_armed = false;
  --installs_;
  if (cqe.res >= 0) {
    c->plain_fd.Reset(cqe.res);
    Pump(slot, *c);
  } else {
    // Out of descriptors; whoever needs one tries again.
    RestBeforePump(slot);
  }
}

}  // namespace ringecho::engine::uring
