"""Whether the system calls that engines say they made are the ones the kernel has seen.

strace sees every call of a thread; the engine counts its own. The difference may be what is not the
engine's: the thread's start and end, and what the allocator asks for. clock_gettime is left out: it
is no system call but where the clock source cannot be read from user space.
"""
import collections
import os
import re
import shutil
import socket
import time

import pytest

import programs
from conftest import require

pytestmark = [
    pytest.mark.skipif(programs.SANITIZED, reason="sanitizers make calls of their own"),
    pytest.mark.skipif(not shutil.which("strace"), reason="no strace here (Debian: strace)"),
]

CONFIGS = {
    "epoll": ("epoll",),
    "best": ("io_uring",),
    "baseline": ("io_uring", "--features", "baseline"),
    "minimal": ("io_uring", "--features", "minimal"),
    "spin": ("io_uring", "--wait", "hybrid:20us"),
    "direct": ("io_uring", "--features", "+direct_descriptors"),
    "batch": ("epoll", "--wait", "batch:50us"),
}
SESSIONS = 200  # some thousand calls, each of which strace makes a slow one


@pytest.fixture(params=CONFIGS)
def engine_options(request):
    engine, *options = CONFIGS[request.param]
    require(engine)
    return ["--engine", engine, *options]


def start_strace(started, *options):
    strace = programs.Program(["strace", "--trace=!clock_gettime", *options])
    started.append(strace)
    return strace


def require_tracing(strace):
    """Skips where containers forbid ptrace."""
    if "ptrace" in strace.text("err").lower():
        pytest.skip(strace.text("err").splitlines()[0])


def worker_of(server):
    """The thread that is not the main one (--threads 1), and none of the kernel's."""
    threads = {int(tid) for tid in os.listdir(f"/proc/{server.pid}/task")} - {server.pid}
    threads = [tid for tid in threads if "iou-" not in comm_of(server, tid)]
    assert len(threads) == 1, threads
    return threads[0]


def comm_of(server, tid):
    """Of a thread of the kernel's that ends meanwhile: as if it still had its name."""
    try:
        with open(f"/proc/{server.pid}/task/{tid}/comm", encoding="ascii") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return "iou-gone"


def total_calls(table):
    """Of the table that strace -c prints."""
    return int(re.search(r"^100.00 +\S+ +(?:\S+ +)?([0-9]+) +(?:[0-9]+ +)?total$", table,
                         re.MULTILINE).group(1))


def half_close_and_then_read(address):
    """A peer for whom the server has to wait with an answer to give, and knows it has all input."""
    with programs.connect(address) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        peer.setblocking(False)
        sent = 0
        for _ in range(20):
            try:
                while True:
                    sent += peer.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.001)
        peer.shutdown(socket.SHUT_WR)
        time.sleep(0.01)
        peer.setblocking(True)
        assert len(programs.receive_exactly(peer, sent)) == sent
        assert peer.recv(1) == b""


def test_a_server_counts_its_calls(engine_options, started, start_server, run_load, tmp_path):
    # The first interval ends long after the test: its post asks for the thread's CPU time.
    server = start_server("-q", "-i", "1h", *engine_options)
    table = tmp_path / "strace"
    strace = start_strace(started, "-c", "-o", table, "-p", str(worker_of(server)))
    programs.wait_until(lambda: re.search("attached|(?i:ptrace)", strace.text("err")),
                        "strace is there")
    require_tracing(strace)
    before = server.snapshot().get("syscalls", 0)
    ended, _ = run_load(server.address, "--sessions", str(SESSIONS), "-c", "10", "-n", "10")
    assert ended.code == 0, ended
    for _ in range(60):
        half_close_and_then_read(server.address)
    programs.wait_until(lambda: "open" not in server.snapshot(), "all connections are closed")
    counted = server.snapshot()["syscalls"] - before
    strace.signal(2)  # prints what it has seen, and lets the server go on
    strace.wait()
    seen = total_calls(table.read_text())
    assert counted > 100
    # The wait that strace interrupts when it attaches may be seen as begun once more.
    assert counted - 5 <= seen <= counted + 15


def test_a_load_generator_counts_its_calls(engine_options, started, start_server, validated,
                                           tmp_path):
    server = start_server("-q")
    log, result_path = tmp_path / "strace", tmp_path / "load.json"
    strace = start_strace(started, "-f", "-o", log, programs.LOAD, "--connect", server.address,
                          "--sessions", str(SESSIONS), "-c", "10", "-n", "10", "-i", "1h",
                          "--json", result_path, *engine_options)
    ended = strace.wait()
    require_tracing(strace)
    assert ended.code == 0, ended
    counted = validated(result_path)["engine_stats"]["syscalls"]
    # "1234  close(5) = 0", by thread; "<... close resumed>" is the rest of a call that was told.
    calls = collections.defaultdict(collections.Counter)
    for tid, call in re.findall(r"^([0-9]+) +(\w+)\(", log.read_text(), re.MULTILINE):
        calls[tid][call] += 1
    # The main thread calibrates, which takes many, but none of these.
    waits = ("io_uring_enter", "epoll_wait", "epoll_pwait2")
    worker = max(calls.values(), key=lambda thread: sum(thread[wait] for wait in waits))
    seen = worker.total()
    assert counted > 300
    # The thread makes and ends its engine, which is not measured.
    assert counted <= seen <= counted + 150 + counted // 100
