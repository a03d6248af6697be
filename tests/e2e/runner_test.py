"""Series of run_bench.sh that are planned, recorded, interrupted and resumed."""
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

import programs
from bench_project import (SCRIPTS, SHORT, left_over, make_project, rows, series_of, state_of,
                           wait_for_both)
from conftest import require

sys.path.insert(0, str(SCRIPTS))
from bench import series  # noqa: E402

EPOLL = [*SHORT, "--engines", "epoll", "--connections", "2"]


@pytest.fixture
def bench(tmp_path):
    return make_project(tmp_path)


def names_of(bench, status):
    return [run["name"] for run in state_of(bench)["runs"] if run["status"] == status]


def change(bench, edit):
    """Edits series.json."""
    path = series_of(bench) / "series.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


# --- before anything is run ---

def test_scenarios_are_listed_in_a_line_each(run):
    ended = run([SCRIPTS / "run_bench.sh", "--list"])
    assert ended.code == 0 and ended.err == ""
    assert [line.split()[0] for line in ended.out.splitlines()] == [
        "quick", "engines", "sizes", "depth", "threads", "features", "wait", "c10k",
        "c100k", "churn"]
    assert max(map(len, ended.out.splitlines())) <= 80


def test_a_dry_run_tells_the_commands_and_does_nothing(bench, run):
    before = sorted(bench.parent.parent.rglob("*"))
    ended = run([bench, "sizes", "--dry-run", "--size", "64,4k", "--repeats", "2", "--label",
                 "why=it's so"])
    assert ended.code == 0 and ended.err == ""
    assert sorted(bench.parent.parent.rglob("*")) == before
    names = [line.split()[1] for line in ended.out.splitlines() if line.startswith("# ")]
    assert len(names) == 8 and names[0] == "000-io_uring-c64-s64-r0"
    for role in ("server", "load"):
        commands = [line for line in ended.out.splitlines() if f"ringecho-{role} " in line]
        assert len(commands) == 8
        assert all("--label 'why=it'\"'\"'s so'" in line for line in commands)
    assert "-s 4096" in ended.out and "--order 7" in ended.out
    assert ended.out.splitlines()[0].startswith("server: 1 thread")
    assert ended.out.splitlines()[-1].startswith("8 runs of 4s, about ")


@pytest.mark.parametrize("command", [
    ["run_bench.sh", "--dry-run"], ["run_bench.sh", "--help"], ["bench_table.py", "--help"]])
