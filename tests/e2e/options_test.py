"""Command lines that cannot be meant: exit code 2 and one line that helps."""
import os
import resource
import stat
import subprocess

import pytest

import programs
from namespaces import mount_tmpfs
from peers import free_port

# Options, and what the line must name: the option, what it got, what it takes.
COMMON = [
    (["--bogus"], ["unknown option --bogus", "--help"]),
    (["word"], ["unknown option word", "--help"]),
    (["-x"], ["unknown option -x"]),
    (["--engine", "kqueue"], ["--engine", '"kqueue"', "auto, io_uring or epoll"]),
    (["--engine"], ["--engine", "NAME missing"]),
    (["--features", "best,+warp"], ["--features", '"+warp"', "takes best, baseline or minimal"]),
    (["--features", "+multishot_recv,-buffer_ring"],
     ["--features", "multishot_recv needs buffer_ring", "add +buffer_ring"]),
    (["--features", "best,+recv_bundle,-buffer_ring"],
     ["--features", "recv_bundle needs multishot_recv, which needs buffer_ring", "+buffer_ring"]),
    (["--features", "+min_wait"], ["--features", "min_wait", "--wait batch:TIME", "--wait is "]),
    (["--features", "+min_wait", "--wait", "spin"], ["--wait is spin"]),
    (["--features", "+coop_taskrun"], ["coop_taskrun excludes defer_taskrun"]),
    (["--features", "minimal", "--engine", "epoll"], ["--features", "--engine is epoll"]),
    (["--wait", "sleep"], ["--wait", '"sleep"', "takes block, spin, hybrid:TIME with"]),
    (["--wait", "hybrid:2s"], ["--wait", '"hybrid:2s"', "1us to 1s"]),
    (["--wait", "hybrid:"], ["--wait", '"hybrid:"']),
    (["--wait", "batch:11ms"], ["--wait", '"batch:11ms"', "batch:TIME with 1us to 10ms"]),
    (["-t", "0"], ["--threads", '"0"', "1 to 1024"]),
    (["-t", "1025"], ["--threads", '"1025"', "1 to 1024"]),
    (["-t", "-1"], ["--threads", '"-1"', "takes a number"]),
    (["-t", "many"], ["--threads", '"many"', "takes a number"]),
    (["-t", "1", "-t", "2"], ["--threads", "2"]),
    (["--cpus", "x"], ["--cpus", '"x"', "CPU numbers"]),
    (["--cpus", "1000"], ["--cpus", '"1000"', "may run"]),
    (["--cpus", "3-1"], ["--cpus", '"3-1"', "CPU numbers"]),
    (["--buffers", "0"], ["--buffers", '"0"', "1 to 32768"]),
    (["--buffers", "32769"], ["--buffers", '"32769"', "1 to 32768"]),
    (["--buffer-size", "15"], ["--buffer-size", '"15"', "16 to 16777216"]),
    (["-i", "9ms"], ["--interval", '"9ms"', "10ms to"]),
    (["-i", ""], ["--interval", '""', "takes a time"]),
    (["-i", "5 parsecs"], ["--interval", '"5 parsecs"', "takes a time"]),
    (["--label", "key"], ["--label", '"key"', "KEY=VALUE"]),
    (["--label", "a=1", "--label", "a=2"], ["--label", '"a"', "once"]),
    (["--json"], ["--json", "FILE missing"]),
]

SERVER = [
    (["--listen", "localhost:99999"], ["--listen", '"localhost:99999"', "0 to 65535"]),
    (["--listen", ""], ["--listen", '""', "host:port"]),
    (["--listen", "unix:"], ["--listen", '"unix:"', "unix:/path"]),
    (["--listen", "unix:/" + 200 * "a"], ["--listen", "aaaa", "at most 107 bytes"]),
    (["--listen", "[::1"], ["--listen", '"[::1"', "[v6]:port"]),
    (["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:x"], ["--listen", '"127.0.0.1:x"']),
    (["--backlog", "0"], ["--backlog", '"0"', "1 to"]),
    (["--max-connections", "0"], ["--max-connections", '"0"', "1 to"]),
    (["--features", "+multishot_accept", "--max-connections", "10"],
     ["--features", "multishot_accept", "--max-connections"]),
    (["--listen", "unix:/tmp/a", "--listen", "unix:/tmp/b", "--features", "+send_zc"],
     ["--features", "+send_zc", "unix sockets"]),
    (["--listen", "unix:/tmp/a", "--features", "+poll_first"],
     ["--features", "+poll_first", "unix socket", "-multishot_recv"]),
    (["--high-water", "0"], ["--high-water", '"0"', "1 to"]),
    (["--idle-timeout", "0"], ["--idle-timeout", '"0"', "1ms to"]),
    (["--duration", "soon"], ["--duration", '"soon"', "takes a time"]),
]

