"""The table of run_bench.sh and the count of run_tests.sh, from files made up for it."""
import json
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import pytest

sys.path.insert(0, os.environ["RINGECHO_SCRIPTS"])
import bench_table  # noqa: E402
import count_tests  # noqa: E402
from bench import (results, runner, scenario, series, settings, table, units,  # noqa: E402
                   verdict)

MS = 1_000_000


def server_result(engine="io_uring", start_ns=0, intervals=(), iou_workers=0, boot="here"):
    """intervals: (start, end, CPU time), each in ms of the server's own time."""
    return {
        "schema": "ringecho.result", "schema_version": "1.0",
        "run": {"start_monotonic_ns": start_ns, "boot_id": boot, "status": "ok"},
        "config": {"engine": {"name": engine}, "threads": 1, "cpus": [3]},
        "resources": {"iou_workers": iou_workers},
        "intervals": [{"t_start_ns": start * MS, "t_end_ns": end * MS, "cpu_ns": cpu * MS}
                      for start, end, cpu in intervals],
    }


def load_result(connections=1, repeat=0, start_ns=0, measure=(100, 300), intervals=(), rate=1000.0,
                p99=5000, status="ok", verdict="valid", failed=(), size=64):
    """measure: start and end in ms; intervals: (start, end, messages)."""
    return {
        "schema": "ringecho.result", "schema_version": "1.0",
        "tool": {"version": "0.1.0", "git_commit": "abc"},
        "run": {"start_monotonic_ns": start_ns, "boot_id": "here", "status": status,
                "repeat": repeat, "labels": {}},
        "config": {"engine": {"name": "io_uring"}, "connections": connections, "threads": 2,
                   "cpus": [0, 1], "size_bytes": size, "depth": 1, "duration_ns": 5_000 * MS},
        "host": {"environment": {"kernel_release": "6.18", "cpu": {"count": 4, "model": "EPYC"}}},
        "phases": [{"name": "connect", "start_ns": 0, "end_ns": measure[0] * MS},
                   {"name": "measure", "start_ns": measure[0] * MS, "end_ns": measure[1] * MS}],
        "totals": {"messages_per_s": rate},
        "latency": {"response_ns": {"percentiles": {"50": 1_000, "99": p99, "99.9": 9_000}}},
        "resources": {"cpu_share": 0.25},
        "intervals": [{"t_start_ns": start * MS, "t_end_ns": end * MS, "messages": messages}
                      for start, end, messages in intervals],
        "validity": {"verdict": verdict,
                     "checks": [{"id": name, "ok": False} for name in failed]},
    }


def write(folder, number, server, load):
    for role, result in (("server", server), ("load", load)):
        (folder / f"{number:03d}.{role}.json").write_text(json.dumps(result))


def rows(folder):
    """The lines of the table as lists of words."""
    return [line.split() for line in table.text(folder)]


def test_cpu_per_message_takes_only_what_lies_within_the_measure_phase():
    # The server started 1,000 ms before the loader; its clock reads 1,100 to 1,300 while the
    # loader measures. Only 1,120-1,220 and 1,220-1,290 lie whole within.
    server = server_result(start_ns=0, intervals=[(1_020, 1_120, 50), (1_120, 1_220, 6),
                                                  (1_220, 1_290, 4), (1_290, 1_390, 50)])
    # 1,120 to 1,290 of it: 80 of the first 100 ms and 90 of the second.
    load = load_result(start_ns=1_000 * MS, measure=(100, 300),
                       intervals=[(100, 200, 1_000), (200, 300, 2_000)])
    messages = 1_000 * 0.8 + 2_000 * 0.9
    assert results.server_cpu_ns_per_message(server, load) == pytest.approx(10 * MS / messages)


def test_cpu_per_message_from_two_machines_needs_no_common_clock():
    # Connecting, then 3 intervals at work of which the first is hardly begun, then nothing.
    server = server_result(boot="there", start_ns=77, intervals=[
        (0, 100, 50), (100, 200, 1), (200, 300, 5), (300, 400, 7), (400, 500, 50)])
    for interval, size in zip(server["intervals"], (0, 10, 1_000, 1_000, 0)):
        interval["bytes"] = size * 4_096
    load = load_result(intervals=[(100, 300, 1)], size=4_096)
    assert results.server_cpu_ns_per_message(server, load) == pytest.approx(12 * MS / 2_000)