def test_whoever_reads_may_have_read_enough(command):
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as pipe:
        ended = subprocess.run([SCRIPTS / command[0], *command[1:]], stdout=pipe,
                               stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


def test_an_interrupt_before_there_is_anything_to_end_is_quiet(tmp_path):
    """Among the imports of the package: the last one of them waits for the signal."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    (tmp_path / "scripts" / "bench" / "verdict.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n")
    ended = subprocess.run([tmp_path / "scripts" / "run_bench.sh", "--dry-run"],
                           capture_output=True, check=False)
    assert ended.returncode in (128 + signal.SIGINT, -signal.SIGINT)
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_a_check_warns_and_changes_nothing(bench, run, start_server):
    leftover = start_server(engine="epoll")
    ended = run([bench, "--check"])
    assert ended.code == 0 and ended.err == ""
    assert f"warning: another ringecho-server is running (pid {leftover.pid})" in ended.out
    assert f"    kill {leftover.pid}" in ended.out.splitlines()
    assert leftover.process.poll() is None
    assert not (bench.parent.parent / "bench_results").exists()


# --- what is run, and its record ---

def test_every_axis_and_label_reaches_the_programs(bench, run, validated):
    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "4", "--size", "64,4k",
                 "--depth", "1,8", "--warmup", "50ms", "--label", "what=so & so", "--loader-engine",
                 "epoll", "--loader-wait", "hybrid:30us"])
    assert ended.code == 0, ended
    state, folder = state_of(bench), series_of(bench)
    assert folder.name.endswith("-engines") and state["id"] == folder.name
    assert (state["status"], state["vary"], state["base"]) == ("complete", "engine", "epoll")
    assert state["started"] <= state["ended"]
    assert [run["order_index"] for run in state["runs"]] == [0, 1, 2, 3]
    for made in state["runs"]:
        assert made["status"] == "done" and made["seconds"] > 0.5
        load, server = (validated(folder / f"{made['name']}.{role}.json")
                        for role in ("load", "server"))
        for key in ("connections", "size_bytes", "depth"):
            assert load["config"][key] == made["cell"][key]
        assert server["config"]["engine"]["name"] == made["cell"]["engine"]
        assert server["config"]["threads"] == made["cell"]["threads"]
        assert load["config"]["engine"]["name"] == "epoll"
        assert load["config"]["wait"] == "hybrid:30us"
        assert load["config"]["warmup_ns"] == 50_000_000
        assert load["run"]["labels"] == server["run"]["labels"] == {"what": "so & so"}
        assert load["config"]["cpus"] == state["cpus"]["loader"][:len(load["config"]["cpus"])]
    assert {(row[1], row[2]) for row in rows(ended.out, "epoll")} == {
        ("64", "1"), ("64", "8"), ("4k", "1"), ("4k", "8")}


def test_features_are_compared_for_each_size_of_the_servers_buffers(bench, run, validated):
    require("io_uring")
    ended = run([bench, "features", *SHORT, "--connections", "2", "--size", "64", "--engines",
                 "io_uring", "--features", "best,minimal", "--buffer-size", "8k,64k"])
    assert ended.code == 0, ended
    folder = series_of(bench)
    for made in state_of(bench)["runs"]:
        server = validated(folder / f"{made['name']}.server.json")
        assert server["config"]["buffer_size_bytes"] == made["cell"]["buffer_size_bytes"]
    assert [row[2] for row in rows(ended.out, "io_uring")] == ["8k", "8k", "64k", "64k"]
    # Each is a cell of the comparison, and not a repeat of the other.
    compared = run([os.environ["RINGECHO_COMPARE"], folder, "--format", "json"])
    assert compared.code == 0, compared
    cells = json.loads(compared.out)["cells"]
    assert [cell["values"]["server.buffer_size_requested_bytes"] for cell in cells] == [
        "8192", "65536"]


def test_connections_come_and_go(bench, run, validated):
    ended = run([bench, "churn", "--no-build", "--repeats", "1", "--engines", "epoll",
                 "--connections", "8", "--sessions", "3k", "--messages", "2"])
    assert ended.code == 0, ended
    folder = series_of(bench)
    load, server = (validated(next(folder.glob(f"*.{role}.json"))) for role in ("load", "server"))
    assert load["totals"]["sessions_completed"] == server["totals"]["connections"] == 3_000
    assert load["totals"]["messages"] == 6_000
    assert load["config"]["connections"] == 8
    assert "3,000 sessions of 2 messages" in ended.out
    assert "1 run of 3,000 sessions, about" in ended.err
    assert "-" not in rows(ended.out, "epoll")[0]


def test_ways_to_wait_are_compared_though_one_of_them_uses_a_feature(bench, run):
    require("io_uring")
    ended = run([bench, "wait", *SHORT, "--engines", "io_uring", "--wait", "block,batch:20us",
                 "--connections", "2"])
    assert ended.code == 0, ended
    compared = run([os.environ["RINGECHO_COMPARE"], series_of(bench)])
    assert compared.code == 0, compared
    assert compared.out.startswith("server.wait: block (base), batch:20us\n")


def test_a_shuffled_order_is_made_and_recorded(bench, run):
    ended = run([bench, *SHORT, "--engines", "epoll", "--connections", "1,2,3,4", "--order",
                 "shuffled", "--seed", "5"])
    assert ended.code == 0, ended
    state = state_of(bench)
    assert (state["order"], state["seed"]) == ("shuffled", 5)
    planned = [run["cell"]["connections"] for run in state["runs"]]
    loads = sorted(series_of(bench).glob("*.load.json"))
    assert [json.loads(path.read_text())["config"]["connections"] for path in loads] == planned
    assert sorted(planned) == [1, 2, 3, 4] != planned


@pytest.mark.parametrize("features, said", [
    ("best,nosuch", '--features: got "nosuch"'),
    ("+recv_bundle+incremental_buffers", "excludes recv_bundle"),
    ("-buffer_ring+multishot_recv", "needs buffer_ring")])
def test_features_that_cannot_be_are_refused_before_the_first_run(bench, run, features, said):
    ended = run([bench, *SHORT, "--features", features, "--connections", "2"])
    assert ended.code == 2, ended
    assert len(ended.err_lines) == 1 and said in ended.err
    assert not (bench.parent.parent / "bench_results").exists()


def test_threads_that_do_not_fit_are_skipped_with_the_reason(bench, run):
    ended = run([bench, *EPOLL, "--threads", "1,1000"])
    assert ended.code == 0, ended
    assert [row[-2:] for row in rows(ended.out, "epoll")][1] == ["not", "run"]
    assert "not run: epoll 1000: 1,000 server threads" in ended.out
    assert [run["status"] for run in state_of(bench)["runs"]] == ["done", "skipped"]


def test_a_series_without_any_result_is_a_failure(bench, run):
    ended = run([bench, *EPOLL, "--threads", "1000"])
    assert ended.code == 1, ended
    assert state_of(bench)["status"] == "failed"


def test_the_warnings_are_recorded(bench, run, start_server):
    leftover = start_server(engine="epoll")
    ended = run([bench, *EPOLL])
    assert ended.code == 0
    (warning,) = [entry for entry in state_of(bench)["preflight"] if entry["id"] == "company"
                  and f"(pid {leftover.pid})" in entry["message"]]
    assert warning["fix"] == [f"kill {leftover.pid}"]
    # Whoever gets the table has to know.
    folder = series_of(bench)
    told = [f"warning: {entry['message']}" for entry in state_of(bench)["preflight"]]
    assert (folder / "table.txt").read_text().splitlines()[-len(told):] == told
    assert run([bench.parent / "bench_table.py", folder]).out.splitlines()[-len(told):] == told


# Plays ringecho-compare.
COMPARE = """#!/bin/sh
case $* in
  --help) echo '--format text|html' ;;
  *--format*) echo page >"${5:?}"; test "$4" = -o ;;
  *) echo "faster, says who read $1" ;;
