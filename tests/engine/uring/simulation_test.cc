// Seeded simulation: many connections, few buffers, small queues and a kernel that does whatever
// it may. Whatever happens, every byte comes back once and in order, nothing is lost, nothing
// wedges, and everything is given back at the end. A failure prints its seed; run that one with
//   simulation_test --gtest_filter=*NAME* and RINGECHO_SIM_SEED=N.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/uring/engine.h"
#include "sim_kernel.h"

namespace ringecho::engine::uring {
namespace {

constexpr FeatureSet kWithoutBundles = kDefaultFeatures - FeatureSet{FeatureId::kRecvBundle};
const FeatureSet kIncremental = With(kDefaultFeatures, FeatureId::kIncrementalBuffers);
const FeatureSet kDirect = With(kDefaultFeatures, FeatureId::kDirectDescriptors);
constexpr FeatureSet kFixedRung = kDefaultFeatures - FeatureSet{FeatureId::kBufferRing};
constexpr FeatureSet kZeroCopy = {FeatureId::kSendZc, FeatureId::kSendZcFixed};

// All accept by multishot: without it, clients are taken by a call that no simulation sees.
struct Scenario {
  std::string name;
  FeatureSet features = kDefaultFeatures;
  uint32_t buffers = 4;
  uint32_t buffer_bytes = 16;
  unsigned sq_entries = 8;
  unsigned cq_entries = 16;
  uint32_t high_water_bytes = 64;
  int clients = 5;
  int not_reading = 0;         // of them, until everything is quiet
  unsigned reset_percent = 0;  // per step and connection
  unsigned close_percent = 0;  // per OnData
  uint32_t places = 64;        // of the connection table
};

struct EchoAll {
  template <class E>
  void OnOpen(E&, ConnId) {
    ++opened;
  }
  template <class E>
  Verdict OnData(E& engine, ConnId id, std::span<const std::byte>) {
    if (kernel->Chance(close_percent)) {
      if (kernel->Chance(50)) return Verdict::kClose;
      kernel->Chance(50) ? engine.Close(id, CloseReason::kLocal)
                         : engine.Finish(id, CloseReason::kLocal);
    }
    return Verdict::kEcho;
  }
  template <class E>
  void OnSent(E&, ConnId, size_t) {}
  template <class E>
  void OnClosed(E&, ConnId, CloseReason) {
    ++closed;
  }
  template <class E>
  void OnWake(E& engine) {
    engine.Exit();
  }
  int64_t NextDeadline() const { return base::kNever; }
  template <class E>
  void OnDeadline(E&, int64_t) {}

  SimKernel* kernel = nullptr;
  unsigned close_percent = 0;
  int opened = 0;
  int closed = 0;
};

std::string Stream(uint64_t seed, size_t bytes) {
  base::SplitMix64 random(seed);
  std::string out(bytes, '\0');
  for (char& c : out) c = static_cast<char>('!' + random.Below(90));
  return out;
}

class SimulationTest : public ::testing::TestWithParam<Scenario> {
 protected:
  void Simulate(uint64_t seed);

  uint64_t bundles_ = 0;          // in all runs so far
  uint64_t zero_copy_sends_ = 0;  // likewise

