"""The load generator against servers that do what they should."""
import asyncio
import os
import re
import resource
import signal
import socket
import threading

import pytest

import programs
from peers import Echo

COUNTS = ("eof", "reset", "timeout", "connect_refused", "payload_mismatch")


def assert_clean(ended, result, connections):
    assert ended.code == 0, ended
    assert ended.out.splitlines()[-1] == f"{connections} connections, 0 exceptions, 0 retries"
    assert result["run"]["status"] == "ok"
    assert result["totals"]["exceptions"] == result["totals"]["retries"] == 0
    assert [result["errors"][name] for name in COUNTS] == [0] * len(COUNTS)
    failed = {check["id"] for check in result["validity"]["checks"] if not check["ok"]}
    # A busy machine may disturb a measurement, and some of these are too short for a good one;
    # nothing else may be wrong with them.
    assert failed <= {"steal", "rate_variation", "loader_cpu", "messages"}, result["validity"]
    assert result["validity"]["verdict"] != "invalid"


def assert_sound(latency):
    """A histogram's summary that can be true."""
    values = [latency["percentiles"][name]
              for name in sorted(latency["percentiles"], key=float)]
    assert values == sorted(values)
    assert 0 < latency["min"] <= values[0] and values[-1] <= latency["max"]
    assert latency["min"] <= latency["mean"] <= latency["max"]


def assert_intervals_are_of_two_phases(result):
    """Without gaps from the warm-up's start to the measure phase's end, on the clock of the phases;
    an edge between the phases is one between intervals, and the second ones make up the totals."""
    warmup, measure = (next(phase for phase in result["phases"] if phase["name"] == name)
                       for name in ("warmup", "measure"))
    edges = [(interval["t_start_ns"], interval["t_end_ns"]) for interval in result["intervals"]]
    assert edges[0][0] == warmup["start_ns"] and edges[-1][1] == measure["end_ns"]
    assert all(end == start for (_, end), (start, _) in zip(edges, edges[1:]))
    warming = [interval for interval in result["intervals"]
               if interval["t_end_ns"] <= measure["start_ns"]]
    measured = result["intervals"][len(warming):]
    assert measured[0]["t_start_ns"] == measure["start_ns"]
    assert sum(interval["messages"] for interval in warming) > 0
    assert sum(interval["messages"] for interval in measured) == result["totals"]["messages"]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_closed_loop_for_a_time(engine, load_engine, threads, start_server, run_load, validated):
    server = start_server("-t", threads, engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-t", threads, "-c", "100",
                             "-d", "1s", "--warmup", "100ms")
    assert_clean(ended, result, 100)
    totals = result["totals"]
    assert totals["messages"] > 1_000
    assert totals["bytes_received"] >= totals["messages"] * 64
    assert totals["measured_ns"] >= 1_000_000_000
    assert totals["connections"] == totals["connections_open_max"] == 100
    assert result["latency"]["response_ns"]["count"] == totals["messages"]
    assert result["latency"]["connect_ns"]["count"] == 100
    assert_sound(result["latency"]["response_ns"])
    assert_sound(result["latency"]["connect_ns"])
    assert [phase["name"] for phase in result["phases"]] == ["connect", "warmup", "measure", "drain"]
    assert result["config"]["engine"]["name"] == load_engine
    assert_intervals_are_of_two_phases(result)
    for name in ("syscalls", "enter_calls", "completions"):
        assert sum(interval[name] for interval in result["intervals"]) > 0
    assert server.stop().code == 0
    served = validated(server.json_path)
    assert served["totals"]["connections"] == 100
    assert served["totals"]["bytes_received"] == served["totals"]["bytes_sent"]
    assert served["totals"]["bytes_received"] >= totals["bytes_received"]


def test_sessions_one_after_another(engine, load_engine, start_server, run_load, validated):
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-t", "2", "-c", "20",
                             "--sessions", "500", "-n", "7")
    assert_clean(ended, result, 500)
    totals = result["totals"]
    assert totals["sessions_completed"] == totals["connections"] == 500
    assert totals["connections_open_max"] <= 20
    assert totals["messages"] == 3_500
    assert totals["bytes_sent"] == totals["bytes_received"] == 3_500 * 64
    assert server.stop().code == 0
    served = validated(server.json_path)["totals"]
    assert served["connections"] == 500
    assert served["bytes_received"] == served["bytes_sent"] == 3_500 * 64


