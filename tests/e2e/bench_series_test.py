"""series.json that somebody has edited: what the runner makes of it before it trusts a word."""
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, os.environ["RINGECHO_SCRIPTS"])
from bench import main, matrix, options, process, scenario, series, settings  # noqa: E402

REFERENCE = pathlib.Path(os.environ["RINGECHO_SCRIPTS"]).parent / "bench_results" / "reference"


@pytest.fixture(autouse=True)
def signals(monkeypatch):
    """This very process keeps its handlers."""
    monkeypatch.setattr(process.SIGNALS, "install", lambda: None)


def made(*arguments):
    """The document of a series of four runs."""
    given = options.parse(["--connections", "1,2", "--repeats", "1", *arguments])
    found = settings.from_scenario(scenario.by_name("engines"), given.overrides)
    return series.new("id", found, matrix.runs(found), "now")


def place(document, path, value):
    """Sets what a path such as "runs.0.name" names; "nothing" removes it."""
    *before, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    for word in before:
        document = document[word]
    if value == "nothing":
        del document[last]
    else:
        document[last] = value


DAMAGES = [
    ("repeats", "two"), ("repeats", True), ("repeats", 0), ("repeats", 10_000),
    ("options.duration_ms", None), ("options.warmup_ms", -1), ("options.server", "weird"),
    ("options.duration_ms", 0), ("options.sessions", -1), ("options.messages", 0),
    ("options.share_cpus", 1), ("options.server", "running"),
    ("options.labels", ["x"]), ("options.labels", [7]),
    ("options.server_cpus", "0"), ("options.server_cpus", [-1]), ("options.loader_wait", "sleep"),
    ("options.loader_threads", 1e3), ("options.colour", 1), ("options", []),
    ("runs", "nothing"), ("runs", {}), ("runs", []), ("cpus_by_threads", "nothing"),
    ("cpus_by_threads", {"1": [3]}), ("cpus_by_threads", {"\x1b": 3}), ("boots", 3), ("boots", [3]),
    ("axes", []), ("axes.engine", 7), ("axes.engine", ["kqueue"]), ("axes.engine", []),
    ("axes.engine", "nothing"), ("axes.connections", [1, 1]), ("axes.connections", [1, 3]),
    ("axes.size_bytes", [{}]), ("axes.features", ["best x"]), ("axes.colour", [1]),
    ("axes.depth", "nothing"), ("machine", 3), ("machine", {"cpu": []}), ("programs", []),
    ("programs", {"ringecho-load": None}), ("digests", {"ringecho-load": "0"}),
    ("id", None), ("id", "a\0b"), ("id", "\ud800"),
    ("seed", "x"), ("order", "random"), ("status", "weird"), ("ended", 3), ("preflight", [3]),
    ("runs.0", 3), ("runs.0.cell", 3), ("runs.0.cell", {}), ("runs.0.cell.connections", 7),
    ("runs.0.name", "../victim"), ("runs.0.name", "000-../../victim"), ("runs.0.name", ""),
    ("runs.0.name", "000-epoll-c2-r0"), ("runs.0.name", "nothing"), ("runs.0.order_index", 1),
    ("runs.0.status", 3), ("runs.0.reason", []), ("runs.0.seconds", float("nan")),
    ("runs.0.seconds", -1), ("runs.0.repeat", 1),
]


@pytest.mark.parametrize("path, value", DAMAGES)
def test_a_damaged_series_is_one_line_that_names_file_and_field(tmp_path, capsys, path, value):
    document = made()
    place(document, path, value)
    (tmp_path / "series.json").write_text(json.dumps(document))
    assert main.main(["--resume", str(tmp_path), "--dry-run"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert "series.json: " in line and line.isprintable()
    # What asks for other runs is noticed by these.
    field = path.split(".")[0] if path.startswith("axes") else path.split(".")[-1]
    assert field in line or "series.json: runs" in line


def test_a_series_of_nothing_but_brackets_is_one_line(tmp_path, capsys):
    document = made()
    (tmp_path / "series.json").write_text(
        json.dumps(document).replace('"id": "id"', f'"id": {"[" * 900}{"]" * 900}'))
    assert main.main(["--resume", str(tmp_path), "--dry-run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("arguments", [
    [], ["--connect", "host:7"], ["--features", "best,-recv_bundle+incremental_buffers"],
    ["--features", "best,minimal,baseline", "--engines", "epoll"],
    ["--wait", "spin,hybrid:50us", "--buffer-size", "default,64k", "--size", "64,4k"],
    ["--sessions", "10k", "--messages", "3"],
    ["--order", "shuffled", "--seed", "3", "--label", "a=b=c", "--loader-wait", "spin"]])
def test_what_the_runner_writes_is_as_it_should_be(tmp_path, arguments):
    document = made(*arguments)
    series.write(tmp_path, document)
    assert series.settings_of(series.read(tmp_path), tmp_path)


def test_the_series_of_the_readme_can_be_read():
    """They are of older runners, which knew fewer options."""
    for folder in REFERENCE.iterdir():
        assert series.settings_of(series.read(folder), folder)
