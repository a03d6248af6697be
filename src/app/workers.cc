#include "app/workers.h"

#include <new>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cpus.h"
#include "base/status.h"

namespace ringecho::app {

Workers::~Workers() { Join().IgnoreError(); }

void Workers::Start(int count, const std::vector<int>& cpus,
                    const std::function<absl::Status(int)>& body) {
  results_.assign(static_cast<size_t>(count), absl::OkStatus());
  running_.store(count);
  for (int i = 0; i < count; ++i) {
    try {
      threads_.emplace_back([this, i, body, cpus] { Run(i, cpus, body); });
    } catch (const std::system_error& error) {
      results_[static_cast<size_t>(i)] = absl::ResourceExhaustedError(
          absl::StrCat("thread ", i + 1, " of ", count,
                       " cannot be started: ", base::ErrnoText(error.code().value()),
                       "; see `ulimit -u` and the pids limit of the container or service"));
      running_.fetch_sub(count - i);
      break;
    }
  }
}

void Workers::Run(int index, const std::vector<int>& cpus,
                  const std::function<absl::Status(int)>& body) {
  absl::Status& result = results_[static_cast<size_t>(index)];
  if (!cpus.empty()) result = base::PinThread({cpus[static_cast<size_t>(index) % cpus.size()]});
  try {
    if (result.ok()) result = body(index);
  } catch (const std::bad_alloc&) {
    result = OutOfMemory();
  }
  running_.fetch_sub(1);
  supervisor_.Notify();
}

absl::Status OutOfMemory() {
  return absl::ResourceExhaustedError(
      "not enough memory for what was asked; fewer connections, a smaller depth or fewer buffers "
      "take less (see `ulimit -v` and the memory limit of the container)");
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
