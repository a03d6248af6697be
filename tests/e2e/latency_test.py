"""scripts/uring_latency.bt against a running server."""
import os
import pathlib
import re
import shutil
import signal

import pytest

import programs
from conftest import require

SCRIPT = pathlib.Path(os.environ["RINGECHO_SCRIPTS"]) / "uring_latency.bt"

MOUNT = "[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing"

pytestmark = [
    pytest.mark.skipif(not shutil.which("bpftrace"), reason="no bpftrace here (Debian: bpftrace)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing takes root"),
]


@pytest.mark.parametrize("features, receive, send", [("best", "RECV", "SEND"),
                                                     ("baseline", "READ_FIXED", "WRITE_FIXED")])
def test_the_operations_of_a_server_are_shown(features, receive, send, mounts, started,
                                              start_server, run_load):
    require("io_uring")
    server = start_server("-q", "--features", features, engine="io_uring")
    # tracefs is not mounted everywhere; one of our own is gone with the tracer.
    tracer = programs.Program(["unshare", "--mount", "sh", "-c",
                               f"{MOUNT} || exit; exec {SCRIPT} {server.pid}"])
    started.append(tracer)
    try:
        tracer.wait_for("^watching process")
    except AssertionError:
        pytest.skip(f"bpftrace cannot trace here: {tracer.text('err').strip()[-300:]}")
    # It says so while it attaches; what is done until then is not seen.
    for _ in range(4):
        ended, _ = run_load(server.address, "-c", "10", "--sessions", "10", "-n", "500")
        assert ended.code == 0, ended
    tracer.signal(signal.SIGINT)
    shown = tracer.wait().out
    completions = dict(re.findall(r"^@completions\[(\w+)\]: (\d+)$", shown, re.MULTILINE))
    assert int(completions[send]) > 1_000 and int(completions[receive]) > 1_000, shown
    assert f"@submit_to_complete_ns[{send}]:" in shown, shown
    assert f"@wake_to_complete_ns[{receive}]:" in shown, shown