 private:
  void CheckClient(const SimSocket& socket, const std::string& sent, bool disturbed);
};

void SimulationTest::CheckClient(const SimSocket& socket, const std::string& sent, bool disturbed) {
  EXPECT_TRUE(socket.closed);
  if (!disturbed && !socket.reset) {
    EXPECT_EQ(socket.echoed, sent);
  } else {
    std::string all = socket.echoed + socket.in_flight;
    EXPECT_EQ(all, sent.substr(0, all.size()));
  }
}

void SimulationTest::Simulate(uint64_t seed) {
  const Scenario& scenario = GetParam();
  auto owned = std::make_unique<SimKernel>(seed, scenario.sq_entries, scenario.cq_entries);
  SimKernel& kernel = *owned;
  kernel.reset_percent = scenario.reset_percent;
  std::vector<std::string> sent;
  for (int i = 0; i < scenario.clients; ++i) {
    sent.push_back(Stream(seed * 1000 + static_cast<uint64_t>(i), 200 + kernel.Chance(50) * 400));
    kernel.AddClient(sent.back(), /*eof_after=*/true, /*reads=*/i >= scenario.not_reading);
  }
  bool all_read = scenario.not_reading == 0;
  kernel.on_quiet = [&] {
    if (all_read) {
      kernel.WakeEngine();
      return;
    }
    // Quiet, and those that read must have got all of theirs by now: the others stood in nobody's
    // way. Then these read, too.
    all_read = true;
    int i = 0;
    for (auto& [fd, socket] : kernel.sockets()) {
      if (socket.reads && scenario.reset_percent + scenario.close_percent == 0) {
        EXPECT_EQ(socket.echoed, sent[static_cast<size_t>(i)]) << "client " << i;
      }
      socket.reads = true;
      ++i;
    }
  };

  Capabilities caps;
  caps.available = true;
  caps.has = kAllFeatures;
  caps.opcodes = {IORING_OP_SENDMSG_ZC};
  caps.send_zc_reports_usage = true;
  Options options;
  options.max_connections = scenario.places;
  options.features.wanted = scenario.features;
  options.buffers = scenario.buffers;
  options.buffer_bytes = scenario.buffer_bytes;
  options.high_water_bytes = scenario.high_water_bytes;
  options.low_water_bytes = scenario.high_water_bytes / 4;
  EchoAll handler;
  handler.kernel = &kernel;
  handler.close_percent = scenario.close_percent;
  auto engine =
      Engine<EchoAll>::CreateOn(std::move(owned), kernel.NewWritableSet(), options, caps, handler);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE((*engine)->Listen(base::UniqueFd(SimKernel::kFirstFd - 1)).ok());
  ASSERT_TRUE((*engine)->Run().ok());

  EXPECT_EQ(kernel.violations(), std::vector<std::string>{});
  EXPECT_EQ(handler.opened, scenario.clients);
  EXPECT_EQ(handler.closed, scenario.clients);
  EXPECT_EQ((*engine)->connections(), 0u);
  EXPECT_EQ((*engine)->counters().stale_completions.Get(), 0u);
  bundles_ += (*engine)->counters().bundles.Get();
  zero_copy_sends_ += (*engine)->counters().zc_sends.Get();
  if (scenario.features.Has(FeatureId::kBufferRing)) {
    EXPECT_EQ(kernel.BuffersFree(), scenario.buffers) << "all buffers are back";
  }
  int i = 0;
  for (auto& [fd, socket] : kernel.sockets()) {
    SCOPED_TRACE(testing::Message() << "client " << i);
    CheckClient(socket, sent[static_cast<size_t>(i++)], scenario.close_percent > 0);
  }
}

TEST_P(SimulationTest, EveryByteComesBackOnceAndInOrder) {
  if (const char* only = std::getenv("RINGECHO_SIM_SEED")) {
    Simulate(std::strtoull(only, nullptr, 10));
    return;
  }
  constexpr uint64_t kSeeds = 250;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Simulate(seed);
    if (HasFailure()) return;
  }
  FeaturePlan plan{.use = GetParam().features, .why_not = {}};
  DropUnusable(plan);
  bool can_bundle = plan.use.Has(FeatureId::kRecvBundle) && GetParam().buffers > 1;
  EXPECT_EQ(bundles_ > 0, can_bundle);
  // Of one buffer no half is left for it.
  bool zero_copy = GetParam().features.Has(FeatureId::kSendZc) && GetParam().buffers > 1;
  EXPECT_EQ(zero_copy_sends_ > 0, zero_copy);
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, SimulationTest,
    ::testing::Values(
        Scenario{.name = "Ample", .buffers = 64, .sq_entries = 64, .cq_entries = 128},
        Scenario{.name = "Starved", .buffers = 2, .cq_entries = 4},
        Scenario{.name = "OneBuffer", .buffers = 1, .sq_entries = 1, .cq_entries = 1},
        Scenario{.name = "NotReading", .buffers = 2, .clients = 6, .not_reading = 3},
        Scenario{.name = "NotReadingOneBuffer", .buffers = 1, .clients = 4, .not_reading = 3},
        Scenario{.name = "NotReadingManyBuffers", .buffers = 16, .clients = 6, .not_reading = 5},
        Scenario{.name = "Resets", .buffers = 3, .clients = 8, .reset_percent = 1},
        Scenario{.name = "Closes", .buffers = 3, .clients = 8, .close_percent = 5},
        Scenario{.name = "ManyClients", .buffers = 3, .clients = 30},
        Scenario{.name = "WithoutBundles", .features = kWithoutBundles, .clients = 6},
        Scenario{.name = "WithoutBundlesStarved",
                 .features = kWithoutBundles,
                 .buffers = 2,
                 .cq_entries = 4,
                 .not_reading = 2,
                 .close_percent = 2},
        Scenario{.name = "BundlesOfSmallBuffers",
                 .buffers = 32,
                 .buffer_bytes = 3,
                 .clients = 6,
                 .not_reading = 2,
                 .reset_percent = 1,
                 .close_percent = 2},
        Scenario{.name = "BundlesWithoutVectoredSend",
                 .features = kDefaultFeatures - FeatureSet{FeatureId::kVectoredSend},
                 .buffers = 12,
                 .buffer_bytes = 5,
                 .clients = 6,
                 .not_reading = 2},
        Scenario{.name = "Incremental",
                 .features = kIncremental,
                 .buffer_bytes = 50,
                 .clients = 8,
                 .not_reading = 2},
        Scenario{.name = "IncrementalOneBuffer",
                 .features = kIncremental,
                 .buffers = 1,
                 .buffer_bytes = 100,
                 .sq_entries = 1,
                 .cq_entries = 1,
                 .clients = 6,
                 .not_reading = 4},
        Scenario{.name = "IncrementalDisturbed",
                 .features = kIncremental,
                 .buffers = 2,
                 .buffer_bytes = 70,
                 .clients = 30,
                 .not_reading = 22,
                 .reset_percent = 1,
                 .close_percent = 3},
        Scenario{.name = "IncrementalOneShot",
                 .features = kIncremental - FeatureSet{FeatureId::kMultishotRecv},
                 .buffers = 2,
                 .buffer_bytes = 60,
                 .clients = 6,
                 .not_reading = 3},
        Scenario{.name = "Fixed", .features = kFixedRung, .clients = 6, .not_reading = 2},
        Scenario{.name = "FixedTiny", .features = kFixedRung, .sq_entries = 1, .cq_entries = 2},
        Scenario{.name = "OneShotIntoRing",
                 .features = kDefaultFeatures - FeatureSet{FeatureId::kMultishotRecv},
                 .buffers = 3,
                 .clients = 6,
                 .not_reading = 2},
        Scenario{.name = "Direct", .features = kDirect, .buffers = 4, .not_reading = 2},
        Scenario{.name = "DirectStarved",
                 .features = kDirect,
                 .buffers = 2,
                 .sq_entries = 2,
                 .cq_entries = 4,
                 .clients = 12,
                 .not_reading = 3,
                 .close_percent = 3},
        Scenario{.name = "DirectFullTable",
                 .features = kDirect,
                 .clients = 30,
                 .reset_percent = 1,
                 .places = 3},
        Scenario{.name = "WithoutVectoredSend",
                 .features = kDefaultFeatures - FeatureSet{FeatureId::kVectoredSend},
                 .buffers = 8,
                 .not_reading = 2,
                 .close_percent = 2},
        Scenario{.name = "ZeroCopy", .features = kDefaultFeatures | kZeroCopy, .buffers = 64},
        Scenario{.name = "ZeroCopyStarved",
                 .features = kDefaultFeatures | kZeroCopy,
                 .buffers = 2,
                 .cq_entries = 4},
        Scenario{.name = "ZeroCopyNotReading",
                 .features = kDefaultFeatures | kZeroCopy,
                 .buffers = 8,
                 .clients = 8,
                 .not_reading = 5},
        Scenario{.name = "ZeroCopyNotReadingOneBuffer",
                 .features = kDefaultFeatures | kZeroCopy,
                 .buffers = 1,
                 .clients = 4,
                 .not_reading = 3},
        Scenario{.name = "ZeroCopyManyHolders",
                 .features = kDefaultFeatures | kZeroCopy,
                 .buffers = 48,
                 .clients = 50,
                 .not_reading = 45},
        Scenario{.name = "ZeroCopyLosses",
                 .features = kDefaultFeatures | kZeroCopy,
                 .buffers = 6,
                 .clients = 8,
                 .not_reading = 2,
                 .reset_percent = 1,
                 .close_percent = 3},
        Scenario{.name = "ZeroCopyIncremental",
                 .features = kIncremental | kZeroCopy,
                 .buffers = 6,
                 .buffer_bytes = 64,
                 .clients = 8,
                 .not_reading = 4},
        Scenario{.name = "ZeroCopyFixed",
                 .features = kFixedRung | kZeroCopy,
                 .clients = 6,
                 .not_reading = 2},
        Scenario{.name = "ZeroCopyFixedLosses",
                 .features = kFixedRung | kZeroCopy,
                 .clients = 8,
                 .not_reading = 2,
                 .reset_percent = 1,
                 .close_percent = 3},
        Scenario{.name = "OneShot",
                 .features = {FeatureId::kMultishotAccept},
                 .clients = 6,
                 .not_reading = 2,
                 .reset_percent = 1}),
    [](const auto& scenario) { return scenario.param.name; });

}  // namespace
}  // namespace ringecho::engine::uring
