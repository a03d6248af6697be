"""run_bench.sh with the programs of this build, and what the scripts say when they cannot go on."""
import errno
import os
import pathlib
import resource
import shutil
import signal
import tempfile

import pytest

import programs
from bench_project import (SCRIPTS, SHORT, left_over, make_project, rows, series_of, state_of,
                           wait_for_both)
from conftest import require
from direct_test import require_direct_descriptors
from namespaces import deny_io_uring


@pytest.fixture
def bench(tmp_path):
    return make_project(tmp_path)

def test_both_engines_are_measured_and_told(bench, run, validated):
    require("io_uring")
    ended = run([bench, "--no-build", "--duration", "500ms", "--repeats", "2",
                 "--connections", "1,20"])
    assert ended.code == 0, ended
    for engine in ("io_uring", "epoll"):
        assert [row[1] for row in rows(ended.out, engine)] == ["1", "20"]
        assert all(row[-1] in ("valid", "suspect") for row in rows(ended.out, engine))
    folder = series_of(bench)
    assert (folder / "table.txt").read_text() == ended.out
    assert state_of(bench)["status"] == "complete"
    assert left_over(folder) == []

    loads = [validated(path) for path in sorted(folder.glob("*.load.json"))]
    servers = [validated(path) for path in sorted(folder.glob("*.server.json"))]
    assert len(loads) == len(servers) == 8
    # A B, and in the next repeat B A.
    order = [result["config"]["engine"]["name"] for result in servers]
    assert order == 2 * ["io_uring", "epoll"] + 2 * ["epoll", "io_uring"]
    assert [result["run"]["order_index"] for result in loads] == list(range(8))
    assert [result["run"]["repeat"] for result in servers] == 4 * [0] + 4 * [1]
    assert {result["run"]["series_id"] for result in loads + servers} == {folder.name}
    for server, load in zip(servers, loads):
        assert load["config"]["engine"]["requested"]["engine"] == "auto"
        assert not set(server["config"]["cpus"]) & set(load["config"]["cpus"])
        if len(os.sched_getaffinity(0)) > 1:
            assert server["config"]["cpus"] and load["config"]["cpus"]


def test_one_cpu_is_shared_and_told(bench, run, validated):
    cpu = min(os.sched_getaffinity(0))
    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "2"],
                prepare=lambda: os.sched_setaffinity(0, {cpu}))
    assert ended.code == 0, ended
    assert "only one CPU" in ended.err
    (load,) = series_of(bench).glob("*.load.json")
    assert validated(load)["config"]["cpus"] == []


def test_without_io_uring_there_is_epoll_and_the_reason(bench, run):
    ended = run([bench, *SHORT, "--connections", "1"],
                prepare=lambda: deny_io_uring(errno.EPERM))
    assert ended.code == 0, ended
    assert [row[1:] for row in rows(ended.out, "io_uring")] == [["1", *"------", "not", "run"]]
    assert len(rows(ended.out, "epoll")) == 1
    assert "seccomp" in ended.out or "built without it" in ended.out


def test_what_descriptors_do_not_allow_is_skipped_with_the_number(bench, run):
    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))

    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "10,1k"], prepare=prepare)
    assert ended.code == 0, ended
    assert [row[1] for row in rows(ended.out, "epoll")] == ["10", "1,000"]
    assert rows(ended.out, "epoll")[1][-2:] == ["not", "run"]
    assert "needs 1064 descriptors, the hard limit is 300" in ended.out


def test_io_uring_goes_beyond_the_descriptors_with_a_table_for_each_thread(bench, run, validated):
    require("io_uring")
    require_direct_descriptors(run)

    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))

    ended = run([bench, "c100k", *SHORT, "--threads", "4", "--connections", "600,10k"],
                prepare=prepare)
    assert ended.code == 0, ended
    assert [row[1] for row in rows(ended.out, "io_uring")] == ["600", "10,000"]
    assert rows(ended.out, "io_uring")[0][-1] in ("valid", "suspect")
    assert [row[-2:] for row in rows(ended.out, "epoll")] == 2 * [["not", "run"]]
    assert "10064 descriptors, the hard limit is 300 for each of 4 threads" in ended.out
    assert "needs 664 descriptors, the hard limit is 300 (" in ended.out
    (server,) = map(validated, series_of(bench).glob("*.server.json"))
    (load,) = map(validated, series_of(bench).glob("*.load.json"))
    assert server["config"]["threads"] == load["config"]["threads"] == 4
    assert server["totals"]["connections_open_max"] == 600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_nothing_running_and_marks_what_there_is(bench, started, number):
    script = programs.Program([bench, "--no-build", "--duration", "500ms", "--repeats", "50",
                               "--engines", "epoll", "--connections", "3"])
    started.append(script)
    wait_for_both(script, bench, 3)
    script.signal(number)
    ended = script.wait()
    assert ended.code == 130
    folder = series_of(bench)
    assert state_of(bench)["status"] == "interrupted"
    assert "incomplete: interrupted, 2 of 50 runs made" in ended.out
    assert ended.err_lines[-1] == f"to go on: scripts/run_bench.sh --resume {folder}"
    assert len(rows(ended.out, "epoll")) == 1
    assert (folder / "table.txt").read_text() == ended.out
    programs.wait_until(lambda: left_over(folder) == [], "nothing is left running")


