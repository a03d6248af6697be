"""What makes numbers unreliable on this machine, and the commands that would mend it.

Nothing is changed. Everything is read below a root folder, so that tests can bring their own.
"""
import collections
import pathlib
import time

from bench import units

# `fix`: commands, not run; empty where no command helps. `text` is one line.
Warning_ = collections.namedtuple("Warning_", "id text fix")

# Descriptors of a program besides its connections: rings, listeners, libraries, files.
DESCRIPTORS_BESIDES = 64

BACKLOG = 4096  # the server's default

GOOD_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "stp", "xen")

BUSY_SHARE = 0.10  # of the CPUs that are used
STEAL_SHARE = 0.005


class Machine:
    """Files of /proc and /sys below `root`; what is not there is None or empty."""

    def __init__(self, root="/"):
        self.root = pathlib.Path(root)

    def text(self, path):
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def number(self, path):
        try:
            return int(self.text(path))
        except (TypeError, ValueError):
            return None

    def processes(self):
        """[(pid, name)]; the kernel cuts names to 15 characters."""
        found = []
        for path in self.root.glob("proc/[0-9]*/comm"):
            name = self.text(path.relative_to(self.root))
            if name:
                found.append((int(path.parent.name), name))
        return sorted(found)

    def open_files_hard(self):
        """The hard limit on descriptors of this process; None is unlimited or unknown."""
        for line in (self.text("proc/self/limits") or "").splitlines():
            if line.startswith("Max open files"):
                hard = line.split()[4]
                return int(hard) if hard.isdigit() else None
        return None

    def cpu_times(self):
        """{cpu: (all, idle, stolen)} in ticks."""
        found = {}
        for line in (self.text("proc/stat") or "").splitlines():
            words = line.split()
            if words and words[0].startswith("cpu") and words[0] != "cpu":
                # user nice system idle iowait irq softirq steal; guest is part of user
                ticks = [int(word) for word in words[1:9]] + [0] * (9 - len(words))
                found[int(words[0][3:])] = sum(ticks), ticks[3] + ticks[4], ticks[7]
        return found


# With direct descriptors each thread has room for as many connections as the process has
# descriptors. The kernel spreads clients over threads unevenly: of the room so much is used.
ROOM, USED = 8, 5


def beyond_descriptors(machine, connections):
    """Whether so many connections take direct descriptors."""
    hard = machine.open_files_hard()
    return hard is not None and connections + DESCRIPTORS_BESIDES > hard