esac
"""


@pytest.fixture
def compare(bench):
    folder = bench.parent.parent / "build-bench" / "src" / "compare"
    folder.mkdir()
    program = folder / "ringecho-compare"
    program.write_text(COMPARE)
    program.chmod(0o755)
    return program


def test_the_verdict_is_that_of_the_comparison(bench, run, compare):
    require("io_uring")
    ended = run([bench, *SHORT, "--connections", "2"])
    assert ended.code == 0, ended
    folder = series_of(bench)
    assert f"\n\nfaster, says who read {folder}\n" in ended.out
    assert (folder / "table.txt").read_text() == ended.out
    assert ended.err_lines[-1] == f"report:  {folder}/report.html"
    assert (folder / "report.html").read_text() == "page\n"


@pytest.mark.parametrize("options, sides", [
    (["--connections", "2,5"], "engine: epoll (base), io_uring\n"),
    (["--connections", "2", "--features", "best,minimal", "--buffer-size", "default,64k"],
     "features: epoll (base), best, minimal\n"),
    (["--connections", "2", "--features", "best,minimal", "--engines", "io_uring"],
     "features: best (base), minimal\n")])
def test_the_comparison_understands_a_series(bench, run, options, sides):
    """The real one, which takes what varies and the base from series.json."""
    require("io_uring")
    folder = bench.parent.parent / "build-bench" / "src" / "compare"
    folder.mkdir()
    (folder / "ringecho-compare").symlink_to(os.environ["RINGECHO_COMPARE"])
    ended = run([bench, *SHORT, *options])
    assert ended.code == 0, ended
    assert sides in ended.out
    assert "<html" in (series_of(bench) / "report.html").read_text()


# Plays one that refuses.
REFUSING = """#!/bin/sh
echo 'ringecho-compare: the sides differ in more than engine' >&2
exit 2
"""


def test_a_comparison_that_is_refused_is_a_failure(bench, run, compare):
    require("io_uring")
    compare.write_text(REFUSING)
    ended = run([bench, *SHORT, "--connections", "2"])
    assert ended.code == 1, ended
    assert "ringecho-compare: the sides differ in more than engine" in ended.err_lines
    assert ended.err_lines[-1] == "report:  none, comparing was refused"
    assert state_of(bench)["status"] == "complete"
    # It may have been a program of another version.
    compare.write_text(COMPARE)
    assert run([bench, "--no-build", "--resume", series_of(bench)]).code == 0


def test_one_side_is_nothing_to_compare(bench, run, compare):
    ended = run([bench, *EPOLL])
    assert ended.code == 0 and "faster" not in ended.out
    assert "report:  none, there are no two sides to compare" in ended.err_lines
    assert not (series_of(bench) / "report.html").exists()


def test_results_that_cannot_be_written_are_told_in_one_line(bench, run, tmp_path):
    (tmp_path / "file").write_text("")
    ended = run([bench, *EPOLL, "--out", tmp_path / "file" / "results"])
    assert ended.code == 1
    assert ended.err_lines[-1].startswith("run_bench.sh: --out: Not a directory")


# --- interrupted and resumed ---

@pytest.fixture(scope="module")
def halted(tmp_path_factory):
    """The folder of a series of which two of four runs are made."""
    bench = make_project(tmp_path_factory.mktemp("halted"))
    script = programs.Program([bench, "--no-build", "--duration", "500ms", "--repeats", "4",
                               "--engines", "epoll", "--connections", "3", "--label", "a=b"])
    try:
        wait_for_both(script, bench, 3)
        script.signal(signal.SIGINT)
        assert script.wait().code == 130
    finally:
        script.kill()
    return series_of(bench)


@pytest.fixture
def interrupted(bench, halted):
    """A project with a copy of that series."""
    shutil.copytree(halted, bench.parent.parent / "bench_results" / halted.name)
    return bench


def test_a_series_is_resumed_where_it_was_left(interrupted, run, validated):
    bench, folder = interrupted, series_of(interrupted)
    assert names_of(bench, "done") == ["000-epoll-c3-r0", "001-epoll-c3-r1"]
    assert names_of(bench, "planned") == ["002-epoll-c3-r2", "003-epoll-c3-r3"]
    assert len(list(folder.glob("*.load.json"))) == len(list(folder.glob("*.server.json"))) == 2
    # One of the two that are there turns out to be half.
    half = folder / "001-epoll-c3-r1.server.json"
    half.write_text(half.read_text()[:1000])
    whole = (folder / "000-epoll-c3-r0.load.json").read_text()

    ended = run([bench, "--no-build", "--resume", folder])
    assert ended.code == 0, ended
    assert "[2/4]" in ended.err and "[4/4]" in ended.err and "[1/4]" not in ended.err
    assert state_of(bench)["status"] == "complete"
    assert "incomplete" not in ended.out
    assert (folder / "000-epoll-c3-r0.load.json").read_text() == whole
    for index, path in enumerate(sorted(folder.glob("*.server.json"))):
        assert validated(path)["run"]["order_index"] == index
        assert validated(path)["run"]["series_id"] == folder.name
        assert validated(path)["run"]["labels"] == {"a": "b"}
    again = run([bench, "--no-build", "--resume", folder])
    assert again.code == 0 and "nothing is left to run" in again.err


def test_a_dry_run_of_a_resumed_series_tells_what_is_missing(interrupted, run):
    ended = run([interrupted, "--dry-run", "--resume", series_of(interrupted)])
    assert [line for line in ended.out.splitlines() if line.startswith("#")] == [
        "# 002-epoll-c3-r2", "# 003-epoll-c3-r3"]


@pytest.mark.parametrize("options, code, said", [
    (["--duration", "1s"], 2, "--duration: differs"),
    (["--connections", "3,4"], 2, "--connections: differs"),
    (["c10k"], 2, "engines, not c10k"),
    (["--connect", "127.0.0.1:7"], 2, "without --connect"),
])
def test_a_series_is_not_resumed_with_other_options(interrupted, run, options, code, said):
    ended = run([interrupted, "--no-build", "--resume", series_of(interrupted), *options])
    assert ended.code == code
    assert said in ended.err_lines[-1]
    assert len(names_of(interrupted, "planned")) == 2


@pytest.mark.parametrize("key, said", [
    ("kernel", "kernel was another, is "), ("cpu", "cpu was another, is ")])
def test_a_series_is_not_resumed_on_another_machine(interrupted, run, key, said):
    change(interrupted, lambda document: document["machine"].update({key: "another"}))
    ended = run([interrupted, "--no-build", "--resume", series_of(interrupted)])
    assert ended.code == 1 and said in ended.err_lines[-1]


def test_a_series_is_not_resumed_with_other_programs(interrupted, run):
    change(interrupted, lambda document: document["programs"].update({"ringecho-load": "old"}))
    ended = run([interrupted, "--no-build", "--resume", series_of(interrupted)])
    assert ended.code == 1 and "ringecho-load was old" in ended.err_lines[-1]


def test_a_series_is_not_resumed_with_another_build_of_the_same_version(interrupted, run):
    assert set(state_of(interrupted)["digests"]) == {"ringecho-server", "ringecho-load"}
    change(interrupted, lambda document: document["digests"].update({"ringecho-load": "0" * 64}))
    ended = run([interrupted, "--no-build", "--resume", series_of(interrupted)])
    assert ended.code == 1
    assert "ringecho-load is another build of the same version" in ended.err_lines[-1]
    assert len(names_of(interrupted, "planned")) == 2


def test_an_older_series_is_resumed_by_the_version_of_its_programs(interrupted, run):
    change(interrupted, lambda document: document.pop("digests"))
    assert run([interrupted, "--no-build", "--resume", series_of(interrupted)]).code == 0


def test_another_boot_is_told_and_what_was_wrong_before_it_is_kept(interrupted, run, start_server):
    earlier = {"id": "governor", "message": "the CPU frequency governor was powersave", "fix": []}
    change(interrupted, lambda document: document.update(boots=["earlier"], preflight=[earlier]))
    leftover = start_server(engine="epoll")
    ended = run([interrupted, "--no-build", "--resume", series_of(interrupted)])
    assert ended.code == 0, ended
    assert "has been booted since" in ended.err
    assert len(state_of(interrupted)["boots"]) == 2
    first, *others = state_of(interrupted)["preflight"]
    assert first == earlier
    assert any(f"(pid {leftover.pid})" in entry["message"] for entry in others)
    # What is wrong when nothing is run is of no result.
    start_server(engine="epoll")
    assert run([interrupted, "--no-build", "--resume", series_of(interrupted)]).code == 0
    assert state_of(interrupted)["preflight"] == [earlier, *others]


@pytest.mark.parametrize("content", ["", "{}", '{"schema": "ringecho.series"}',
                                     '{"schema": "ringecho.series", "schema_version": "1.0"}'])
def test_what_is_no_series_is_refused_in_one_line(bench, run, tmp_path, content):
    (tmp_path / "series.json").write_text(content)
    ended = run([bench, "--no-build", "--resume", tmp_path])
    assert ended.code == 2
    assert len(ended.err_lines) == 1 and "series.json" in ended.err


def test_what_a_killed_runner_leaves_can_be_resumed(bench, started, run):
    """SIGKILL: it cannot clean up, but what it started ends all the same."""
    script = programs.Program([bench, "--no-build", "--duration", "500ms", "--repeats", "3",
                               "--engines", "epoll", "--connections", "3"])
    started.append(script)
    wait_for_both(script, bench, 2)
    script.signal(signal.SIGKILL)
    script.wait()
    folder = series_of(bench)
    programs.wait_until(lambda: left_over(folder) == [], "nothing is left running")
    assert state_of(bench)["status"] == "running"
    table = run([bench.parent / "bench_table.py", folder])
    assert "incomplete: not ended, 1 of 3 runs made" in table.out
    assert run([bench, "--no-build", "--resume", folder]).code == 0
    assert state_of(bench)["status"] == "complete"


def test_two_do_not_work_in_one_folder(interrupted, started, run):
    folder = series_of(interrupted)
    first = programs.Program([interrupted, "--no-build", "--resume", folder])
    started.append(first)
    first.wait_for(r"^\[3/4\]", "err")
    second = run([interrupted, "--no-build", "--resume", folder])
    assert second.code == 1 and "another run_bench.sh is at work" in second.err_lines[-1]
    assert first.wait().code == 0


def test_nothing_is_read_of_a_folder_that_somebody_works_in(bench, run, tmp_path):
    """What is read before the other one has written it would be what is run, and written, then."""
    (tmp_path / "series.json").write_text("half of")
    held = series.lock(tmp_path)
    try:
        ended = run([bench, "--no-build", "--resume", tmp_path])
    finally:
        os.close(held)
    assert ended.code == 1 and "another run_bench.sh is at work" in ended.err_lines[-1]
    assert run([bench, "--no-build", "--resume", tmp_path]).code == 2
