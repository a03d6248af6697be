"""The pure parts of run_bench.sh: command line, scenarios, matrix, CPU layout, preflight."""
import collections
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.environ["RINGECHO_SCRIPTS"])
from bench import (cpus, matrix, options, preflight, progress, runner, scenario,  # noqa: E402
                   series, servers, settings, units)


def settings_of(*arguments):
    given = options.parse(list(arguments))
    return settings.from_scenario(scenario.by_name(given.scenario or "engines"), given.overrides)


# --- numbers and the command line ---

@pytest.mark.parametrize("text, value", [("1", 1), ("64", 64), ("10k", 10_000), ("2m", 2_000_000)])
def test_counts(text, value):
    assert units.whole(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "k", "10K", "1 k", "99999999", "9999999k"])
def test_counts_that_are_none(text):
    with pytest.raises(units.Bad):
        units.whole(text)


def test_sizes_are_binary_and_written_as_they_are_read():
    for text, value in (("64", 64), ("4k", 4_096), ("1m", 1 << 20), ("1000", 1_000)):
        assert units.size(text) == value
        assert units.size_text(value) == text


def test_times_are_written_as_they_are_read():
    for text, value in (("500ms", 500), ("4s", 4_000), ("1500ms", 1_500)):
        assert units.time_ms(text) == value
        assert units.time_text(value) == text
    assert units.time_ms("2m") == 120_000
    assert units.time_ms("5") == 5_000


@pytest.mark.parametrize("text, cpus_", [("", []), ("3", [3]), ("0,2-4", [0, 2, 3, 4])])
def test_cpu_lists(text, cpus_):
    assert units.cpu_list(text) == cpus_


@pytest.mark.parametrize("seconds, text", [
    (0.2, "1 s"), (44, "44 s"), (300, "5 min"), (7_500, "2 h 5 min")])
def test_time_left(seconds, text):
    assert units.seconds_left(seconds) == text


def test_options_take_the_place_of_the_scenarios():
    found = settings_of("sizes", "--connections=1,2k", "--size", "64, 4k", "--duration", "2s",
                        "--label", "a=b", "--label", "c=d=e")
    assert found.scenario == "sizes"
    assert found.axes == {"engine": ["io_uring", "epoll"], "connections": [1, 2_000],
                          "size_bytes": [64, 4_096], "depth": [1], "threads": [1],
                          "features": ["best"], "wait": ["block"],
                          "buffer_size_bytes": ["default"]}
    assert (found.duration_ms, found.warmup_ms) == (2_000, 400)
    assert found.labels == ["a=b", "c=d=e"]
    # A warm-up that is named stays, wherever it stands.
    assert settings_of("--warmup", "0s", "--duration", "2s").warmup_ms == 0
    assert settings_of("--warmup", "1s").duration_ms == settings_of().duration_ms


def test_sessions_take_the_place_of_a_duration():
    found = settings_of("--sessions", "10k", "--messages", "3", "--connections", "64")
    assert (found.sessions, found.messages, found.duration_ms, found.warmup_ms) == (10_000, 3, 0, 0)
    assert settings_of("churn").messages == 1
    assert settings_of().sessions == 0
    runs = [{"cell": run.cell, "seconds": None} for run in matrix.runs(found)[:1]]
    assert progress.run_text(found) == "10,000 sessions"
    # Guessed, and then as the others took.
    assert 1 < progress.estimate_s(found, runs, runs) < 2
    made = [{"cell": runs[0]["cell"], "seconds": 7.0}]
    assert progress.estimate_s(found, made, runs) == pytest.approx(7.0)


def test_features_that_go_together_are_run_together():
    found = settings_of("features", "--features", "best,-recv_bundle+incremental_buffers,minimal")
    assert found.axes["features"] == ["best", "-recv_bundle,+incremental_buffers", "minimal"]
    for wrong in ("+", "best-", "Best", "a b"):
        with pytest.raises(units.Bad):
            scenario.features(wrong)


@pytest.mark.parametrize("arguments, vary, base", [
    (["--features", "best,minimal"], "features", "epoll"),
    (["--features", "best,minimal", "--engines", "io_uring"], "features", "best"),
    (["--features", "best,minimal", "--engines", "epoll"], "engine", "epoll"),
    (["--features", "minimal"], "engine", "epoll"),
    (["wait", "--features", "best,minimal"], "wait", "block")])
