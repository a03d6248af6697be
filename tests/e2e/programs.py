"""Starts the real programs and makes sure that they end."""
import collections
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

SERVER = os.environ["RINGECHO_SERVER"]
LOAD = os.environ.get("RINGECHO_LOAD", "")
SANITIZED = os.environ.get("RINGECHO_SANITIZE", "none") != "none"

# Nothing here is timed by a wait: it ends as soon as what is waited for happens, and the limit is
# for a program that hangs.
PATIENCE_S = 120 if SANITIZED else 30

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Exit(collections.namedtuple("Exit", "code out err")):
    """How a program ended and all it said."""

    @property
    def err_lines(self):
        return self.err.splitlines()


class Program:
    """One running process. Lines of both streams can be waited for while it runs."""

    def __init__(self, argv, *, prepare=None, environment=None, stdin=subprocess.DEVNULL, **popen):
        def before_exec():
            # A test run that is killed leaves nothing behind.
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            # Under nohup, or in the background of a script, some would be ignored.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            if prepare:
                prepare()

        self.argv = [str(argument) for argument in argv]
        self.process = subprocess.Popen(
            self.argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=before_exec, env={**os.environ, **(environment or {})}, **popen)
        self._news = threading.Condition()
        self._text = {"out": "", "err": ""}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name, stream):
        for chunk in iter(lambda: stream.read1(65536), b""):
            with self._news:
                self._text[name] += chunk.decode(errors="replace")
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def text(self, stream):
        with self._news:
            return self._text[stream]

    def wait_for(self, pattern, stream="out", count=1, patience_s=PATIENCE_S):
        """The first `count` matches of the pattern, as soon as they are there."""
        deadline = time.monotonic() + patience_s
        with self._news:
            while True:
                found = list(re.finditer(pattern, self._text[stream], re.MULTILINE))
                if len(found) >= count:
                    return found[:count]
                ended = self.process.poll() is not None
                if ended and not any(reader.is_alive() for reader in self._readers):
                    raise AssertionError(f"ended without {pattern!r}: {self.describe()}")
                if time.monotonic() > deadline:
                    raise AssertionError(f"no {pattern!r} so far: {self.describe()}")
                self._news.wait(0.2)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, patience_s=PATIENCE_S):
        """Until it ends by itself."""
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {patience_s} s: {self.describe()}") from None
        for reader in self._readers:
            reader.join(PATIENCE_S)
        ended = Exit(self.process.returncode, self.text("out"), self.text("err"))
        complain = [line for line in ended.err_lines if "Sanitizer" in line or "runtime error" in line]
        assert not complain, self.describe()
        return ended

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def status(self, key):
        """A field of /proc/PID/status; sizes in kB as an int."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)

    def describe(self):
        """How it was started and ended, and the last of what it said."""
        return (f"{' '.join(self.argv)}\nexit code: {self.process.poll()}\n"
                f"stdout:\n{self._text['out'][-4000:]}\nstderr:\n{self._text['err'][-4000:]}")


class Server(Program):
    """ringecho-server that has said where it listens, by default on a free port of 127.0.0.1."""

    def __init__(self, *options, listen=("127.0.0.1:0",), engine=None, json_path=None, **program):
        argv = [SERVER]
        for where in listen:
            argv += ["--listen", where]
        if engine:
            argv += ["--engine", engine]
        if json_path:
            argv += ["--json", json_path]
        self.json_path = json_path
        super().__init__([*argv, *options], **program)
        said = self.wait_for(r"^listening on (\S+)$", count=len(listen))
        self.addresses = [match.group(1) for match in said]
        self._snapshots = 0

    @property
    def address(self):
        return self.addresses[0]

    def snapshot(self):
        """The counters of its engines that are not 0, by name. Not beside live lines (-q)."""
        self._snapshots += 1
        self.signal(signal.SIGUSR1)
        said = self.wait_for(r"^snapshot.*\n((?:  .*\n)+)", count=self._snapshots)[-1].group(1)
        return {name: float(value.replace(",", ""))
                for name, value in re.findall(r"(\w+) ([0-9][0-9,.]*)(?:,\s|\s)", said)}

    def stop(self, number=signal.SIGTERM):
        """Asks it to drain and report."""
        self.signal(number)
        return self.wait()


def host_port(address):
    """("127.0.0.1", 8888) of "127.0.0.1:8888" or of "[::1]:8888"."""
    host, port = address.rsplit(":", 1)
    return host.strip("[]"), int(port)


def connect(address, timeout_s=PATIENCE_S):
    """A blocking socket to an address as the programs print it."""
    if address.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(timeout_s)
        client.connect(address[len("unix:"):])
        return client
    return socket.create_connection(host_port(address), timeout=timeout_s)


def receive_exactly(client, count):
    received = bytearray()
    while len(received) < count:
        chunk = client.recv(min(1 << 20, count - len(received)))
        assert chunk, f"end of stream after {len(received)} of {count} bytes"
        received += chunk
    return bytes(received)


def receive_all(client):
    """Everything up to the end of the stream."""
    received = bytearray()
    while chunk := client.recv(1 << 20):
        received += chunk
    return bytes(received)


def echo(client, data):
    client.sendall(data)
    assert receive_exactly(client, len(data)) == data


def wait_until(condition, what, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not so after {patience_s} s: {what}"
        time.sleep(0.01)
