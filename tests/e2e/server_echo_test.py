"""Clients of every kind get back what they send."""
import asyncio
import re
import socket
import subprocess
import threading

import pytest

import programs
from conftest import require, require_features

FAMILIES = ["127.0.0.1:0", "[::1]:0", "unix"]


@pytest.fixture(params=FAMILIES, ids=["tcp4", "tcp6", "unix"])
def where(request, tmp_path):
    if request.param == "[::1]:0":
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
    return f"unix:{tmp_path}/echo.sock" if request.param == "unix" else request.param


def pipe_through(command, data):
    return subprocess.run(command, input=data, capture_output=True, check=True,
                          timeout=programs.PATIENCE_S).stdout


def nc_command(address):
    if address.startswith("unix:"):
        return ["nc", "-N", "-U", address[len("unix:"):]]
    host, port = programs.host_port(address)
    return ["nc", "-N", host, str(port)]


def socat_command(address):
    if address.startswith("unix:"):
        peer = "UNIX-CONNECT:" + address[len("unix:"):]
    else:
        peer = "TCP:" + address
    # -t: how long to wait for the rest once stdin has ended.
    return ["socat", "-t", str(programs.PATIENCE_S), "-", peer]


def test_nc_gets_its_input_back(engine, where, start_server, noise):
    server = start_server(engine=engine, listen=[where])
    data = noise(300_000)
    assert pipe_through(nc_command(server.address), data) == data


def test_socat_gets_its_input_back(engine, where, start_server, noise):
    server = start_server(engine=engine, listen=[where])
    data = noise(300_000)
    assert pipe_through(socat_command(server.address), data) == data


def test_asyncio_clients_get_their_messages_back(engine, where, start_server, noise):
    server = start_server("-t", "2", engine=engine, listen=[where])

    async def client(number):
        if server.address.startswith("unix:"):
            opened = asyncio.open_unix_connection(server.address[len("unix:"):])
        else:
            opened = asyncio.open_connection(*programs.host_port(server.address))
        reader, writer = await opened
        for length in (1, 63, 4096, 100_000):
            message = noise(length)
            writer.write(message)
            await writer.drain()
            assert await reader.readexactly(length) == message, number
        writer.write_eof()
        assert await reader.read() == b"", number
        writer.close()

    async def clients():
        await asyncio.wait_for(asyncio.gather(*(client(i) for i in range(50))), programs.PATIENCE_S)

    asyncio.run(clients())


def test_a_half_closing_client_gets_every_byte_and_then_the_end(engine, where, start_server, noise):
    server = start_server(engine=engine, listen=[where])
    data = noise(3_000_000)
    with programs.connect(server.address) as client:
        received = bytearray()
        reader = threading.Thread(target=lambda: received.extend(programs.receive_all(client)))
        reader.start()
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        reader.join(programs.PATIENCE_S)
        assert bytes(received) == data


def test_bytes_come_back_in_whatever_pieces_they_are_sent(engine, start_server, noise):
    server = start_server(engine=engine)
    data = noise(2_000)
    with programs.connect(server.address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), 7):
            client.sendall(data[at:at + 7])
        assert programs.receive_exactly(client, len(data)) == data


def test_several_addresses_are_served_at_once(engine, start_server, tmp_path):
    listen = ["127.0.0.1:0", "127.0.0.1:0", f"unix:{tmp_path}/echo.sock"]
    server = start_server("-t", "2", engine=engine, listen=listen)
    clients = [programs.connect(address) for address in server.addresses]
    for client in clients:
        programs.echo(client, b"one of several")
    for client in clients:
        client.close()


def test_a_client_that_resets_does_not_disturb_others(engine, start_server, noise, validated):
    server = start_server(engine=engine)
    with programs.connect(server.address) as other:
        for _ in range(20):
            with programs.connect(server.address) as rude:
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                rude.sendall(noise(100_000))
            programs.echo(other, b"still here")
    assert server.stop().code == 0
    assert validated(server.json_path)["errors"]["reset"] == 20


def test_a_client_that_never_reads_is_served_when_it_does(engine, start_server, noise):
    """It stops being read from, so memory stays bounded; others are served; nothing is lost."""
    server = start_server(engine=engine)
    data = noise(64 << 20)
    with programs.connect(server.address) as flood, programs.connect(server.address) as other:
        sent = threading.Event()

        def send():
            flood.sendall(data)
            flood.shutdown(socket.SHUT_WR)
            sent.set()

        before_kb = server.status("VmRSS")
        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(2_000):
            programs.echo(other, b"hello")
        grown_kb = server.status("VmHWM") - before_kb
        assert not sent.is_set()  # 64 MiB do not fit into socket buffers
        if not programs.SANITIZED:
            # The bytes queued for it and the buffers of the engine, not what it has sent.
            assert grown_kb < 24_000, grown_kb
        assert programs.receive_all(flood) == data
        sender.join(programs.PATIENCE_S)
        assert sent.is_set()
        programs.echo(other, b"goodbye")


