#include "engine/uring/capabilities.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "engine/defaults.h"
#include "engine/uring/absence.h"
#include "engine/uring/buffer_ring.h"
#include "engine/uring/bundle_selftest.h"
#include "engine/uring/compat.h"
#include "engine/uring/plan.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {
namespace {

constexpr int64_t kTrialNs = base::kNsPerSec;

// The kernel gives back what a closed ring was charged a little later.
constexpr int kShortageRetries = 5;
constexpr useconds_t kShortageRestUs = 10'000;

std::unique_ptr<KernelRing> SmallRing(unsigned flags, int* error = nullptr) {
  std::unique_ptr<KernelRing> ring;
  int result = 0;
  for (int i = 0; i < kShortageRetries; ++i) {
    result = KernelRing::Create({.sq_entries = 4, .cq_entries = 8, .flags = flags}, &ring);
    if (result != ENOMEM) break;
    usleep(kShortageRestUs);
  }
  if (error != nullptr) *error = result;
  return ring;
}

// Whether the first completion that comes has data or a descriptor and promises more. A
// descriptor that was accepted is closed.
bool FirstCompletionHasMore(KernelRing& ring, bool is_descriptor) {
  if (int result = ring.SubmitAndWait(kTrialNs); result < 0) return false;
  bool more = false;
  bool first = true;
  ring.Drain([&](const io_uring_cqe& cqe) {
    if (first) more = cqe.res >= 0 && (cqe.flags & IORING_CQE_F_MORE) != 0;
    if (is_descriptor && cqe.res >= 0) base::UniqueFd accepted(cqe.res);
    first = false;
  });
  return more;
}

// A trial that could not be made for want of memory or descriptors says nothing about the kernel.
bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

// What a trial found: whether it works, or the errno of a shortage.
struct Trial {
  bool works = false;
  int shortage = 0;
};

Trial Failed(int error) { return {.works = false, .shortage = IsShortage(error) ? error : 0}; }

Trial TryMultishotReceive() {
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) return Failed(error);
  auto buffers = BufferRing::Create(*ring, 1, 16);
  if (!buffers.ok()) return {};
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return Failed(errno);
  base::UniqueFd receiver(pair[0]);
  base::UniqueFd sender(pair[1]);
  if (write(sender.get(), "x", 1) != 1) return Failed(errno);
  io_uring_sqe* sqe = ring->GetSqe();
  io_uring_prep_rw(IORING_OP_RECV, sqe, receiver.get(), nullptr, 0, 0);
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags = IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::kGroup;
  sqe->user_data = 0;
  Trial trial{.works = FirstCompletionHasMore(*ring, false), .shortage = 0};
  ring.reset();  // before the buffers it may still use
  return trial;
}

// Two receives that are to share a buffer: the first leaves it with the kernel, the second goes
// behind it.
Trial TryIncrementalBuffers() {
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) return Failed(error);
  auto buffers = BufferRing::Create(*ring, 1, 16, BufferUse::kIncremental);
  if (!buffers.ok()) return {};
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return Failed(errno);
  base::UniqueFd receiver(pair[0]);
  base::UniqueFd sender(pair[1]);
  bool works = true;
  for (const char* text : {"ab", "cd"}) {
    if (write(sender.get(), text, 2) != 2) return Failed(errno);
    io_uring_sqe* sqe = ring->GetSqe();
    io_uring_prep_rw(IORING_OP_RECV, sqe, receiver.get(), nullptr, 0, 0);
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = BufferRing::kGroup;
    sqe->user_data = 0;
    if (ring->SubmitAndWait(kTrialNs) < 0) works = false;
    unsigned count = ring->Drain([&](const io_uring_cqe& cqe) {
      if (cqe.res != 2 || (cqe.flags & IORING_CQE_F_BUF_MORE) == 0) works = false;
    });
    if (count != 1) works = false;
  }
  if (std::memcmp((*buffers)->Data(0), "abcd", 4) != 0) works = false;
  ring.reset();  // before the buffers it may still use
  return {.works = works, .shortage = 0};
}

