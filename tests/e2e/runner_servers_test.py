"""Programs that run_bench.sh starts, here and on other machines, and that they end."""
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

import programs
from bench_project import (SCRIPTS, SHORT, left_over, make_project, rows, series_of, state_of,
                           wait_for_both)

sys.path.insert(0, str(SCRIPTS))
from bench import process, servers  # noqa: E402

EPOLL = [*SHORT, "--engines", "epoll", "--connections", "2"]


@pytest.fixture
def bench(tmp_path):
    return make_project(tmp_path)


@pytest.fixture(autouse=True)
def signals():
    """What ends programs in this very process leaves its handlers as they were."""
    before = {number: signal.getsignal(number)
              for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def elsewhere(tmp_path):
    """Options for a command that plays ssh: it passes on bytes but no signals, and joins its
    arguments. A label tells left_over() whose programs those are."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift\ntrap "" TERM INT HUP\nsetsid -w sh -c "$*"\n')
    ssh.chmod(0o755)
    return ["--connect", "127.0.0.1", "--server-cmd", f"{ssh} host {programs.SERVER} {{args}}",
            "--label", f"test={tmp_path}"]


def test_a_server_elsewhere_is_started_stopped_and_its_result_comes_back(
        bench, run, validated, elsewhere, tmp_path):
    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "2,5", *elsewhere,
                 "--label", "a=it's & so"])
    assert ended.code == 0, ended
    folder = series_of(bench)
    assert len(rows(ended.out, "epoll")) == 2
    for path in sorted(folder.glob("*.server.json")):
        server = validated(path)
        assert server["run"]["status"] == "ok" and server["totals"]["messages"] > 0
        assert server["run"]["labels"] == {"test": str(tmp_path), "a": "it's & so"}
    assert not list(folder.glob("*.part"))
    assert left_over(tmp_path) == []
    # No addresses or hosts where results are shared.
    assert "127.0.0.1" not in (folder / "series.json").read_text()
    assert "ssh" not in (folder / "series.json").read_text()


def test_an_interrupt_reaches_a_server_elsewhere(bench, started, elsewhere, run, tmp_path):
    script = programs.Program([bench, "--no-build", "--duration", "500ms", "--repeats", "3",
                               "--engines", "epoll", "--connections", "3", *elsewhere])
    started.append(script)
    wait_for_both(script, bench, 2)
    script.signal(signal.SIGTERM)
    assert script.wait().code == 130
    folder = series_of(bench)
    programs.wait_until(lambda: left_over(tmp_path) == [], "nothing is left running")
    assert not list(folder.glob("*.part"))
    # What is not kept has to be given again.
    without = run([bench, "--no-build", "--resume", folder])
    assert without.code == 2 and "give them again" in without.err
    # Another program over there is known by what it says of itself.
    path = folder / "000-epoll-c3-r0.server.json"
    whole = path.read_text()
    result = json.loads(whole)
    result["tool"]["git_commit"] = "abc"
    path.write_text(json.dumps(result))
    another = run([bench, "--no-build", "--resume", folder, *elsewhere])
    assert another.code == 1
    assert "is another one: its git_commit was abc, is " in another.err_lines[-1]
    assert len(list(folder.glob("*.json"))) == 3 and state_of(bench)["status"] == "failed"
    path.write_text(whole)
    assert run([bench, "--no-build", "--resume", folder, *elsewhere]).code == 0
    assert state_of(bench)["status"] == "complete"


def test_a_killed_runner_leaves_no_server_elsewhere(bench, started, elsewhere, tmp_path):
    script = programs.Program([bench, "--no-build", "--duration", "500ms", "--repeats", "3",
                               "--engines", "epoll", "--connections", "3", *elsewhere])
    started.append(script)
    wait_for_both(script, bench, 2)
    script.signal(signal.SIGKILL)
    script.wait()
    programs.wait_until(lambda: left_over(tmp_path) == [], "nothing is left running")


@pytest.mark.parametrize("command, said", [
    ("sh -c 'no-such-command {args}'", "no-such-command"),
    ("no-such-ssh host {args}", "no-such-ssh"),
    (f"sh -c '{programs.SERVER} --bogus {{args}}'", "--bogus"),
    ("sh -c 'echo login refused >&2; exit 255 # {args}'", "login refused"),
    ("sh -c 'echo listening on garbage >&2; cat # {args}'", 'listens on "garbage"'),
    (r"sh -c 'printf \\033[2Jno >&2; exit 1 # {args}'", "?[2Jno"),
])
def test_a_server_elsewhere_that_does_not_start_is_told(bench, run, command, said):
    ended = run([bench, *EPOLL, "--connect", "127.0.0.1", "--server-cmd", command])
    assert ended.code == 1
    assert said in ended.out + ended.err
    assert "Traceback" not in ended.err


def test_a_server_elsewhere_that_does_not_stop_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "REMOTE_STOP_LIMIT_S", 0.3)
    with process.Programs() as running:
        server = servers.CommandServer(
            running, "sh -c 'echo listening on 0.0.0.0:5 >&2; exec sleep 1000 # {args}'", "host")
        assert server.start([], str(tmp_path / "result"), str(tmp_path / "log")) == "host:5"
        with pytest.raises(servers.Failed, match="may still run there"):
            server.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]


def test_what_comes_back_has_to_be_a_result(tmp_path):
    with process.Programs() as running:
        server = servers.CommandServer(
            running, "sh -c 'echo hello; echo listening on 0.0.0.0:5 >&2; cat # {args}'", "host")
        server.start([], str(tmp_path / "result"), str(tmp_path / "log"))
        with pytest.raises(servers.Failed, match="not a result"):
            server.stop()


def test_a_server_that_runs_already_is_measured(bench, run, start_server):
    server = start_server(engine="epoll")
    ended = run([bench, *SHORT, "--connections", "2,5", "--connect", server.address])
    assert ended.code == 0, ended
    assert [row[1] for row in rows(ended.out, "-")] == ["2", "5"]
    folder = series_of(bench)
    assert len(list(folder.glob("*.load.json"))) == 2 and not list(folder.glob("*.server.json"))
    assert server.address not in (folder / "series.json").read_text()
    assert server.process.poll() is None


def test_a_run_that_is_invalid_is_a_failure(bench, run):
    """A server that swallows everything: the loader gives up, and tells so."""
    silent = socket.create_server(("127.0.0.1", 0))
    load = bench.parent.parent / "build-bench" / "src" / "load" / "ringecho-load"
    load.unlink()
    load.write_text(f'#!/bin/sh\n[ "$1" = --version ] || set -- "$@" --timeout 300ms\n'
                    f'exec {programs.LOAD} "$@"\n')
    load.chmod(0o755)
    ended = run([bench, *SHORT, "--connections", "2", "--connect",
                 f"127.0.0.1:{silent.getsockname()[1]}"])
    assert ended.code == 1, ended
    assert rows(ended.out, "-")[0][-1] == "invalid"
    assert ended.err_lines[-1] == "1 run of 1 invalid: 000-server-c2-r0"
    assert state_of(bench)["status"] == "complete"


# --- programs end ---

def test_whatever_happens_nothing_is_left_running(tmp_path, monkeypatch):
    monkeypatch.setattr(process.Programs.end, "__defaults__", (0.3,))  # seconds until SIGKILL
    with open(tmp_path / "log", "wb") as log, pytest.raises(ZeroDivisionError):
        with process.Programs() as running:
            started = [running.start(["sleep", "1000"], log),
                       # One that has to be killed.
                       running.start(["sh", "-c", "trap '' TERM; echo up; sleep 1000"], log)]
            process.wait_for_line(started[1], tmp_path / "log", "up", 30)
            raise ZeroDivisionError
    assert [child.returncode for child in started] == [-signal.SIGTERM, -signal.SIGKILL]


def test_a_signal_between_the_start_and_its_being_known_waits():
    """In a process of its own, whose signal handlers are nobody else's."""
    ended = subprocess.run([sys.executable, "-c", """
import os, signal
from bench import process
process.SIGNALS.install()
try:
    with process.SIGNALS.held():
        os.kill(os.getpid(), signal.SIGTERM)
        print("held")
    print("not here")
except process.Interrupted:
    os.kill(os.getpid(), signal.SIGTERM)
    print("once")
"""], env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, stdout=subprocess.PIPE, text=True, timeout=30,
        check=True)
    assert ended.stdout.split() == ["held", "once"]
