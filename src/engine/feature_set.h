// io_uring features that can be switched: their names, what they are for, and sets of them.
//
// Known without liburing, so that option parsing and results need not see it. What a kernel has is
// found out in uring/capabilities.h, never from its version; the versions here are for people.
#ifndef RINGECHO_ENGINE_FEATURE_SET_H_
#define RINGECHO_ENGINE_FEATURE_SET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace ringecho::engine {

enum class FeatureId : uint8_t {
  kMultishotAccept,
  kMultishotRecv,
  kBufferRing,
  kFixedBuffers,
  kVectoredSend,
  kSubmitAll,
  kRegisteredRing,
  kSingleIssuer,
  kDeferTaskrun,
  kCoopTaskrun,
  kRecvBundle,
  kIncrementalBuffers,
  kDirectDescriptors,
  kSqpoll,
  kNoSqarray,
  kPollFirst,
  kMinWait,
  kNapi,
  kSendZc,
  kSendZcFixed,
};
inline constexpr size_t kFeatureCount = 20;

class FeatureSet {
 public:
  constexpr FeatureSet() = default;
  constexpr FeatureSet(std::initializer_list<FeatureId> ids) {
    for (FeatureId id : ids) bits_ |= Bit(id);
  }

  constexpr bool Has(FeatureId id) const { return (bits_ & Bit(id)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr void Add(FeatureId id) { bits_ |= Bit(id); }
  constexpr void Remove(FeatureId id) { bits_ &= ~Bit(id); }
  constexpr FeatureSet operator&(FeatureSet other) const { return FeatureSet(bits_ & other.bits_); }
  constexpr FeatureSet operator-(FeatureSet other) const {
    return FeatureSet(bits_ & ~other.bits_);
  }
  constexpr FeatureSet operator|(FeatureSet other) const { return FeatureSet(bits_ | other.bits_); }
  constexpr bool operator==(const FeatureSet&) const = default;

 private:
  explicit constexpr FeatureSet(uint32_t bits) : bits_(bits) {}
  static constexpr uint32_t Bit(FeatureId id) { return uint32_t{1} << static_cast<unsigned>(id); }

  uint32_t bits_ = 0;
};

struct FeatureInfo {
  FeatureId id;
  std::string_view name;   // the kernel's, in lower case
  std::string_view since;  // Linux release, for people
  std::string_view what;   // one line: what it does, and when it cannot help
};

// By FeatureId.
inline constexpr std::array<FeatureInfo, kFeatureCount> kFeatureTable = {{
    {FeatureId::kMultishotAccept, "multishot_accept", "5.19",
     "one request accepts connections until cancelled; not with a connection limit"},
    {FeatureId::kMultishotRecv, "multishot_recv", "6.0",
     "one request receives until cancelled; needs buffer_ring"},
    {FeatureId::kBufferRing, "buffer_ring", "5.19",
     "the kernel picks a buffer when data comes, so idle connections hold none"},
    {FeatureId::kFixedBuffers, "fixed_buffers", "5.1",
     "one registered buffer per connection, mapped once; only without buffer_ring"},
    {FeatureId::kVectoredSend, "vectored_send", "5.3",
     "several buffers of a backlog in one send; no use when a message fits in one"},
    {FeatureId::kSubmitAll, "submit_all", "5.18",
     "a request that fails at submission does not hold up those behind it"},
    {FeatureId::kRegisteredRing, "registered_ring", "5.18",
     "spares the lookup of the ring's descriptor on each call"},
    {FeatureId::kSingleIssuer, "single_issuer", "6.0",
     "one thread uses the ring, so the kernel takes fewer locks"},
    {FeatureId::kDeferTaskrun, "defer_taskrun", "6.1",
     "completions are made when the thread waits, in a batch; needs single_issuer"},
    {FeatureId::kCoopTaskrun, "coop_taskrun", "5.19",
     "completions do not interrupt the thread; superseded by defer_taskrun"},
    {FeatureId::kRecvBundle, "recv_bundle", "6.10",
     "one completion for all buffers of a long message; no use when it fits in one"},
    {FeatureId::kIncrementalBuffers, "incremental_buffers", "6.12",
     "receives share large buffers piece by piece; excludes recv_bundle"},
    {FeatureId::kDirectDescriptors, "direct_descriptors", "6.13",
     "connections in a ring's own table, so the descriptor limit is each thread's"},
    {FeatureId::kSqpoll, "sqpoll", "5.11",
     "a kernel thread looks for requests, so submitting needs no call; takes a CPU"},
    {FeatureId::kNoSqarray, "no_sqarray", "6.6",
     "requests are taken in the order of the queue; needs liburing 2.5"},
    {FeatureId::kPollFirst, "poll_first", "5.19",
     "a receive waits before it tries; not for multishot ones on unix sockets"},
    {FeatureId::kMinWait, "min_wait", "6.12",
     "--wait batch:TIME in one call; no use with other ways to wait"},
    {FeatureId::kNapi, "napi", "6.9",
     "polls the network card before it sleeps; cannot help on loopback"},
    {FeatureId::kSendZc, "send_zc", "6.0",
     "sends from our memory; cannot help on loopback, where all is copied"},
    {FeatureId::kSendZcFixed, "send_zc_fixed", "6.0",
     "and from memory mapped once; no help on loopback; needs send_zc"},
}};

inline constexpr FeatureSet kAllFeatures = [] {
  FeatureSet all;
  for (const FeatureInfo& info : kFeatureTable) all.Add(info.id);
  return all;
}();

// What is on unless said otherwise. Those that only make sense without another one of these are
// among them and come into use when the other one is switched off or not there. Off are those that
// cost something everywhere and help in some places.
inline constexpr FeatureSet kOffByDefault = {FeatureId::kIncrementalBuffers,
                                             FeatureId::kDirectDescriptors,
                                             FeatureId::kSqpoll,
                                             FeatureId::kPollFirst,
                                             FeatureId::kNapi,
                                             FeatureId::kSendZc,
                                             FeatureId::kSendZcFixed};
inline constexpr FeatureSet kDefaultFeatures = kAllFeatures - kOffByDefault;

// What a program written for Linux 5.1 to 5.17 would use.
inline constexpr FeatureSet kBaselineFeatures = {FeatureId::kFixedBuffers};

// What --features asks for.
struct FeatureRequest {
  FeatureSet wanted = kDefaultFeatures;
  FeatureSet required;  // named with "+": the run fails where one is not to be had
  bool asked = false;   // something was said at all
};

constexpr const FeatureInfo& Info(FeatureId id) { return kFeatureTable[static_cast<size_t>(id)]; }
std::optional<FeatureId> FeatureFromName(std::string_view name);

// "best", "baseline" or "minimal" (none at all), and then or instead "+name" and "-name", joined by
// commas: "baseline,+buffer_ring". INVALID_ARGUMENT names the part that is wrong, or the two that
// exclude each other and why.
absl::StatusOr<FeatureRequest> ParseFeatures(std::string_view text);

// As if it had been named with "+".
constexpr void Require(FeatureId id, FeatureRequest& request) {
  request.wanted.Add(id);
  request.required.Add(id);
}

// By FeatureId, for some of them: one clause for people that says why it is not there or not in
// use.
using FeatureReasons = std::array<std::string, kFeatureCount>;

// What an engine uses of what was wanted, and why not the rest.
struct FeaturePlan {
  FeatureSet use;
  FeatureReasons why_not;

  void Drop(FeatureId id, std::string why) {
    use.Remove(id);
    why_not[static_cast<size_t>(id)] = std::move(why);
  }
};

// `set` with `id` and what it needs, and without what excludes it: as someone asks for it who wants
// it used.
FeatureSet With(FeatureSet set, FeatureId id);

// Takes away what the rest of the plan leaves no use for: defer_taskrun without single_issuer is
// nothing.
void DropUnusable(FeaturePlan& plan);

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_FEATURE_SET_H_
