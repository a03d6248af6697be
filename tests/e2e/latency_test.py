"""scripts/uring_latency.bt against a running server."""
import os
import pathlib
import re
import shutil
import signal

import pytest

import programs
from conftest import require, require_features

SCRIPT = pathlib.Path(os.environ["RINGECHO_SCRIPTS"]) / "uring_latency.bt"

MOUNT = "[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing"

pytestmark = [
    pytest.mark.skipif(not shutil.which("bpftrace"), reason="no bpftrace here (Debian: bpftrace)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing takes root"),
]


def end(tracer):
    """bpftrace 0.17 forgets a Ctrl-C that comes when it is not just waiting for events."""
    tracer.signal(signal.SIGINT)
    for _ in range(programs.PATIENCE_S // 5):
        try:
            tracer.wait_for("^@", patience_s=5)
            return
        except AssertionError:
            if tracer.process.poll() is not None:
                return
            tracer.signal(signal.SIGINT)


@pytest.fixture
def traced(mounts, started, start_server, run_load):
    """traced(features) -> what the script shows of a server that was under load."""
    def run(features):
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
        end(tracer)
        return tracer.wait().out
    return run


def counts(name, shown):
    found = re.findall(rf"^@{name}\[(\w+)\]: (\d+)$", shown, re.MULTILINE)
    return {operation: int(count) for operation, count in found}


@pytest.mark.parametrize("features, receive, send", [("best", "RECV", "SEND"),
                                                     ("baseline", "READ_FIXED", "WRITE_FIXED")])
def test_the_operations_of_a_server_are_shown(features, receive, send, traced):
    shown = traced(features)
    completions = counts("completions", shown)
    assert completions[send] > 1_000 and completions[receive] > 1_000, shown
    assert f"@submit_to_complete_ns[{send}]:" in shown, shown
    assert f"@wake_to_complete_ns[{receive}]:" in shown, shown
    assert "notif" not in shown, shown


def test_a_zero_copy_send_has_one_result_and_a_notification(traced, run):
    """The notification's result is no error, though loopback's, which says "copied", is below 0."""
    require_features("+send_zc", run)
    shown = traced("+send_zc")
    results = counts("completions", shown)["SEND_ZC"]
    notifications = counts("notifications", shown)["SEND_ZC"]
    assert results > 1_000, shown
    # At the edges of what was watched one comes without the other.
    assert abs(results - notifications) < 50, shown
    assert counts("copied", shown).get("SEND_ZC", 0) <= notifications, shown
    assert "SEND_ZC" not in counts("failed", shown), shown
    assert "@submit_to_complete_ns[SEND_ZC]:" in shown, shown
    assert "@submit_to_notify_ns[SEND_ZC]:" in shown, shown
