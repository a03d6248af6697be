// A server made slower on purpose, to see whether a comparison finds it: preloaded, it burns CPU
// with every 64th send of the epoll engine, RINGECHO_BURN_PERCENT of what the thread has used since
// the one before.
#include <dlfcn.h>
#include <sys/socket.h>

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

// Reading that clock is a system call: not for every message.
bool IsTime() {
  static thread_local unsigned sends = 0;
  return ++sends % 64 == 0;
}

}  // namespace

extern "C" ssize_t send(int fd, const void* data, size_t bytes, int flags) {
  using Send = ssize_t (*)(int, const void*, size_t, int);
  static const auto next = reinterpret_cast<Send>(dlsym(RTLD_NEXT, "send"));
  if (IsTime()) Burn();
  return next(fd, data, bytes, flags);
}
