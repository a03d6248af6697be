"""What the server tells, when it stops, and whom it lets in."""
import contextlib
import os
import resource
import signal
import socket
import time

import pytest

import programs
from conftest import require


def test_live_lines_tell_rates_and_connections(engine, start_server):
    server = start_server("-i", "50ms", engine=engine)
    header = server.wait_for(r"^ *time .*messages/s.*$")[0].group(0)
    assert "connections" in header and "MB/s" in header and "errors" in header
    with programs.connect(server.address) as client:
        programs.echo(client, b"x")
        # time, connections, messages/s, MB/s, errors, calls/message, events/enter
        server.wait_for(r"^ *[0-9.]+ s +1 +[0-9,]+ +[0-9.]+ +0 +[0-9.-]+ +[0-9.-]+$", count=2)


def test_quiet_prints_no_live_lines(engine, start_server):
    server = start_server("-q", "-i", "10ms", "--duration", "200ms", engine=engine)
    ended = server.wait()
    assert ended.code == 0
    assert "messages/s" not in ended.out.split("listening on")[1].splitlines()[1]


def test_sigusr1_prints_a_snapshot_and_the_run_goes_on(engine, start_server):
    server = start_server(engine=engine)
    with programs.connect(server.address) as client:
        programs.echo(client, b"before")
        for count in (1, 2):
            server.signal(signal.SIGUSR1)
            server.wait_for(r"^snapshot.*\n +accepted 1\b", count=count)
        programs.echo(client, b"after")


def test_a_snapshot_has_what_the_result_has(engine, start_server, validated):
    server = start_server("-q", engine=engine)
    with programs.connect(server.address) as client:
        for _ in range(5):
            programs.echo(client, b"four")
    programs.wait_until(lambda: "open" not in server.snapshot(), "the client is gone")
    snapshot = server.snapshot()
    assert server.stop().code == 0
    result = validated(server.json_path)
    stats = result["engine_stats"]
    for name in ("accepted", "receives", "sends", "bytes_received", "bytes_sent"):
        assert snapshot[name] == stats[name], name
    assert snapshot["completions_per_enter"] == pytest.approx(
        snapshot["completions"] / snapshot["enter_calls"], abs=0.001)
    assert snapshot["syscalls_per_message"] == pytest.approx(
        snapshot["syscalls"] / result["totals"]["messages"], abs=0.001)
    assert snapshot["iou_workers"] == result["resources"]["iou_workers"]


