#include "support/engine_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <future>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/epoll/engine.h"
#if RINGECHO_HAVE_URING
#include "engine/uring/engine.h"
#endif
#include "support/seam_checker.h"

namespace ringecho::support {

// What the test's thread and the engine's thread both hold.
struct EngineThread::Shared {
  using Task = std::function<void(AnyEngine&)>;

  void Push(Task task) {
    std::lock_guard<std::mutex> lock(mutex);
    if (finished) return;
    tasks.push_back(std::move(task));
    engine->Wake();
  }
  std::deque<Task> TakeTasks() {
    std::lock_guard<std::mutex> lock(mutex);
    return std::exchange(tasks, {});
  }

  std::promise<absl::Status> started;
  std::promise<void> may_destroy;
  AnyEngine* engine = nullptr;  // set before `started`, valid until the thread is joined

  std::mutex mutex;
  std::deque<Task> tasks;
  bool finished = false;  // Run has returned

  absl::Status result;
  std::vector<std::string> violations;
};

namespace {

// The handler the engines are instantiated with: checks and forwards.
class CheckedHandler {
 public:
  CheckedHandler(AnyHandler& handler, SeamChecker& checker, std::function<void()> run_tasks)
      : handler_(handler), checker_(checker), run_tasks_(std::move(run_tasks)) {}
  void set_engine(AnyEngine& engine) { engine_ = &engine; }

  template <class E>
  void OnOpen(E&, ConnId id) {
    checker_.Opened(id);
    handler_.OnOpen(*engine_, id);
  }
  template <class E>
  Verdict OnData(E&, ConnId id, std::span<const std::byte> data) {
    checker_.Data(id, data.size());
    Verdict verdict = handler_.OnData(*engine_, id, data);
    checker_.Answered(id, verdict, data.size());
    return verdict;
  }
  template <class E>
  void OnSent(E&, ConnId id, size_t bytes) {
    checker_.Sent(id, bytes);
    handler_.OnSent(*engine_, id, bytes);
  }
  template <class E>
  void OnClosed(E&, ConnId id, CloseReason reason) {
    checker_.Closed(id);
    handler_.OnClosed(*engine_, id, reason);
  }
  template <class E>
  void OnWake(E&) {
    checker_.Woken();
    run_tasks_();
    handler_.OnWake(*engine_);
  }
  int64_t NextDeadline() {
    int64_t deadline_ns = handler_.NextDeadline();
    checker_.NextDeadline(deadline_ns);
    return deadline_ns;
  }
  template <class E>
  void OnDeadline(E&, int64_t now_ns) {
    checker_.Deadline(now_ns);
    handler_.OnDeadline(*engine_, now_ns);
  }

 private:
  AnyHandler& handler_;
  SeamChecker& checker_;
  std::function<void()> run_tasks_;
  AnyEngine* engine_ = nullptr;
};

class InsideEngine {
 public:
  explicit InsideEngine(SeamChecker& checker) : checker_(checker) { checker_.Enter(); }
  ~InsideEngine() { checker_.Leave(); }
  InsideEngine(const InsideEngine&) = delete;
  InsideEngine& operator=(const InsideEngine&) = delete;

 private:
  SeamChecker& checker_;
};

template <class E>
class Facade final : public AnyEngine {
 public:
  Facade(E& engine, SeamChecker& checker) : engine_(engine), checker_(checker) {}

  ConnectResult Connect(const net::Address& to, const net::Address* from) override {
    InsideEngine inside(checker_);
    ConnectResult result = engine_.Connect(to, from);
    checker_.Connecting(result);
    return result;
  }
  bool CanSend(ConnId id) override {
    InsideEngine inside(checker_);
    bool can = engine_.CanSend(id);
    checker_.AskedCanSend(id, can);
    return can;
  }
  void Send(ConnId id, std::span<const std::byte> payload) override {
    InsideEngine inside(checker_);
    checker_.Sending(id, payload.size());
    engine_.Send(id, payload);
  }
  std::optional<int64_t> Undelivered(ConnId id) override {
    InsideEngine inside(checker_);
    return engine_.Undelivered(id);
  }
  void Close(ConnId id, CloseReason reason) override {
    InsideEngine inside(checker_);
    checker_.Closing(id);
    engine_.Close(id, reason);
  }
  void Finish(ConnId id, CloseReason reason) override {
    InsideEngine inside(checker_);
    checker_.Finishing(id);
    engine_.Finish(id, reason);
  }
  void StopListening() override {
    InsideEngine inside(checker_);
    engine_.StopListening();
  }
  void Exit() override { engine_.Exit(); }
  void Wake() override { engine_.Wake(); }
  const engine::Counters& counters() const override { return engine_.counters(); }
  size_t connections() const override { return engine_.connections(); }

