#include "report/calibration.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace ringecho::report {
namespace {

using base::NowNs;
using base::UniqueFd;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double Median(std::vector<double>& values) {
  if (values.empty()) return kUnknown;
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Runs `batch` (which answers how many operations it did, 0 when it failed) until `end_ns`, but at
// least once, and returns the median time of one operation.
template <class Batch>
double MedianPerOperation(int64_t end_ns, Batch batch) {
  std::vector<double> times;
  int64_t start_ns = NowNs();
  do {
    int64_t operations = batch();
    int64_t now_ns = NowNs();
    if (operations <= 0) break;
    times.push_back(static_cast<double>(now_ns - start_ns) / static_cast<double>(operations));
    start_ns = now_ns;
  } while (start_ns < end_ns);
  return Median(times);
}

double MeasureSyscall(int64_t end_ns) {
  return MedianPerOperation(end_ns, [] {
    constexpr int64_t kCalls = 1000;
    for (int64_t i = 0; i < kCalls; ++i) syscall(SYS_getppid);
    return kCalls;
  });
}

bool Post(int fd) {
  uint64_t one = 1;
  return write(fd, &one, sizeof(one)) == sizeof(one);
}
// The value taken, 0 on error. Signals are handled by other threads, or restart the call.
uint64_t Take(int fd) {
  uint64_t value = 0;
  return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

double MeasureWakeup(int64_t end_ns) {
  UniqueFd there(eventfd(0, EFD_CLOEXEC));
  UniqueFd back(eventfd(0, EFD_CLOEXEC));
  // 2 tells the partner to end. Any failed read or write ends it as well as us; that is also what
  // happens without descriptors.
  std::thread partner;
  try {
    partner = std::thread([&] {
      while (Take(there.get()) == 1 && Post(back.get())) {
      }
    });
  } catch (const std::system_error&) {
    return kUnknown;  // out of threads
  }
  double round_trip_ns = MedianPerOperation(end_ns, [&]() -> int64_t {
    constexpr int64_t kRoundTrips = 50;
    for (int64_t i = 0; i < kRoundTrips; ++i) {
      if (!Post(there.get()) || Take(back.get()) == 0) return 0;
    }
    return kRoundTrips;
  });
  uint64_t stop = 2;
  [[maybe_unused]] ssize_t written = write(there.get(), &stop, sizeof(stop));
  partner.join();
  return round_trip_ns / 2;
}

// Both ends of one connection, in one process.
struct Pair {
  UniqueFd client;
  UniqueFd server;
};

// Options of both ends. A timeout, because nobody else could wake this thread; a reset instead of
// the closing handshake, because thousands of ports in TIME_WAIT would be missing in the run.
void SetUp(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  linger reset{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  timeval timeout{0, 50'000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

// Listens on a free port of 127.0.0.1, which is written to `address`.
UniqueFd ListenOnLoopback(sockaddr_in& address) {
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || bind(fd.get(), generic, length) != 0 || listen(fd.get(), 16) != 0 ||
      getsockname(fd.get(), generic, &length) != 0) {
    return UniqueFd();
  }
  SetUp(fd.get());  // accept(2) is bounded too, and what it returns inherits the rest
  return fd;
}

std::optional<Pair> ConnectPair(int listener, const sockaddr_in& address) {
  Pair pair;
  pair.client.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!pair.client.valid()) return std::nullopt;
  SetUp(pair.client.get());
  if (connect(pair.client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    return std::nullopt;
  }
  // Somebody else may have connected to this port in between; on a machine that does such things
  // the pair does not echo, and the floor is left away.
  pair.server.Reset(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!pair.server.valid()) return std::nullopt;
  SetUp(pair.server.get());
  return pair;
}

std::vector<Pair> ConnectPairs(int64_t count, int64_t end_ns) {
  std::vector<Pair> pairs;
  sockaddr_in address;
  UniqueFd listener = ListenOnLoopback(address);
  if (!listener.valid()) return pairs;
  // Pushing never moves open pairs halfway: reserve, within reason, for what was asked.
  pairs.reserve(static_cast<size_t>(std::min<int64_t>(count, 100'000)));
  while (static_cast<int64_t>(pairs.size()) < count && NowNs() < end_ns) {
    std::optional<Pair> pair = ConnectPair(listener.get(), address);
    if (!pair) break;
    pairs.push_back(std::move(*pair));
  }
  return pairs;
}

bool Move(int from, int to, std::vector<char>& data) {
  auto size = static_cast<ssize_t>(data.size());
  return send(from, data.data(), data.size(), MSG_NOSIGNAL) == size &&
         recv(to, data.data(), data.size(), MSG_WAITALL) == size;
}

std::optional<EchoFloor> MeasureFloor(const FloorCase& wanted, int64_t end_ns) {
  int64_t size_bytes = std::clamp<int64_t>(wanted.size_bytes, 1, kFloorBytesMax);
  // Half of the time for connecting, so that half is left for measuring.
  int64_t now_ns = NowNs();
  std::vector<Pair> pairs = ConnectPairs(wanted.connections, now_ns + (end_ns - now_ns) / 2);
  if (pairs.empty()) return std::nullopt;
  std::vector<char> data(static_cast<size_t>(size_bytes));
  size_t next = 0;
  double ns = MedianPerOperation(end_ns, [&]() -> int64_t {
    constexpr int64_t kEchoes = 100;
    for (int64_t i = 0; i < kEchoes; ++i) {
      const Pair& pair = pairs[next];
      next = next + 1 < pairs.size() ? next + 1 : 0;
      if (!Move(pair.client.get(), pair.server.get(), data) ||
          !Move(pair.server.get(), pair.client.get(), data)) {
        return 0;
      }
    }
    return kEchoes;
  });
  if (!(ns > 0)) return std::nullopt;
  return EchoFloor{static_cast<int64_t>(pairs.size()), size_bytes, ns};
}

}  // namespace

Calibration Calibrate(const CalibrationOptions& options) {
  Calibration calibration;
  const int64_t start_ns = NowNs();
  const int64_t budget_ns = std::max<int64_t>(options.budget_ns, 0);
  calibration.syscall_ns = MeasureSyscall(start_ns + budget_ns / 10);
  calibration.wakeup_ns = MeasureWakeup(start_ns + budget_ns * 3 / 10);
  auto left = static_cast<int64_t>(options.floors.size());
  for (const FloorCase& floor : options.floors) {
    int64_t now_ns = NowNs();
    int64_t share_ns = std::max<int64_t>(start_ns + budget_ns - now_ns, 0) / left--;
    if (auto measured = MeasureFloor(floor, now_ns + share_ns)) {
      calibration.loopback_echo_floor.push_back(*measured);
    }
  }
  return calibration;
}

}  // namespace ringecho::report
