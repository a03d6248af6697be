// From what was asked for and what the kernel has to what an engine uses.
#ifndef RINGECHO_ENGINE_URING_PLAN_H_
#define RINGECHO_ENGINE_URING_PLAN_H_

#include "engine/feature_set.h"
#include "engine/features.h"
#include "engine/options.h"
#include "engine/uring/capabilities.h"

namespace ringecho::engine::uring {

FeaturePlan PlanFeatures(const Options& options, const Capabilities& caps);

// IORING_SETUP_* for these features.
unsigned SetupFlags(FeatureSet use);

// What results say of a plan: every feature, requested or not (by default, by a preset or by name,
// so that it says nothing of the kernel), and why one that was is not in use.
Features DescribePlan(const FeatureRequest& request, const FeaturePlan& plan);

// UNAVAILABLE, naming the first feature that was asked for by name and is not in use, and why.
absl::Status CheckRequired(const FeatureRequest& request, const FeaturePlan& plan);

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_PLAN_H_