def test_cpu_per_message_is_unknown_without_intervals_or_messages():
    assert results.server_cpu_ns_per_message(server_result(), load_result()) is None
    server = server_result(intervals=[(100, 200, 5)])
    assert results.server_cpu_ns_per_message(server, load_result()) is None


def test_rows_are_medians_and_the_worst_verdict(tmp_path):
    for repeat, (rate, verdict) in enumerate([(100.0, "valid"), (900.0, "suspect"),
                                              (200.0, "valid")]):
        write(tmp_path, repeat, server_result(),
              load_result(repeat=repeat, rate=rate, verdict=verdict))
    (row,) = [row for row in rows(tmp_path) if row[:2] == ["io_uring", "1"]]
    assert row == ["io_uring", "1", "200", "1.00", "us", "5.00", "us", "9.00", "us", "-", "25%",
                   "suspect"]


def test_invalid_runs_are_told_and_left_out_as_in_the_comparison(tmp_path):
    for repeat, (rate, verdict) in enumerate([(100.0, "valid"), (900.0, "invalid"),
                                              (200.0, "valid"), (950.0, "invalid")]):
        write(tmp_path, repeat, server_result(),
              load_result(repeat=repeat, rate=rate, verdict=verdict))
    server = {**server_result("epoll"), "validity": {"verdict": "invalid", "checks": []}}
    write(tmp_path, 4, server, load_result(rate=900.0))
    ours, theirs = [row for row in rows(tmp_path) if row and row[0] in ("io_uring", "epoll")]
    assert ours[:3] == ["io_uring", "1", "150"] and ours[-1] == "invalid"
    assert theirs == ["epoll", "1", *"------", "invalid"]
    assert "invalid and left out: io_uring 1 (2 of 4), epoll 1 (1 of 1)" in table.text(tmp_path)


def test_a_column_is_as_wide_as_what_stands_in_it(tmp_path):
    asked = ("best", "-recv_bundle,+incremental_buffers")
    for number, features in enumerate(asked):
        server = server_result()
        server["run"]["argv"] = ["ringecho-server", f"--features={features}"]
        write(tmp_path, number, server, load_result())
    lines = table.text(tmp_path)
    (heading,) = [line for line in lines if line.startswith("engine ")]
    end = heading.index("features") + len("features")
    found = [line[:end].split() for line in lines if line.startswith("io_uring ")]
    assert found == [["io_uring", features] for features in asked]


def test_epoll_has_no_features(tmp_path):
    for number, (engine, features) in enumerate([("io_uring", "best"), ("io_uring", "minimal"),
                                                 ("epoll", "best")]):
        server = server_result(engine)
        server["run"]["argv"] = ["ringecho-server", f"--features={features}"]
        write(tmp_path, number, server, load_result(failed=["steal"], verdict="suspect"))
    found = [row[:2] for row in rows(tmp_path) if row and row[0] in ("io_uring", "epoll")]
    assert found[:3] == [["io_uring", "best"], ["epoll", "-"], ["io_uring", "minimal"]]
    assert any(line.endswith(", epoll (1 of 1), io_uring minimal (1 of 1)")
               for line in table.text(tmp_path))


def test_rows_are_ordered_by_connections_then_engine(tmp_path):
    number = 0
    for connections in (10_000, 64):
        for engine in ("io_uring", "epoll"):
            write(tmp_path, number, server_result(engine), load_result(connections))
            number += 1
    found = [row[:2] for row in rows(tmp_path) if row and row[0] in ("io_uring", "epoll")
             and row[1] != "/"]
    assert found == [["io_uring", "64"], ["epoll", "64"], ["io_uring", "10,000"],
                     ["epoll", "10,000"]]


def write_series(folder, runs=(), status="complete", server="local"):
    """runs: (engine, connections, repeat, status, reason)."""
    found = settings.from_scenario(scenario.by_name("engines"),
                                   {"server": server} if server == "running" else {})
    document = series.new("id", found, [], "now")
    document.update(status=status, runs=[
        {"cell": {"engine": engine, "connections": connections, "size_bytes": 64, "depth": 1,
                  "threads": 1},
         "order_index": index, "name": f"{index:03d}-{engine}-c{connections}-r{repeat}",
         "repeat": repeat, "status": how, "reason": reason, "seconds": None}
        for index, (engine, connections, repeat, how, reason) in enumerate(runs)])
    series.write(folder, document)


