#include "app/workers.h"

#include <utility>

#include "base/cpus.h"

namespace ringecho::app {

Workers::~Workers() { Join().IgnoreError(); }

void Workers::Start(int count, const std::vector<int>& cpus,
                    const std::function<absl::Status(int)>& body) {
  results_.assign(static_cast<size_t>(count), absl::OkStatus());
  running_.store(count);
  for (int i = 0; i < count; ++i) {
    threads_.emplace_back([this, i, &result = results_[static_cast<size_t>(i)], body, cpus] {
      if (!cpus.empty()) result = base::PinThread({cpus[static_cast<size_t>(i) % cpus.size()]});
      if (result.ok()) result = body(i);
      running_.fetch_sub(1);
      supervisor_.Notify();
    });
  }
}

absl::Status Workers::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const absl::Status& result : results_) {
    if (!result.ok()) return result;
  }
  return absl::OkStatus();
}

}  // namespace ringecho::app