Trial TryRecvBundle(Capabilities& caps) {
  if ((caps.features & IORING_FEAT_RECVSEND_BUNDLE) == 0) return {};
  std::unique_ptr<KernelRing> ring;
  int error = KernelRing::Create({.sq_entries = 8, .cq_entries = 64, .flags = 0}, &ring);
  if (error != 0) return Failed(error);
  BundleSelftest test = RunBundleSelftest(std::move(ring));
  if (IsShortage(test.error)) return Failed(test.error);
  caps.declined[static_cast<size_t>(FeatureId::kRecvBundle)] = test.why_not;
  return {.works = test.passed, .shortage = 0};
}

Trial TryPollFirst() {
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) return Failed(error);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return Failed(errno);
  base::UniqueFd receiver(pair[0]);
  base::UniqueFd sender(pair[1]);
  if (write(sender.get(), "x", 1) != 1) return Failed(errno);
  char byte = 0;
  io_uring_sqe* sqe = ring->GetSqe();
  io_uring_prep_rw(IORING_OP_RECV, sqe, receiver.get(), &byte, 1, 0);
  sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
  sqe->user_data = 0;
  Trial trial;
  if (ring->SubmitAndWait(kTrialNs) >= 0) {
    ring->Drain([&](const io_uring_cqe& cqe) { trial.works = cqe.res == 1; });
  }
  ring.reset();  // before the byte it may still use
  return trial;
}

// A zero-copy send that cannot go anywhere, with these flags (IORING_RECVSEND_FIXED_BUF: from a
// registered buffer). A kernel that knows them gets as far as the socket, which says that it is not
// connected; TCP because unix sockets do not do it.
Trial TrySendZc(uint16_t flags) {
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) return Failed(error);
  base::UniqueFd unconnected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!unconnected.valid()) return Failed(errno);
  std::byte byte{};
  if ((flags & IORING_RECVSEND_FIXED_BUF) != 0) {
    iovec buffer = {&byte, 1};
    if (int result = ring->RegisterBuffers(&buffer, 1); result < 0) return Failed(-result);
  }
  io_uring_sqe* sqe = ring->GetSqe();
  io_uring_prep_send_zc(sqe, unconnected.get(), &byte, 1, MSG_NOSIGNAL, flags);
  sqe->user_data = 0;
  Trial trial;
  if (ring->SubmitAndWait(kTrialNs) >= 0) {
    ring->Drain([&](const io_uring_cqe& cqe) {
      bool result = (cqe.flags & IORING_CQE_F_NOTIF) == 0;
      if (result) trial.works = cqe.res == -EPIPE || cqe.res == -ENOTCONN;
    });
  }
  ring.reset();  // before the byte it may still use
  return trial;
}

Trial TryMultishotAccept() {
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) return Failed(error);
  base::UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  base::UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // One more for the connection that is accepted.
  base::UniqueFd spare(dup(listener.get()));
  if (!listener.valid() || !client.valid() || !spare.valid()) return Failed(errno);
  spare.Reset();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);  // autobind: the kernel picks an abstract name
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.get(), generic, length) != 0 || listen(listener.get(), 1) != 0) {
    return Failed(errno);
  }
  length = sizeof(address);
  if (getsockname(listener.get(), generic, &length) != 0 ||
      connect(client.get(), generic, length) != 0) {
    return Failed(errno);
  }
  io_uring_sqe* sqe = ring->GetSqe();
  io_uring_prep_multishot_accept(sqe, listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  sqe->user_data = 0;
  return {.works = FirstCompletionHasMore(*ring, true), .shortage = 0};
}

