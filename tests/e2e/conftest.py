"""Fixtures: programs that end with the test, engines, results that are valid."""
import json
import os
import pathlib
import random
import subprocess
import sys

import pytest

import programs

sys.path.insert(0, os.environ["RINGECHO_SCHEMA_CODE"])
import result_schema  # noqa: E402  the validator that the unit tests use

SCHEMA = json.loads(pathlib.Path(os.environ["RINGECHO_SCHEMA"]).read_text())


def why_no_io_uring():
    """None where io_uring works, otherwise what the server says."""
    asked = subprocess.run(
        [programs.SERVER, "--engine", "io_uring", "--listen", "127.0.0.1:0", "--duration", "1ms"],
        capture_output=True, text=True, check=False)
    return None if asked.returncode == 0 else asked.stderr.strip()


NO_IO_URING = why_no_io_uring()


def require(engine):
    """Skips a test of io_uring where there is none, unless there has to be one."""
    if engine == "io_uring" and NO_IO_URING:
        if "RINGECHO_REQUIRE_IO_URING" in os.environ:
            pytest.fail(NO_IO_URING)
        pytest.skip(NO_IO_URING)


def require_features(features, run):
    """Skips where this kernel lacks one that is asked for with a plus."""
    lines = [line.split() for line in run([programs.SERVER, "--features", "list"]).out.splitlines()]
    here = {line[0] for line in lines if len(line) > 2 and line[2] == "yes"}
    for part in features.split(","):
        if part[0] == "+" and part[1:] not in here:
            pytest.skip(f"this kernel does not have {part[1:]}")


@pytest.fixture(params=["io_uring", "epoll"])
def engine(request):
    require(request.param)
    return request.param


@pytest.fixture(params=["io_uring", "epoll"])
def load_engine(request):
    if not programs.LOAD:
        pytest.skip("the load generator was not built")
    require(request.param)
    return request.param


@pytest.fixture(scope="session")
def mounts():
    """For tests that need a mount of their own, which takes root, and not just in a container."""
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True,
                           check=False)
    if tried.returncode != 0:
        pytest.skip(f"no mounts here: {tried.stderr.strip()}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What the programs of a failed test have said, which assertions print the beginning of."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for program in item.funcargs.get("started", []):
            report.sections.append(("a program", program.describe()))


@pytest.fixture
def started():
    """A list: whatever is put in it is killed at the end of the test."""
    running = []
    yield running
    for program in reversed(running):
        program.kill()


@pytest.fixture
def start_server(started, tmp_path):
    """start_server(*options, **Server) with a result file."""

    def start(*options, **keywords):
        keywords.setdefault("json_path", tmp_path / f"server-{len(started)}.json")
        server = programs.Server(*options, **keywords)
        started.append(server)
        return server

    return start


@pytest.fixture
def run(started):
    """run(argv, **Program) -> Exit of a program that ends by itself."""

    def run_it(argv, **keywords):
        program = programs.Program(argv, **keywords)
        started.append(program)
        return program.wait()

    return run_it


@pytest.fixture
def start_load(started, tmp_path):
    """start_load(address, *options) -> a running load generator with a result file."""

    def start(address, *options, json_path=None, **keywords):
        path = json_path or tmp_path / f"load-{len(started)}.json"
        program = programs.Program(
            [programs.LOAD, "--connect", address, "--json", path, *options], **keywords)
        program.json_path = path
        started.append(program)
        return program

    return start


@pytest.fixture
def run_load(start_load):
    """run_load(address, *options) -> (Exit, result) of a run that ends by itself."""

    def run_it(address, *options, **keywords):
        program = start_load(address, *options, **keywords)
        ended = program.wait()
        return ended, valid_result(program.json_path)

    return run_it


def valid_result(path):
    """The result in a file, which must be what the published schema says."""
    document = result_schema.parse(pathlib.Path(path).read_text())
    assert result_schema.errors(SCHEMA, document) == []
    return document


@pytest.fixture
def validated():
    return valid_result


@pytest.fixture
def noise():
    """noise(count): bytes that are not the same everywhere."""
    return random.Random(20).randbytes
