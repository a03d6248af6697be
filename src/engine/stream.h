// The seam between the engines and the protocol: what happened to a stream.
//
// An engine (uring::Engine, epoll::Engine) owns sockets, buffers and the event loop of one thread.
// A handler (server::EchoHandler, load::LoadHandler) owns the protocol. The engine calls the
// handler; the handler answers with a verdict or asks for something through the engine reference
// it is given. Both are template parameters, so nothing on the hot path is virtual.
//
// Why not a portable recv()/send(): received bytes stay the engine's. A handler that echoes says
// so (Verdict::kEcho) and the engine sends from wherever the bytes already are: the provided
// buffer, the registered buffer, the scratch space of epoll. What a handler sends of its own
// accord is immutable memory that was registered before the engine started.
#ifndef RINGECHO_ENGINE_STREAM_H_
#define RINGECHO_ENGINE_STREAM_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ringecho::engine {

// Names one connection of one engine. Never reused: a slot that gets a new connection gets a new
// generation, and calls with an old id are ignored. Handlers may index arrays by `slot`, which is
// below Options::max_connections.
struct ConnId {
  uint32_t slot = 0;
  uint32_t generation = 0;
  bool operator==(const ConnId&) const = default;
};

enum class Verdict : uint8_t {
  kEcho,      // send these bytes back, after everything already queued on this connection
  kConsumed,  // the bytes are dealt with
  kClose,     // close the connection now, dropping what is queued
};

// Why a connection ended. The order is not part of any format; names are (CloseReasonName).
enum class CloseReason : uint8_t {
  kLocal,          // the handler asked, all is well
  kEof,            // the peer ended its side; what it had sent was echoed before the close
  kReset,          // ECONNRESET, EPIPE, ECONNABORTED: the peer or its host dropped the connection
  kTimeout,        // ETIMEDOUT, or a handler's own deadline
  kRefused,        // ECONNREFUSED, or ENOENT/EAGAIN of a unix socket: nobody listens, backlog full
  kUnreachable,    // EHOSTUNREACH, ENETUNREACH, ENETDOWN
  kAddrNotAvail,   // EADDRNOTAVAIL, EADDRINUSE: out of ports on this source address
  kNoDescriptors,  // EMFILE, ENFILE
  kNoMemory,       // ENOMEM, ENOBUFS of the socket layer
  kPayloadMismatch,  // the handler found other bytes than it had sent
  kInterrupted,      // ended by a signal to this program before it was done
  kOther,            // anything else; the engine keeps the last such errno in its counters
};
inline constexpr int kCloseReasonCount = 12;

// The name used in results: "local", "eof", "reset", "timeout", "connect_refused", ...
std::string_view CloseReasonName(CloseReason reason);

// `error` is a positive errno of recv, send, connect or socket.
CloseReason ReasonFromErrno(int error);

// What a handler must offer to engine E. All calls come from the engine's thread, never from
// inside a call the handler makes, and in this order for one connection: OnOpen, then any mix of
// OnData and OnSent, then OnClosed exactly once (OnClosed alone when a Connect fails).
template <class H, class E>
concept StreamHandler = requires(H& handler, E& engine, ConnId id, std::span<const std::byte> data,
                                 size_t bytes, CloseReason reason, int64_t now_ns) {
  // A connection was accepted or has connected.
  { handler.OnOpen(engine, id) } -> std::same_as<void>;
  // Bytes arrived, in stream order; valid during the call only.
  { handler.OnData(engine, id, data) } -> std::same_as<Verdict>;
  // The kernel took all of a payload given to Send, or `bytes` of echoed data.
  { handler.OnSent(engine, id, bytes) } -> std::same_as<void>;
  // The descriptor is closed and the id is dead; its slot is free, so that a Connect from within
  // this call may be given it.
  { handler.OnClosed(engine, id, reason) } -> std::same_as<void>;
  // Somebody called Wake() on the engine; several calls may be reported once.
  { handler.OnWake(engine) } -> std::same_as<void>;
  // Monotonic nanoseconds (base::NowNs) of the handler's next deadline, base::kNever if none.
  // Asked once per batch of events.
  { handler.NextDeadline() } -> std::same_as<int64_t>;
  // That time has come. May be late by what one batch takes.
  { handler.OnDeadline(engine, now_ns) } -> std::same_as<void>;
};

// What Connect answers. A socket that cannot even be made is told at once, with `ok` false and no
// later call; everything after that is told by OnOpen or OnClosed.
struct ConnectResult {
  bool ok = false;
  ConnId id;                                // when ok
  CloseReason error = CloseReason::kOther;  // when not
};

// What an engine offers. Everything but Wake() is for the engine's own thread: the one that called
// Create, where the ring must be made (SINGLE_ISSUER), and that then calls Run.
//
//   static absl::StatusOr<std::unique_ptr<E>> Create(const Options&, Handler&)
//   absl::Status Listen(base::UniqueFd listener)   accepts from a listening socket (net::Listen);
//                                                  may be called several times before Run
//   ConnectResult Connect(const net::Address& to, const net::Address* from)
//                                                  both must outlive the connection's opening
//   bool CanSend(id)        open, and no Send of this connection under way
//   void Send(id, payload)  requires CanSend(id); payload lies in Options::payload_region, not
//                           empty; the engine deals with short sends; OnSent follows once, with
//                           payload.size(), unless the connection closes first
//   std::optional<int64_t> Undelivered(id)
//                           bytes for the peer that it has not acknowledged yet, here and in the
//                           kernel (of a send under way a part may be counted with both); a
//                           system call, so not for every message. Nothing when the kernel has to
//                           be asked first: ask again in a moment
//   void Close(id, reason)  ends it now: queued bytes are dropped; OnClosed(reason) follows
//   void Finish(id, reason) receives no more, sends what is queued, then closes; what the kernel
//                           had handed over by then may still be told by OnData, and is echoed
//   void StopListening()    closes the listeners; connections live on
//   void Exit()             Run returns after the current batch, whatever is still open
//   absl::Status Run()      an error only for what makes the engine as a whole impossible
//   void Wake()             thread-safe and signal-safe; OnWake follows
//   const Counters& counters()   readable from any thread
//   size_t connections()    live slots, including those closing
//   Features features()     what was asked for and is in use (engine/features.h)
//
// A handler either echoes or sends on a connection, not both. After the peer's end of stream an
// engine finishes what is queued to be echoed and then closes by itself with kEof; a payload of
// Send still under way is dropped.
}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_STREAM_H_
