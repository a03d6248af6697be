"""Without io_uring: `auto` takes epoll and says why, `io_uring` refuses and says why.

The real programs, with io_uring_setup really denied by a seccomp filter.
"""
import errno
import os
import pathlib
import resource
import shutil
import tempfile

import pytest

import programs
from conftest import NO_IO_URING, require
from namespaces import bind_file, deny_io_uring

BUILT_WITHOUT = NO_IO_URING is not None and "was built without it" in NO_IO_URING


@pytest.fixture(autouse=True)
def built_with_io_uring(request):
    """There is nothing to deny otherwise, but one thing to say."""
    if BUILT_WITHOUT and "built_without" not in request.fixturenames:
        pytest.skip("this build has no io_uring engine")


@pytest.fixture
def built_without():
    if not BUILT_WITHOUT:
        pytest.skip("this build has an io_uring engine")


SWITCH = pathlib.Path("/proc/sys/kernel/io_uring_disabled")


def denied(error):
    return lambda: deny_io_uring(error)


DENIALS = [
    # Older runtimes answer EPERM, newer ones ENOSYS.
    pytest.param(errno.EPERM, ["EPERM", "seccomp", "docker run"], id="EPERM"),
    pytest.param(errno.ENOSYS, ["ENOSYS", "seccomp", "docker run"], id="ENOSYS"),
]


def assert_fallback(result, words, word_in_result):
    engine = result["config"]["engine"]
    assert engine["name"] == "epoll"
    assert engine["requested"]["engine"] == "auto"
    for word in words:
        assert word in engine["reason"]
    assert word_in_result in str(engine["declined"]) + str(engine["reason"])
    assert result["host"]["environment"]["io_uring"]["available"] is False
    for word in words:
        assert word in result["host"]["environment"]["io_uring"]["reason"]


def test_a_build_without_io_uring_says_so(built_without, run, start_server, validated):
    ended = run([programs.SERVER, "--engine", "io_uring", "--listen", "127.0.0.1:0"])
    assert ended.code == 1
    assert len(ended.err_lines) == 1 and "built without it" in ended.err
    server = start_server("--engine", "auto")
    assert server.stop().code == 0
    assert_fallback(validated(server.json_path), ["built without it"], "built without it")


@pytest.mark.parametrize("error, words", DENIALS)
def test_auto_serves_with_epoll_and_says_why(error, words, start_server, validated):
    server = start_server("--engine", "auto", prepare=denied(error))
    with programs.connect(server.address) as client:
        programs.echo(client, b"served all the same")
    said = [line for line in server.text("out").splitlines() if "epoll" in line]
    assert len(said) == 1
    for word in words:
        assert word in said[0]
    assert server.stop().code == 0
    assert_fallback(validated(server.json_path), words, "seccomp")


@pytest.mark.parametrize("error, words", DENIALS)
def test_auto_loads_with_epoll_and_says_why(error, words, engine, start_server, run_load):
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", "auto", "-c", "3", "-n", "50",
                             prepare=denied(error))
    assert ended.code == 0
    assert_fallback(result, words, "seccomp")
    assert result["totals"]["messages"] == 150


@pytest.mark.parametrize("error, words", DENIALS)
@pytest.mark.parametrize("program", ["server", "load"])
def test_io_uring_asked_for_by_name_is_refused_with_the_reason(error, words, program, run, tmp_path,
                                                               start_server):
    if program == "server":
        argv = [programs.SERVER, "--listen", "127.0.0.1:0"]
    else:
        argv = [programs.LOAD, "--connect", start_server(engine="epoll").address]
    path = tmp_path / "result.json"
    ended = run([*argv, "--engine", "io_uring", "--json", path], prepare=denied(error))
    assert ended.code == 1
    assert ended.out == ""
    assert len(ended.err_lines) == 1
    for word in words:
        assert word in ended.err
    assert not path.exists()


def test_epoll_asked_for_by_name_says_nothing_of_io_uring(start_server, validated):
    server = start_server(engine="epoll", prepare=denied(errno.EPERM))
    assert server.stop().code == 0
    assert "seccomp" not in server.text("out") + server.text("err")
    assert validated(server.json_path)["config"]["engine"]["reason"] == "asked for"


@pytest.mark.parametrize("value, words", [
    ("1", ["kernel.io_uring_disabled = 1", "privileged", "sysctl -w kernel.io_uring_disabled=0"]),
    ("2", ["kernel.io_uring_disabled = 2", "everybody", "sysctl -w kernel.io_uring_disabled=0"]),
])
def test_the_kernels_switch_is_told_from_a_filter(value, words, mounts, tmp_path, run, start_server,
                                                  validated):
    """The switch cannot be thrown for one process: a file in its place and the same errno."""
    if not SWITCH.exists():
        pytest.skip("this kernel has no such switch")
    fake = tmp_path / "io_uring_disabled"
    fake.write_text(value + "\n")

    def prepare():
        bind_file(fake, SWITCH)
        deny_io_uring(errno.EPERM)

    ended = run([programs.SERVER, "--engine", "io_uring", "--listen", "127.0.0.1:0"],
                prepare=prepare)
    assert ended.code == 1
    assert len(ended.err_lines) == 1
    for word in words:
        assert word in ended.err
    assert "seccomp" not in ended.err

    server = start_server("--engine", "auto", prepare=prepare)
    assert server.stop().code == 0
    result = validated(server.json_path)
    assert_fallback(result, words, "io_uring_disabled")
    assert result["host"]["environment"]["io_uring"]["disabled"] == int(value)


