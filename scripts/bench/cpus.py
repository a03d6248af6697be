"""Who runs on which CPU: server and load generator apart, and not on two threads of one core."""
import collections
import os
import pathlib

from bench import units

# CPUs of the load generator for each thread of the server: verifying what comes back takes more
# than echoing it.
LOADER_CPUS_PER_SERVER_THREAD = 3

# `allowed`: CPUs this process may use (affinity and cpuset). `core_of`, `node_of`: {cpu: ...}; a
# core is named by its lowest CPU.
Topology = collections.namedtuple("Topology", "allowed core_of node_of")

# Empty lists mean "not pinned". `notes`: what is less than ideal, one line each.
Layout = collections.namedtuple("Layout", "server loader notes")


class Impossible(Exception):
    """Why so many threads cannot be placed, in one line."""


def read_topology(root="/", allowed=None):
    """allowed: for tests; otherwise what the kernel lets this process use."""
    allowed = sorted(os.sched_getaffinity(0) if allowed is None else allowed)
    core_of, node_of = {}, {}
    for cpu in allowed:
        folder = pathlib.Path(root) / f"sys/devices/system/cpu/cpu{cpu}"
        try:
            twins = units.cpu_list((folder / "topology/thread_siblings_list").read_text())
        except (OSError, units.Bad):
            twins = []
        core_of[cpu] = min(twins, default=cpu)
        node_of[cpu] = min((node.name for node in folder.glob("node[0-9]*")), default="node0")
    return Topology(allowed, core_of, node_of)


def _one_per_core_first(topology, cpus):
    """The first thread of every core, then the second ones, ..."""
    seen = collections.Counter()
    ranked = []
    for cpu in cpus:
        ranked.append((seen[topology.core_of[cpu]], cpu))
        seen[topology.core_of[cpu]] += 1
    return [cpu for _, cpu in sorted(ranked, key=lambda entry: entry[0])]


def _choose_server(topology, free, threads, shared_with_loader):
    """Cores from the last one back: interrupts usually arrive at the first."""
    cores = sorted({topology.core_of[cpu] for cpu in free}, reverse=True)
    # At least one core is left to the load generator, if there are two.
    kept = cores[:-1] if shared_with_loader and len(cores) > 1 else cores
    order = _one_per_core_first(topology, sorted(
        (cpu for cpu in free if topology.core_of[cpu] in kept),
        key=lambda cpu: (-topology.core_of[cpu], cpu)))
    most = len(order) - (1 if shared_with_loader and len(cores) == 1 else 0)
    if threads > most:
        wanted = f"{units.count(threads, 'server thread')} and the load generator"
        raise Impossible(f"{wanted} do not fit on {units.count(len(free), 'CPU')}")
    if threads == 1 and len(cores) == 1:
        return order[-1:]
    return sorted(order[:threads])


def _choose_loader(topology, free, server, most):
    taken = {topology.core_of[cpu] for cpu in server}
    nodes = {topology.node_of[cpu] for cpu in server}
    apart = [cpu for cpu in free if topology.core_of[cpu] not in taken]
    near = sorted(apart or [cpu for cpu in free if cpu not in server],
                  key=lambda cpu: (topology.node_of[cpu] not in nodes if nodes else False, cpu))
    return sorted(_one_per_core_first(topology, near)[:most])


def _check(topology, option, cpus, threads):
    missing = [cpu for cpu in cpus if cpu not in topology.allowed]
    if missing:
        raise units.Bad(f"{option}: CPU {missing[0]} cannot be used here, only "
                        f"{','.join(map(str, topology.allowed))} can")
    if len(cpus) < threads:
        raise units.Bad(f"{option}: names {units.count(len(cpus), 'CPU')} for "
                        f"{units.count(threads, 'thread')}")


def _notes(topology, server, loader):
    if set(server) & set(loader):
        yield "Server and load generator share CPUs, as asked for: they disturb each other."
    elif {topology.core_of[cpu] for cpu in server} & {topology.core_of[cpu] for cpu in loader}:
        yield "Server and load generator use two hyperthreads of one core: they disturb each other."
    for who, cpus in (("server", server), ("load generator", loader)):
        if len({topology.core_of[cpu] for cpu in cpus}) < len(cpus):
            yield f"Threads of the {who} use two hyperthreads of one core."


def _cpus_for(topology, settings, threads):
    """How many CPUs so many server threads take: one each, or, where they may share them, what
    leaves the load generator its part."""
    if not settings.share_cpus:
        return threads
    return min(threads, len(settings.server_cpus) or
               max(1, len(topology.allowed) // (1 + LOADER_CPUS_PER_SERVER_THREAD)))


def lay_out(topology, settings, threads):
    """For a server of so many threads.

    Raises units.Bad for CPUs asked for that cannot be, Impossible for threads that do not fit.
    """
    threads = _cpus_for(topology, settings, threads)
    if settings.server_cpus and settings.server == "local":
        _check(topology, "--server-cpus", settings.server_cpus, threads)
    if settings.loader_cpus:
        _check(topology, "--loader-cpus", settings.loader_cpus,
               0 if settings.share_cpus else settings.loader_threads)
    if settings.server != "local":
        # The server's CPUs are not of this machine; all of these are the load generator's.
        loader = settings.loader_cpus or _choose_loader(
            topology, topology.allowed, [], settings.loader_threads or len(topology.allowed))
        return Layout(settings.server_cpus[:threads], loader, [])
    if len(topology.allowed) == 1 and not settings.server_cpus and not settings.loader_cpus:
        if threads > 1:
            raise Impossible(f"{threads} server threads and the load generator do not fit on 1 CPU")
        return Layout([], [], [
            "There is only one CPU: server and load generator share it. The numbers then say how "
            "much both together cost; the CPU per message is still the server's alone."])
    server = settings.server_cpus[:threads] or _choose_server(
        topology, [cpu for cpu in topology.allowed if cpu not in settings.loader_cpus], threads,
        not settings.loader_cpus)
    loader = settings.loader_cpus or _choose_loader(
        topology, topology.allowed, server,
        settings.loader_threads or LOADER_CPUS_PER_SERVER_THREAD * threads)
    if not loader:
        raise Impossible(f"{units.count(threads, 'server thread')} leave no CPU to the load "
                         "generator")
    return Layout(server, loader, list(_notes(topology, server, loader)))


def loader_threads(settings, layout, connections):
    """One per CPU of its own unless told otherwise, and no more than connections."""
    return min(settings.loader_threads or len(layout.loader) or 1, connections)