LOAD = [
    (["--connect", "127.0.0.1:0"], ["--connect", "port 0", "1 to 65535"]),
    (["--features", "+multishot_accept"],
     ["--features", "+multishot_accept", "a load generator accepts nothing"]),
    (["--features", "+vectored_send"], ["--features", "+vectored_send", "one piece of memory"]),
    (["--connect", "unix:/tmp/a", "--features", "+send_zc,+send_zc_fixed"],
     ["--features", "+send_zc", "unix sockets"]),
    (["--connect", ":::"], ["--connect", '":::"', "brackets"]),
    (["-c", "0"], ["--connections", '"0"', "1 to"]),
    (["-c", "2", "-t", "3"], ["--threads", "got 3", "(2)"]),
    (["--depth", "0"], ["--depth", '"0"', "1 to"]),
    (["--depth", "1m", "-s", "1k"], ["--depth", "1000000", "16384", "1024"]),
    (["-s", "0"], ["--size", '"0"', "1 to"]),
    (["-s", "17m"], ["--size", '"17m"', "1 to"]),
    (["-c", "1k", "-s", "1", "--depth", "100k"], ["--depth", "100000", "67108", "1000"]),
    (["-d", "1s", "-n", "3"], ["--duration", "-n"]),
    (["-d", "1s", "--sessions", "100"], ["--duration", "--sessions"]),
    (["--warmup", "1s", "-n", "3"], ["--warmup", "-n"]),
    (["--sessions", "1"], ["--sessions", "got 1", "-c (64)"]),
    (["-n", "0"], ["--messages", '"0"']),
    (["--verify", "--no-verify"], ["--verify", "--no-verify"]),
    (["--payload", "/etc/hostname", "-s", "3"], ["--size", "--payload"]),
    (["--payload", "/nonexistent"], ["--payload", "/nonexistent", "ENOENT"]),
    (["--payload", "/"], ["--payload", "/", "EISDIR"]),
    (["--payload", "/dev/null"], ["--payload", "/dev/null", "empty"]),
    (["--retries", "-1"], ["--retries", '"-1"']),
    (["--timeout", "0"], ["--timeout", '"0"', "1ms to"]),
    (["--connect-rate", "0"], ["--connect-rate", '"0"']),
    (["--source", "here"], ["--source", '"here"', "addresses"]),
    (["--source", "127.0.0.1", "--connect", "[::1]:7"], ["--source", "127.0.0.1", "[::1]:7"]),
    (["--percentiles", "50,x"], ["--percentiles", '"50,x"', "0 to 100"]),
    (["--percentiles", "101"], ["--percentiles", '"101"', "0 to 100"]),
]

PROGRAMS = {"ringecho-server": programs.SERVER, "ringecho-load": programs.LOAD}


def table():
    for name, rows in (("ringecho-server", COMMON + SERVER), ("ringecho-load", COMMON + LOAD)):
        for options, named in rows:
            yield pytest.param(name, options, named, id=f"{name} {' '.join(options)[:60]}")


def assert_refused(ended, name, named):
    assert ended.code == 2, ended
    assert ended.out == ""
    assert len(ended.err_lines) == 1, ended.err
    assert ended.err.startswith(f"{name}: ")
    for text in named:
        assert text in ended.err


@pytest.mark.parametrize("name, options, named", table())
def test_bad_options_are_refused_in_one_line(name, options, named, run):
    assert_refused(run([PROGRAMS[name], *options]), name, named)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_fraction_is_no_count(name, run):
    ended = run([PROGRAMS[name], "-t", "1.5", "--json", "/nonexistent/result.json"])
    assert_refused(ended, name, ["--threads", '"1.5"'])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_result_without_a_name_is_refused(name, run):
    """--json "$UNSET" should not lose a result."""
    # Something else that fails at once, so that the test ends.
    ended = run([PROGRAMS[name], "--json", "", "--cpus", "0",
                 *(["--listen", "unix:/nonexistent/x"] if name == "ringecho-server" else
                   ["--connect", "unix:/nonexistent/x", "--retries", "0"])])
    assert_refused(ended, name, ["--json", '""'])


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_fits_a_terminal_and_names_every_option(name, run):
    ended = run([PROGRAMS[name], "--help"])
    assert ended.code == 0 and ended.err == ""
    assert max(len(line) for line in ended.out.splitlines()) <= 80
    for option in ("--engine", "--threads", "--json", "--label", "--interval", "--version"):
        assert option in ended.out


@pytest.mark.parametrize("name", PROGRAMS)
def test_version_names_program_liburing_and_kernel(name, run):
    ended = run([PROGRAMS[name], "--version"])
    assert ended.code == 0 and ended.err == ""
    assert len(ended.out.splitlines()) == 1
    assert ended.out.startswith(name)
    assert os.uname().release in ended.out


# What cannot be done is found out before anything runs: exit code 1, one line.