def test_several_features_are_what_is_compared(arguments, vary, base):
    found = settings_of(*arguments)
    assert (found.vary, found.base) == (vary, base)


def test_buffers_have_a_size_or_the_engines_own():
    assert settings_of("--buffer-size", "default,64k").axes["buffer_size_bytes"] == [
        "default", 65_536]
    for wrong in ("usual", "0", "4kb"):
        with pytest.raises(units.Bad):
            scenario.buffer_size(wrong)


def test_quick_is_a_scenario():
    assert settings_of("--quick") == settings_of("quick")


# --- scenarios ---

@pytest.mark.parametrize("name", scenario.NAMES)
def test_every_scenario_can_be_read_and_asks_a_question(name):
    found = scenario.by_name(name)
    assert len(found.title) <= 60 and len(scenario.list_lines()[0]) <= 80
    # Features are compared with each other and with epoll, which has none.
    assert found.base in found.axes["engine" if found.vary == "features" else found.vary]
    first = (scenario.FOLDER / f"{name}.ini").read_text().split("[scenario]")[0]
    assert first.startswith("# ") and "?" in first


def test_epoll_is_measured_once_beside_many_features():
    axes = {"engine": ["io_uring", "epoll"], "connections": [1, 2], "features": ["best", "minimal"]}
    found = [(cell["connections"], cell["engine"], cell["features"])
             for _, cell in matrix.ordered(axes, "features", 2, "interleaved", None)]
    once = [("io_uring", "best"), ("io_uring", "minimal"), ("epoll", "best")]
    assert found == [(count, *cell) for count in (1, 2) for cell in once] + [
        (count, *cell) for count in (1, 2) for cell in reversed(once)]


def test_every_scenario_file_is_listed():
    assert {path.stem for path in scenario.FOLDER.iterdir()} == set(scenario.NAMES)


def smallest_p(repeats):
    """Of a Mann-Whitney test of `repeats` against as many, two-sided."""
    ways = 1
    for i in range(repeats):
        ways = ways * (2 * repeats - i) // (i + 1)
    return 2 / ways


def sides_of(found):
    """What a scenario compares within itself; features with epoll, too, which has none."""
    values = found.axes[found.vary]
    return len(values) + (found.vary == "features" and "epoll" in found.axes["engine"])


@pytest.mark.parametrize("name", sorted(set(scenario.NAMES) - {"quick"}))
def test_a_verdict_is_possible_with_the_repeats_of_a_scenario(name):
    """Holm's correction counts every finding: three metrics of each cell and each side but the
    base. So results that do not overlap at all have to have a p below alpha over that number."""
    found = scenario.by_name(name)
    cells, sides = len(matrix.cells(found.axes, found.vary)), sides_of(found)
    assert cells % sides == 0
    within = 3 * cells // sides * (sides - 1)
    before_and_after = 3 * cells
    assert smallest_p(found.repeats) < 0.05 / max(within, before_and_after)


def test_the_default_takes_about_five_minutes_and_quick_less_than_one():
    for name, limit in (("engines", 330), ("quick", 60)):
        found = settings_of(name)
        runs = [{"cell": run.cell, "seconds": None} for run in matrix.runs(found)]
        assert progress.estimate_s(found, runs, runs) < limit


@pytest.mark.parametrize("broken", [
    "", "[scenario]", "nonsense", "[scenario]\ntitle = %(x)s\n[axes]\nengines = kqueue"])
def test_a_broken_scenario_is_named(tmp_path, broken):
    (tmp_path / "mine.ini").write_text(broken)
    with pytest.raises(scenario.Broken, match="mine.ini"):
        scenario.read(tmp_path / "mine.ini")


@pytest.mark.parametrize("was, now, said", [
    ("repeats", "repeat", "unknown key repeat"), ("[axes]\n", "[axes]\ncolour = x\n", "colour"),
    ("duration = 4s", "duration = 4h", '"4h"'), ("epoll\n", "kqueue\n", '"kqueue"')])
