"""More connections than the process may have descriptors."""
import resource

import pytest

import programs
from conftest import require

LIMIT = 300
CONNECTIONS = 800


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def require_direct_descriptors(run):
    listed = run([programs.SERVER, "--features", "list"]).out
    line = next(line for line in listed.splitlines() if line.startswith("direct_descriptors"))
    if line.split()[2] != "yes":
        pytest.skip("this kernel has no direct descriptors that can be made ordinary ones")


@pytest.mark.parametrize("options", [("--features", "+direct_descriptors"),
                                     ("--max-connections", "1000")], ids=["asked", "limited"])
def test_each_thread_has_as_many_as_the_process(options, run, start_server, run_load, validated):
    require("io_uring")
    require_direct_descriptors(run)
    server = start_server("-t", "4", *options, engine="io_uring", prepare=few_descriptors)
    ended, result = run_load(server.address, "--engine", "io_uring", "-t", "4",
                             "-c", str(CONNECTIONS), "-n", "5", prepare=few_descriptors)
    assert ended.code == 0, ended
    assert ended.out.splitlines()[-1] == f"{CONNECTIONS} connections, 0 exceptions, 0 retries"
    assert result["totals"]["connections_open_max"] > LIMIT
    assert result["totals"]["messages"] == 5 * CONNECTIONS
    assert result["config"]["engine"]["effective"]["direct_descriptors"] is True
    assert server.stop().code == 0
    served = validated(server.json_path)
    assert served["totals"]["connections"] == CONNECTIONS
    assert served["totals"]["connections_open_max"] > LIMIT
    assert served["totals"]["bytes_received"] == served["totals"]["bytes_sent"] == \
        result["totals"]["bytes_sent"]
    assert served["engine_stats"]["accept_emfile"] == served["engine_stats"]["rejected"] == 0
    assert served["engine_stats"]["open"] == 0


def test_idle_connections_are_closed_and_busy_ones_are_not(run, start_server, validated):
    require("io_uring")
    require_direct_descriptors(run)
    server = start_server("--idle-timeout", "300ms", "--features", "+direct_descriptors",
                          engine="io_uring")
    idle = [programs.connect(server.address) for _ in range(20)]
    with programs.connect(server.address) as busy:
        for connection in idle:
            connection.setblocking(False)

        def closed(connection):
            programs.echo(busy, b"not idle")
            try:
                return connection.recv(1) == b""
            except BlockingIOError:
                return False

        for connection in idle:
            programs.wait_until(lambda one=connection: closed(one), "an idle one is closed")
            connection.close()
        programs.echo(busy, b"still here")
    assert server.stop().code == 0
    assert validated(server.json_path)["errors"]["timeout"] == len(idle)
