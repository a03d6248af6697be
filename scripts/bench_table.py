"""Prints the table of a folder that run_bench.sh wrote.

Usage: bench_table.py FOLDER

The folder holds NAME.server.json and NAME.load.json of every run, skipped.tsv (engine,
connections, reason) for what could not be run, and INCOMPLETE while not all has been run.
"""
import collections
import json
import math
import pathlib
import statistics
import sys

VERDICTS = ["valid", "suspect", "invalid"]  # from good to bad

# `values`: the numbers of the table, None where there is none.
Run = collections.namedtuple("Run", "engine connections repeat server load values")


class Unreadable(Exception):
    """A folder or file that is not what it should be, in one line."""


def read(path):
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {error}") from None
    if not isinstance(document, dict) or document.get("schema") != "ringecho.result" or \
            not str(document.get("schema_version")).startswith("1."):
        raise Unreadable(f"{path}: not a result of ringecho that this script knows")
    return document


def read_runs(folder):
    """Runs of which both files are there, in the order they were made."""
    runs = []
    for load_path in sorted(folder.glob("*.load.json")):
        server_path = load_path.with_name(load_path.name.replace(".load.json", ".server.json"))
        if not server_path.exists():
            continue
        server, load = read(server_path), read(load_path)
        try:
            if load["run"]["status"] == "ok":
                runs.append(make_run(server, load))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unreadable(f"{load_path}: not as a result should be: {error!r}") from None
    return runs


def read_skipped(folder):
    path = folder / "skipped.tsv"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(engine, int(connections), reason)
            for engine, connections, reason in (line.split("\t", 2) for line in lines)]


def absolute(result, interval):
    """An interval's edges on the clock that both programs share."""
    origin = result["run"]["start_monotonic_ns"]
    return origin + interval["t_start_ns"], origin + interval["t_end_ns"]


def server_cpu_ns_per_message(server, load):
    """What a message costs the server, or None.

    CPU time of the server's intervals that lie whole within the loader's measure phase, over the
    messages that the loader got back in that time, which are those of its own intervals as far as
    they overlap with it. So connecting, warm-up and draining do not count.
    """
    (measure,) = (phase for phase in load["phases"] if phase["name"] == "measure")
    origin = load["run"]["start_monotonic_ns"]
    begin, end = origin + measure["start_ns"], origin + measure["end_ns"]
    cpu_ns = 0
    window = []
    for interval in server["intervals"]:
        start, stop = absolute(server, interval)
        if begin <= start and stop <= end:
            cpu_ns += interval["cpu_ns"]
            window += [start, stop]
    if not window:
        return None
    messages = 0.0
    for interval in load["intervals"]:
        start, stop = absolute(load, interval)
        shared = min(stop, max(window)) - max(start, min(window))
        if shared > 0:
            messages += interval["messages"] * shared / (stop - start)
    return cpu_ns / messages if messages else None


def make_run(server, load):
    latency = load["latency"]["response_ns"]["percentiles"]
    values = {
        "rate": load["totals"]["messages_per_s"],
        "p50": latency.get("50"),
        "p99": latency.get("99"),
        "p99.9": latency.get("99.9"),
        "cpu": server_cpu_ns_per_message(server, load),
        "loader": load["resources"]["cpu_share"],
    }
    return Run(server["config"]["engine"]["name"], load["config"]["connections"],
               int(load["run"]["labels"].get("repeat", 0)), server, load, values)


def median_of(runs, key):
    values = [run.values[key] for run in runs if run.values[key] is not None]
    return statistics.median(values) if values else None


def verdict_of(runs):
    return max((run.load["validity"]["verdict"] for run in runs), key=VERDICTS.index)


def three_digits(value):
    return f"{value:.{max(0, 2 - int(math.floor(math.log10(value))))}f}" if value >= 1 else f"{value:.2f}"


def duration(ns):
    if ns is None:
        return "-"
    for limit, unit in ((1e3, "ns"), (1e6, "us"), (1e9, "ms")):
        if ns < limit:
            return f"{three_digits(ns / limit * 1e3)} {unit}"
    return f"{three_digits(ns / 1e9)} s"


def percent(share):
    return "-" if share is None else f"{share * 100:.0f}%"


ROW = "{:<8}{:>12}{:>12}{:>8}{:>8}{:>8}{:>8}{:>7}  {}".format


def cells(runs):
    """{(connections, engine): runs}, engines in the order they first ran."""
    engines = list(dict.fromkeys(run.engine for run in runs))
    found = collections.defaultdict(list)
    for run in runs:
        found[run.connections, run.engine].append(run)
    return dict(sorted(found.items(), key=lambda cell: (cell[0][0], engines.index(cell[0][1]))))