def test_verbose_logs_connections(engine, start_server):
    server = start_server("-v", engine=engine)
    programs.connect(server.address).close()
    server.wait_for(r"^open ", stream="err")
    assert server.stop().code == 0
    events = [line.split()[0] for line in server.text("err").splitlines()]
    assert events == ["open", "closed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_reports(engine, number, start_server, validated):
    server = start_server(engine=engine)
    with programs.connect(server.address) as client:
        programs.echo(client, b"four")
        programs.echo(client, b"five.")
        ended = server.stop(number)
        assert client.recv(1) == b""  # an orderly end
    assert ended.code == 0
    result = validated(server.json_path)
    assert result["run"]["status"] == "ok"
    assert result["totals"]["bytes_received"] == result["totals"]["bytes_sent"] == 9
    assert result["totals"]["connections"] == 1
    assert result["config"]["engine"]["name"] == engine
    assert result["config"]["engine"]["requested"]["engine"] == engine


def test_draining_finishes_what_clients_are_owed(engine, start_server, noise):
    server = start_server(engine=engine)
    data = noise(200_000)
    with programs.connect(server.address) as client:
        client.sendall(data)
        first = programs.receive_exactly(client, 1)
        server.signal(signal.SIGTERM)
        assert first + programs.receive_exactly(client, len(data) - 1) == data
        assert client.recv(1) == b""
        assert server.wait().code == 0


def test_no_new_clients_are_taken_while_draining(engine, start_server):
    server = start_server(engine=engine)
    with programs.connect(server.address) as client:
        programs.echo(client, b"x")
        server.signal(signal.SIGTERM)

        def refused():
            try:
                programs.connect(server.address).close()
                return False
            except (ConnectionRefusedError, ConnectionResetError):
                return True

        programs.wait_until(refused, "new clients are refused")
    assert server.wait().code == 0


def test_a_second_signal_aborts(engine, start_server, validated, noise):
    server = start_server(engine=engine)
    with programs.connect(server.address) as client:
        client.setblocking(False)
        # A client that does not read what it is owed is what draining waits for.
        for _ in range(200):
            try:
                client.send(noise(100_000))
            except BlockingIOError:
                break
        server.signal(signal.SIGTERM)
        # Two signals sent at once may be told as one.
        while server.process.poll() is None:
            time.sleep(0.05)
            server.signal(signal.SIGTERM)
        assert server.wait().code == 130
    assert validated(server.json_path)["run"]["status"] == "interrupted"


def test_duration_ends_the_run(engine, start_server, validated):
    server = start_server("--duration", "100ms", engine=engine)
    assert server.wait().code == 0
    assert validated(server.json_path)["totals"]["measured_ns"] >= 100_000_000


def test_a_signal_before_the_duration_is_over_is_an_interruption(engine, start_server, validated):
    server = start_server("--duration", "1h", engine=engine)
    assert server.stop().code == 130
    assert validated(server.json_path)["run"]["status"] == "interrupted"


def test_idle_connections_are_closed_and_busy_ones_are_not(engine, start_server, validated):
    server = start_server("--idle-timeout", "300ms", engine=engine)
    with programs.connect(server.address) as idle, programs.connect(server.address) as busy:
        idle.setblocking(False)

        def closed():
            programs.echo(busy, b"not idle")
            try:
                return idle.recv(1) == b""
            except BlockingIOError:
                return False

        programs.wait_until(closed, "the idle connection is closed")
        programs.echo(busy, b"still here")
    assert server.stop().code == 0
    assert validated(server.json_path)["errors"]["timeout"] == 1


DESCRIPTORS = 60


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


@pytest.mark.parametrize("kind, options", [
    ("epoll", ()), ("io_uring", ("--features", "best")), ("io_uring", ("--features", "minimal"))])
def test_an_idle_listener_keeps_no_places_from_the_other(kind, options, start_server, validated):
    require(kind)
    server = start_server(*options, engine=kind, prepare=few_descriptors,
                          listen=("127.0.0.1:0", "127.0.0.1:0"))
    places = int(server.wait_for(r"([0-9,]+) connections at most")[0].group(1))
    first, second = server.addresses

    def served(address, count):
        connections = [programs.connect(address) for _ in range(count)]
        for connection in connections:
            programs.echo(connection, b"served")
        return connections

    for connection in served(second, places // 2):
        connection.close()
    programs.wait_until(lambda: "open" not in server.snapshot(), "the second one's are gone")
    connections = served(first, places)
    for connection in connections:
        connection.close()
    assert server.stop().code == 0
    counted = validated(server.json_path)["engine_stats"]
    assert counted["rejected"] == counted["accept_emfile"] == 0


@pytest.mark.parametrize("kind, options", [
    ("epoll", ()), ("io_uring", ("--features", "best")), ("io_uring", ("--features", "+sqpoll")),
    ("io_uring", ("--features", "baseline"))], ids=["epoll", "best", "sqpoll", "baseline"])
def test_a_table_that_is_always_full_loses_no_client(kind, options, start_server, run_load,
                                                     validated):
    require(kind)
    server = start_server("-q", *options, engine=kind, prepare=few_descriptors)
    ended, _ = run_load(server.address, "--sessions", "1500", "-c", "250", "-n", "2", "-q")
    assert ended.code == 0, ended
    assert ended.out.splitlines()[-1] == "1500 connections, 0 exceptions, 0 retries"
    assert server.stop().code == 0
    served = validated(server.json_path)
    assert served["totals"]["connections"] == 1500
    assert served["totals"]["connections_open_max"] < 250
    assert served["engine_stats"]["rejected"] == 0 < served["engine_stats"]["accept_pauses"]


def test_a_server_whose_descriptors_are_all_in_use_tells_what_it_can(engine, start_server,
                                                                     validated):
    server = start_server("-q", engine=engine)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            programs.echo(stack.enter_context(programs.connect(server.address)), b"here")
        used = set(map(int, os.listdir(f"/proc/{server.pid}/fd")))
        lowest_free = min(set(range(len(used) + 1)) - used)
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (lowest_free, hard))
        server.snapshot()
        server.wait_for("iou_workers unknown")
        time.sleep(0.1)  # /proc/stat counts in hundredths of a second
        server.signal(signal.SIGINT)
        assert server.wait().code == 0
    served = validated(server.json_path)
    assert served["resources"]["steal_share"] is not None
    assert "steal" in {check["id"] for check in served["validity"]["checks"]}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_clients_beyond_the_limit_wait_and_are_served_later(engine, threads, start_server):
    server = start_server("--max-connections", "2", "-t", threads, engine=engine)
    first, second = programs.connect(server.address), programs.connect(server.address)
    programs.echo(first, b"first")
    programs.echo(second, b"second")
    with programs.connect(server.address) as third:
        third.sendall(b"third")
        third.settimeout(0.2)
        with pytest.raises(TimeoutError):
            third.recv(1)
        first.close()
        third.settimeout(programs.PATIENCE_S)
        assert programs.receive_exactly(third, 5) == b"third"
        programs.echo(second, b"second again")
    second.close()


def test_json_on_stdout_is_nothing_but_json(engine, start_server, tmp_path, validated):
    server = programs.Program([programs.SERVER, "--listen", "127.0.0.1:0", "--engine", engine,
                               "--json", "-", "--duration", "100ms", "-i", "20ms"])
    ended = server.wait()
    assert ended.code == 0
    assert "listening on" in ended.err
    file = tmp_path / "stdout.json"
    file.write_text(ended.out)
    assert validated(file)["config"]["role"] == "server"


def test_an_older_result_stays_until_the_new_one_is_whole(engine, start_server, tmp_path):
    path = tmp_path / "result.json"
    path.write_text("the older one")
    server = start_server(engine=engine, json_path=path)
    assert path.read_text() == "the older one"
    server.signal(signal.SIGKILL)
    server.process.wait()
    assert path.read_text() == "the older one"


def test_labels_and_cpus_are_recorded(engine, start_server, validated):
    cpu = min(os.sched_getaffinity(0))
    server = start_server("--label", "a=1", "--label", "b=x=y", "--cpus", str(cpu), "-t", "2",
                          engine=engine)
    assert server.stop().code == 0
    result = validated(server.json_path)
    assert result["run"]["labels"] == {"a": "1", "b": "x=y"}
    assert result["config"]["cpus"] == [cpu]
    assert result["config"]["threads"] == 2


def test_intervals_add_up_to_the_totals(engine, start_server, validated):
    server = start_server("-i", "20ms", "-q", engine=engine)
    with programs.connect(server.address) as client:
        for _ in range(2_000):
            programs.echo(client, b"tick")
    assert server.stop().code == 0
    result = validated(server.json_path)
    assert sum(interval["messages"] for interval in result["intervals"]) == 2_000
    assert sum(interval["bytes"] for interval in result["intervals"]) == 8_000
    assert result["totals"]["messages"] == 2_000
    ends = [(i["t_start_ns"], i["t_end_ns"]) for i in result["intervals"]]
    assert all(start < end for start, end in ends) and ends == sorted(ends)
    # Each echo takes the engine at least one call, for at least one event.
    for name in ("syscalls", "enter_calls", "completions"):
        assert sum(interval[name] for interval in result["intervals"]) > 1_000, name


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(engine, start_server, tmp_path, run):
    path = tmp_path / "echo.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = start_server(engine=engine, listen=[f"unix:{path}"])
    with programs.connect(server.address) as client:
        programs.echo(client, b"taken over")
    second = run([programs.SERVER, "--listen", f"unix:{path}", "--engine", engine])
    assert second.code == 1
    assert str(path) in second.err
    with programs.connect(server.address) as client:
        programs.echo(client, b"not disturbed")