def test_messages_per_connection(engine, load_engine, start_server, run_load):
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-c", "30", "-n", "40",
                             "--depth", "8", "-s", "1k")
    assert_clean(ended, result, 30)
    assert result["totals"]["messages"] == 1_200
    assert result["totals"]["bytes_received"] == 1_200 * 1024


@pytest.mark.parametrize("size, depth", [("1", "1"), ("1", "100"), ("100k", "1"), ("64k", "16"),
                                         ("4m", "2")])
def test_sizes_and_depths(engine, load_engine, size, depth, start_server, run_load):
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-c", "4", "-n", "32",
                             "-s", size, "--depth", depth)
    assert_clean(ended, result, 4)
    assert result["totals"]["messages"] == 128


@pytest.mark.parametrize("listen", ["[::1]:0", "unix"])
def test_other_address_families(engine, load_engine, listen, tmp_path, start_server, run_load):
    if listen == "unix":
        listen = f"unix:{tmp_path}/echo.sock"
    try:
        server = start_server(engine=engine, listen=[listen])
    except AssertionError as error:
        if "EADDRNOTAVAIL" in str(error) or "EAFNOSUPPORT" in str(error):
            pytest.skip("no IPv6 here")
        raise
    ended, result = run_load(server.address, "--engine", load_engine, "-c", "50",
                             "--sessions", "200", "-n", "10")
    assert_clean(ended, result, 200)
    assert result["config"]["transport"] == ("tcp6" if "::1" in listen else "unix")


def test_a_host_name_is_resolved_before_the_clock_starts(load_engine, start_server, run_load):
    try:
        socket.getaddrinfo("localhost", None, socket.AF_INET)
    except OSError as error:
        pytest.skip(f"this machine has no localhost: {error}")
    server = start_server()
    port = server.address.rsplit(":", 1)[1]
    ended, result = run_load(f"localhost:{port}", "--engine", load_engine, "-c", "2", "-n", "5")
    assert_clean(ended, result, 2)
    assert result["totals"]["resolve_ns"] > 0


def test_socat_as_server(load_engine, started, run_load):
    socat = programs.Program(["socat", "-d", "-d", "TCP4-LISTEN:0,bind=127.0.0.1,fork,backlog=100",
                              "PIPE"])
    started.append(socat)
    address = socat.wait_for(r"listening on AF=2 (127.0.0.1:\d+)", "err")[0].group(1)
    ended, result = run_load(address, "--engine", load_engine, "-c", "10", "--sessions", "40",
                             "-n", "10", "--depth", "3", "-s", "500")
    assert_clean(ended, result, 40)