// Before Linux 6.13 a file taken out of the table may be kept while an older request on any file of
// it is in flight: a close would send no end of stream (liburing issue 1192). So: does the far end
// of one notice its close while another one receives?
Trial TryDirectDescriptors() {
  constexpr int kPatienceMs = 300;
  std::byte byte{};
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) return Failed(error);
  if (error = ring->RegisterFileTable(2); error != 0) return Failed(-error);
  std::array<int, 2> idle;
  std::array<int, 2> ended;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, idle.data()) != 0) return Failed(errno);
  base::UniqueFd idle_near(idle[0]);
  base::UniqueFd idle_far(idle[1]);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ended.data()) != 0) return Failed(errno);
  base::UniqueFd ended_near(ended[0]);
  base::UniqueFd ended_far(ended[1]);
  for (unsigned i : {0U, 1U}) {
    error = ring->InstallFile(i, i == 0 ? idle[0] : ended[0]);
    if (error != 0) return Failed(-error);
  }
  ended_near.Reset();
  io_uring_sqe* sqe = ring->GetSqe();
  io_uring_prep_rw(IORING_OP_RECV, sqe, 0, &byte, 1, 0);
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->user_data = 0;
  sqe = ring->GetSqe();
  io_uring_prep_close_direct(sqe, 1);
  sqe->user_data = 1;
  pollfd end{ended_far.get(), POLLIN, 0};
  bool closes = ring->SubmitAndWait(kTrialNs) >= 0 && poll(&end, 1, kPatienceMs) == 1 &&
                (end.revents & POLLHUP) != 0;
  ring.reset();  // before the byte it may still use
  return {.works = closes, .shortage = 0};
}

// A round trip through the ring: setup may succeed where a filter still denies io_uring_enter.
// 0 or a positive errno.
int TryNop(KernelRing& ring) {
  io_uring_sqe* sqe = ring.GetSqe();
  io_uring_prep_nop(sqe);
  sqe->user_data = 0;
  if (int result = ring.SubmitAndWait(kTrialNs); result < 0) return -result;
  return ring.Drain([](const io_uring_cqe&) {}) == 1 ? 0 : EIO;
}

// Whether the locked-memory limit, where there is one and the kernel charges rings to it, leaves
// room for one engine of the smallest size.
bool LimitLeavesRoom() {
  if (base::LockedMemoryLimit() == base::kUnlimited) return true;
  for (int i = 0; i < kShortageRetries; ++i) {
    std::unique_ptr<KernelRing> ring;
    int error = KernelRing::Create(kSmallestRing, &ring);
    if (error != ENOMEM && (error != 0 || BufferRing::Create(*ring, kDefaultBuffers, 16).ok())) {
      return true;
    }
    usleep(kShortageRestUs);
  }
  return false;
}

// 0 or a positive errno; EINVAL is a kernel without the question (before 5.6).
int ProbeOpcodes(KernelRing& ring, std::vector<uint8_t>& opcodes) {
  constexpr unsigned kAll = 256;
  std::vector<uint64_t> memory((sizeof(io_uring_probe) + kAll * sizeof(io_uring_probe_op)) / 8 + 1);
  auto* probe = reinterpret_cast<io_uring_probe*>(memory.data());
  if (int error = io_uring_register_probe(ring.raw(), probe, kAll); error < 0) return -error;
  for (int op = 0; op <= probe->last_op && op < static_cast<int>(kAll); ++op) {
    if (io_uring_opcode_supported(probe, op)) opcodes.push_back(static_cast<uint8_t>(op));
  }
  return 0;
}

bool HasOpcode(const std::vector<uint8_t>& opcodes, int op) {
  return std::find(opcodes.begin(), opcodes.end(), op) != opcodes.end();
}

bool HasEchoOperations(const std::vector<uint8_t>& opcodes) {
  constexpr std::array kNeeded = {IORING_OP_ACCEPT,      IORING_OP_CONNECT, IORING_OP_RECV,
                                  IORING_OP_SEND,        IORING_OP_READ,    IORING_OP_CLOSE,
                                  IORING_OP_ASYNC_CANCEL};
  return std::all_of(kNeeded.begin(), kNeeded.end(),
                     [&](int op) { return HasOpcode(opcodes, op); });
}

