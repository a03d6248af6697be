// A server made slower on purpose, to see whether a comparison finds it: preloaded, it burns CPU
// after each wait of the epoll engine, RINGECHO_BURN_PERCENT of what the thread has used since the
// wait before.
#include <dlfcn.h>
#include <sys/epoll.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

int64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * INT64_C(1'000'000'000) + now.tv_nsec;
}

double Share() {
  const char* percent = std::getenv("RINGECHO_BURN_PERCENT");
  return percent == nullptr ? 0 : std::atof(percent) / 100;
}

void Burn() {
  static const double share = Share();
  static thread_local int64_t since_ns = ThreadCpuNs();
  int64_t now_ns = ThreadCpuNs();
  const auto until_ns =
      now_ns + static_cast<int64_t>(static_cast<double>(now_ns - since_ns) * share);
  while (now_ns < until_ns) now_ns = ThreadCpuNs();
  since_ns = now_ns;
}

}  // namespace

extern "C" int epoll_wait(int epfd, epoll_event* events, int maxevents, int timeout) {
  using Wait = int (*)(int, epoll_event*, int, int);
  static const auto next = reinterpret_cast<Wait>(dlsym(RTLD_NEXT, "epoll_wait"));
  const int count = next(epfd, events, maxevents, timeout);
  Burn();
  return count;
}