def test_a_leftover_server_is_told_and_not_in_the_way(bench, start_server, run):
    leftover = start_server(engine="epoll")
    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "2"])
    assert ended.code == 0, ended
    assert f"another ringecho-server is running (pid {leftover.pid})" in ended.err
    with programs.connect(leftover.address) as client:
        programs.echo(client, b"not disturbed")


def test_a_run_that_fails_is_told_and_the_others_go_on(bench, run):
    """A load generator that cannot start, as one too old for the options would not."""
    load = bench.parent.parent / "build-bench" / "src" / "load" / "ringecho-load"
    load.unlink()
    load.write_text("#!/bin/sh\necho 'ringecho-load: not today' >&2\nexit 1\n")
    load.chmod(0o755)
    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "1,2"])
    assert ended.code == 1
    assert [row[1:] for row in rows(ended.out, "epoll")] == [
        [count, *"------", "not", "run"] for count in "12"]
    assert "not run: epoll 1, epoll 2: ringecho-load: not today" in ended.out
    assert left_over(series_of(bench)) == []


def test_results_are_not_mixed_with_older_ones(bench, run, tmp_path):
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "001-epoll-c1-r0.load.json").write_text("{}")
    ended = run([bench, *SHORT, "--out", tmp_path / "older"])
    assert ended.code == 1
    assert "has results already" in ended.err


BENCH_REFUSALS = [
    (["--bogus"], "--bogus"),
    (["--connections"], "--connections"),
    (["--connections", "1,x"], '"x"'),
    (["--connections", "0"], '"0"'),
    (["--connections", ""], "--connections"),
    (["--engines", "kqueue"], '"kqueue"'),
    (["--engines", ""], "--engines"),
    (["--loader-engine", "none"], '"none"'),
    (["--loader-wait", "sleep"], '"sleep"'),
    (["--duration", "5x"], '"5x"'),
    (["--duration", "1ms"], '"1ms"'),
    (["--warmup", "-1s"], '"-1s"'),
    (["--repeats", "0"], '"0"'),
    (["--size", "big"], '"big"'),
    (["--depth", "1,1"], "each value once"),
    (["--threads", "0"], '"0"'),
    (["--order", "random"], '"random"'),
    (["--seed", "7"], "--order shuffled"),
    (["--label", "novalue"], '"novalue"'),
    (["--label", "a=1", "--label", "a=2"], '"a" twice'),
    (["--server-cpus", "3-1"], '"3-1"'),
    (["--server-cpus", "99999"], "CPU 99999 cannot be used here"),
    (["--loader-cpus", "0", "--loader-threads", "2"], "names 1 CPU for 2 threads"),
    (["nonesuch"], '"nonesuch"'),
    (["quick", "engines"], "two scenarios"),
    (["--connect", "host"], '"host"'),
    (["--connect", "host:70000"], '"host:70000"'),
    (["--connect", "host:7", "--engines", "epoll"], "--engines: cannot be chosen"),
    (["--connect", "host:7", "--threads", "1"], "--threads: cannot be chosen"),
    (["--dry-run", "--connect", "host:7", "--features", "minimal"], "--features: cannot be chosen"),
    (["--dry-run", "--connect", "host:7", "--wait", "spin"], "--wait: cannot be chosen"),
    (["--dry-run", "--connect", "host:7", "--buffer-size", "8k"], "--buffer-size: cannot be"),
    (["--connect", "host:7", "--server-cpus", "0"], "--server-cpus: cannot be chosen"),
    (["--server-cmd", "ssh host ringecho-server"], "{args}"),
    (["--server-cmd", "ssh host 'ringecho-server {args}"], "--server-cmd"),
    (["--server-cmd", "ssh host ringecho-server {args}"], "--connect"),
    (["--resume", "/nonesuch"], '"/nonesuch"'),
    (["--resume", "x", "--out", "y"], "--out"),
    (["--out", ""], "--out"),
    (["--out", __file__], "takes a folder"),
    (["--dry-run", "--out", "/nonesuch/\udcff"], '--out: got "/nonesuch/?", takes UTF-8'),
    (["--dry-run", "--label", "a=\udcff"], '--label: got "a=?", takes UTF-8'),
    (["--sessions", "0"], '"0"'),
    (["--sessions", "5"], "--sessions: got 5, takes at least as many as --connections (10000)"),
    (["--sessions", "10k", "--duration", "1s"], "--duration: cannot be combined with sessions"),
    (["churn", "--warmup", "1s"], "--warmup: cannot be combined with sessions"),
    (["--messages", "5"], "--messages: takes --sessions, too"),
    (["--size", "17m"], "at most 16m"),
    (["--buffer-size", "8"], '"8", takes 16 to 16m'),
    (["--buffer-size", "17m"], '"17m", takes 16 to 16m'),
    (["--wait", "hybrid:2s"], "1us to 1s"),
    (["--wait", "batch:20ms"], "1us to 10ms"),
    (["--depth", "10k"], "--depth: got 10000 with 10000 connections, takes at most 6710"),
]