// Those that are nothing but set-up flags.
FeatureSet FeaturesOfFlags(unsigned flags) {
  FeatureSet has;
  for (const FeatureInfo& info : kFeatureTable) {
    unsigned needed = SetupFlags({info.id});
    if (needed != 0 && (flags & needed) == needed) has.Add(info.id);
  }
  return has;
}

// Fills `flags`; the errno of a shortage, or 0.
int ProbeSetupFlags(unsigned& flags) {
  constexpr std::array kSets = {
      IORING_SETUP_SUBMIT_ALL,
      IORING_SETUP_COOP_TASKRUN,
      IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
      IORING_SETUP_SINGLE_ISSUER,
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
      IORING_SETUP_SQPOLL,
      IORING_SETUP_NO_SQARRAY,
  };
  for (unsigned set : kSets) {
    // A liburing that does not know it takes the queue's memory for the array.
    if (set == IORING_SETUP_NO_SQARRAY && !kLiburingHasNoSqarray) continue;
    int error = 0;
    if (SmallRing(set, &error) != nullptr) {
      flags |= set;
    } else if (IsShortage(error)) {
      return error;
    }
  }
  return 0;
}

void AddTried(FeatureId id, Trial trial, Capabilities& caps) {
  if (trial.works) caps.has.Add(id);
  if (trial.shortage == 0) return;
  caps.declined[static_cast<size_t>(id)] =
      absl::StrCat("it could not be tried: ", base::ErrnoText(trial.shortage));
}

void ProbeDirectDescriptors(Capabilities& caps) {
  const Trial trial = TryDirectDescriptors();
  if (!trial.works) {
    caps.declined[static_cast<size_t>(FeatureId::kDirectDescriptors)] =
        "this kernel does not close one while another connection waits";
  }
  AddTried(FeatureId::kDirectDescriptors, trial, caps);
}

// A shortage costs these features only: they are asked for by name, and the program then says so.
void ProbeZeroCopy(Capabilities& caps) {
  if (!HasOpcode(caps.opcodes, IORING_OP_SEND_ZC)) return;
  AddTried(FeatureId::kSendZc, TrySendZc(0), caps);
  if (!caps.has.Has(FeatureId::kSendZc)) return;
  caps.send_zc_reports_usage = TrySendZc(IORING_SEND_ZC_REPORT_USAGE).works;
  AddTried(FeatureId::kSendZcFixed, TrySendZc(IORING_RECVSEND_FIXED_BUF), caps);
}

void SetAbsent(Capabilities& caps, Absence absence, int error, const SystemFacts& facts,
               std::string_view call = "io_uring_setup") {
  caps.resources_short = absence == Absence::kOutOfResources;
  caps.why_not_id = AbsenceName(absence);
  caps.why_not = ExplainAbsence(absence, error, facts, call);
}

}  // namespace