def test_what_was_not_run_has_a_row_and_a_reason(tmp_path):
    write(tmp_path, 0, server_result("epoll"), load_result(64))
    write_series(tmp_path, [("io_uring", 64, 0, "skipped", "EPERM; seccomp"),
                            ("io_uring", 64, 1, "skipped", "EPERM; seccomp"),
                            ("epoll", 64, 0, "done", None),
                            ("epoll", 64, 1, "failed", "no luck"),
                            ("epoll", 10_000, 0, "skipped", "too few descriptors")])
    text = "\n".join(table.text(tmp_path))
    lines = [row for row in rows(tmp_path) if row and row[-2:] == ["not", "run"]]
    assert [line[:2] for line in lines] == [["io_uring", "64"], ["epoll", "10,000"]]
    assert "not run: io_uring 64: EPERM; seccomp" in text
    assert "not run: epoll 10,000: too few descriptors" in text
    # It worked at other times: a row of its own, and still said.
    assert "not run: epoll 64: no luck" in text


def test_only_what_varies_has_a_column(tmp_path):
    for number, (connections, size) in enumerate([(1, 64), (1, 4_096), (64, 64), (64, 4_096)]):
        write(tmp_path, number, server_result(), load_result(connections, size=size))
    text = table.text(tmp_path)
    (heading,) = [line for line in text if line.startswith("engine")]
    assert heading.split()[:3] == ["engine", "connections", "size"]
    found = [row[:3] for row in rows(tmp_path) if row and row[0] == "io_uring"]
    assert found == [["io_uring", "1", "64"], ["io_uring", "64", "64"], ["io_uring", "1", "4k"],
                     ["io_uring", "64", "4k"]]
    assert not any("B messages" in line for line in text)
    assert any("1 in flight per connection" in line for line in text)
    assert max(map(len, text)) <= 80


def test_a_server_that_is_not_ours_has_no_result(tmp_path):
    (tmp_path / "000.load.json").write_text(json.dumps(load_result(64, rate=100.0)))
    write_series(tmp_path, server="running")
    (row,) = [row for row in rows(tmp_path) if row and row[0] == "-"]
    assert row[1:3] == ["64", "100"]
    assert any("server: not ours" in line for line in table.text(tmp_path))


@pytest.mark.parametrize("role, place", [
    ("load", ["host"]), ("load", ["validity", "verdict"]), ("load", ["config", "threads"]),
    ("load", ["totals", "messages_per_s"]), ("server", ["config", "cpus"]),
    ("server", ["resources", "iou_workers"])])
@pytest.mark.parametrize("value", [None, "x", [], -1])
def test_a_result_that_is_not_as_it_should_be_is_one_line(tmp_path, capsys, role, place, value):
    written = {"server": server_result(), "load": load_result(64)}
    inside = written[role]
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    write(tmp_path, 0, written["server"], written["load"])
    code = bench_table.main([str(tmp_path)])  # a traceback would end the test
    said = capsys.readouterr().err
    assert code == 0 or (code == 2 and said.count("\n") == 1 and str(tmp_path) in said)


def test_what_looked_for_events_in_no_time_was_not_busy(tmp_path):
    load = load_result(64)
    load["engine_stats"] = {"spun_ns": 5}
    load["totals"]["measured_ns"] = 0
    write(tmp_path, 0, server_result(), load)
    (row,) = [row for row in rows(tmp_path) if row and row[0] == "io_uring"]
    assert row[-2:] == ["-", "valid"]


def test_a_result_that_is_nested_without_end_is_one_line(tmp_path, capsys):
    write(tmp_path, 0, server_result(), load_result(64))
    (tmp_path / "000.load.json").write_text("[" * 200_000)
    assert bench_table.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_runs_bounded_by_messages_have_no_duration(tmp_path):
    load = load_result(64)
    del load["config"]["duration_ns"]
    write(tmp_path, 0, server_result(), load)
    assert any(line.endswith("1 in flight per connection, median of 1 repeat")
               for line in table.text(tmp_path))


def test_runs_of_sessions_say_how_many(tmp_path):
    load = load_result(64)
    load["config"].update(duration_ns=None, sessions=40_000, messages_per_connection=1)
    write(tmp_path, 0, server_result(), load)
    lines = table.text(tmp_path)
    assert "40,000 sessions of 1 message, median of 1 repeat" in " ".join(lines)
    assert max(map(len, lines)) <= 80