 private:
  E& engine_;
  SeamChecker& checker_;
};

using EpollEngine = engine::epoll::Engine<CheckedHandler>;

#if RINGECHO_HAVE_URING
using UringEngine = engine::uring::Engine<CheckedHandler>;

// As if the probe had not found some features.
absl::StatusOr<std::unique_ptr<UringEngine>> CreateWithout(engine::FeatureSet missing,
                                                           const engine::Options& options,
                                                           CheckedHandler& handler) {
  engine::uring::Capabilities caps = engine::uring::ThisKernel();
  caps.has = caps.has - missing;
  absl::StatusOr<std::unique_ptr<engine::uring::Ring>> ring =
      engine::uring::MakeRing(options, caps);
  if (!ring.ok()) return ring.status();
  return UringEngine::CreateOn(*std::move(ring), engine::uring::NewWritableSet(), options, caps,
                               handler);
}
#endif

// The whole life of one engine, which `create` makes, on its own thread.
template <class E, class Create, class Shared>
void RunEngine(Create create, const engine::Options& options, AnyHandler& handler,
               std::vector<base::UniqueFd> listeners, Shared& shared) {
  SeamChecker checker(options.max_connections);
  auto run_tasks = [&shared] {
    for (auto& task : shared.TakeTasks()) task(*shared.engine);
  };
  CheckedHandler checked(handler, checker, run_tasks);
  absl::StatusOr<std::unique_ptr<E>> engine = create(options, checked);
  absl::Status status = engine.status();
  for (base::UniqueFd& listener : listeners) {
    if (status.ok()) status = (*engine)->Listen(std::move(listener));
  }
  if (!status.ok()) {
    shared.started.set_value(status);
    return;
  }
  Facade<E> facade(**engine, checker);
  checked.set_engine(facade);
  shared.engine = &facade;
  shared.started.set_value(absl::OkStatus());

  shared.result = (*engine)->Run();
  checker.Returned();
  {
    std::lock_guard<std::mutex> lock(shared.mutex);
    shared.finished = true;
  }
  shared.TakeTasks();  // what waits in Call is let go
  // The test may still read counters; it says when the engine may die, on the thread that made it.
  shared.may_destroy.get_future().wait();
  uint64_t open = facade.counters().open.Get();
  engine->reset();
  shared.violations = checker.violations();
  if (open != checker.open()) {
    shared.violations.push_back(absl::StrCat("counters say ", open, " open at the end, but ",
                                             checker.open(), " were opened and not closed"));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<EngineThread>> EngineThread::Start(
    const EngineConfig& config, engine::Options options, AnyHandler& handler,
    std::vector<base::UniqueFd> listeners) {
  config.Apply(options);
  std::unique_ptr<EngineThread> result(new EngineThread());
  result->shared_ = std::make_shared<Shared>();
  std::future<absl::Status> started = result->shared_->started.get_future();
  result->thread_ = std::thread([shared = result->shared_, config, options, &handler,
                                 sockets = std::move(listeners)]() mutable {
    switch (config.kind) {
      case EngineKind::kEpoll:
        RunEngine<EpollEngine>(EpollEngine::Create, options, handler, std::move(sockets), *shared);
        break;
      case EngineKind::kUring:
#if RINGECHO_HAVE_URING
        RunEngine<UringEngine>(
            [&config](const engine::Options& o, CheckedHandler& h) {
              return CreateWithout(config.missing, o, h);
            },
            options, handler, std::move(sockets), *shared);
#endif
        break;
    }
  });
  absl::Status status = started.get();
  if (status.ok()) return result;
  result->thread_.join();
  return status;
}

void EngineThread::Post(std::function<void(AnyEngine&)> task) { shared_->Push(std::move(task)); }

void EngineThread::Call(std::function<void(AnyEngine&)> task) {
  // Destroyed unfulfilled, with the task, when the engine has left Run.
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> finished = done->get_future();
  Post([task = std::move(task), done = std::move(done)](AnyEngine& engine) {
    task(engine);
    done->set_value();
  });
  finished.wait();
}

void EngineThread::Stop() {
  if (!thread_.joinable()) return;
  Post([](AnyEngine& engine) { engine.Exit(); });
  Join();
}

void EngineThread::Join() {
  if (!thread_.joinable()) return;
  shared_->may_destroy.set_value();
  thread_.join();
  EXPECT_TRUE(shared_->result.ok()) << "Run: " << shared_->result;
  for (const std::string& violation : shared_->violations) ADD_FAILURE() << violation;
}

void EngineThread::Wake() { shared_->engine->Wake(); }

const engine::Counters& EngineThread::counters() const { return shared_->engine->counters(); }

}  // namespace ringecho::support
