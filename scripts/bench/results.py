"""The result files of a folder, run by run."""
import collections
import json
import statistics

from bench import series as series_
from bench.settings import ASKED_BY, DEFAULTS

# `cell`: {axis: value}. `server`: None where the server was not ours. `values`: the numbers of the
# table, None where there is none.
Run = collections.namedtuple("Run", "cell repeat server load values")


def read(path):
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise series_.Unreadable(f"{path}: {error}") from None
    if not isinstance(document, dict) or document.get("schema") != "ringecho.result" or \
            not str(document.get("schema_version")).startswith("1."):
        raise series_.Unreadable(f"{path}: not a result of ringecho that this script knows")
    return document


def is_whole(folder, name, with_server):
    """Whether a run has left all it should: results that can be read, of programs that ran well."""
    for role in ("load", "server") if with_server else ("load",):
        try:
            if read(folder / f"{name}.{role}.json")["run"]["status"] != "ok":
                return False
        except (series_.Unreadable, KeyError, TypeError):
            return False
    return True


def invalid_names(folder, document):
    """Of runs that were made to their end and are no results all the same."""
    return [run["name"] for run in series_.of_status(document, series_.DONE)
            if read(folder / f"{run['name']}.load.json")["validity"]["verdict"] == "invalid"]


def read_runs(folder, with_server=True):
    """Runs of which everything is there, in the order they were made."""
    runs = []
    for load_path in sorted(folder.glob("*.load.json")):
        server_path = load_path.with_name(load_path.name.replace(".load.json", ".server.json"))
        if with_server and not server_path.exists():
            continue
        server, load = read(server_path) if with_server else None, read(load_path)
        try:
            if load["run"]["status"] == "ok":
                runs.append(_make_run(server, load))
        except series_.NOT_AS_IT_SHOULD_BE as error:
            raise series_.Unreadable(
                f"{load_path}: not as a result should be: {error!r}") from None
    return runs


def _make_run(server, load):
    latency = load["latency"]["response_ns"]["percentiles"]
    config = load["config"]
    cell = {"engine": server["config"]["engine"]["name"] if server else "-"}
    cell.update((key, config[key]) for key in ("connections", "size_bytes", "depth"))
    cell["threads"] = server["config"]["threads"] if server else None
    if server:
        cell["features"] = _asked(server, "features")
        cell["wait"] = server["config"].get("wait", DEFAULTS["wait"])
        size = _asked(server, "buffer_size_bytes")
        cell["buffer_size_bytes"] = int(size) if size.isdecimal() else size
    values = {
        "rate": load["totals"]["messages_per_s"],
        "p50": latency.get("50"),
        "p99": latency.get("99"),
        "p99.9": latency.get("99.9"),
        "cpu": _cost_while_measuring(server, load) if server else None,
        "cpu of the run": _cost_of_the_run(server, load) if server else None,
        "loader": busy_share(load),
    }
    return Run(cell, load["run"].get("repeat", 0), server, load, values)


def _asked(server, axis):
    """What the option for an axis was given."""
    for word in server["run"].get("argv", []):
        if word.startswith(f"{ASKED_BY[axis]}="):
            return word.partition("=")[2]
    return DEFAULTS[axis]


def busy_share(load):
    """How busy the loader's threads were; time spent looking for events in vain is no work. None
    where nothing was measured."""
    share = load["resources"]["cpu_share"]
    spun_ns = load.get("engine_stats", {}).get("spun_ns", 0)
    if share is None or not spun_ns:
        return share
    threads_ns = load["config"]["threads"] * load["totals"]["measured_ns"]
    return share - spun_ns / threads_ns if threads_ns else None


def server_cpu_ns_per_message(server, load):
    """What a message costs the server while the loader measures, or None. As ringecho-compare has
    it (src/compare/metrics.cc), which is asked for the same number in a test."""
    cost = _cost_while_measuring(server, load)
    return _cost_of_the_run(server, load) if cost is None else cost


def _cost_while_measuring(server, load):
    """None where no interval of the server's tells, as in very short runs."""
    # Time of io_uring's kernel threads is in the sum of a run only.
    if server["resources"].get("iou_workers"):
        return None
    boot = server["run"].get("boot_id")
    one_clock = boot is not None and boot == load["run"].get("boot_id")
    return _cost_by_clock(server, load) if one_clock else _cost_by_bytes(server, load)


def _absolute(result, interval):
    """An interval's edges on the clock that both programs share."""
    origin = result["run"]["start_monotonic_ns"]
    return origin + interval["t_start_ns"], origin + interval["t_end_ns"]


def _cost_by_clock(server, load):
    """Both on one machine: CPU time of the server's intervals that lie whole within the loader's
    measure phase, over the messages that the loader got back in that time, which are those of its
    own intervals as far as they overlap with it. So connecting, warm-up and draining do not count.
    """
    measure = next((phase for phase in load["phases"] if phase["name"] == "measure"), None)
    if measure is None:
        return None
    origin = load["run"]["start_monotonic_ns"]
    begin, end = origin + measure["start_ns"], origin + measure["end_ns"]
    cpu_ns = 0
    window = []
    for interval in server["intervals"]:
        start, stop = _absolute(server, interval)
        if begin <= start and stop <= end:
            cpu_ns += interval["cpu_ns"]
            window += [start, stop]
    if not window:
        return None
    messages = 0.0
    for interval in load["intervals"]:
        start, stop = _absolute(load, interval)
        shared = min(stop, max(window)) - max(start, min(window))
        if shared > 0:
            messages += interval["messages"] * shared / (stop - start)
    return cpu_ns / messages if messages else None


def _cost_by_bytes(server, load):
    """On two machines no clock is shared: the server's intervals at full work, those with at least
    half as many bytes as the middle one that has any, over the messages that these bytes are.
    """
    at_work = [interval for interval in server["intervals"] if interval["bytes"]]
    if not at_work:
        return None
    enough = statistics.median(interval["bytes"] for interval in at_work) / 2
    full = [interval for interval in at_work if interval["bytes"] >= enough]
    messages = sum(interval["bytes"] for interval in full) / load["config"]["size_bytes"]
    return sum(interval["cpu_ns"] for interval in full) / messages


def _cost_of_the_run(server, load):
    """What the server says of its whole run, connecting and warm-up included. It counts reads, of
    which a large message takes several."""
    per_read = server["resources"].get("cpu_ns_per_message")
    totals = server.get("totals", {})
    if per_read is None or not totals.get("bytes_received"):
        return per_read
    return per_read * totals["messages"] * load["config"]["size_bytes"] / totals["bytes_received"]
