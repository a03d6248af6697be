"""ringecho-compare on real results, and on series made from them with known differences."""
import copy
import itertools
import json
import os
import pathlib
import random
import shutil
import sys

import pytest

import programs
import result_schema  # found by conftest.py
from conftest import require

sys.path.insert(0, os.environ["RINGECHO_SCRIPTS"])
from bench import results, table  # noqa: E402

COMPARE = os.environ["RINGECHO_COMPARE"]
REFERENCE = pathlib.Path(os.environ["RINGECHO_SCRIPTS"]).parent / "bench_results/reference/engines"
SCHEMA = result_schema.parse(pathlib.Path(os.environ["RINGECHO_COMPARISON_SCHEMA"]).read_text())
JUDGED = ["messages_per_s", "server_cpu_ns_per_message", "p99_ns"]


def write(folder, name, load, server):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.load.json").write_text(json.dumps(load))
    (folder / f"{name}.server.json").write_text(json.dumps(server))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """real(engine) -> (load, server): the results of one short run of the real programs."""
    made = {}

    def run(engine):
        require(engine)
        if engine not in made:
            folder = tmp_path_factory.mktemp(engine)
            server = programs.Server("-i", "100ms", engine=engine,
                                     json_path=folder / "x.server.json")
            try:
                load = programs.Program(
                    [programs.LOAD, "--engine", "epoll", "--connect", server.address, "-c", "4",
                     "-n", "500", "--json", folder / "x.load.json"])
                assert load.wait().code == 0
                assert server.stop().code == 0
            finally:
                server.kill()
            made[engine] = [json.loads((folder / f"x.{role}.json").read_text())
                            for role in ("load", "server")]
        return copy.deepcopy(made[engine])

    return run


@pytest.fixture
def series(real, tmp_path):
    """series(name, engine, repeats, slower, change) -> folder of runs that cost so much more."""
    runs = itertools.count()

    def make(name, engine="epoll", repeats=10, slower=0.0, change=lambda load, server: None,
             seed=1):
        noise = random.Random(f"{name} {seed}")
        folder = tmp_path / name
        for repeat in range(repeats):
            load, server = real(engine)
            cost = (1 + slower) * noise.lognormvariate(0, 0.01)
            load["totals"]["messages_per_s"] = 100_000 / cost
            load["latency"]["response_ns"]["percentiles"]["99"] = int(1e6 * cost)
            # No intervals: the server's own sum is what its CPU is taken from.
            server["intervals"] = []
            server["resources"]["cpu_ns_per_message"] = 9_000 * cost
            for result in (load, server):
                result["validity"] = {"verdict": "valid", "checks": []}
                result["run"]["id"] = f"{name}-{seed}-{next(runs)}-{result['config']['role']}"
            change(load, server)
            write(folder, f"{repeat:03d}-{engine}", load, server)
        return folder

    return make


@pytest.fixture
def compare(run):
    def run_it(*arguments):
        return run([COMPARE, *arguments])

    return run_it


def valid(ended):
    """The comparison that was written, which must be what the published schema says, and whose
    indices must lead somewhere."""
    assert ended.code == 0, ended
    document = result_schema.parse(ended.out)
    assert result_schema.errors(SCHEMA, document) == []
    for finding in document["findings"] + document["overall"]:
        assert finding["side"] < len(document["sides"])
        assert finding["metric"] < len(document["metrics"])
    for finding in document["findings"]:
        assert finding["cell"] < len(document["cells"])
    for cell in document["cells"]:
        assert set(cell["values"]) == set(document["axes"])
        assert len(cell["measurements"]) == len(document["sides"])
        assert all(index < len(document["measurements"])
                   for side in cell["measurements"] for index in side)
    for difference in document["differences"]:
        assert len(difference["values"]) == len(document["sides"])
    return document


def verdicts(ended):
    document = valid(ended)
    return document, {document["metrics"][finding["metric"]]["id"]: finding["verdict"]
                      for finding in document["findings"] if finding["verdict"]}


def assert_refused(ended, *named):
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.startswith("ringecho-compare: ")
    for text in named:
        assert str(text) in ended.err, ended.err