def threads_for(machine, connections):
    """How many threads carry so many connections with direct descriptors."""
    return -(-connections * ROOM // (USED * machine.open_files_hard()))


def too_many_connections(machine, connections, threads=0):
    """Why so many connections cannot be, or None. `threads`: that have direct descriptors."""
    if not beyond_descriptors(machine, connections) or \
            threads_for(machine, connections) <= threads:
        return None
    hard = machine.open_files_hard()
    each = f" for each of {units.count(threads, 'thread')}" if threads else ""
    return (f"needs {connections + DESCRIPTORS_BESIDES} descriptors, the hard limit is {hard}"
            f"{each} (ulimit -Hn, LimitNOFILE=)")


def _frequency(machine, cpus):
    folder = "sys/devices/system/cpu"
    governors = {cpu: machine.text(f"{folder}/cpu{cpu}/cpufreq/scaling_governor") for cpu in cpus}
    slow = sorted({name for name in governors.values() if name and name != "performance"})
    if slow:
        yield Warning_("governor", f"the CPU frequency governor is {', '.join(slow)}", [
            f"echo performance | sudo tee /{folder}/cpu*/cpufreq/scaling_governor"])
    if machine.text(f"{folder}/intel_pstate/no_turbo") == "0":
        yield Warning_("turbo", "turbo is on: the frequency depends on heat and on other cores", [
            f"echo 1 | sudo tee /{folder}/intel_pstate/no_turbo"])
    elif machine.text(f"{folder}/cpufreq/boost") == "1":
        yield Warning_("turbo", "boost is on: the frequency depends on heat and on other cores", [
            f"echo 0 | sudo tee /{folder}/cpufreq/boost"])
    throttled = sum(machine.number(f"{folder}/cpu{cpu}/thermal_throttle/core_throttle_count") or 0
                    for cpu in cpus)
    if throttled:
        yield Warning_("thermal", f"CPUs were slowed down for heat {throttled:,} times since the "
                                  "boot", [])


def _of_the_layout(note):
    """What cpus.py has to say. Two threads of one core can be mended; one CPU cannot."""
    return Warning_("cpus", note, ["echo off | sudo tee /sys/devices/system/cpu/smt/control"]
                    if "hyperthreads" in note else [])


def _clock(machine):
    folder = "sys/devices/system/clocksource/clocksource0"
    clock = machine.text(f"{folder}/current_clocksource")
    if clock and clock not in GOOD_CLOCKS:
        offered = (machine.text(f"{folder}/available_clocksource") or "").split()
        better = next((name for name in GOOD_CLOCKS if name in offered), None)
        yield Warning_("clocksource", f"the clock source is {clock}, reading the time is slow", [
            f"echo {better} | sudo tee /{folder}/current_clocksource"] if better else [])


def _company(machine):
    processes = machine.processes()
    if any(name == "irqbalance" for _, name in processes):
        yield Warning_("irqbalance", "irqbalance moves interrupts between CPUs",
                       ["sudo systemctl stop irqbalance"])
    for pid, name in processes:
        if name in ("ringecho-server", "ringecho-load"):
            yield Warning_("company", f"another {name} is running (pid {pid}); it will disturb the "
                                      "measurement", [f"kill {pid}"])


def _limits(machine, connections, threads, cpu_count):
    why = too_many_connections(machine, connections, threads)
    if why:
        yield Warning_("descriptors", f"{units.count(connections, 'connection')}: {why}",
                       [f"ulimit -n {connections + DESCRIPTORS_BESIDES}"])
    wanted = min(connections, BACKLOG)
    somaxconn = machine.number("proc/sys/net/core/somaxconn")
    if somaxconn is not None and somaxconn < wanted:
        yield Warning_("somaxconn", f"net.core.somaxconn is {somaxconn}: of so many connects at "
                                    "once some are tried again",
                       [f"sudo sysctl -w net.core.somaxconn={BACKLOG}"])
    quota = (machine.text("sys/fs/cgroup/cpu.max") or "").split()
    if len(quota) == 2 and quota[0] != "max" and int(quota[0]) < int(quota[1]) * cpu_count:
        yield Warning_("cgroup", f"the cgroup may use {int(quota[0]) / int(quota[1]):g} CPUs, "
                                 f"{cpu_count} are wanted: it is stopped when they are used up", [])


def _ports(machine, connections):
    """On loopback the load generator spreads over 127.0.0.0/8; to another machine it has one
    address and so one range of ports."""
    words = (machine.text("proc/sys/net/ipv4/ip_local_port_range") or "").split()
    if len(words) == 2 and int(words[1]) - int(words[0]) + 1 < connections:
        yield Warning_("ports", f"{int(words[1]) - int(words[0]) + 1:,} local ports for "
                                f"{connections:,} connections",
                       ['sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"'])


def _memory(machine):
    values = {}
    for line in (machine.text("proc/meminfo") or "").splitlines():
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[1].isdigit():
            values[words[0]] = int(words[1])
    used = values.get("SwapTotal", 0) - values.get("SwapFree", 0)
    if used > 0:
        yield Warning_("swap", f"{used / 1024:,.0f} MiB are swapped out; a page that comes back "
                               "takes milliseconds", ["sudo swapoff -a"])


def _activity(before, after, cpus):
    """What the CPUs did while this process slept."""
    passed = {cpu: [new - old for new, old in zip(after[cpu], before[cpu])]
              for cpu in after if cpu in before}
    ours = [passed[cpu] for cpu in cpus if cpu in passed and passed[cpu][0] > 0]
    total = sum(ticks for ticks, _, _ in ours)
    if not total:
        return
    stolen = sum(steal for _, _, steal in ours) / total
    busy = 1 - sum(idle for _, idle, _ in ours) / total - stolen
    if busy > BUSY_SHARE:
        yield Warning_("busy", f"the CPUs to be used are {busy:.0%} busy with something else",
                       ["top"])
    if stolen > STEAL_SHARE:
        yield Warning_("steal", f"the hypervisor took {stolen:.1%} of the CPU time; other guests "
                                "want the same CPUs", [])


def _load_average(machine, cpu_count):
    words = (machine.text("proc/loadavg") or "").split()
    if words and float(words[0]) > cpu_count / 4 + 0.5:
        yield Warning_("load", f"the machine was busy in the last minute (load average {words[0]})",
                       ["uptime"])


def check(machine, cpus, notes, connections, *, threads=0, remote=False, average=True,
          sleep=time.sleep):
    """Everything that is wrong, in the order in which it is worth mending.

    cpus: to be used. notes: of the CPU layout. connections: the most there will be at once.
    threads: that carry them with direct descriptors in every cell, if any do.
    remote: the other end is another machine. average: the load average counts; not so when it is
    our own build that made it high. Takes a second, in which nothing of ours must be running.
    """
    cpus = sorted(cpus)
    before = machine.cpu_times()
    sleep(1.0)
    after = machine.cpu_times()
    found = list(_company(machine))
    found += _activity(before, after, cpus)
    if average:
        found += _load_average(machine, len(cpus))
    found += _frequency(machine, cpus)
    found += [_of_the_layout(note) for note in notes]
    found += _clock(machine)
    found += _limits(machine, connections, threads, len(cpus))
    if remote:
        found += _ports(machine, connections)
    found += _memory(machine)
    return found


def identity(machine):
    """({what one series must not mix}, boot id): equal on the same machine under the same kernel.

    Tells no names or numbers that would identify the machine to others.
    """
    processor, memory = ((machine.text(f"proc/{name}") or "").splitlines()
                         for name in ("cpuinfo", "meminfo"))
    model = next((line.split(":", 1)[1].strip() for line in processor
                  if line.startswith(("model name", "CPU part"))), None)
    total_kib = next((int(line.split()[1]) for line in memory if line.startswith("MemTotal")), 0)
    return {
        "kernel": f"{machine.text('proc/sys/kernel/osrelease')} "
                  f"{machine.text('proc/sys/kernel/version')}",
        "cpu": model,
        "cpus": len(machine.cpu_times()),
        "memory_gib": round(total_kib / (1 << 20)),
    }, machine.text("proc/sys/kernel/random/boot_id")
