// No order of events wedges: a few connections, fewer buffers, peers that do not read, and every
// sequence of so many events. From wherever a sequence ends, whoever reads gets everything while
// the others still do not; and when these read, too, everything has come back once and in order,
// and every connection and buffer is free.
//
// Between two events the engine may have had its turn or not; a turn is one of the choices. The
// length of the sequences is RINGECHO_DEPTH, or what a test names; 12 for all of them, 1,840,000
// sequences, take a minute.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "choice_kernel.h"
#include "engine/uring/engine.h"

namespace ringecho::engine::uring {
namespace {

struct Small {
  std::string name;
  FeatureSet features = kDefaultFeatures;
  size_t clients = 2;
  size_t not_reading = 0;  // the first of them
  size_t idle = 0;         // behind the first: send nothing and do not end
  uint32_t buffers = 2;
  size_t depth = 11;
};

std::ostream& operator<<(std::ostream& out, const Small& small) { return out << small.name; }

constexpr uint32_t kChunkBytes = 4;
constexpr int kChunks = 3;

struct EchoAll {
  template <class E>
  void OnOpen(E&, ConnId) {}
  template <class E>
  Verdict OnData(E&, ConnId, std::span<const std::byte>) {
    return Verdict::kEcho;
  }
  template <class E>
  void OnSent(E&, ConnId, size_t) {}
  template <class E>
  void OnClosed(E&, ConnId, CloseReason) {}
  template <class E>
  void OnWake(E&) {}
  int64_t NextDeadline() const { return base::kNever; }
  template <class E>
  void OnDeadline(E&, int64_t) {}
};

std::string Message(size_t client) {
  std::string out;
  for (uint32_t i = 0; i < kChunks * kChunkBytes; ++i) {
    out += static_cast<char>((client % 2 == 0 ? 'a' : 'A') + i);
  }
  return out;
}

// One way through: the engine, the kernel, and the choices made.
class Walk {
 public:
  explicit Walk(const Small& small) : small_(small) {
    std::vector<ChoiceClient> clients(small.clients);
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i].ended = IsIdle(i);
      clients[i].unsent = Sends(i);
      clients[i].reads = i >= small.not_reading;
    }
    auto kernel = std::make_unique<ChoiceKernel>(std::move(clients), kChunkBytes);
    kernel_ = kernel.get();
    Capabilities caps;
    caps.available = true;
    caps.has = kAllFeatures;
    Options options;
    options.max_connections = static_cast<uint32_t>(small.clients) + 1;
    options.features.wanted = small.features;
    options.buffers = small.buffers;
    options.buffer_bytes = kChunkBytes;
    options.high_water_bytes = 2 * kChunkBytes;
    options.low_water_bytes = kChunkBytes;
    auto engine = Engine<EchoAll>::CreateOn(std::move(kernel), kernel_->NewWritableSet(), options,
                                            caps, handler_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    EXPECT_TRUE(engine_->Listen(base::UniqueFd(99999)).ok());
    Turn();
    Turn();
  }

  // How many things can happen next: the engine's turn, and the kernel's events.
  size_t Choices() { return 1 + kernel_->Enabled().size(); }
  void Choose(size_t choice) {
    if (choice == 0) {
      Turn();
    } else {
      kernel_->Happen(kernel_->Enabled()[choice - 1]);
    }
  }

  // Empty when all is well.
  std::string Finish() {
    if (!Settle()) return "does not come to rest";
    for (size_t i = small_.not_reading; i < small_.clients; ++i) {
      if (kernel_->clients()[i].echoed != Sends(i)) return Waiting(i, "although it reads");
    }
    for (size_t i = 0; i < small_.clients; ++i) {
      kernel_->clients()[i].reads = true;
      if (IsIdle(i)) kernel_->clients()[i].ended = false;
    }
    if (!Settle()) return "does not come to rest in the end";
    for (size_t i = 0; i < small_.clients; ++i) {
      if (kernel_->clients()[i].echoed != Sends(i)) return Waiting(i, "in the end");
    }
    if (engine_->connections() != 0) return "a connection is left";
    if (small_.features.Has(FeatureId::kBufferRing) && kernel_->BuffersFree() != small_.buffers) {
      return "a buffer is lost";
    }
    return kernel_->violation;
  }