def test_what_is_wrong_in_a_scenario_is_named(tmp_path, was, now, said):
    text = (scenario.FOLDER / "engines.ini").read_text()
    (tmp_path / "mine.ini").write_text(text.replace(was, now))
    with pytest.raises(scenario.Broken, match=said):
        scenario.read(tmp_path / "mine.ini")


# --- the matrix and its order ---

AXES = {"engine": ["io_uring", "epoll"], "connections": [1, 64], "size_bytes": [64],
        "depth": [1, 8], "threads": [1]}


def test_cells_are_every_combination_with_the_sides_next_to_each_other():
    cells = matrix.cells(AXES, "engine")
    assert len(cells) == 8 and all(list(cell) == list(AXES) for cell in cells)
    for ours, theirs in zip(cells[::2], cells[1::2]):
        assert ours["engine"] == "io_uring" and theirs == {**ours, "engine": "epoll"}


def test_interleaved_is_a_b_b_a_across_all_cells():
    plan = matrix.ordered(AXES, "engine", 3, "interleaved", None)
    assert [cell["engine"] for _, cell in plan] == \
        4 * ["io_uring", "epoll"] + 4 * ["epoll", "io_uring"] + 4 * ["io_uring", "epoll"]
    for repeat in range(3):
        turn = plan[8 * repeat:8 * repeat + 8]
        assert {number for number, _ in turn} == {repeat}
        assert [cell["connections"] for _, cell in turn] == \
            [cell["connections"] for _, cell in plan[:8]]


def test_shuffled_visits_every_cell_once_per_repeat_and_the_seed_tells_how():
    plan = matrix.ordered(AXES, "engine", 4, "shuffled", 7)
    assert plan == matrix.ordered(AXES, "engine", 4, "shuffled", 7)
    assert plan != matrix.ordered(AXES, "engine", 4, "shuffled", 8)
    turns = [plan[8 * repeat:8 * repeat + 8] for repeat in range(4)]
    every = sorted(map(str, matrix.cells(AXES, "engine")))
    for turn in turns:
        assert sorted(str(cell) for _, cell in turn) == every
    assert len({str([cell for _, cell in turn]) for turn in turns}) == 4


def test_runs_are_numbered_and_named_after_what_varies():
    found = settings_of("--depth", "1,8", "--connections", "64", "--repeats", "2")
    runs = matrix.runs(found)
    assert [run.order_index for run in runs] == list(range(8))
    assert runs[0].name == "000-io_uring-c64-d1-r0" and runs[-1].name == "007-io_uring-c64-d8-r1"
    assert len({run.name for run in runs}) == 8


def test_a_series_is_the_same_when_it_is_read_again():
    found = settings_of("threads", "--order", "shuffled", "--seed", "3", "--label", "a=b",
                        "--loader-threads", "2")
    document = series.new("id", found, matrix.runs(found), "now")
    assert series.settings_of(document, None) == found
    assert [run["name"] for run in document["runs"]] == \
        [run.name for run in matrix.runs(series.settings_of(document, None))]


def test_a_series_is_written_whole_or_not_at_all(tmp_path):
    found = settings_of()
    document = series.new("id", found, matrix.runs(found), "now")
    series.write(tmp_path, document)
    with pytest.raises(TypeError):
        series.write(tmp_path, {"schema": "ringecho.series", "other": object()})
    assert series.read(tmp_path) == document


def test_differing_options_are_found():
    found = settings_of()
    assert settings.differing(found, {"repeats": 7, "connections": [1, 64, 1_000, 10_000]}) is None
    assert settings.differing(found, {"repeats": 7, "connections": [1]}) == "connections"
    assert options.option_of("size_bytes") == "--size"


# --- how long it takes ---

def run_of(connections, seconds=None):
    return {"cell": {"connections": connections}, "seconds": seconds}


