"""What goes wrong is counted as what it is, and never passes for a good result."""
import signal
import time

import pytest

import programs
from peers import Damaging, Deaf, Echo, Hanging, Silent, Swapping, free_port

DAMAGES = ("lost", "reordered", "duplicated", "foreign", "altered")


def altered(message, at=10):
    return message[:at] + bytes([message[at] ^ 0x20]) + message[at + 1:]


def joined(*messages):
    return b"".join(messages)


# What a server that has received eight messages sends back instead of them.
WRONG_ECHOES = [
    ("lost", lambda m: joined(*m[:2], *m[3:])),
    ("lost", lambda m: joined(*m[1:])),
    ("reordered", lambda m: joined(m[0], m[2], m[1], *m[3:])),
    ("reordered", lambda m: joined(*m[4:], *m[:4])),
    ("duplicated", lambda m: joined(m[0], *m)),
    ("duplicated", lambda m: joined(*m[:5], m[2], *m[5:])),
    ("altered", lambda m: joined(*m[:3], altered(m[3]), *m[4:])),
    ("altered", lambda m: bytes(len(joined(*m)))),
]
WRONG_IDS = ["one lost", "the first lost", "two swapped", "halves swapped", "the first twice",
             "an older one twice", "a bit flipped", "zeros"]


def assert_damaged(ended, result, count, name):
    assert ended.code == 3, ended
    assert result["validity"]["verdict"] == "invalid"
    assert result["totals"]["exceptions"] == result["errors"]["payload_mismatch"] == count
    found = {damage: result["errors"][f"payload_{damage}"] for damage in DAMAGES}
    assert found == {damage: count if damage == name else 0 for damage in DAMAGES}
    assert result["errors"]["payload_undiagnosed"] == 0
    assert f"{count} exceptions" in ended.out.splitlines()[-1]


@pytest.mark.parametrize("good", [0, 64 * 100], ids=["at once", "later"])
@pytest.mark.parametrize("name, damage", WRONG_ECHOES, ids=WRONG_IDS)
def test_a_wrong_echo_is_named(load_engine, name, damage, good, run_load):
    with Damaging(damage, good=good, wait=8) as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "5", "-n", "200",
                                 "--depth", "8", "--seed", "7", "--timeout", "2s")
    assert_damaged(ended, result, 5, name)


def test_bytes_of_another_connection_are_named(load_engine, run_load):
    with Swapping() as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "6", "-n", "10",
                                 "--seed", "7", "--timeout", "2s")
    assert_damaged(ended, result, 6, "foreign")


def test_damage_goes_unnoticed_only_when_asked_for(load_engine, run_load):
    with Damaging(lambda m: joined(*m[:3], altered(m[3]), *m[4:]), wait=8) as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "5", "-n", "200",
                                 "--depth", "8", "--no-verify")
    assert ended.code == 0
    assert result["config"]["verify"] is False
    assert result["totals"]["messages"] == 1_000


def test_more_than_was_sent_is_a_wrong_echo(load_engine, run_load):
    with Damaging(lambda m: joined(*m, b"and more"), wait=8) as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "1", "-n", "16",
                                 "--depth", "8", "--timeout", "2s")
    assert ended.code == 3
    assert result["errors"]["payload_mismatch"] == 1


@pytest.mark.parametrize("kind", [Silent, Deaf])
def test_a_server_that_never_answers_times_out(load_engine, kind, run_load):
    with kind() as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "5", "-n", "3",
                                 "--timeout", "300ms", "-s", "1m" if kind is Deaf else "64")
    assert ended.code == 3
    assert result["totals"]["exceptions"] == result["errors"]["timeout"] == 5
    assert result["totals"]["messages"] == 0
    assert ended.out.splitlines()[-1] == "5 connections, 5 exceptions, 0 retries"


@pytest.mark.parametrize("reset, name", [(False, "eof"), (True, "reset")])
def test_connections_lost_midway_are_exceptions(load_engine, reset, name, run_load):
    with Hanging(count=64 * 5, reset=reset) as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "4", "-n", "20")
    assert ended.code == 3
    assert result["totals"]["exceptions"] == 4
    # An orderly end with bytes unread is a reset as well.
    assert result["errors"]["eof"] + result["errors"]["reset"] == 4
    if name == "reset":
        assert result["errors"]["reset"] == 4
    assert result["totals"]["messages"] == 20


def test_connections_lost_before_their_first_echo_are_tried_again(load_engine, run_load):
    with Hanging(count=0, reset=False) as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "4", "-n", "20",
                                 "--retries", "2")
    assert ended.code == 3
    assert result["totals"]["retries"] == 8
    assert result["totals"]["exceptions"] == 4


def test_nobody_listening_is_retried_and_then_told(load_engine, start_load, validated):
    address = f"127.0.0.1:{free_port()}"
    load = start_load(address, "--engine", load_engine, "-c", "5", "-n", "1", "--retries", "3")
    ended = load.wait()
    assert ended.code == 1
    assert "is a server listening there?" in ended.err_lines[-1]
    assert address in ended.err_lines[-1]
    result = validated(load.json_path)
    assert result["run"]["status"] == "error"
    assert result["totals"]["retries"] == 15
    assert result["errors"]["connect_refused"] == 5
    assert result["errors"]["retried_connect_refused"] == 15