def silent_crowd(server, count):
    """Clients that will not read, and never wait to send."""
    clients = [programs.connect(server.address) for _ in range(count)]
    for client in clients:
        client.setblocking(False)
    return clients


def push(client, data):
    """Without waiting. How many bytes the socket took."""
    try:
        return client.send(data)
    except BlockingIOError:
        return 0


def test_floods_from_many_clients_do_not_starve_one_that_talks(engine, start_server, noise):
    server = start_server(engine=engine)
    piece = noise(1 << 20)
    floods = silent_crowd(server, 40)
    with programs.connect(server.address) as other:
        for _ in range(200):
            for flood in floods:
                push(flood, piece)
            programs.echo(other, b"let me through")
    if not programs.SANITIZED:
        assert server.status("VmHWM") < 100_000
    for flood in floods:
        flood.close()


def test_memory_does_not_grow_with_each_client_that_never_reads(engine, start_server, noise):
    """One receive can bring the whole pool of buffers; what is copied out of it is little."""
    server = start_server(engine=engine)
    piece = noise(4 << 20)
    clients = silent_crowd(server, 100)
    before_kb = server.status("VmRSS")
    with programs.connect(server.address) as other:
        while sum(push(client, piece) for client in clients) > 0:
            programs.echo(other, b"let me through")
    if not programs.SANITIZED:
        # 16 MiB of provided buffers, and a high-water mark for each; it was 7 MiB for each.
        grown_kb = server.status("VmHWM") - before_kb
        assert grown_kb < 60_000, grown_kb
    for client in clients:
        client.close()


@pytest.mark.parametrize("features", ["best", "baseline", "minimal", "-multishot_recv",
                                      "-vectored_send", "-defer_taskrun,+coop_taskrun",
                                      "-recv_bundle", "-recv_bundle,+incremental_buffers"])
def test_features_are_switched_and_told(features, run, start_server, run_load, validated):
    require("io_uring")
    require_features(features, run)
    server = start_server("--features", features, engine="io_uring")
    ended, _ = run_load(server.address, "--engine", "io_uring", "--features", features, "-c", "20",
                        "-n", "20", "-s", "20000", "--depth", "2")
    assert ended.code == 0, ended.err
    assert server.stop().code == 0
    effective = validated(server.json_path)["config"]["engine"]["effective"]
    for part in features.split(","):
        if part[0] in "+-":
            assert effective[part[1:]] == (part[0] == "+")
    if features == "minimal":
        assert not any(effective.values())
    if features == "baseline":
        assert [name for name, on in effective.items() if on] == ["fixed_buffers"]


def test_a_load_generator_declines_what_it_has_no_use_for(start_server, run_load):
    """By default, where only what is named would end it."""
    require("io_uring")
    ended, result = run_load(start_server().address, "--engine", "io_uring", "-c", "3", "-n", "5")
    assert ended.code == 0, ended.err
    engine = result["config"]["engine"]
    for name in ("multishot_accept", "vectored_send"):
        assert not engine["effective"][name]
        assert "a load generator" in engine["declined"][name]


def test_one_socket_that_can_use_a_feature_is_enough(tmp_path, run, start_server, validated):
    require("io_uring")
    require_features("+send_zc", run)
    server = start_server("--listen", f"unix:{tmp_path}/socket", "--features", "+send_zc",
                          engine="io_uring")
    assert server.stop().code == 0
    assert validated(server.json_path)["config"]["engine"]["effective"]["send_zc"]


@pytest.mark.parametrize("size", ["64", "64k"])
@pytest.mark.parametrize("rest", ["best", "baseline"])
def test_zero_copy_sends_are_verified_and_counted(rest, size, run, start_server, run_load,
                                                  validated):
    require("io_uring")
    require_features("+send_zc", run)
    features = f"{rest},+send_zc"
    server = start_server("--features", features, engine="io_uring")
    ended, result = run_load(server.address, "--engine", "io_uring", "--features", features,
                             "-c", "64", "-n", "10", "-s", size)
    assert ended.code == 0, ended.err
    assert server.stop().code == 0
    for stats in (result["engine_stats"], validated(server.json_path)["engine_stats"]):
        # Not all where memory may not be pinned.
        assert 0 < stats["zc_sends"] <= stats["sends"]
        assert stats["stale_completions"] == 0


def test_the_list_of_features(run):
    for program in (programs.SERVER, programs.LOAD):
        ended = run([program, "--features", "list"])
        assert ended.code == 0
        assert ended.err == ""
        assert all(len(line) <= 80 for line in ended.out.splitlines())
        assert "multishot_recv " in ended.out
        lines = ended.out.splitlines()
        for index, line in enumerate(lines):
            if re.match(r"[a-z_]+ +[\d.]+ +no ", line) and "not available" not in lines[0]:
                assert lines[index + 2].startswith("    not here: "), line