@pytest.mark.parametrize("options, named", BENCH_REFUSALS)
def test_bad_options_of_run_bench_are_refused_in_one_line(options, named, run):
    ended = run([SCRIPTS / "run_bench.sh", *options])
    assert ended.code == 2
    assert len(ended.err_lines) == 1 and named in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("options, named", [
    (["--bogus"], "--bogus"), (["--sanitize", "memory"], '"memory"'), (["--suite"], "--suite")])
def test_bad_options_of_run_tests_are_refused_in_one_line(options, named, run):
    ended = run([SCRIPTS / "run_tests.sh", *options])
    assert ended.code == 2
    assert len(ended.err_lines) == 1 and named in ended.err


@pytest.mark.parametrize("script", ["run_bench.sh", "run_tests.sh", "check_compare.sh"])
def test_help_fits_a_terminal(script, run):
    ended = run([SCRIPTS / script, "--help"])
    assert ended.code == 0 and ended.err == ""
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize("script", ["run_bench.sh", "run_tests.sh"])
def test_on_an_unknown_distribution_packages_are_named(script, tmp_path, run):
    """Nothing on PATH but what every Linux has: no compiler, and no apt-get either."""
    for tool in ("bash", "env", "dirname", "awk", "sort", "paste", "head", "cat", "nproc", "uname",
                 "mktemp", "rm", "grep", "sed"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    ended = run([SCRIPTS / script], environment={"PATH": str(tmp_path)})
    assert ended.code == 1
    assert "liburing >= 2.3" in ended.err
    said = {line.split(":")[0].split()[-1]: line for line in ended.err_lines if ": " in line}
    assert "liburing-dev" in said["Ubuntu"]
    assert "liburing-devel" in said["Fedora"]
    assert "ninja" in said["Arch"]


def become_nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def test_an_unprivileged_user_is_told_the_command(run):
    """apt-get is there, but not root: exactly the command to run."""
    # Where nobody can read it.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        tools = pathlib.Path(folder) / "bin"
        tools.mkdir()
        for tool in ("bash", "env", "dirname", "awk", "sort", "paste", "head", "cat", "nproc"):
            (tools / tool).symlink_to(shutil.which(tool))
        (tools / "apt-get").write_text("#!/bin/sh\nexit 1\n")
        (tools / "apt-get").chmod(0o755)
        shutil.copytree(SCRIPTS, pathlib.Path(folder) / "scripts")
        ended = run([pathlib.Path(folder) / "scripts" / "run_bench.sh"],
                    environment={"PATH": str(tools)}, cwd=folder,
                    prepare=become_nobody if os.geteuid() == 0 else None)
    assert ended.code == 1
    assert ended.err_lines[-1].startswith("  sudo apt-get install --no-install-recommends ")
    assert " liburing-dev " in ended.err_lines[-1]
