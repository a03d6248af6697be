// The system calls of an epoll engine, made to go wrong: the linker puts these in place of send,
// recv and accept4 (see meson.build), and they do the real thing unless the script says otherwise.
#ifndef RINGECHO_TESTS_ENGINE_EPOLL_SYSTEM_CALLS_H_
#define RINGECHO_TESTS_ENGINE_EPOLL_SYSTEM_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringecho::engine::epoll {

enum class Call : uint8_t { kSend, kRecv, kAccept };

// What the engine's next calls of this kind do, one after another; then the real thing again.
// A positive number: it, with no more bytes than that. Otherwise fail with that errno, negated.
// Calls from the thread that scripts are never touched: the test's own peers are its.
void Script(Call call, std::vector<int> steps);

// The same one for every call, until the next script.
void ScriptAlways(Call call, int step);

// Steps that have not been used.
size_t ScriptLeft(Call call);

}  // namespace ringecho::engine::epoll

#endif  // RINGECHO_TESTS_ENGINE_EPOLL_SYSTEM_CALLS_H_
