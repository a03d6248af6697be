"""Connections that come and go, thousands a second, and among them some that misbehave: every byte
comes back, and at the end the server holds as much as at its start.

An ordinary run makes a fixed number of connections. RINGECHO_CHURN_SECONDS goes on for so long,
with the configurations RINGECHO_CHURN_CONFIGS names (run_tests.sh --soak).
"""
import os
import socket
import struct
import threading
import time

import pytest

import programs
from conftest import require

SOAK_S = float(os.environ.get("RINGECHO_CHURN_SECONDS", "0"))
SESSIONS = 20_000 if SOAK_S else 1_000 if programs.SANITIZED else 10_000

CONFIGS = {
    "epoll": ("epoll",),
    "best": ("io_uring", "--features", "best"),
    "baseline": ("io_uring", "--features", "baseline"),
    "minimal": ("io_uring", "--features", "minimal"),
    "direct": ("io_uring", "--features", "best,+direct_descriptors"),
    "incremental": ("io_uring", "--features", "best,-recv_bundle,+incremental_buffers"),
    "sqpoll": ("io_uring", "--features", "best,+sqpoll"),
    "zero_copy": ("io_uring", "--features", "best,+send_zc"),
    # Nearly every receive finds no buffer.
    "starved": ("io_uring", "--features", "best", "--buffers", "2"),
}
CHOSEN = os.environ.get("RINGECHO_CHURN_CONFIGS", ",".join(CONFIGS)).split(",")


class Vandals(threading.Thread):
    """Connections that end in every way but the good one, each beside the others."""

    def __init__(self, address, stream):
        super().__init__(daemon=True)
        self._address = address
        self._stream = stream
        self._over = threading.Event()
        self._failure = None
        self.count = 0

    def run(self):
        try:
            self._run()
        except Exception as failure:  # for the thread that asserts
            self._failure = failure

    def _run(self):
        ends = [self.reset_at_once, self.reset_with_an_echo_unread, self.end_with_an_echo_unread,
                self.half_close, self.reset_with_a_backlog]
        while not self._over.is_set() or self.count < len(ends):
            with programs.connect(self._address) as client:
                ends[self.count % len(ends)](client)
            self.count += 1

    def end(self):
        self._over.set()
        self.join(programs.PATIENCE_S)
        assert not self.is_alive()
        if self._failure:
            raise self._failure

    @staticmethod
    def reset(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reset_at_once(self, client):
        self.reset(client)

    def reset_with_an_echo_unread(self, client):
        client.sendall(self._stream[:1000])
        self.reset(client)

    def end_with_an_echo_unread(self, client):
        client.sendall(self._stream[:1000])

    def half_close(self, client):
        client.sendall(self._stream[:5000])
        client.shutdown(socket.SHUT_WR)
        assert programs.receive_all(client) == self._stream[:5000]

    def reset_with_a_backlog(self, client):
        client.setblocking(False)
        try:
            while client.send(self._stream):
                pass
        except BlockingIOError:
            self.reset(client)


def descriptors(program):
    return len(os.listdir(f"/proc/{program.pid}/fd"))


def holds_nothing(server):
    """No connection is open and no buffer is held, as the engine counts them."""
    return not {"open", "buffers_held"} & server.snapshot().keys()


@pytest.mark.parametrize("config", CHOSEN)
def test_nothing_is_left_of_connections_that_came_and_went(config, start_server, run_load, noise,
                                                           validated):
    engine, *options = CONFIGS[config]
    require(engine)
    server = start_server("-q", "-t", "2", *options, engine=engine)
    with programs.connect(server.address) as client:
        programs.echo(client, b"first")  # what is made with the first connection is made
    programs.wait_until(lambda: holds_nothing(server), "the first connection is gone")
    before = descriptors(server)
    vandals = Vandals(server.address, noise(1 << 16))
    vandals.start()
    until = time.monotonic() + SOAK_S
    sessions = 0
    while sessions == 0 or time.monotonic() < until:
        ended, result = run_load(server.address, "--engine", engine, *options, "-t", "2", "-q",
                                 "--sessions", str(SESSIONS), "-c", "64", "-n", "2", "-s", "700",
                                 "--depth", "2")
        assert ended.code == 0, ended
        assert ended.out.splitlines()[-1] == f"{SESSIONS} connections, 0 exceptions, 0 retries"
        assert result["totals"]["sessions_completed"] == SESSIONS
        assert result["totals"]["messages"] == 2 * SESSIONS
        assert result["errors"]["payload_mismatch"] == 0
        assert result["engine_stats"]["stale_completions"] == 0
        sessions += SESSIONS
    vandals.end()

    programs.wait_until(lambda: holds_nothing(server), "the engine holds nothing")
    programs.wait_until(lambda: descriptors(server) == before, "its descriptors are back")
    with programs.connect(server.address) as client:
        programs.echo(client, noise(100_000))
    programs.wait_until(lambda: holds_nothing(server), "the last connection is gone")
    assert server.stop().code == 0
    served = validated(server.json_path)
    assert served["totals"]["connections"] == sessions + vandals.count + 2
    stats = served["engine_stats"]
    assert stats["open"] == stats["buffers_held"] == stats["stale_completions"] == 0
    assert stats["accept_emfile"] == stats["accept_errors"] == stats["rejected"] == 0
