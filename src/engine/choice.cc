#include "engine/choice.h"

#include "absl/strings/str_cat.h"

#if RINGECHO_HAVE_URING
#include "engine/uring/capabilities.h"
#endif

namespace ringecho::engine {

std::string_view EngineName(EngineKind kind) {
  switch (kind) {
    case EngineKind::kAuto:
      return "auto";
    case EngineKind::kUring:
      return "io_uring";
    case EngineKind::kEpoll:
      return "epoll";
  }
  return "epoll";
}

std::optional<EngineKind> EngineFromName(std::string_view name) {
  for (EngineKind kind : {EngineKind::kAuto, EngineKind::kUring, EngineKind::kEpoll}) {
    if (EngineName(kind) == name) return kind;
  }
  return std::nullopt;
}

absl::StatusOr<EngineChoice> ChooseEngine(EngineKind requested, const UringStatus& uring) {
  if (requested == EngineKind::kEpoll) {
    return EngineChoice{.kind = EngineKind::kEpoll, .reason = "asked for", .absence = ""};
  }
  if (uring.available) {
    return EngineChoice{
        .kind = EngineKind::kUring,
        .reason = requested == EngineKind::kAuto ? "io_uring is available" : "asked for",
        .absence = ""};
  }
  if (requested == EngineKind::kUring || uring.resources_short) {
    return absl::UnavailableError(absl::StrCat("io_uring cannot be used: ", uring.why_not));
  }
  return EngineChoice{.kind = EngineKind::kEpoll,
                      .reason = absl::StrCat("io_uring is not available: ", uring.why_not),
                      .absence = uring.why_not_id};
}

UringStatus UringHere() {
#if RINGECHO_HAVE_URING
  const uring::Capabilities& caps = uring::ThisKernel();
  return {.available = caps.available,
          .resources_short = caps.resources_short,
          .why_not = caps.why_not,
          .why_not_id = caps.why_not_id};
#else
  return {.available = false,
          .resources_short = false,
          .why_not = "this program was built without it",
          .why_not_id = "not_built"};
#endif
}

bool HasFeature(EngineKind kind, FeatureId id) {
#if RINGECHO_HAVE_URING
  return kind == EngineKind::kUring && uring::ThisKernel().has.Has(id);
#else
  static_cast<void>(kind);
  static_cast<void>(id);
  return false;
#endif
}

}  // namespace ringecho::engine