@pytest.fixture
def asyncio_address():
    """An echo server of Python's asyncio, as its documentation has it."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    address = []

    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        address.append("127.0.0.1:%d" % server.sockets[0].getsockname()[1])
        ready.set()

    def run():
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(programs.PATIENCE_S)
    yield address[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_asyncio_as_server(load_engine, asyncio_address, run_load):
    ended, result = run_load(asyncio_address, "--engine", load_engine, "-c", "200",
                             "--sessions", "400", "-n", "5")
    assert_clean(ended, result, 400)


def test_a_plain_socket_server(load_engine, run_load):
    with Echo() as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "20", "-n", "20",
                                 "--depth", "4")
    assert_clean(ended, result, 20)


def test_lines_of_a_payload_file_are_the_messages(engine, load_engine, tmp_path, start_server,
                                                  run_load, validated):
    lines = ["first\n", "\n", "a longer third line\n", "no newline at the end"]
    payload = tmp_path / "lines.txt"
    payload.write_text("".join(lines))
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-c", "1", "-n", "8",
                             "--payload", str(payload))
    assert_clean(ended, result, 1)
    assert result["totals"]["messages"] == 8
    # Twice around, wherever it begins.
    assert result["totals"]["bytes_received"] == 2 * sum(map(len, lines))
    server.stop()
    assert validated(server.json_path)["totals"]["bytes_received"] == 2 * sum(map(len, lines))


def test_json_on_stdout_is_nothing_but_json(engine, load_engine, start_server, tmp_path, run,
                                            validated):
    server = start_server(engine=engine)
    ended = run([programs.LOAD, "--connect", server.address, "--engine", load_engine, "-c", "10",
                 "-d", "300ms", "--warmup", "0", "-i", "100ms", "--json", "-"])
    assert ended.code == 0
    file = tmp_path / "stdout.json"
    file.write_text(ended.out)
    assert validated(file)["config"]["role"] == "load"
    assert ended.err_lines[-1] == "10 connections, 0 exceptions, 0 retries"


def test_verbose_live_lines_tell_what_the_engine_did(load_engine, start_server, run_load):
    server = start_server()
    ended, _ = run_load(server.address, "--engine", load_engine, "-c", "2", "-d", "300ms", "-v",
                        "--warmup", "0", "-i", "100ms")
    told = re.findall(r"^ +([0-9.]+) system calls per message, ([0-9.]+) completions per enter$",
                      ended.out, re.MULTILINE)
    assert len(told) >= 2
    assert all(float(calls) > 0 and float(completions) > 0 for calls, completions in told)


def test_live_lines_and_percentiles(engine, start_server, run_load):
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "-c", "10", "-d", "500ms", "--warmup", "0",
                             "-i", "100ms", "--percentiles", "12.5,99.95")
    lines = ended.out.splitlines()
    header = next(i for i, line in enumerate(lines) if "messages/s" in line)
    assert all(word in lines[header] for word in ("connections", "p50", "p99", "errors", "retries"))
    assert len([line for line in lines[header + 1:] if line.lstrip().startswith("0.")]) >= 4
    assert {"12.5", "99.95"} <= result["latency"]["response_ns"]["percentiles"].keys()
    assert "99.95" in ended.out


def test_sigusr1_prints_a_snapshot_and_the_run_goes_on(load_engine, start_server, start_load,
                                                       validated):
    server = start_server()
    load = start_load(server.address, "--engine", load_engine, "-c", "5", "-d", "1s", "-q")
    server_has_clients(server)
    load.signal(signal.SIGUSR1)
    load.wait_for("snapshot")
    assert load.wait().code == 0
    assert validated(load.json_path)["run"]["status"] == "ok"


def server_has_clients(server):
    """Waits until connections are open, as the server sees it."""
    count = 0

    def asked():
        nonlocal count
        count += 1
        server.signal(signal.SIGUSR1)
        said = server.wait_for(r"^snapshot.*\n((?: .*\n)*)", count=count)
        return "open" in said[-1].group(1)

    programs.wait_until(asked, "clients are connected")


def test_connects_are_spread_over_sources(engine, load_engine, start_server, run_load):
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-c", "30", "-n", "2",
                             "--source", "127.0.0.2,127.0.0.3,127.0.0.4")
    assert_clean(ended, result, 30)
    assert result["config"]["source_addresses"] == 3


def test_the_connect_rate_is_kept(load_engine, start_server, run_load):
    server = start_server()
    ended, result = run_load(server.address, "--engine", load_engine, "-c", "40", "-d", "10ms",
                             "--warmup", "0", "--connect-rate", "100")
    assert result["totals"]["exceptions"] == 0
    connect = result["phases"][0]
    assert connect["name"] == "connect"
    # 39 gaps of 10 ms; late wake-ups may be caught up with.
    assert connect["end_ns"] - connect["start_ns"] >= 350_000_000
    assert ended.code in (0, 3)  # 10 ms may be too short for enough messages


def test_ten_thousand_connections(engine, load_engine, start_server, run_load):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10_100:
        pytest.skip(f"the hard descriptor limit is {hard}")
    server = start_server(engine=engine)
    ended, result = run_load(server.address, "--engine", load_engine, "-t", "2", "-c", "10000",
                             "-d", "1s", "--warmup", "0", "--timeout", "60s")
    assert ended.out.splitlines()[-1] == "10000 connections, 0 exceptions, 0 retries"
    assert result["totals"]["connections_open_max"] == 10_000
    assert result["totals"]["messages"] > 0
    assert result["errors"]["payload_mismatch"] == 0


def test_waiting_for_a_payload_can_be_interrupted(start_load, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = start_load("127.0.0.1:1", "--payload", fifo)
    # The result's place is taken before the payload is read.
    programs.wait_until(lambda: len(os.listdir(tmp_path)) == 2, "the temporary file is there")
    program.signal(signal.SIGINT)
    ended = program.wait()
    assert ended.code == 130
    assert ended.err_lines == ["ringecho-load: interrupted before the run began"]
    assert os.listdir(tmp_path) == ["fifo"]