def assert_failed(ended, *named):
    assert ended.code == 1, ended
    assert len(ended.err_lines) == 1, ended.err
    for text in named:
        assert text in ended.err, ended.err


def test_a_port_in_use_is_told(engine, start_server, run):
    """Also when it is a leftover server of ours, with which SO_REUSEPORT would share the port."""
    leftover = start_server("-t", "2", engine=engine)
    port = leftover.address.rsplit(":", 1)[1]
    for threads in ("1", "2"):
        ended = run([programs.SERVER, "--engine", engine, "--listen", leftover.address,
                     "-t", threads])
        assert_failed(ended, leftover.address, "EADDRINUSE", port)
        assert ended.out == ""


def test_an_address_of_another_machine_is_told(engine, run):
    assert_failed(run([programs.SERVER, "--engine", engine, "--listen", "192.0.2.1:0"]),
                  "192.0.2.1:0", "EADDRNOTAVAIL")


def test_an_unknown_host_is_told(run):
    assert_failed(run([programs.SERVER, "--listen", "no.such.host.invalid:0"]),
                  "no.such.host.invalid")
    assert_failed(run([programs.LOAD, "--connect", "no.such.host.invalid:7"]),
                  "no.such.host.invalid")


@pytest.fixture(params=["server", "load"])
def any_program(request):
    """A command line that would run for long if it ran at all."""
    if request.param == "server":
        return [programs.SERVER, "--listen", "127.0.0.1:0"]
    return [programs.LOAD, "--connect", f"127.0.0.1:{free_port()}", "-d", "1h"]


def test_a_missing_folder_for_the_result_is_told(any_program, tmp_path, run):
    path = tmp_path / "missing" / "result.json"
    assert_failed(run([*any_program, "--json", path]), str(path), "ENOENT", "create the folder")


def test_a_folder_as_result_is_told(any_program, tmp_path, run):
    assert_failed(run([*any_program, "--json", tmp_path]), str(tmp_path))


def test_an_unwritable_folder_is_told(any_program, tmp_path, run):
    if os.geteuid() == 0:
        pytest.skip("nothing is closed to root")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    path = tmp_path / "result.json"
    assert_failed(run([*any_program, "--json", path]), str(path), "EACCES")


def test_a_read_only_file_system_is_told(any_program, tmp_path, run, mounts):
    path = tmp_path / "result.json"
    ended = run([*any_program, "--json", path], prepare=lambda: mount_tmpfs(tmp_path, "ro"))
    assert_failed(ended, str(path), "EROFS")


def test_a_full_disk_is_told(any_program, tmp_path, run, mounts):
    path = tmp_path / "result.json"
    ended = run([*any_program, "--json", path], prepare=lambda: mount_tmpfs(tmp_path, "size=64k"))
    assert_failed(ended, str(path), "ENOSPC")


def limit_descriptors(soft, hard=None):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))


def test_too_few_descriptors_for_the_server_are_told_with_the_number_needed(engine, run):
    ended = run([programs.SERVER, "--engine", engine, "--listen", "127.0.0.1:0",
                 "--max-connections", "1000"], prepare=limit_descriptors(256))
    assert_failed(ended, "1000 connections need 10", "256", "ulimit -n 10", "LimitNOFILE=10",
                  "--ulimit nofile=10")
    assert ended.out == ""


def test_too_few_descriptors_for_the_load_are_told_with_the_number_needed(load_engine, run):
    ended = run([programs.LOAD, "--engine", load_engine, "--connect", f"127.0.0.1:{free_port()}",
                 "-c", "1000"], prepare=limit_descriptors(256))
    assert_failed(ended, "1000 connections need 10", "256", "ulimit -n 10", "LimitNOFILE=10")


def test_the_soft_descriptor_limit_is_raised(engine, start_server):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip(f"the hard limit is {hard}")
    server = start_server("--max-connections", "1000", engine=engine,
                          prepare=limit_descriptors(64, hard))
    with programs.connect(server.address) as client:
        programs.echo(client, b"served")


def test_the_backlog_that_the_kernel_cuts_is_told(engine, start_server):
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
        limit = int(file.read())
    server = start_server("--backlog", str(limit + 1), engine=engine)
    server.wait_for(rf"--backlog {limit + 1} is cut to net.core.somaxconn = {limit}", "err")


def test_output_that_nobody_reads_does_not_kill(engine, tmp_path, validated):
    """`ringecho-server | head -1`: SIGPIPE and a closed stdout are no reason to lose a result."""
    path = tmp_path / "result.json"
    process = subprocess.Popen(
        [programs.SERVER, "--engine", engine, "--listen", "127.0.0.1:0", "-i", "10ms",
         "--duration", "300ms", "--json", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(programs.PATIENCE_S) == 0
    process.stderr.close()
    assert validated(path)["run"]["status"] == "ok"
