#include "system_calls.h"

#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

extern "C" {
ssize_t __real_send(int fd, const void* data, size_t bytes, int flags);
ssize_t __real_recv(int fd, void* data, size_t bytes, int flags);
int __real_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
}

namespace ringecho::engine::epoll {
namespace {

struct Steps {
  std::deque<int> next;
  std::optional<int> always;
};

std::mutex mutex;
std::array<Steps, 3> scripts;
std::thread::id untouched;

Steps& Of(Call call) { return scripts[static_cast<size_t>(call)]; }

// Nothing: the real call, whole.
std::optional<int> Next(Call call) {
  std::lock_guard lock(mutex);
  Steps& steps = Of(call);
  if (std::this_thread::get_id() == untouched) return std::nullopt;
  if (steps.always) return steps.always;
  if (steps.next.empty()) return std::nullopt;
  int step = steps.next.front();
  steps.next.pop_front();
  return step;
}

// How many bytes the call may move; 0 when it is to fail, with errno set.
size_t Allowed(Call call, size_t bytes) {
  std::optional<int> step = Next(call);
  if (!step) return bytes;
  if (*step > 0) return std::min(bytes, static_cast<size_t>(*step));
  errno = -*step;
  return 0;
}

}  // namespace

void Script(Call call, std::vector<int> steps) {
  std::lock_guard lock(mutex);
  untouched = std::this_thread::get_id();
  Of(call) = {.next = {steps.begin(), steps.end()}, .always = {}};
}

void ScriptAlways(Call call, int step) {
  std::lock_guard lock(mutex);
  untouched = std::this_thread::get_id();
  Of(call) = {.next = {}, .always = step};
}

size_t ScriptLeft(Call call) {
  std::lock_guard lock(mutex);
  return Of(call).next.size();
}

}  // namespace ringecho::engine::epoll

using ringecho::engine::epoll::Allowed;
using ringecho::engine::epoll::Call;

extern "C" {

ssize_t __wrap_send(int fd, const void* data, size_t bytes, int flags) {
  size_t allowed = Allowed(Call::kSend, bytes);
  return allowed == 0 ? -1 : __real_send(fd, data, allowed, flags);
}

ssize_t __wrap_recv(int fd, void* data, size_t bytes, int flags) {
  size_t allowed = Allowed(Call::kRecv, bytes);
  return allowed == 0 ? -1 : __real_recv(fd, data, allowed, flags);
}

int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return Allowed(Call::kAccept, 1) == 0 ? -1 : __real_accept4(fd, address, length, flags);
}
}