def test_the_estimate_learns_from_runs_with_as_many_connections():
    found = settings_of("--duration", "4s", "--warmup", "1s")
    made = [run_of(1, 5.5), run_of(1, 5.7), run_of(1, 9.0), run_of(10_000, 8.0)]
    assert progress.estimate_s(found, made, [run_of(1)]) == pytest.approx(5.7)
    assert progress.estimate_s(found, made, [run_of(10_000), run_of(1)]) == pytest.approx(13.7)
    assert progress.estimate_s(found, made, []) == 0
    # Nothing known yet, or not of so many.
    assert progress.estimate_s(found, [], [run_of(1)]) > 5
    assert progress.estimate_s(found, made[:3], [run_of(10_000)]) > 5.7


# --- who runs where ---

def topology(cores, siblings=1, nodes=1, allowed=None):
    """CPU i and CPU i + cores are of one core, as Linux numbers them on x86."""
    every = range(cores * siblings)
    return cpus.Topology([cpu for cpu in every if allowed is None or cpu in allowed],
                         {cpu: cpu % cores for cpu in every},
                         {cpu: f"node{cpu % cores * nodes // cores}" for cpu in every})


def layout(where, *arguments, threads=1):
    found = cpus.lay_out(where, settings_of(*arguments), threads)
    return found.server, found.loader


@pytest.mark.parametrize("where, threads, server, loader", [
    (topology(2), 1, [1], [0]),
    (topology(4), 1, [3], [0, 1, 2]),
    (topology(4), 2, [2, 3], [0, 1]),
    (topology(4), 3, [1, 2, 3], [0]),
    (topology(8), 1, [7], [0, 1, 2]),
    (topology(8), 2, [6, 7], [0, 1, 2, 3, 4, 5]),
    # Hyperthreads: the server's twin stays empty, the loader has cores of its own first.
    (topology(4, 2), 1, [3], [0, 1, 2]),
    (topology(2, 2), 1, [1], [0, 2]),
    (topology(3, 2), 1, [2], [0, 1, 3]),
    (topology(3, 2), 2, [1, 2], [0, 3]),
    # More threads than cores to spare: twins of the server's own cores.
    (topology(2, 2), 2, [1, 3], [0, 2]),
    (topology(4, allowed=[1, 2]), 1, [2], [1]),
    # The server's node first, but for the rest.
    (topology(8, nodes=2), 1, [7], [4, 5, 6]),
])
def test_layout(where, threads, server, loader):
    assert layout(where, threads=threads) == (server, loader)


def test_one_core_with_two_hyperthreads_is_better_than_none_and_told():
    found = cpus.lay_out(topology(1, 2), settings_of(), 1)
    assert (found.server, found.loader) == ([1], [0])
    assert any("hyperthreads of one core" in note for note in found.notes)


def test_one_cpu_is_shared_and_told_before():
    found = cpus.lay_out(topology(1), settings_of(), 1)
    assert (found.server, found.loader) == ([], [])
    assert "only one CPU" in found.notes[0]


@pytest.mark.parametrize("where, threads", [
    (topology(4), 4), (topology(1), 2), (topology(1, 2), 2)])
def test_threads_that_do_not_fit(where, threads):
    with pytest.raises(cpus.Impossible, match="do not fit"):
        cpus.lay_out(where, settings_of(), threads)


def test_threads_that_may_share_cpus_always_fit():
    for where, threads, server, loader in (
            (topology(4), 8, [3], [0, 1, 2]), (topology(8), 8, [6, 7], [0, 1, 2, 3, 4, 5]),
            (topology(1), 8, [], []), (topology(32), 8, list(range(24, 32)), list(range(24)))):
        found = cpus.lay_out(where, settings_of("c100k"), threads)
        assert (found.server, found.loader) == (server, loader)
    found = cpus.lay_out(topology(4), settings_of("c100k", "--server-cpus", "0,1",
                                                  "--loader-cpus", "2", "--loader-threads", "8"), 8)
    assert (found.server, found.loader) == ([0, 1], [2])


def test_cpus_can_be_chosen():
    assert layout(topology(4), "--server-cpus", "0-1") == ([0], [1, 2, 3])
    assert layout(topology(4), "--server-cpus", "0-1", threads=2) == ([0, 1], [2, 3])
    assert layout(topology(4), "--loader-cpus", "3") == ([2], [3])
    assert layout(topology(4), "--server-cpus", "2", "--loader-cpus", "0") == ([2], [0])
    assert layout(topology(8), "--loader-threads", "1") == ([7], [0])
    shared = cpus.lay_out(topology(4), settings_of("--server-cpus", "2", "--loader-cpus", "1-2"), 1)
    assert any("share CPUs" in note for note in shared.notes)