def test_doubts_are_named(tmp_path):
    for repeat in range(3):
        failed = ["loader_cpu"] if repeat else []
        write(tmp_path, repeat, server_result(), load_result(64, repeat, failed=failed,
                                                             verdict="suspect"))
    assert "loader_cpu: io_uring 64 (2 of 3)" in table.text(tmp_path)


def test_rows_that_are_compared_have_cpu_times_of_one_kind(tmp_path):
    """One run of io_uring with 64 connections is too short for an interval of the server's."""
    number = 0
    for connections in (8, 64):
        for engine in ("io_uring", "epoll"):
            for repeat in range(2):
                short = (engine, connections, repeat) == ("io_uring", 64, 0)
                server = server_result(engine, intervals=[] if short else [(100, 200, 6)])
                server["resources"]["cpu_ns_per_message"] = 7_000
                write(tmp_path, number, server,
                      load_result(connections, repeat, intervals=[(100, 200, 1_000)]))
                number += 1
    found = [row for row in rows(tmp_path) if row and row[0] in ("io_uring", "epoll")]
    assert [row[9:11] for row in found] == 2 * [["6.00", "us"]] + 2 * [["7.00", "us"]]
    assert table.text(tmp_path)[-1] == \
        "CPU/msg of whole runs, connecting and warm-up included: io_uring 64, epoll 64"


def test_work_in_kernel_threads_is_not_hidden(tmp_path):
    write(tmp_path, 0, server_result(iou_workers=2), load_result(64))
    assert any("kernel worker threads" in line for line in table.text(tmp_path))


@pytest.mark.parametrize("status, said", [
    ("running", "incomplete: not ended, 1 of 2 runs made"),
    ("interrupted", "incomplete: interrupted, 1 of 2 runs made"),
    ("failed", "incomplete: 1 of 2 runs went well")])
