// Which engine runs: decided once, at start-up.
#ifndef RINGECHO_ENGINE_CHOICE_H_
#define RINGECHO_ENGINE_CHOICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/feature_set.h"

namespace ringecho::engine {

enum class EngineKind : uint8_t { kAuto, kUring, kEpoll };

// "auto", "io_uring", "epoll".
std::string_view EngineName(EngineKind kind);
std::optional<EngineKind> EngineFromName(std::string_view name);

struct EngineChoice {
  EngineKind kind = EngineKind::kEpoll;  // never kAuto
  std::string reason;                    // one clause for people: why this one
  std::string absence;  // when kAuto fell back: AbsenceName, such as "seccomp"; else empty
};

// What is known of io_uring here, in a form that this header's readers can use without liburing.
struct UringStatus {
  bool available = false;
  bool resources_short = false;  // not available only because memory or descriptors ran out
  std::string why_not;
  std::string why_not_id;
};

// kAuto takes io_uring, and epoll only where io_uring is absent: a shortage of memory or
// descriptors is an error for it too, because falling back would hide it in the results. An engine
// asked for by name is that one or UNAVAILABLE with the reason. Pure.
absl::StatusOr<EngineChoice> ChooseEngine(EngineKind requested, const UringStatus& uring);

// Whether that engine can have that feature here.
bool HasFeature(EngineKind kind, FeatureId id);

// Asks this kernel (once; about a millisecond).
UringStatus UringHere();

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_CHOICE_H_