def test_to_another_machine_all_cpus_are_the_loaders():
    found = cpus.lay_out(topology(4), settings_of("--connect", "host:7"), 1)
    assert (found.server, found.loader) == ([], [0, 1, 2, 3])


def test_no_more_loader_threads_than_connections_or_cpus():
    found = cpus.lay_out(topology(8), settings_of(), 1)
    assert cpus.loader_threads(settings_of(), found, 1) == 1
    assert cpus.loader_threads(settings_of(), found, 1_000) == 3
    assert cpus.loader_threads(settings_of("--loader-threads", "2"), found, 1_000) == 2


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")


def test_topology_is_read_and_affinity_respected(tmp_path):
    for cpu in range(4):
        write(tmp_path, {f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list":
                         "0,2" if cpu % 2 == 0 else "1,3",
                         f"sys/devices/system/cpu/cpu{cpu}/node{cpu % 2}/x": ""})
    found = cpus.read_topology(tmp_path, {1, 2, 3})
    assert found.allowed == [1, 2, 3]
    assert found.core_of == {1: 1, 2: 0, 3: 1}
    assert found.node_of == {1: "node1", 2: "node0", 3: "node1"}
    # Where the kernel tells nothing every CPU is a core.
    assert cpus.read_topology(tmp_path / "nothing", {5, 6}).core_of == {5: 5, 6: 6}


# --- preflight ---

# A machine of two CPUs on which nothing is wrong.
GOOD = {
    "proc/loadavg": "0.02 0.01 0.00 1/99 1234",
    "proc/1/comm": "systemd",
    "proc/self/limits": "Limit   Soft Limit   Hard Limit   Units\n"
                        "Max open files            1024                 20000                files",
    "proc/sys/net/core/somaxconn": "4096",
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999",
    "proc/meminfo": "MemTotal: 16000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 1000000 kB",
    "sys/fs/cgroup/cpu.max": "max 100000",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "0",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm",
}


def stat(busy=0, idle=0, steal=0):
    ticks = f"{1000 + busy} 0 0 {5000 + idle} 0 0 0 {steal} 0 0"
    return "\n".join(["cpu 1 2 3 4 5 6 7 8 0 0", f"cpu0 {ticks}", f"cpu1 {ticks}", "intr 9"])


def layout_notes(where):
    return cpus.lay_out(where, settings_of(), 1).notes


def checked(root, changed=None, second=None, **keywords):
    """Warnings of the good machine with changed files; `second`: what its CPUs do meanwhile."""
    write(root, {**GOOD, "proc/stat": stat(), **(changed or {})})

    def sleep(_):
        (root / "proc/stat").write_text(stat(**(second or {"idle": 100})))

    keywords.setdefault("connections", 10_000)
    return preflight.check(preflight.Machine(root), {0, 1}, [], sleep=sleep, **keywords)


def test_a_good_machine_has_no_warnings(tmp_path):
    assert checked(tmp_path) == []


def test_a_machine_that_tells_nothing_has_no_warnings(tmp_path):
    assert preflight.check(preflight.Machine(tmp_path), {0}, [], 10, sleep=lambda _: None) == []


CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0"