@pytest.mark.parametrize("error, name", [
    (errno.ENOMEM, "ENOMEM"), (errno.EMFILE, "EMFILE"), (errno.ENFILE, "ENFILE")])
@pytest.mark.parametrize("asked", ["auto", "io_uring"])
def test_a_shortage_is_never_taken_for_absence(error, name, asked, run):
    """A run that quietly used epoll because memory was short would be a wrong result."""
    ended = run([programs.SERVER, "--engine", asked, "--listen", "127.0.0.1:0"],
                prepare=denied(error))
    assert ended.code == 1
    assert len(ended.err_lines) == 1
    assert name in ended.err and "io_uring itself is there" in ended.err
    assert ended.out == ""


def test_features_asked_for_by_name_are_not_given_up(run, start_server, validated):
    """A preset falls back to epoll like everything else; a feature by name does not."""
    ended = run([programs.SERVER, "--features", "+multishot_recv", "--listen", "127.0.0.1:0"],
                prepare=denied(errno.EPERM))
    assert ended.code == 1
    assert len(ended.err_lines) == 1
    assert "asked for by name" in ended.err and "seccomp" in ended.err
    server = start_server("--features", "baseline", prepare=denied(errno.EPERM))
    assert server.stop().code == 0
    assert validated(server.json_path)["config"]["engine"]["name"] == "epoll"


@pytest.mark.parametrize("limit", [5, 6, 8, 16])
def test_real_lack_of_descriptors_is_never_taken_for_absence(limit, run):
    """From too few for a ring to too few for what comes after it."""
    require("io_uring")
    if programs.SANITIZED:
        pytest.skip("the sanitizers look at memory through descriptors of their own")

    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    ended = run([programs.SERVER, "--engine", "auto", "--listen", "127.0.0.1:0"], prepare=prepare)
    assert ended.code == 1
    assert len(ended.err_lines) == 1
    assert "descriptors" in ended.err
    assert "epoll" not in ended.out + ended.err


def test_an_unprivileged_user_is_served(engine, start_server, run_load):
    """Nothing here takes root: the programs run as nobody where the tests run as root."""
    if os.geteuid() != 0:
        pytest.skip("every test runs unprivileged here")

    def prepare():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)

    # A clone in root's home is out of reach for anybody else; temporary folders of tests are, too.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        executable = shutil.copy(programs.SERVER, folder)
        server = start_server(engine=engine, prepare=prepare, executable=executable,
                              json_path="/dev/null")
    ended, _ = run_load(server.address, "--engine", engine, "-c", "10", "-n", "10")
    assert ended.code == 0
    assert server.stop().code == 0


NOBODY = 65534


def unprivileged(*limits):
    """As nobody, with these (limit, value) pairs: root is not bound by most of them."""
    def prepare():
        for limit, value in limits:
            resource.setrlimit(limit, (value, value))
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    return prepare


@pytest.fixture
def reachable():
    """reachable(program) -> a copy that nobody may run, wherever the original lies."""
    if os.geteuid() != 0:
        pytest.skip("takes root, to be somebody else")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield lambda program: shutil.copy(program, folder)


@pytest.mark.parametrize("kib", [0, 16, 64, 256, 1024])
def test_a_locked_memory_limit_is_named_or_met(kib, reachable, run, tmp_path):
    """Which limit is too low differs between kernels; some charge rings to it, some do not."""
    require("io_uring")
    if programs.SANITIZED:
        pytest.skip("the sanitizers' own memory does not fit")
    ended = run([reachable(programs.SERVER), "--listen", "127.0.0.1:0", "--duration", "20ms"],
                prepare=unprivileged((resource.RLIMIT_MEMLOCK, kib << 10)))
    assert ended.code == 0, ended.err
    assert "memory or descriptors are short" not in ended.out
    if "epoll (" in ended.out:
        assert "locked-memory limit" in ended.out and "ulimit -l" in ended.out


@pytest.mark.parametrize("program", ["SERVER", "LOAD"])
def test_threads_that_cannot_be_started_end_the_program(program, engine, reachable, run,
                                                        start_server):
    if programs.SANITIZED:
        pytest.skip("the sanitizers start threads of their own")
    argv = [reachable(getattr(programs, program)), "--engine", engine, "-t", "8"]
    if program == "SERVER":
        argv += ["--listen", "127.0.0.1:0", "--duration", "1s"]
    else:
        argv += ["--connect", start_server().address, "-c", "64", "-n", "1"]
    ended = run(argv, prepare=unprivileged((resource.RLIMIT_NPROC, 4)))
    assert ended.code == 1
    assert len(ended.err_lines) == 1
    assert "of 8 cannot be started" in ended.err and "ulimit -u" in ended.err


@pytest.mark.parametrize("call", ["io_uring_register", "io_uring_enter"])
def test_a_filter_on_one_of_the_calls_is_named(call, run):
    require("io_uring")
    ended = run([programs.SERVER, "--engine", "io_uring", "--listen", "127.0.0.1:0"],
                prepare=lambda: deny_io_uring(errno.EPERM, call))
    assert ended.code == 1
    assert len(ended.err_lines) == 1
    assert f"{call}: " in ended.err and "seccomp" in ended.err
