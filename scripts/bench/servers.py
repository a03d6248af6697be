"""The server of a run: one that we start here, one that a command starts elsewhere, or one that
runs already."""
import ipaddress
import json
import os
import re
import shlex
import subprocess

from bench import process

LISTENING = r"^listening on (\S+)$"

START_LIMIT_S = 10
REMOTE_START_LIMIT_S = 60  # logging in may take a while
REMOTE_STOP_LIMIT_S = 30


class Failed(Exception):
    """Why there is no server, or no result of it, in one line."""


class LocalServer:
    """ringecho-server of our build, on this machine, on a port it picks."""

    has_result = True

    def __init__(self, programs, executable):
        self._programs = programs
        self._executable = executable
        self._process = None
        self._log = None

    def command(self, options, result_path):
        return [self._executable, "--listen", "127.0.0.1:0", "--json", result_path, *options]

    def start(self, options, result_path, log_path):
        """The address to connect to."""
        self._log = log_path
        with open(log_path, "wb") as log:
            self._process = self._programs.start(self.command(options, result_path), log)
        found = process.wait_for_line(self._process, log_path, LISTENING, START_LIMIT_S)
        if not found:
            self._programs.end(self._process)
            raise Failed(process.last_words(log_path))
        return found[1]

    def stop(self):
        """Returns when the result is there."""
        code = self._programs.end(self._process)
        if code != 0:
            raise Failed(f"the server ended with exit code {code}: {process.last_words(self._log)}")

    def why_not(self, engine, log_path):
        """Why the server cannot run with an engine, or None."""
        argv = [self._executable, "--engine", engine, "-q", "--listen", "127.0.0.1:0",
                "--duration", "1ms"]
        with open(log_path, "wb") as log:
            started = self._programs.start(argv, log)
        return _reason(self._programs, started, START_LIMIT_S, log_path)


def _reason(programs, started, limit_s, log_path):
    """Why a server that was to end at once did not end well, or None."""
    code = programs.wait(started, limit_s)
    if code == 0:
        return None
    if code is None:
        programs.end(started)
        return f"it did not end within {limit_s} s"
    return re.sub("^ringecho-server: ", "", process.last_words(log_path))


# Ends a server on the other side of a connection that passes on bytes but no signals, as ssh does:
# the shell over there waits for the server, and beside it somebody reads standard input. When that
# ends, because we close it, or were killed, or the connection broke, the server is asked to end.
_UNTIL_STDIN_ENDS = (
    "& server=$!; exec 3<&0;"
    " { cat <&3; kill -TERM $server; } >/dev/null 2>&1 & watch=$!;"
    " wait $server; code=$?; kill $watch 2>/dev/null; exit $code")


def remote_words(options):
    """What stands for {args}: text for the shell at the other end."""
    return f"{' '.join(shlex.quote(word) for word in options)} {_UNTIL_STDIN_ENDS}"


def fill(template, options):
    """The command line of --server-cmd, split as a shell would, with its {args} filled in."""
    words = remote_words(options)
    return [word.replace("{args}", words) for word in shlex.split(template)]


def split_connect(text):
    """(host, port or None) of HOST, HOST:PORT, [V6] or [V6]:PORT."""
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", text)
    if not match or (match[2] and not 0 < int(match[2]) < 65536):
        raise ValueError(text)
    return match[1], int(match[2]) if match[2] else None


def listen_address(host, port):
    """Where a server has to listen to be reached as `host`: there, if that is a number; a name may
    mean something else at the other end."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        host = "0.0.0.0"
    return f"{host}:{port or 0}"


class CommandServer:
    """ringecho-server started by a command such as ssh. Its result comes back on stdout, its words
    on stderr."""

    has_result = True

    def __init__(self, programs, template, connect):
        self._programs = programs
        self._template = template
        self._host, self._port = split_connect(connect)
        self._process = self._log = self._result_path = None

    def command(self, options, _result_path):
        return fill(self._template, ["--listen", listen_address(self._host, self._port), "--json",
                                     "-", *options])

    def start(self, options, result_path, log_path):
        self._log, self._result_path = log_path, result_path
        with open(f"{result_path}.part", "wb") as out, open(log_path, "wb") as err:
            self._process = self._programs.start(self.command(options, None), out, err,
                                                 stdin=subprocess.PIPE)
        found = process.wait_for_line(self._process, log_path, LISTENING, REMOTE_START_LIMIT_S)
        port = re.search(":([0-9]{1,5})$", found[1]) if found else None
        if not port:
            self._end()
            os.unlink(f"{result_path}.part")
            raise Failed(f'the command of --server-cmd listens on "{found[1][:80]}", takes '
                         "HOST:PORT" if found else process.last_words(log_path))
        return f"{self._host}:{port[1]}"

    def _end(self):
        """The exit code, or None when closing its standard input did not end it."""
        self._process.stdin.close()
        code = self._programs.wait(self._process, REMOTE_STOP_LIMIT_S)
        if code is None:
            self._programs.end(self._process)
        return code

    def stop(self):
        code = self._end()
        part = f"{self._result_path}.part"
        try:
            if code is None:
                raise Failed(f"the command of --server-cmd did not end within {REMOTE_STOP_LIMIT_S}"
                             " s after its standard input had; the server may still run there")
            if code != 0:
                raise Failed(f"the server ended with exit code {code}: "
                             f"{process.last_words(self._log)}")
            with open(part, encoding="utf-8") as file:
                json.load(file)
            os.replace(part, self._result_path)
        except ValueError:
            raise Failed("what came back from the server is not a result") from None
        finally:
            if os.path.exists(part):
                os.unlink(part)

    def why_not(self, engine, log_path):
        argv = fill(self._template, ["--engine", engine, "-q", "--listen", "127.0.0.1:0",
                                     "--duration", "1ms"])
        with open(log_path, "wb") as log:
            started = self._programs.start(argv, log, stdin=subprocess.PIPE)
        why = _reason(self._programs, started, REMOTE_START_LIMIT_S, log_path)
        started.stdin.close()
        return why


class RunningServer:
    """Any RFC 862 server that somebody else has started. There is no result of it."""

    has_result = False

    def __init__(self, connect):
        self._address = connect

    def command(self, _options, _result_path):
        return None

    def start(self, _options, _result_path, _log_path):
        return self._address

    def stop(self):
        pass

    def why_not(self, _engine, _log_path):
        return None