def table_lines(found, skipped):
    yield ROW("engine", "connections", "messages/s", "p50", "p99", "p99.9", "CPU/msg", "loader",
              "verdict")
    lines = [(connections, ROW(engine, f"{connections:,}", f"{median_of(runs, 'rate'):,.0f}",
                               *(duration(median_of(runs, key)) for key in ("p50", "p99", "p99.9")),
                               duration(median_of(runs, "cpu")), percent(median_of(runs, "loader")),
                               verdict_of(runs)))
             for (connections, engine), runs in found.items()]
    # What failed once has a row of its own if it worked at other times.
    lines += [(connections, ROW(engine, f"{connections:,}", *"------", "not run"))
              for engine, connections in dict.fromkeys((e, c) for e, c, _ in skipped)
              if (connections, engine) not in found]
    yield from (line for _, line in sorted(lines, key=lambda entry: entry[0]))


def ratios(ours, theirs, key):
    """ours / theirs of each repeat that has both."""
    other = {run.repeat: run.values[key] for run in theirs}
    return [run.values[key] / other[run.repeat] for run in ours
            if other.get(run.repeat) and run.values[key] is not None]


def ratio_text(values):
    if not values:
        return "-"
    middle = f"{statistics.median(values):.2f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f}-{max(values):.2f})"


def comparison_lines(found):
    counts = [connections for connections, engine in found if engine == "io_uring"
              and (connections, "epoll") in found]
    if not counts:
        return
    row = "  {:>11}  {:<18}{:<18}{:<18}".format
    yield ""
    yield "io_uring / epoll: median over the repeats (lowest-highest)"
    yield row("connections", "messages/s", "server CPU/msg", "p99").rstrip()
    for connections in counts:
        pair = found[connections, "io_uring"], found[connections, "epoll"]
        yield row(f"{connections:,}",
                  *(ratio_text(ratios(*pair, key)) for key in ("rate", "cpu", "p99"))).rstrip()


def note_lines(found, skipped, folder):
    doubts = collections.defaultdict(list)
    for (connections, engine), runs in found.items():
        failed = collections.Counter(check["id"] for run in runs
                                     for check in run.load["validity"]["checks"] if not check["ok"])
        for name, times in failed.items():
            doubts[name].append(f"{engine} {connections:,} ({times} of {len(runs)})")
    workers = {engine for (_, engine), runs in found.items()
               if any(run.server["resources"]["iou_workers"] for run in runs)}
    notes = [f"{name}: {', '.join(where)}" for name, where in doubts.items()]
    notes += [f"{engine}: the server had kernel worker threads, which CPU/msg leaves out"
              for engine in sorted(workers)]
    notes += [f"{engine}, {connections:,} connections: {reason}"
              for engine, connections, reason in skipped]
    if (folder / "INCOMPLETE").exists():
        notes.insert(0, "incomplete: " + (folder / "INCOMPLETE").read_text().strip())
    if notes:
        yield ""
        yield from notes


def cpu_list(result):
    cpus = result["config"]["cpus"]
    return "on CPU " + ",".join(map(str, cpus)) if cpus else "not pinned"


def heading_lines(run, repeats):
    environment, config = run.load["host"]["environment"], run.load["config"]
    cpu, threads = environment["cpu"], config["threads"]
    yield (f"ringecho {run.load['tool']['version']} ({run.load['tool']['git_commit'] or 'no commit'}),"
           f" Linux {environment['kernel_release']}")
    yield f"{cpu['count']} x {cpu['model']}"
    yield (f"server: {run.server['config']['threads']} thread {cpu_list(run.server)}; load generator:"
           f" {config['engine']['name']}, {threads} thread{'' if threads == 1 else 's'}"
           f" {cpu_list(run.load)}")
    yield (f"{config['size_bytes']} B messages, {config['depth']} in flight per connection,"
           f" {config['duration_ns'] / 1e9:g} s measured, median of {repeats}"
           f" repeat{'' if repeats == 1 else 's'}")
    yield ""


def table(folder):
    """The whole text, lines without newlines."""
    runs, skipped = read_runs(folder), read_skipped(folder)
    found = cells(runs)
    lines = []
    if runs:
        # The run with most connections has the most threads.
        biggest = max(runs, key=lambda run: run.connections)
        lines += heading_lines(biggest, max(len(of_cell) for of_cell in found.values()))
    lines += table_lines(found, skipped)
    lines += comparison_lines(found)
    lines += note_lines(found, skipped, folder)
    return lines


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return 2
    try:
        print("\n".join(table(pathlib.Path(arguments[0]))))
    except Unreadable as error:
        print(f"bench_table.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