def test_a_server_that_comes_late_is_waited_for(engine, load_engine, start_server, start_load,
                                                validated):
    port = free_port()
    load = start_load(f"127.0.0.1:{port}", "--engine", load_engine, "-c", "20", "-n", "5")
    load.wait_for("trying again", "err")
    start_server(engine=engine, listen=[f"127.0.0.1:{port}"])
    ended = load.wait()
    assert ended.code == 0
    result = validated(load.json_path)
    assert result["totals"]["exceptions"] == 0
    assert result["totals"]["retries"] >= 20
    assert result["totals"]["messages"] == 100


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_restarted_midway_costs_retries_and_no_completed_session(
        engine, load_engine, number, start_server, start_load, validated):
    server = start_server(engine=engine)
    load = start_load(server.address, "--engine", load_engine, "-t", "2", "-c", "50",
                      "--sessions", "2000", "-n", "100", "-i", "50ms")
    # The first live line is that of a run well under way.
    load.wait_for(r"^ *[0-9.]+ s .*$")
    server.signal(number)
    server.process.wait()
    start_server(engine=engine, listen=[server.address])
    ended = load.wait()
    result = validated(load.json_path)
    totals = result["totals"]
    assert totals["sessions_completed"] + totals["exceptions"] == 2_000
    assert totals["exceptions"] <= 50  # those that were open
    assert totals["retries"] > 0
    assert totals["messages"] >= totals["sessions_completed"] * 100
    assert result["errors"]["payload_mismatch"] == 0
    assert result["errors"]["eof"] + result["errors"]["reset"] == totals["exceptions"]
    assert ended.code == (3 if totals["exceptions"] else 0)
    said = f"2000 connections, {totals['exceptions']} exceptions, {totals['retries']} retries"
    assert ended.out.splitlines()[-1] == said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_drains_and_reports(engine, load_engine, number, start_server, start_load,
                                         validated):
    server = start_server(engine=engine)
    load = start_load(server.address, "--engine", load_engine, "-c", "50", "-d", "1h",
                      "--warmup", "0", "-i", "50ms")
    load.wait_for(r"^ *[0-9.]+ s +50 .*$", count=2)
    load.signal(number)
    ended = load.wait()
    assert ended.code == 130
    result = validated(load.json_path)
    assert result["run"]["status"] == "interrupted"
    assert result["run"]["exit_code"] == 130
    assert result["totals"]["messages"] > 0
    assert result["totals"]["exceptions"] == 0
    assert result["validity"]["verdict"] == "suspect"
    assert result["latency"]["response_ns"]["count"] == result["totals"]["messages"]


def test_an_interrupt_while_connecting_ends_the_run(load_engine, start_load, validated):
    load = start_load(f"127.0.0.1:{free_port()}", "--engine", load_engine, "-c", "5",
                      "--retries", "1000")
    load.wait_for("trying again", "err")
    load.signal(signal.SIGINT)
    assert load.wait().code == 130
    assert validated(load.json_path)["run"]["status"] == "interrupted"


def test_a_second_interrupt_does_not_wait(load_engine, start_load, validated):
    with Silent() as peer:
        load = start_load(peer.address, "--engine", load_engine, "-c", "5", "-d", "1h",
                          "--timeout", "1h", "--warmup", "0", "-i", "50ms")
        load.wait_for(r"^ *[0-9.]+ s +5 .*$")
        while load.process.poll() is None:
            load.signal(signal.SIGINT)
            time.sleep(0.05)
        assert load.wait().code == 130
    assert validated(load.json_path)["run"]["status"] == "interrupted"


def test_one_bad_connection_does_not_spoil_the_others(load_engine, run_load):
    class OneBad(Echo):
        """Answers its third connection with zeros."""

        count = 0

        def accepted(self, client):
            self.count += 1
            return {"bad": self.count == 3}

        def answer(self, state, data):
            return bytes(len(data)) if state["bad"] else data

    with OneBad() as peer:
        ended, result = run_load(peer.address, "--engine", load_engine, "-c", "10", "-n", "50",
                                 "--timeout", "2s")
    assert ended.code == 3
    assert result["totals"]["exceptions"] == 1
    assert result["totals"]["messages"] == 9 * 50


def test_a_flood_leaves_others_their_latency(engine, load_engine, start_server, run_load, noise):
    """One client sends without reading; the run beside it must not be the worse for it."""
    server = start_server(engine=engine)
    with programs.connect(server.address) as flood:
        flood.setblocking(False)
        stream = 64 * noise(1 << 20)
        sent = blocked = 0
        while blocked < 20 and sent < len(stream):  # as much as fits anywhere
            try:
                sent += flood.send(stream[sent:sent + (1 << 20)])
                blocked = 0
            except BlockingIOError:
                blocked += 1
                time.sleep(0.01)
        ended, result = run_load(server.address, "--engine", load_engine, "-c", "10", "-d", "1s",
                                 "--warmup", "0")
        assert ended.code == 0
        assert result["totals"]["exceptions"] == 0
        # A connection that waits for the flood would wait for good.
        assert result["latency"]["response_ns"]["percentiles"]["99"] < 1_000_000_000
        flood.setblocking(True)
        flood.settimeout(programs.PATIENCE_S)
        assert programs.receive_exactly(flood, sent) == stream[:sent]
        programs.echo(flood, b"served again")