def test_real_runs_of_one_build_are_compared_as_they_are(engine, tmp_path, start_server, run_load,
                                                         compare):
    """Two of each are too few for any answer, whatever the machine did meanwhile. They end by their
    messages, not by the clock: in a short time a loaded machine may echo nothing, and nothing is no
    result."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for repeat in ("0", "1"):
            path = tmp_path / name / repeat
            server = start_server("-i", "100ms", engine=engine, json_path=f"{path}.server.json")
            ended, load = run_load(server.address, "-c", "2", "-n", "500",
                                   json_path=f"{path}.load.json")
            assert ended.code == 0, (ended, load["validity"])
            stopped = server.stop()
            assert stopped.code == 0, stopped
    ended = compare(tmp_path / "a", tmp_path / "b", "--format", "json")
    assert ended.code == 0, ended
    document, found = verdicts(ended)
    assert document["vary"] == "series"
    assert document["sides"] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert found == dict.fromkeys(JUDGED, "inconclusive")
    assert "it takes 5 of each" in document["findings"][0]["note"]
    ids = {metric["id"] for metric in document["metrics"]}
    # Memory per connection is not among them: two connections may need no page more.
    assert {"p50_ns", "p99_9_ns", "syscalls_per_message"} <= ids


def assert_costs_as_in_the_table(folder, document):
    costs = {}
    for measurement in document["measurements"]:
        path = folder / measurement["name"]
        load, server = (json.loads(path.with_name(f"{path.name}.{role}.json").read_text())
                        for role in ("load", "server"))
        costs[path.name] = measurement["values"]["server_cpu_ns_per_message"]
        assert costs[path.name] == pytest.approx(results.server_cpu_ns_per_message(server, load))
    return costs


def test_the_table_of_a_series_reckons_costs_alike(compare):
    document, _ = verdicts(compare(REFERENCE, "--format", "json"))
    assert len(assert_costs_as_in_the_table(REFERENCE, document)) == len(document["measurements"])


def test_the_table_reckons_costs_alike_where_they_are_hard_to_know(real, compare, tmp_path):
    """Two machines, no boot known, kernel threads, no intervals, no phase, large messages."""
    def other_boot(load, server):
        load["run"]["boot_id"] = "another"

    def no_boot(load, server):
        load["run"]["boot_id"] = server["run"]["boot_id"] = None

    def kernel_threads(load, server):
        server["resources"]["iou_workers"] = 2

    def no_intervals(load, server):
        server["intervals"] = []

    def no_phase(load, server):
        load["phases"] = []

    changes = (lambda load, server: None, other_boot, no_boot, kernel_threads, no_intervals,
               no_phase)
    folder = tmp_path / "hard"
    for change in changes:
        for engine in ("epoll", "other"):
            load, server = real("epoll")
            server["config"]["engine"]["name"] = engine
            # As many bytes in each read as make four to a message.
            load["config"]["size_bytes"] *= 4
            # Intervals that say something, at a server of any speed.
            start = load["run"]["start_monotonic_ns"] - server["run"]["start_monotonic_ns"]
            measure = next(phase for phase in load["phases"] if phase["name"] == "measure")
            length = (measure["end_ns"] - measure["start_ns"]) // 4
            begin = start + measure["start_ns"] - length // 2
            server["intervals"] = [
                {"messages": 100, "errors": 0, "connections_open": 4, "t_start_ns": begin + i * length,
                 "t_end_ns": begin + (i + 1) * length, "cpu_ns": 1_000_000 * (i + 1),
                 "bytes": 1_000 * i} for i in range(5)]
            change(load, server)
            load["run"]["id"] = f"{change.__name__}-{engine}"
            write(folder, f"{change.__name__.strip('<>')}-{engine}", load, server)
    document, _ = verdicts(compare(folder, "--force", "--format", "json"))
    costs = assert_costs_as_in_the_table(folder, document)
    of_epoll = [cost for name, cost in costs.items() if name.endswith("epoll")]
    assert len(of_epoll) == len(changes) and None not in of_epoll
    # By the clock, by bytes (twice), of the run (three times).
    assert len(set(of_epoll)) == 3


def test_the_same_twice_is_the_same(series, compare):
    document, found = verdicts(compare(series("a"), series("b"), "--format", "json"))
    assert document["vary"] == "series"
    assert found == dict.fromkeys(JUDGED, "~")
    assert document["overall"][0]["ratio"] == pytest.approx(1, abs=0.02)


def test_five_percent_are_found(series, compare):
    _, found = verdicts(compare(series("a"), series("b", slower=0.05), "--format", "json"))
    assert found == dict.fromkeys(JUDGED, "slower")


def test_a_regression_is_an_exit_code(series, compare):
    base, slower = series("a"), series("b", slower=0.05)
    assert compare(base, slower).code == 0
    assert compare(base, slower, "--fail-on-regression", "3%").code == 4
    assert compare(base, slower, "--fail-on-regression", "9%").code == 0
    # Better is no regression, and neither is what --min-effect takes for nothing.
    assert compare(slower, base, "--fail-on-regression", "3%").code == 0
    assert compare(base, slower, "--fail-on-regression", "0", "--min-effect", "20%").code == 0


def test_a_series_too_short_to_tell_passes_nothing(series, compare):
    base, slower = series("a", repeats=4), series("b", repeats=4, slower=0.5)
    assert compare(base, slower).code == 0
    ended = compare(base, slower, "--fail-on-regression", "3%")
    assert ended.code == 4 and len(ended.err_lines) == 1
    assert "--fail-on-regression: inconclusive (3): too few repeats: 4 and 4" in ended.err
    assert "takes 5 of each" in ended.err


def test_what_only_the_base_has_is_a_regression(series, compare):
    """A broken build whose runs do not count must not pass."""
    count = itertools.count()

    def two_cells(load, server):
        load["config"]["connections"] = 8 if next(count) % 2 else 4

    def broken_at_8(load, server):
        two_cells(load, server)
        if load["config"]["connections"] == 8:
            load["validity"] = {"verdict": "invalid", "checks": []}

    base, broken = series("a", change=two_cells), series("b", change=broken_at_8)
    silent = series("c", change=lambda load, server: load["totals"].update(messages_per_s=0))
    for arguments, what in (([base, broken], "connections 8: no results of"),
                            ([series("d"), silent], "no messages/s of")):
        assert compare(*arguments).code == 0
        ended = compare(*arguments, "--fail-on-regression", "3%")
        assert ended.code == 4
        assert len(ended.err_lines) == 1
        assert f"--fail-on-regression: {what} {arguments[1]}, not compared" in ended.err
        assert compare(*arguments[::-1], "--fail-on-regression", "3%").code == 0


def mixed(series, tmp_path):
    """One folder with runs of both engines, as run_bench.sh makes it."""
    folder = series("mixed", "epoll")
    for path in series("other", "io_uring", slower=0.1).iterdir():
        path.rename(folder / path.name)
    (tmp_path / "other").rmdir()
    return folder


def test_engines_are_compared_within_a_folder(series, compare, tmp_path):
    folder = mixed(series, tmp_path)
    document, found = verdicts(compare(folder, "--format", "json"))
    assert document["vary"] == "engine"
    assert document["sides"] == ["epoll", "io_uring"]
    assert found == dict.fromkeys(JUDGED, "slower")
    assert all(difference["expected"] for difference in document["differences"])
    (folder / "series.json").write_text(json.dumps(
        {"schema": "ringecho.series", "schema_version": "1.0", "vary": "engine",
         "base": "io_uring", "status": "interrupted"}))
    document, found = verdicts(compare(folder, "--format", "json"))
    assert document["sides"] == ["io_uring", "epoll"]
    assert found == dict.fromkeys(JUDGED, "faster")
    assert any("not complete: interrupted" in note for note in document["notes"])


def test_both_formats_of_tables_and_the_page(series, compare, tmp_path):
    folder = mixed(series, tmp_path)
    text = compare(folder)
    assert text.code == 0 and text.err == ""
    assert max(len(line) for line in text.out.splitlines()) <= 80
    assert "engine: epoll (base), io_uring" in text.out
    assert "slower" in text.out and "geometric mean" in text.out
    markdown = compare(folder, "--format", "markdown")
    assert markdown.code == 0 and "|---:|" in markdown.out
    page = tmp_path / "page.html"
    ended = compare(folder, "--format", "html", "-o", page)
    assert ended.code == 0 and ended.out == "" and ended.err == ""
    assert page.read_text().lstrip().lower().startswith("<!doctype html>")
    # Written into the folder, it does not stand in the way of the next comparison.
    assert compare(folder, "--format", "json", "-o", folder / "comparison.json").code == 0
    assert compare(folder).out == text.out


def test_a_matrix_over_two_keys(series, compare, tmp_path):
    folder = mixed(series, tmp_path)
    ended = compare(folder, "--row", "connections", "--col", "depth")
    assert ended.code == 0
    assert "change of io_uring against epoll" in ended.out
    ended = compare(folder, "--row", "connections", "--col", "engine")
    assert ended.code == 0
    assert "messages/s, median" in ended.out
    ended = compare(series("single"), "--row", "connections", "--col", "depth")
    assert ended.code == 0
    assert "messages/s, median" in ended.out


def other_machine(load, server):
    for result in (load, server):
        result["host"]["environment"]["sysctls"]["net.core.somaxconn"] = "17"


def test_a_matrix_of_engines_and_connections_as_json(series, compare, tmp_path):
    """Two axes, three sides, a cell that one side lacks, a run that is left out."""
    folder = tmp_path / "matrix"
    count = iter(range(100))

    def vary(connections, depth, engine):
        def change(load, server):
            load["config"]["connections"], load["config"]["depth"] = connections, depth
            server["config"]["engine"]["name"] = engine
            if next(count) == 0:
                load["run"].update(status="interrupted", exit_code=130)
        return change

    cells = [(c, d, e) for c in (64, 1000) for d in (1, 8) for e in ("epoll", "io_uring", "other")]
    for connections, depth, engine in cells[:-1]:
        made = series("part", repeats=2, change=vary(connections, depth, engine))
        folder.mkdir(exist_ok=True)
        for path in made.iterdir():
            path.rename(folder / f"{engine}-{connections}-{depth}-{path.name}")
    document, _ = verdicts(compare(folder, "--vary", "engine", "--format", "json"))
    assert document["axes"] == ["connections", "depth"]
    assert document["sides"] == ["epoll", "io_uring", "other"]
    assert len(document["cells"]) == 4
    assert len(document["left_out"]) == 1
    assert any("no results of other" in note for note in document["notes"])


def test_the_schema_of_comparisons_says_something(series, compare):
    document, _ = verdicts(compare(series("a"), series("b"), "--format", "json"))

    def broken(change):
        changed = copy.deepcopy(document)
        change(changed)
        return result_schema.errors(SCHEMA, changed) != []

    for key in document:
        assert broken(lambda changed, key=key: changed.pop(key)), key
    for change in (
            lambda changed: changed.update(schema="ringecho.result"),
            lambda changed: changed.update(schema_version="2.0"),
            lambda changed: changed.update(sides=[]),
            lambda changed: changed.update(surprise=1),
            lambda changed: changed["notes"].append("two\nlines"),
            lambda changed: changed["metrics"][0].update(unit="us"),
            lambda changed: changed["findings"][0].update(verdict="better"),
            lambda changed: changed["findings"][0].update(side=0),
            lambda changed: changed["findings"][0].update(p=1.5),
            lambda changed: changed["findings"][0].update(p_adjusted=None),
            lambda changed: changed["findings"][0]["change"].pop("low"),
            lambda changed: changed["measurements"][0]["values"].update(p99_ns="1 ms")):
        assert broken(change)


def test_what_else_differs_is_refused_and_listed_unless_forced(series, compare):
    base, other = series("a"), series("b", change=other_machine)
    assert_refused(compare(base, other), "net.core.somaxconn", "17", base, other, "--vary",
                   "--force")
    ended = compare(base, other, "--force")
    assert ended.code == 0
    assert "NOT EQUAL: host.environment.sysctls.net.core.somaxconn" in ended.out
    assert "forced" in ended.out
    document, _ = verdicts(compare(base, other, "--force", "--format", "json"))
    assert document["forced"] is True


def test_more_than_one_varied_thing_is_refused(series, compare):
    def newer(load, server):
        for result in (load, server):
            result["host"]["environment"]["kernel_release"] = "99.1"
            result["tool"]["git_commit"] = "fedcba"

    ended = compare(series("a"), series("b", change=newer))
    assert_refused(ended, "more than one thing", "kernel", "99.1", "version", "fedcba")


def test_kernels_are_sampled_by_boot(series, compare):
    def newer(load, server):
        for result in (load, server):
            result["host"]["environment"]["kernel_release"] = "99.1"
            result["run"]["boot_id"] = "another"

    document, found = verdicts(
        compare(series("a"), series("b", slower=0.5, change=newer), "--format", "json"))
    assert document["vary"] == "kernel" and document["by_boot"] is True
    # Ten repeats each, but one boot.
    assert found == dict.fromkeys(JUDGED, "inconclusive")
    assert document["findings"][0]["samples"] == 1


def test_what_cannot_be_believed_is_left_out(series, compare):
    count = iter(range(100))

    def first_is_broken(load, server):
        if next(count) == 0:
            load["validity"] = {"verdict": "invalid", "checks": [
                {"id": "payload", "ok": False, "value": 1, "limit": 0, "message": "wrong bytes"}]}

    ended = compare(series("a", change=first_is_broken), series("b"))
    assert ended.code == 0
    assert "left out: 000-epoll: load generator invalid: payload, wrong bytes" in ended.out


def test_filters_and_variables_that_fit_nothing_are_told(series, compare, tmp_path):
    folder = mixed(series, tmp_path)
    assert_refused(compare(folder, "--filter", "connections=9"), "connections 9", "4")
    assert_refused(compare(folder, "--filter", "colour=red"), "colour")
    assert_refused(compare(folder, "--vary", "colour"), "colour", "engine (epoll, io_uring)")
    assert_refused(compare(folder, "--base", "kqueue"), "kqueue", "epoll")
    assert_refused(compare(folder, "--filter", "engine=epoll"), "nothing to compare")
    assert compare(folder, "--filter", "connections=4").code == 0


@pytest.mark.parametrize("text, named", [
    ("", ["empty"]),
    ("nonsense", ["JSON"]),
    ("[]", ["list"]),
    ("{}", ["schema"]),
    ('{"schema": "ringecho.result", "schema_version": "2.0"}', ["schema_version", "2.0"]),
    ('{"schema": "ringecho.result", "schema_version": "1.0"}', ["tool"]),
])
def test_a_bad_file_is_named_with_the_field(text, named, series, compare):
    base, folder = series("a", repeats=1), series("b", repeats=1)
    bad = folder / "bad.load.json"
    bad.write_text(text)
    for arguments in ([base, folder], [bad, base], ["merge", bad, base / "000-epoll.load.json"]):
        ended = compare(*arguments)
        assert_refused(ended, bad, *named)
        assert len(ended.err_lines) == 1


def test_a_series_is_not_compared_with_itself(series, compare, tmp_path):
    folder = series("a")
    (tmp_path / "link").symlink_to(folder)
    for again in (folder, f"{folder}/", f"{tmp_path}/./a", tmp_path / "link"):
        assert_refused(compare(folder, again), again, "twice")


def test_what_a_series_was_made_in_spite_of_is_told(series, compare):
    base, other = series("a"), series("b")
    (other / "series.json").write_text(json.dumps({
        "schema": "ringecho.series", "schema_version": "1.0", "status": "complete",
        "preflight": [{"id": "busy", "message": "CPUs to be used are 93% busy", "fix": []}]}))
    document, _ = verdicts(compare(base, other, "--format", "json"))
    assert f"{other} was made although: CPUs to be used are 93% busy" in document["notes"]
    assert "93% busy" not in compare(base, series("c")).out


@pytest.mark.parametrize("name", ["engines", "features", "c10k"])
def test_tables_of_the_reference_are_what_is_printed_today(name, compare):
    folder = REFERENCE.parent / name
    lines = [*table.text(folder), "", *compare(folder).out.splitlines()]
    assert (folder / "table.txt").read_text() == "\n".join(lines) + "\n"


def test_a_copied_run_is_no_repeat(series, compare, tmp_path):
    base, other = series("a"), series("b")
    shutil.copytree(base, tmp_path / "c")
    assert_refused(compare(base, tmp_path / "c"), "run.id", base, tmp_path / "c", "000-epoll")
    shutil.copytree(base / ".", other, dirs_exist_ok=True)
    assert_refused(compare(base, other), "run.id", "same run")
    for path in sorted(base.iterdir()):
        shutil.copy(path, base / f"copy-{path.name}")
    ended = compare(base, series("d"))
    assert_refused(ended, "copy-", "run.id", "same run")
    assert len(ended.err_lines) == 1


def test_a_pipe_among_the_files_is_not_waited_for(series, compare):
    folder = series("a", repeats=1)
    os.mkfifo(folder / "b.load.json")
    assert_refused(compare(folder), folder / "b.load.json", "no file")
    alone = series("b", repeats=1)
    (alone / "000-epoll.server.json").unlink()
    os.mkfifo(alone / "000-epoll.server.json")
    assert_refused(compare(folder, alone / "000-epoll.load.json"), "b.load.json")
    assert_refused(compare(alone / "000-epoll.load.json"), "000-epoll.server.json", "no file")


def test_what_is_not_there_is_told(compare, tmp_path):
    assert_refused(compare(tmp_path / "missing"), tmp_path / "missing", "ENOENT")
    assert_refused(compare(tmp_path), tmp_path, "no results")


def test_output_goes_to_a_file_whole_or_not_at_all(series, compare, tmp_path):
    base, other = series("a"), series("b")
    path = tmp_path / "out.md"
    path.write_text("what was there")
    assert compare(base, tmp_path / "missing", "-o", path).code == 2
    assert path.read_text() == "what was there"
    ended = compare(base, other, "--format", "markdown", "-o", path)
    assert ended.code == 0 and ended.out == ""
    assert path.read_text().startswith("### ")
    ended = compare(base, other, "-o", tmp_path / "missing" / "out.md")
    assert ended.code == 1 and "ENOENT" in ended.err and len(ended.err_lines) == 1


def assert_verdict_is_told(ended, merged):
    validity = merged["validity"]
    assert ended.code == (3 if validity["verdict"] == "invalid" else 0), ended
    failed = [] if validity["verdict"] == "valid" else [
        check for check in validity["checks"] if not check["ok"]]
    assert ended.err_lines == [
        f"ringecho-compare: {validity['verdict']}: {check['id']}: {check['message']}"
        for check in failed]


@pytest.mark.parametrize("seconds, verdict", [(0, "valid"), (4, "suspect"), (6, "invalid"),
                                              (60, "invalid")])
def test_loaders_that_did_not_measure_together_are_no_sum(seconds, verdict, real, compare,
                                                          tmp_path, validated):
    paths = []
    for index in range(2):
        load, _ = real("epoll")
        load["run"].update(status="ok", exit_code=0)
        load["run"]["id"] = f"run-{index}"
        load["run"]["start_monotonic_ns"] += index * seconds * 10**9
        load["validity"] = {"verdict": "valid", "checks": []}
        for phase in load["phases"]:
            if phase["name"] == "measure":
                phase["end_ns"] = phase["start_ns"] + 10 * 10**9
            if phase["name"] == "drain":
                phase["start_ns"] = phase["end_ns"] = load["phases"][-1]["end_ns"] + 10 * 10**9
        paths.append(tmp_path / f"{index}.json")
        paths[-1].write_text(json.dumps(load))
    ended = compare("merge", *paths, "-o", tmp_path / "merged.json")
    merged = validated(tmp_path / "merged.json")
    assert merged["validity"]["verdict"] == verdict
    assert_verdict_is_told(ended, merged)
    assert len(ended.err_lines) == (0 if verdict == "valid" else 1)


def test_results_of_loaders_side_by_side_are_merged(engine, start_server, start_load, compare,
                                                    tmp_path, validated):
    server = start_server(engine=engine)
    loaders = [start_load(server.address, "-c", "3", "-n", "300")
               for _ in range(3)]
    for loader in loaders:
        assert loader.wait().code == 0
    paths = [loader.json_path for loader in loaders]
    merged_path = tmp_path / "merged.json"
    ended = compare("merge", *paths, "-o", merged_path)
    merged = validated(merged_path)
    # So short that they may have missed each other.
    assert_verdict_is_told(ended, merged)
    parts = [validated(path) for path in paths]
    for key in ("messages", "bytes_received", "connections", "exceptions"):
        assert merged["totals"][key] == sum(part["totals"][key] for part in parts)
    response = merged["latency"]["response_ns"]
    assert response["count"] == sum(part["latency"]["response_ns"]["count"] for part in parts)
    assert response["max"] == max(part["latency"]["response_ns"]["max"] for part in parts)
    assert response["min"] == min(part["latency"]["response_ns"]["min"] for part in parts)
    assert merged["config"]["connections"] == 9
    assert merged["config"]["merged_loaders"] == 3
    assert sum(interval["messages"] for interval in merged["intervals"]) == \
        sum(interval["messages"] for part in parts for interval in part["intervals"])
    # It is a result as any other, and each of those it was made of is in it.
    merged["validity"] = {"verdict": "valid", "checks": []}
    merged_path.write_text(json.dumps(merged))
    alone = start_load(server.address, "-c", "3", "-n", "300")
    assert alone.wait().code == 0
    assert_refused(compare(merged_path, alone.json_path), "connections")
    for path in paths:
        assert_refused(compare(merged_path, path), "same run", path)


def test_what_does_not_belong_together_is_not_merged(real, compare, tmp_path):
    load, server = real("epoll")
    deeper = copy.deepcopy(load)
    deeper["config"]["depth"] = 2
    deeper["run"]["id"] = "another"
    for name, result in (("load", load), ("server", server), ("deeper", deeper)):
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    load, server, deeper = (tmp_path / f"{name}.json" for name in ("load", "server", "deeper"))
    assert_refused(compare("merge", load, deeper), "depth", '"2"')
    assert_refused(compare("merge", load, server), "role")
    assert_refused(compare("merge", load, load), "same run")
    assert_refused(compare("merge", load), "two results")


@pytest.mark.parametrize("options, named", [
    ([], ["BASE"]),
    (["x", "--format", "pdf"], ["--format", '"pdf"', "markdown"]),
    (["x", "--min-effect", "much"], ["--min-effect", '"much"', "3%"]),
    (["x", "--fail-on-regression", "-3%"], ["--fail-on-regression", '"-3%"']),
    (["x", "--filter", "engine"], ["--filter", '"engine"', "KEY=VALUE"]),
    (["x", "--row", "connections"], ["--row", "--col"]),
    (["x", "--col", "connections"], ["--row", "--col"]),
    (["x", "--row", "a", "--col", "a"], ["--row", "--col"]),
    (["x", "--row", "a", "--col", "b", "--format", "json"], ["--row", "text and markdown"]),
    (["x", "--vary", ""], ["--vary", '""']),
    (["x", "--bogus"], ["unknown option --bogus"]),
    (["merge", "x", "y", "--bogus"], ["unknown option --bogus"]),
    (["merge"], ["two results"]),
])
def test_bad_options_are_refused_in_one_line(options, named, compare):
    ended = compare(*options)
    assert_refused(ended, *named)
    assert len(ended.err_lines) == 1


def test_help_fits_a_terminal(compare):
    for arguments in (["--help"], ["merge", "--help"]):
        ended = compare(*arguments)
        assert ended.code == 0 and ended.err == ""
        assert max(len(line) for line in ended.out.splitlines()) <= 80
        assert "--output" in ended.out
    for option in ("--vary", "--base", "--row", "--col", "--filter", "--format", "--min-effect",
                   "--force", "--fail-on-regression", "merge"):
        assert option in compare("--help").out
    assert compare("--version").out.startswith("ringecho-compare ")


def test_the_answer_is_the_same_every_time(series, compare):
    base, other = series("a"), series("b", slower=0.03)
    assert compare(base, other, "--format", "json").out == \
        compare(base, other, "--format", "json").out
