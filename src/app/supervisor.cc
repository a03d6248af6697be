#include "app/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

namespace ringecho::app {

Supervisor::Supervisor(base::UniqueFd signals, base::UniqueFd notified)
    : signals_(std::move(signals)), notified_(std::move(notified)) {}

namespace {

// A descriptor opened later must not become standard output by its number. Reading ends at once,
// writing fails.
void OccupyStandardDescriptors() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Takes the lowest free number, which is this one.
    if (fcntl(fd, F_GETFD) < 0) [[maybe_unused]]
      int opened = open("/dev/null", O_RDONLY);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Supervisor>> Supervisor::Create() {
  OccupyStandardDescriptors();
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  if (int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return base::ErrnoStatus(error, "pthread_sigmask");
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  base::UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return base::ErrnoStatus(errno, "signalfd");
  base::UniqueFd notified(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!notified.valid()) return base::ErrnoStatus(errno, "eventfd");
  return std::unique_ptr<Supervisor>(new Supervisor(std::move(signals), std::move(notified)));
}

namespace {

void PollUntil(int64_t deadline_ns, std::span<pollfd> fds) {
  timespec timeout{};
  if (deadline_ns != base::kNever) {
    int64_t left = std::max<int64_t>(0, deadline_ns - base::NowNs());
    timeout.tv_sec = left / base::kNsPerSec;
    timeout.tv_nsec = left % base::kNsPerSec;
  }
  ppoll(fds.data(), fds.size(), deadline_ns == base::kNever ? nullptr : &timeout, nullptr);
}

}  // namespace

Supervisor::Event Supervisor::WaitUntil(int64_t deadline_ns) {
  pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {notified_.get(), POLLIN, 0}};
  PollUntil(deadline_ns, fds);
  signalfd_siginfo info;
  if (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    return {Event::Kind::kSignal, static_cast<int>(info.ssi_signo)};
  }
  if (TakeNotification()) return {Event::Kind::kNotified, 0};
  return {};
}

void Supervisor::WaitNotified(int64_t deadline_ns) {
  pollfd fds[1] = {{notified_.get(), POLLIN, 0}};
  PollUntil(deadline_ns, fds);
  TakeNotification();
}

void Supervisor::RunOrExit(const std::function<void()>& work, const std::function<void()>& farewell,
                           int exit_code) {
  std::atomic<bool> done = false;
  std::thread thread;
  try {
    thread = std::thread([&] {
      work();
      done.store(true);
      Notify();
    });
  } catch (const std::system_error&) {
    work();  // no thread to be had: without the comfort
    return;
  }
  while (!done.load()) {
    Event event = WaitUntil(base::kNever);
    if (event.kind == Event::Kind::kSignal && event.signal != SIGUSR1) {
      farewell();
      std::_Exit(exit_code);
    }
  }
  thread.join();
}

bool Supervisor::TakeNotification() {
  uint64_t count;
  return read(notified_.get(), &count, sizeof(count)) == sizeof(count);
}

void Supervisor::Notify() {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(notified_.get(), &one, sizeof(one));
}

}  // namespace ringecho::app