Capabilities ProbeCapabilities() {
  Capabilities caps;
  int error = 0;
  std::unique_ptr<KernelRing> ring = SmallRing(0, &error);
  if (ring == nullptr) {
    SystemFacts facts = ReadSystemFacts();
    SetAbsent(caps, DiagnoseAbsence(error, facts), error, facts);
    return caps;
  }
  caps.features = ring->features();
  int probe_error = ProbeOpcodes(*ring, caps.opcodes);
  if (probe_error != 0 && probe_error != EINVAL) {
    // Setup was allowed, so only a filter on this call can be in the way.
    SetAbsent(caps, Absence::kSeccomp, probe_error, ReadSystemFacts(), "io_uring_register");
    return caps;
  }
  if (!HasEchoOperations(caps.opcodes)) {
    SetAbsent(caps, Absence::kTooOld, 0, {});
    return caps;
  }
  if (int enter_error = TryNop(*ring); enter_error != 0) {
    SetAbsent(caps, Absence::kSeccomp, enter_error, ReadSystemFacts(), "io_uring_enter");
    return caps;
  }
  if (!LimitLeavesRoom()) {
    SetAbsent(caps, Absence::kLockedMemory, ENOMEM, ReadSystemFacts());
    return caps;
  }
  bool buffer_ring = BufferRing::Create(*ring, 1, 16).ok();
  Trial receive = buffer_ring ? TryMultishotReceive() : Trial{};
  Trial poll_first = TryPollFirst();
  Trial accept = TryMultishotAccept();
  Trial bundle = receive.works ? TryRecvBundle(caps) : Trial{};
  Trial incremental = buffer_ring ? TryIncrementalBuffers() : Trial{};
  for (int shortage : {ProbeSetupFlags(caps.setup_flags), receive.shortage, accept.shortage,
                       bundle.shortage, incremental.shortage, poll_first.shortage}) {
    if (shortage == 0) continue;
    SetAbsent(caps, Absence::kOutOfResources, shortage, {});
    return caps;
  }
  caps.available = true;
  caps.has = FeaturesOfFlags(caps.setup_flags);
  // The thread's CPU time must be the process's, and descriptors need not be registered.
  constexpr unsigned kFairPoller = IORING_FEAT_NATIVE_WORKERS | IORING_FEAT_SQPOLL_NONFIXED;
  if ((caps.features & kFairPoller) != kFairPoller && caps.has.Has(FeatureId::kSqpoll)) {
    caps.has.Remove(FeatureId::kSqpoll);
    caps.declined[static_cast<size_t>(FeatureId::kSqpoll)] =
        "this kernel does not charge its thread to the process";
  }
  if ((caps.features & IORING_FEAT_MIN_TIMEOUT) != 0) caps.has.Add(FeatureId::kMinWait);
  if (!kLiburingHasNoSqarray) {
    caps.declined[static_cast<size_t>(FeatureId::kNoSqarray)] =
        "needs liburing 2.5, and this program was built with an older one";
  }
  if (ring->RegisterNapi(kNapiBusyPollUs)) caps.has.Add(FeatureId::kNapi);
  if (poll_first.works) caps.has.Add(FeatureId::kPollFirst);
  // Whether they can be registered depends on limits, too, and is seen when they are.
  caps.has.Add(FeatureId::kFixedBuffers);
  if (buffer_ring) caps.has.Add(FeatureId::kBufferRing);
  if (receive.works) caps.has.Add(FeatureId::kMultishotRecv);
  if (bundle.works) caps.has.Add(FeatureId::kRecvBundle);
  if (incremental.works) caps.has.Add(FeatureId::kIncrementalBuffers);
  if (accept.works) caps.has.Add(FeatureId::kMultishotAccept);
  if (HasOpcode(caps.opcodes, IORING_OP_SENDMSG)) caps.has.Add(FeatureId::kVectoredSend);
  if (HasOpcode(caps.opcodes, kOpFixedFdInstall)) ProbeDirectDescriptors(caps);
  ProbeZeroCopy(caps);
  if (ring->RegisterRing()) caps.has.Add(FeatureId::kRegisteredRing);
  return caps;
}

FeatureReasons WhyNotHere(const Capabilities& caps) {
  FeatureReasons why_not;
  for (const FeatureInfo& info : kFeatureTable) {
    if (caps.has.Has(info.id)) continue;
    const std::string& declined = caps.declined[static_cast<size_t>(info.id)];
    why_not[static_cast<size_t>(info.id)] =
        declined.empty() ? "this kernel does not have it" : declined;
  }
  return why_not;
}

const Capabilities& ThisKernel() {
  static const Capabilities kCapabilities = ProbeCapabilities();
  return kCapabilities;
}

}  // namespace ringecho::engine::uring
