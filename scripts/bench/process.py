"""Starts programs and makes sure that they end: by their process ids, whatever happens to us."""
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# How long a program may take to end after it was asked to.
GRACE_S = 10


class Interrupted(BaseException):
    """A signal told us to end. No Exception, so that nothing takes it for a failure of a run."""


class Signals:
    """Makes SIGINT, SIGTERM and SIGHUP an Interrupted in the main thread, once."""

    def __init__(self):
        self._held = False
        self._pending = False
        # What was ignored when we were started stays so: nohup does that.
        self._numbers = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                         if signal.getsignal(number) != signal.SIG_IGN]

    def install(self):
        for number in self._numbers:
            signal.signal(number, self._on_signal)

    def ignore(self):
        """So that nothing disturbs the cleaning up."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, _number, _frame):
        self.ignore()
        if self._held:
            self._pending = True
        else:
            raise Interrupted

    @contextlib.contextmanager
    def held(self):
        """Between a process's start and its being known to us there is no interrupt."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending:
            self._pending = False
            raise Interrupted


SIGNALS = Signals()


def _before_exec():
    # A group of its own: Ctrl-C is for us, who end the programs in order. And should we be killed,
    # so is the program.
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Programs:
    """All that run. A context manager: on leaving it nothing of them is left."""

    def __init__(self):
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._running:
            SIGNALS.ignore()
        for process in list(reversed(self._running)):
            self.end(process)

    def start(self, argv, out, err=subprocess.STDOUT, stdin=subprocess.DEVNULL):
        with SIGNALS.held():
            process = subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=err,
                                       preexec_fn=_before_exec)
            self._running.append(process)
        return process

    def wait(self, process, limit_s):
        """Its exit code, or None when it was still running after so long."""
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        self._forget(process)
        return process.returncode

    def end(self, process, grace_s=GRACE_S):
        """Asks it to end and makes it. Its exit code.

        What reads from us is asked by the end of its input first: that reaches further than a
        signal where the program is another machine's.
        """
        if process.stdin and not process.stdin.closed:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
                break
        self._forget(process)
        return process.returncode

    def _forget(self, process):
        if process in self._running:
            self._running.remove(process)


def wait_for_line(process, path, pattern, limit_s):
    """The match of a line of a log, or None when the program ends or `limit_s` pass without."""
    deadline = time.monotonic() + limit_s
    while True:
        ended = process.poll() is not None
        with open(path, encoding="utf-8", errors="replace") as log:
            found = re.search(pattern, log.read(), re.MULTILINE)
        if found or ended or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def last_words(path):
    """The line in which a program said why it ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
    except OSError:
        lines = []
    own = [line for line in lines if re.match(r"ringecho-(server|load): ", line)]
    return ((own or lines)[-1] if lines else "it ended without a word")[:400]