 private:
  bool IsIdle(size_t client) const { return client >= 1 && client <= small_.idle; }

  std::string Sends(size_t client) const { return IsIdle(client) ? "" : Message(client); }

  void Turn(int64_t later_ns = 0) { EXPECT_TRUE(engine_->RunBatchForTest(later_ns).ok()); }

  // Everything that can happen happens, in a fair order, until the engine sleeps for good.
  bool Settle() {
    constexpr size_t kEnough = 500;
    kernel_->asleep = false;
    for (size_t i = 0; i < kEnough; ++i) {
      std::vector<ChoiceKernel::Event> events = kernel_->Enabled();
      if (events.empty() && kernel_->asleep) return true;
      if (!events.empty()) kernel_->Happen(events[i % events.size()]);
      // What rests has rested by then.
      Turn(base::kNsPerSec);
    }
    return false;
  }

  std::string Waiting(size_t client, const std::string& when) {
    return "client " + std::to_string(client) + " has only \"" + kernel_->clients()[client].echoed +
           "\" " + when;
  }

  const Small& small_;
  EchoAll handler_;
  ChoiceKernel* kernel_;
  std::unique_ptr<Engine<EchoAll>> engine_;
};

class ExhaustiveTest : public ::testing::TestWithParam<Small> {
 protected:
  // Goes through all sequences of `depth` choices, each from its start: `next` is the one to go
  // through, and what follows its end is always the first choice.
  void Explore(size_t depth) {
    std::vector<size_t> next;
    do {
      Walk walk(GetParam());
      std::vector<size_t> choices(depth);
      next.resize(depth, 0);
      for (size_t i = 0; i < depth; ++i) {
        choices[i] = walk.Choices();
        walk.Choose(next[i]);
      }
      ++sequences_;
      std::string wrong = walk.Finish();
      if (!wrong.empty()) ADD_FAILURE() << wrong << " after " << ::testing::PrintToString(next);
      while (!next.empty() && next.back() + 1 == choices[next.size() - 1]) next.pop_back();
      if (!next.empty()) ++next.back();
    } while (!next.empty() && !HasFailure());
  }

  int sequences_ = 0;
};

TEST_P(ExhaustiveTest, NoOrderOfEventsWedges) {
  const char* asked = std::getenv("RINGECHO_DEPTH");
  Explore(asked != nullptr ? std::strtoull(asked, nullptr, 10) : GetParam().depth);
  RecordProperty("sequences", sequences_);
  std::printf("%d sequences\n", sequences_);
}

constexpr FeatureSet kOneShot = kDefaultFeatures - FeatureSet{FeatureId::kMultishotRecv};
constexpr FeatureSet kFixed = kDefaultFeatures - FeatureSet{FeatureId::kBufferRing};

INSTANTIATE_TEST_SUITE_P(
    Small, ExhaustiveTest,
    ::testing::Values(
        Small{.name = "TwoAndTwo"}, Small{.name = "TwoAndTwoOneDoesNotRead", .not_reading = 1},
        Small{.name = "TwoAndOneOneDoesNotRead", .not_reading = 1, .buffers = 1},
        Small{.name = "TwoAndThreeOneDoesNotRead", .not_reading = 1, .buffers = 3},
        Small{.name = "ThreeAndTwoOneDoesNotRead", .clients = 3, .not_reading = 1, .depth = 10},
        Small{.name = "ThreeAndTwoTwoDoNotRead", .clients = 3, .not_reading = 2, .depth = 10},
        Small{.name = "ThreeAndThreeTwoDoNotRead",
              .clients = 3,
              .not_reading = 2,
              .buffers = 3,
              .depth = 10},
        Small{.name = "ThreeAndTwoOneIsIdle", .clients = 3, .idle = 1},
        Small{.name = "ThreeAndOneOneIsIdle", .clients = 3, .idle = 1, .buffers = 1},
        Small{.name = "OneOfEachKindAndTwo", .clients = 3, .not_reading = 1, .idle = 1},
        Small{.name = "OneShotOneDoesNotRead", .features = kOneShot, .not_reading = 1},
        Small{.name = "FixedOneDoesNotRead", .features = kFixed, .not_reading = 1, .depth = 12}),
    [](const auto& small) { return small.param.name; });

}  // namespace
}  // namespace ringecho::engine::uring
