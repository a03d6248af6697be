"""Echo servers other than ours: right ones, and ones that are wrong in a way of their own."""
import contextlib
import select
import socket
import threading


def free_port():
    """A port of 127.0.0.1 on which nobody listens, and probably nobody will."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Peer:
    """A server in a thread, on 127.0.0.1. Subclasses say what happens to the bytes.

    `state` belongs to one connection; what `answer` returns is sent to it.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self._clients = {}
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self):
        return "127.0.0.1:%d" % self._listener.getsockname()[1]

    def accepted(self, client):
        """A new connection: its state."""
        return {}

    def answer(self, state, data):
        return data

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.close()
        self._thread.join()
        for client in [*self._clients, self._listener, self._stopped]:
            client.close()

    def _run(self):
        while True:
            ready, _, _ = select.select([self._stopped, self._listener, *self._clients], [], [])
            if self._stopped in ready:
                return
            for client in ready:
                if client is self._listener:
                    self._accept()
                else:
                    self._serve(client)

    def _accept(self):
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[client] = self.accepted(client)

    def _serve(self, client):
        try:
            data = client.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        answer = self.answer(self._clients[client], data)
        if answer is None:
            self._drop(client)
        elif answer:
            self._send(client, answer)

    def _send(self, client, data):
        try:
            client.sendall(data)
        except OSError:
            self._drop(client)

    def _drop(self, client):
        self._clients.pop(client, None)
        client.close()


class Echo(Peer):
    """What RFC 862 asks for, and nothing else."""


class Silent(Peer):
    """Takes everything and answers nothing."""

    def answer(self, state, data):
        return b""


class Deaf(Peer):
    """Accepts and never reads."""

    def _serve(self, client):
        pass


class Damaging(Peer):
    """Echoes the first `good` bytes of each connection and then answers with damage(pending), a
    list of the messages of `size` bytes that have come since, once there are `wait` of them."""

    def __init__(self, damage, good=0, size=64, wait=2):
        super().__init__()
        self._damage, self._good, self._size, self._wait = damage, good, size, wait

    def accepted(self, client):
        return {"good": self._good, "pending": b""}

    def answer(self, state, data):
        if state["pending"] is None:
            return data
        honest, rest = data[:state["good"]], data[state["good"]:]
        state["good"] -= len(honest)
        state["pending"] += rest
        if len(state["pending"]) < self._wait * self._size:
            return honest
        pending, state["pending"] = state["pending"], None
        return honest + self._damage([pending[at:at + self._size]
                                      for at in range(0, len(pending), self._size)])


class Swapping(Peer):
    """Answers connections in pairs, each with the bytes of the other."""

    def __init__(self):
        super().__init__()
        self._single = None

    def accepted(self, client):
        state = {"client": client, "other": self._single, "early": b""}
        if self._single:
            self._send(client, self._single["early"])
            self._single["other"] = state
            self._single = None
        else:
            self._single = state
        return state

    def answer(self, state, data):
        if state["other"]:
            self._send(state["other"]["client"], data)
        else:
            state["early"] += data
        return b""


class Hanging(Peer):
    """Ends each connection after `count` bytes, in an orderly way or with a reset."""

    def __init__(self, count, reset):
        super().__init__()
        self._count, self._reset = count, reset

    def accepted(self, client):
        if self._reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return {"left": self._count}

    def answer(self, state, data):
        state["left"] -= len(data)
        return None if state["left"] < 0 else data
