#include "engine/feature_set.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace ringecho::engine {
namespace {

// `needed` and `excluded` as `feature` sees them: without the one or with the other it is no use.
// Of two that exclude each other, `feature` is the one that gives way.
struct Rule {
  FeatureId feature;
  std::optional<FeatureId> needed;
  std::optional<FeatureId> excluded;
  std::string_view because = {};  // a clause behind what is excluded, where the names do not say it
  bool replaced = false;          // what is excluded does the same, and better
};

constexpr std::string_view kPollerCompletes = " (whose thread makes the completions)";

constexpr Rule kRules[] = {
    // A multishot receive has no other way to know where to put the next bytes.
    {FeatureId::kMultishotRecv, FeatureId::kBufferRing, std::nullopt},
    // The kernel refuses the flag otherwise.
    {FeatureId::kDeferTaskrun, FeatureId::kSingleIssuer, std::nullopt},
    {FeatureId::kDeferTaskrun, std::nullopt, FeatureId::kSqpoll, kPollerCompletes},
    {FeatureId::kCoopTaskrun, std::nullopt, FeatureId::kSqpoll, kPollerCompletes},
    {FeatureId::kCoopTaskrun, std::nullopt, FeatureId::kDeferTaskrun, {}, true},
    // Until the kernel commit "io_uring: fix min_wait wakeups for SQPOLL" what came after the time
    // was up did not wake the waiter. Nothing but waiting for it would tell.
    {FeatureId::kMinWait, std::nullopt, FeatureId::kSqpoll, " (with which some kernels oversleep)"},
    // READ_FIXED has no such flag.
    {FeatureId::kPollFirst, FeatureId::kBufferRing, std::nullopt},
    {FeatureId::kFixedBuffers, std::nullopt, FeatureId::kBufferRing, {}, true},
    // It cannot be stopped before the table is full, and the kernel drops whom it accepts then.
    {FeatureId::kMultishotAccept, std::nullopt, FeatureId::kDirectDescriptors},
    // A connection with one buffer has no backlog of them.
    {FeatureId::kVectoredSend, FeatureId::kBufferRing, std::nullopt},
    {FeatureId::kRecvBundle, FeatureId::kMultishotRecv, std::nullopt},
    // Of a bundle's several buffers only the last one's F_BUF_MORE is told, and the first may be
    // partly used: both save completions of long messages, and one of them at a time is enough.
    {FeatureId::kIncrementalBuffers, FeatureId::kBufferRing, FeatureId::kRecvBundle},
    {FeatureId::kSendZcFixed, FeatureId::kSendZc, std::nullopt},
};

struct Preset {
  std::string_view name;
  FeatureSet features;
};
constexpr Preset kPresets[] = {
    {"best", kDefaultFeatures}, {"baseline", kBaselineFeatures}, {"minimal", FeatureSet()}};

absl::string_view NameOf(FeatureId id) { return base::ToAbsl(Info(id).name); }

std::string AllNames() {
  std::vector<absl::string_view> names;
  names.reserve(kFeatureTable.size());
  for (const FeatureInfo& info : kFeatureTable) names.push_back(base::ToAbsl(info.name));
  return absl::StrJoin(names, ", ");
}

absl::Status Apply(std::string_view part, bool first, FeatureRequest& request) {
  for (const Preset& preset : kPresets) {
    if (part != preset.name) continue;
    if (!first) {
      return absl::InvalidArgumentError(
          absl::StrCat("got \"", base::ToAbsl(part), "\" behind others, takes a preset first"));
    }
    request.wanted = preset.features;
    return absl::OkStatus();
  }
  bool sign = !part.empty() && (part[0] == '+' || part[0] == '-');
  std::optional<FeatureId> id = sign ? FeatureFromName(part.substr(1)) : std::nullopt;
  if (!id) {
    return absl::InvalidArgumentError(absl::StrCat(
        "got \"", base::ToAbsl(part),
        "\", takes best, baseline or minimal, and +NAME or -NAME with one of ", AllNames()));
  }
  if (part[0] == '+') {
    request.wanted.Add(*id);
    request.required.Add(*id);
  } else {
    request.wanted.Remove(*id);
    request.required.Remove(*id);
  }
  return absl::OkStatus();
}

absl::Status LacksNeeded(const std::string& chain, FeatureId needed) {
  return absl::InvalidArgumentError(
      absl::StrCat(chain, " needs ", NameOf(needed), "; add +", NameOf(needed)));
}

// What stands in the way of `feature`, or of what it needs. `chain` names it, behind what was named
// and needs it: "recv_bundle needs multishot_recv, which".
absl::Status CheckUsable(FeatureId feature, const std::string& chain, FeatureSet wanted) {
  for (const Rule& rule : kRules) {
    if (rule.feature != feature) continue;
    if (rule.needed) {
      if (!wanted.Has(*rule.needed)) return LacksNeeded(chain, *rule.needed);
      RINGECHO_RETURN_IF_ERROR(CheckUsable(
          *rule.needed, absl::StrCat(chain, " needs ", NameOf(*rule.needed), ", which"), wanted));
    }
    // What cannot come into use itself is in nobody's way.
    if (rule.excluded && wanted.Has(*rule.excluded) &&
        CheckUsable(*rule.excluded, "", wanted).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(chain, " excludes ", NameOf(*rule.excluded),
                                                     base::ToAbsl(rule.because), "; add -",
                                                     NameOf(*rule.excluded)));
    }
  }
  return absl::OkStatus();
}

// A feature that was named and could not be used as the rest was asked for.
absl::Status CheckContradictions(const FeatureRequest& request) {
  for (const FeatureInfo& info : kFeatureTable) {
    if (!request.required.Has(info.id)) continue;
    RINGECHO_RETURN_IF_ERROR(CheckUsable(info.id, std::string(info.name), request.wanted));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<FeatureId> FeatureFromName(std::string_view name) {
  for (const FeatureInfo& info : kFeatureTable) {
    if (info.name == name) return info.id;
  }
  return std::nullopt;
}

absl::StatusOr<FeatureRequest> ParseFeatures(std::string_view text) {
  FeatureRequest request;
  request.asked = true;
  bool first = true;
  for (absl::string_view part : absl::StrSplit(base::ToAbsl(text), ',')) {
    RINGECHO_RETURN_IF_ERROR(Apply(base::ToStd(part), first, request));
    first = false;
  }
  RINGECHO_RETURN_IF_ERROR(CheckContradictions(request));
  return request;
}

FeatureSet With(FeatureSet set, FeatureId id) {
  set.Add(id);
  for (const Rule& rule : kRules) {
    if (rule.feature != id) continue;
    if (rule.needed && !set.Has(*rule.needed)) set = With(set, *rule.needed);
    if (rule.excluded) set.Remove(*rule.excluded);
  }
  return set;
}

void DropUnusable(FeaturePlan& plan) {
  for (const Rule& rule : kRules) {
    if (!plan.use.Has(rule.feature)) continue;
    std::string reason;
    if (rule.needed && !plan.use.Has(*rule.needed)) {
      reason = absl::StrCat("needs ", NameOf(*rule.needed));
    } else if (rule.excluded && plan.use.Has(*rule.excluded)) {
      reason = absl::StrCat(NameOf(*rule.excluded), base::ToAbsl(rule.because),
                            rule.replaced ? " takes its place" : " excludes it");
    }
    if (!reason.empty()) plan.Drop(rule.feature, std::move(reason));
  }
}

}  // namespace ringecho::engine