def test_an_incomplete_series_says_so(tmp_path, status, said):
    write(tmp_path, 0, server_result(), load_result(64))
    write_series(tmp_path, [("io_uring", 64, 0, "done", None), ("io_uring", 64, 1, "planned", None),
                            ("epoll", 64, 1, "skipped", "no epoll")], status)
    assert any(line.startswith(said) for line in table.text(tmp_path))
    write_series(tmp_path, [("io_uring", 64, 0, "done", None)])
    assert not any("incomplete" in line for line in table.text(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "fio"}'])
def test_a_foreign_or_broken_series_is_named(tmp_path, content, capsys):
    write(tmp_path, 0, server_result(), load_result())
    (tmp_path / "series.json").write_text(content)
    assert bench_table.main([str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1 and "series.json" in said.err


def test_interrupted_runs_do_not_count(tmp_path):
    write(tmp_path, 0, server_result(), load_result(64, rate=100.0))
    write(tmp_path, 1, server_result(), load_result(64, 1, rate=9_000.0, status="interrupted"))
    (row,) = [row for row in rows(tmp_path) if row and row[0] == "io_uring" and row[1] == "64"]
    assert row[2] == "100"


@pytest.mark.parametrize("says, good", [
    ("echo '--format html'", True), ("echo text", True), ("exit 3", False),
    ("test $1 = --help || exit 2; echo '--format html'", False),
    ("test $# -eq 1 || exit 2; echo '--format html'", False)])
def test_what_cannot_be_compared_is_told(tmp_path, capsys, says, good):
    folder, program = tmp_path / "series", tmp_path / "compare"
    folder.mkdir()
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    for number, engine in enumerate(("epoll", "io_uring")):
        write(folder, number, server_result(engine), load_result(64))
    write_series(folder, [("epoll", 64, 0, "done", None), ("io_uring", 64, 0, "done", None)])
    (folder / "report.html").write_text("of an earlier state")
    assert runner.print_outcome(folder, verdict.Judge(program)) == good
    told = capsys.readouterr().err
    assert ("ringecho-compare: ended with exit code" in told) == (not good)
    assert ("report:  none, comparing was refused" in told) == (not good)
    assert not (folder / "report.html").exists()


def test_a_series_without_results_has_an_empty_table(tmp_path, capsys):
    write_series(tmp_path)
    assert bench_table.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("engine ")


@pytest.mark.parametrize("name", ["nope", ".", "file"])
def test_what_is_no_folder_with_results_is_one_line(tmp_path, capsys, name):
    (tmp_path / "file").write_text("")
    assert bench_table.main([str(tmp_path / name)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and str(tmp_path) in said.err


@pytest.mark.parametrize("arguments, code", [
    (["--help"], 0), ([], 2), (["-x"], 2), (["a", "b"], 2)])
def test_help_is_asked_for_and_goes_to_stdout(capsys, arguments, code):
    assert bench_table.main(arguments) == code
    said = capsys.readouterr()
    assert ("Usage: bench_table.py FOLDER" in said.out) == (code == 0)
    assert len(said.err.splitlines()) == (1 if code else 0)


def test_what_files_say_does_not_reach_the_terminal_as_it_is(tmp_path):
    """Texts of every kind that the table shows, with an escape and a newline in each."""
    evil = "\x1b[2J\r\n\u202e\x9bx"
    server, load = server_result(engine=evil), load_result(64, failed=[evil], verdict="suspect")
    server["run"]["argv"] = [f"--features={evil}"]
    server["config"]["wait"] = evil
    load["tool"] = {"version": evil, "git_commit": evil}
    load["host"]["environment"] = {"kernel_release": evil, "cpu": {"count": evil, "model": evil}}
    load["config"].update(cpus=[evil], engine={"name": evil})
    server["config"]["cpus"] = [evil]
    write(tmp_path, 0, server, load)
    write_series(tmp_path, [("epoll", 64, 0, "failed", evil)])
    lines = table.text(tmp_path)
    assert any("?[2J" in line for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "fio"}', "null", "\0",
                                     '{"schema": "ringecho.result", "schema_version": "1.0"}'])
def test_a_foreign_or_broken_file_is_named(tmp_path, content, capsys):
    write(tmp_path, 0, server_result(), load_result())
    (tmp_path / "000.load.json").write_text(content)
    assert bench_table.main([str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1 and "000.load.json" in said.err


def test_lines_fit_a_terminal(tmp_path):
    for number, engine in enumerate(("io_uring", "epoll")):
        server = server_result(engine, intervals=[(100, 200, 5)])
        load = load_result(1_000_000, rate=12_345_678.9, p99=123_456_789, verdict="suspect",
                           intervals=[(100, 200, 50_000)])
        write(tmp_path, number, server, load)
    assert max(map(len, table.text(tmp_path))) <= 80


@pytest.mark.parametrize("ns, text", [
    (None, "-"), (12.3, "12.3 ns"), (999, "999 ns"), (1_000, "1.00 us"), (28_437, "28.4 us"),
    (999_400, "999 us"), (1_234_567, "1.23 ms"), (2.5e9, "2.50 s")])
def test_durations(ns, text):
    assert units.duration(ns) == text


JUNIT = """<testsuites>
<testsuite name="ringecho.ringecho:unit / base.Suite">
  <testcase name="a"/><testcase name="b"><failure/></testcase>
  <testcase name="c" status="notrun"/><testcase name="d"><skipped/></testcase>
</testsuite>
<testsuite name="ringecho.ringecho:e2e / server"><testcase name="1 x"/><testcase name="2 y"/>
</testsuite>
<testsuite name="ringecho"><testcase name="ringecho:unit / slow"/>
  <testcase name="ringecho:unit / good"/></testsuite>
</testsuites>"""


def test_the_cases_inside_test_programs_are_counted():
    counted = count_tests.count(ElementTree.fromstring(JUNIT), {
        "base": "FAIL", "server": "OK", "slow": "OK", "good": "OK"})
    assert counted == {"passed": 5, "failed": 1, "skipped": 2}


def test_a_program_that_dies_without_naming_a_case_is_a_failure():
    counted = count_tests.count(ElementTree.fromstring(JUNIT), {
        "base": "FAIL", "server": "TIMEOUT", "slow": "TIMEOUT", "good": "OK", "crashed": "ERROR"})
    # base has its own failure; server and crashed have none; slow is one itself.
    assert counted == {"passed": 4, "failed": 4, "skipped": 2}


def test_the_count_is_read_from_a_build_directory(tmp_path, capsys):
    logs = tmp_path / "meson-logs"
    logs.mkdir()
    (logs / "testlog.junit.xml").write_text(JUNIT)
    (logs / "testlog.json").write_text("".join(
        json.dumps({"name": name, "result": result}) + "\n" for name, result in
        (("ringecho:unit / base", "FAIL"), ("server", "OK"), ("slow", "OK"), ("good", "OK"))))
    count_tests.main([str(tmp_path), str(tmp_path)])
    assert capsys.readouterr().out == "10 passed, 2 failed, 4 skipped\n"
    assert pathlib.Path(count_tests.__file__).parent.name == "scripts"