@pytest.mark.parametrize("changed, name, said, fix", [
    ({f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave"}, "governor", "powersave",
     "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"),
    ({f"{CPU}/intel_pstate/no_turbo": "0"}, "turbo", "turbo is on", "echo 1 | sudo tee"),
    ({f"{CPU}/intel_pstate/no_turbo": "", f"{CPU}/cpufreq/boost": "1"}, "turbo", "boost is on",
     "echo 0 | sudo tee"),
    ({f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "12"}, "thermal", "12 times", ""),
    ({"proc/77/comm": "irqbalance"}, "irqbalance", "interrupts", "systemctl stop irqbalance"),
    ({"proc/78/comm": "ringecho-server"}, "company", "another ringecho-server is running (pid 78)",
     "kill 78"),
    ({"proc/loadavg": "3.50 2.00 1.00 1/99 1234"}, "load", "3.50", "uptime"),
    ({"proc/self/limits": "Max open files  1024  4096  files"}, "descriptors",
     "needs 10064 descriptors, the hard limit is 4096", "ulimit -n 10064"),
    ({"proc/sys/net/core/somaxconn": "128"}, "somaxconn", "128", "net.core.somaxconn=4096"),
    ({"proc/meminfo": "SwapTotal: 1000000 kB\nSwapFree: 795200 kB"}, "swap", "200 MiB",
     "sudo swapoff -a"),
    ({"sys/fs/cgroup/cpu.max": "150000 100000"}, "cgroup", "1.5 CPUs, 2 are wanted", ""),
    ({f"{CLOCK}/current_clocksource": "hpet"}, "clocksource", "hpet", "echo tsc | sudo tee"),
    ({f"{CLOCK}/current_clocksource": "hpet", f"{CLOCK}/available_clocksource": "hpet"},
     "clocksource", "hpet", ""),
])
def test_what_is_wrong_is_told_with_the_command_that_mends_it(tmp_path, changed, name, said, fix):
    (warning,) = checked(tmp_path, changed)
    assert warning.id == name and said in warning.text and "\n" not in warning.text
    assert any(fix in command for command in warning.fix) if fix else warning.fix == []


@pytest.mark.parametrize("second, name, said", [
    ({"busy": 30, "idle": 70}, "busy", "30% busy"), ({"idle": 97, "steal": 3}, "steal", "3.0%")])
def test_what_happens_meanwhile_is_measured(tmp_path, second, name, said):
    (warning,) = checked(tmp_path, second=second)
    assert warning.id == name and said in warning.text


def test_hyperthreads_are_switched_off_by_a_command_and_one_cpu_is_not(tmp_path):
    write(tmp_path, {**GOOD, "proc/stat": stat()})
    for where, fix in ((topology(1, siblings=2), ["echo off | sudo tee /" + CPU + "/smt/control"]),
                       (topology(1), [])):
        (warning,) = preflight.check(preflight.Machine(tmp_path), {0}, layout_notes(where), 10,
                                     sleep=lambda _: None)
        assert (warning.id, warning.fix) == ("cpus", fix)


def test_the_kvm_clock_is_good(tmp_path):
    assert checked(tmp_path, {f"{CLOCK}/current_clocksource": "kvm-clock"}) == []


def test_ports_matter_only_to_another_machine(tmp_path):
    few = {"proc/sys/net/ipv4/ip_local_port_range": "60000\t60999"}
    assert checked(tmp_path, few) == []
    (warning,) = checked(tmp_path, few, remote=True)
    assert warning.id == "ports" and "1,000 local ports for 10,000" in warning.text


def test_a_build_of_ours_is_no_reason_to_doubt_the_machine(tmp_path):
    busy = {"proc/loadavg": "9.00 2.00 1.00 1/99 1234"}
    assert checked(tmp_path, busy, average=False) == []


def test_limits_are_those_of_what_is_asked_for(tmp_path):
    few = {"proc/self/limits": "Max open files  1024  4096  files"}
    assert checked(tmp_path, few, connections=4_032) == []
    assert [warning.id for warning in checked(tmp_path, few, connections=4_033)] == ["descriptors"]
    unlimited = {"proc/self/limits": "Max open files  1024  unlimited  files"}
    assert checked(tmp_path, unlimited, connections=4_000_000) == []


def plan_of(root, *arguments):
    """On 4 CPUs, with 20,000 descriptors."""
    write(root, {**GOOD, "proc/self/limits": "Max open files  1024  20000  files"})
    return runner.Plan(settings_of("c100k", *arguments), topology(4), preflight.Machine(root))


@pytest.mark.parametrize("arguments, carried", [
    ([], True), (["--threads", "7"], False), (["--features", "minimal"], False),
    (["--features", "baseline+direct_descriptors"], True), (["--loader-threads", "7"], False),
    (["--loader-engine", "epoll"], False), (["--connections", "100001"], False)])
def test_each_thread_of_io_uring_carries_the_limit(tmp_path, arguments, carried):
    plan = plan_of(tmp_path, "--engines", "io_uring", *arguments)
    assert (plan.why_skipped(plan.runs[0].cell) is None) == carried
    found = preflight.check(preflight.Machine(tmp_path), {0}, [], plan.most_connections(),
                            threads=plan.fewest_carriers(), sleep=lambda _: None)
    assert [warning.id for warning in found] == ([] if carried else ["descriptors"])


def test_what_goes_beyond_descriptors_gets_room_and_threads(tmp_path):
    plan = plan_of(tmp_path)
    ours, theirs = plan.runs[0], plan.runs[1]
    assert "20000 (" in plan.why_skipped(theirs.cell)  # epoll
    assert "--max-connections 160000" in " ".join(plan.server_options(ours))
    assert "-t 8" in " ".join(plan.load_options(ours, "host:7", "x"))
    few = plan_of(tmp_path, "--connections", "10k").runs[0]
    assert "--max-connections" not in plan.server_options(few)
    assert "-t 3" in " ".join(plan.load_options(few, "host:7", "x"))


def test_a_machine_is_known_again_but_not_by_name(tmp_path):
    write(tmp_path, {**GOOD, "proc/stat": stat(),
                     "proc/cpuinfo": "processor: 0\nmodel name\t: Fast",
                     "proc/sys/kernel/osrelease": "6.1.0", "proc/sys/kernel/version": "#1 SMP",
                     "proc/sys/kernel/random/boot_id": "b-o-o-t"})
    assert preflight.identity(preflight.Machine(tmp_path)) == (
        {"kernel": "6.1.0 #1 SMP", "cpu": "Fast", "cpus": 2, "memory_gib": 15}, "b-o-o-t")


# --- servers elsewhere ---

Host = collections.namedtuple("Host", "host port")


@pytest.mark.parametrize("text, host, port, listen", [
    ("host", "host", None, "0.0.0.0:0"), ("host:7", "host", 7, "0.0.0.0:7"),
    ("10.0.0.2", "10.0.0.2", None, "10.0.0.2:0"), ("10.0.0.2:7", "10.0.0.2", 7, "10.0.0.2:7"),
    ("[::1]", "[::1]", None, "[::1]:0"), ("[::1]:7", "[::1]", 7, "[::1]:7")])
def test_where_a_server_is_reached_and_listens(text, host, port, listen):
    assert Host(*servers.split_connect(text)) == (host, port)
    assert servers.listen_address(host, port) == listen


@pytest.mark.parametrize("text", ["", ":7", "host:", "host:0", "host:70000", "::1", "[::1", "a:b"])
def test_addresses_that_are_none(text):
    with pytest.raises(ValueError):
        servers.split_connect(text)


def test_arguments_reach_the_server_through_two_shells_as_they_are():
    """ssh joins its arguments with spaces and gives them to a shell; so does this."""
    words = ["--label", "a=it's $HOME; `date` & \"so\""]
    ssh = servers.fill("ssh host printf '%s\\\\n' {args}", words)
    assert ssh[:2] == ["ssh", "host"]
    held, ours = os.pipe()  # what runs there ends with its standard input
    try:
        ended = subprocess.run(["sh", "-c", " ".join(ssh[2:])], stdin=held, stdout=subprocess.PIPE,
                               text=True, check=True, timeout=30)
    finally:
        os.close(held)
        os.close(ours)
    assert ended.stdout.splitlines() == words


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_runs_elsewhere_ends_with_its_standard_input(shell):
    started = subprocess.Popen(
        servers.fill(f"{shell} -c 'echo up; {{args}}'", ["sleep", "1000"]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout.readline() == "up\n"
        assert started.poll() is None
        started.stdin.close()
        # sleep died of SIGTERM, and the shell says so.
        assert started.wait(30) == 128 + 15
    finally:
        started.kill()
        started.stdout.close()


def test_the_exit_code_of_what_runs_elsewhere_comes_back():
    started = subprocess.Popen(servers.fill("sh -c 'sh -c \"exit 3\" {args}'", []),
                               stdin=subprocess.PIPE)
    try:
        assert started.wait(30) == 3  # while its standard input is still open
    finally:
        started.kill()
        started.stdin.close()
