#include "engine/uring/plan.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "engine/uring/compat.h"

namespace ringecho::engine::uring {

FeaturePlan PlanFeatures(const Options& options, const Capabilities& caps) {
  FeaturePlan plan;
  plan.use = options.features.wanted;
  const FeatureReasons not_here = WhyNotHere(caps);
  for (const FeatureInfo& info : kFeatureTable) {
    if (plan.use.Has(info.id) && !caps.has.Has(info.id)) {
      plan.Drop(info.id, not_here[static_cast<size_t>(info.id)]);
    }
  }
  for (const FeatureInfo& info : kFeatureTable) {
    const std::string& no_use = options.no_use[static_cast<size_t>(info.id)];
    if (plan.use.Has(info.id) && !no_use.empty()) plan.Drop(info.id, no_use);
  }
  // A limit must hold exactly, and a multishot accept cannot be stopped in time.
  if (options.accept_gate != nullptr && plan.use.Has(FeatureId::kMultishotAccept)) {
    plan.Drop(FeatureId::kMultishotAccept, "a connection limit takes a place before each accept");
  }
  if (options.wait.gather_ns == 0 && plan.use.Has(FeatureId::kMinWait)) {
    plan.Drop(FeatureId::kMinWait, "only --wait batch:TIME waits so");
  }
  DropUnusable(plan);
  return plan;
}

unsigned SetupFlags(FeatureSet use) {
  unsigned flags = 0;
  if (use.Has(FeatureId::kSubmitAll)) flags |= IORING_SETUP_SUBMIT_ALL;
  if (use.Has(FeatureId::kSingleIssuer)) flags |= IORING_SETUP_SINGLE_ISSUER;
  if (use.Has(FeatureId::kDeferTaskrun)) flags |= IORING_SETUP_DEFER_TASKRUN;
  // TASKRUN_FLAG tells liburing that there is work to run although no completion is visible.
  if (use.Has(FeatureId::kCoopTaskrun)) {
    flags |= IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  }
  if (use.Has(FeatureId::kSqpoll)) flags |= IORING_SETUP_SQPOLL;
  if (use.Has(FeatureId::kNoSqarray)) flags |= IORING_SETUP_NO_SQARRAY;
  return flags;
}

Features DescribePlan(const FeatureRequest& request, const FeaturePlan& plan) {
  Features out;
  for (const FeatureInfo& info : kFeatureTable) {
    Feature feature;
    feature.name = info.name;
    feature.effective = plan.use.Has(info.id);
    feature.requested = request.wanted.Has(info.id);
    if (feature.requested && !feature.effective) {
      feature.why_not = plan.why_not[static_cast<size_t>(info.id)];
    }
    out.push_back(std::move(feature));
  }
  return out;
}

absl::Status CheckRequired(const FeatureRequest& request, const FeaturePlan& plan) {
  for (const FeatureInfo& info : kFeatureTable) {
    if (!request.required.Has(info.id) || plan.use.Has(info.id)) continue;
    return absl::UnavailableError(
        absl::StrCat("the feature ", base::ToAbsl(info.name),
                     " cannot be used: ", plan.why_not[static_cast<size_t>(info.id)]));
  }
  return absl::OkStatus();
}

}  // namespace ringecho::engine::uring
