"""The table of a folder: a row for every cell, and what is to be known of the numbers. What
differs, and whether by chance, is for ringecho-compare to say."""
import collections
import statistics
import textwrap

from bench import results
from bench import series as series_
from bench import units
from bench.settings import AXES, DEFAULTS

VERDICTS = ["valid", "suspect", "invalid"]  # from good to bad

# Columns of axes other than the engine: heading, width at least, how a value is written.
_COLUMNS = {
    "connections": ("connections", 12, "{:,}".format),
    "size_bytes": ("size", 7, units.size_text),
    "depth": ("depth", 6, "{:,}".format),
    "threads": ("threads", 8, str),
    "features": ("features", 18, str),
    "wait": ("wait", 14, str),
    "buffer_size_bytes": ("buffers", 9, units.size_or_word),
}

_ROW_ORDER = ("threads", "depth", "size_bytes", "connections", "buffer_size_bytes", "wait",
              "features", "engine")

_NUMBERS = (("messages/s", 12), ("p50", 8), ("p99", 8), ("p99.9", 8), ("CPU/msg", 8), ("loader", 7))


def _key(cell):
    return tuple(cell.get(axis, DEFAULTS.get(axis)) for axis in AXES)


def _has(engine, axis):
    return (engine, axis) != ("epoll", "features")


def _median_of(runs, key):
    values = [run.values[key] for run in runs if run.values[key] is not None]
    return statistics.median(values) if values else None


def _verdict(run):
    """Its load generator's, unless what the server has is no result."""
    of_server = run.server["validity"]["verdict"] if run.server and "validity" in run.server else ""
    return "invalid" if of_server == "invalid" else run.load["validity"]["verdict"]


def _counting(runs):
    """Those that are results at all; ringecho-compare leaves out the others, too."""
    return [run for run in runs if _verdict(run) != "invalid"]


def _verdict_of(runs):
    return max(map(_verdict, runs), key=VERDICTS.index)


def _percent(share):
    return "-" if share is None else f"{share * 100:.0f}%"


def _workload(key):
    """What rows that are compared with each other have in common."""
    return [key[AXES.index(axis)] for axis in ("threads", "depth", "size_bytes", "connections")]


def _lacks_intervals(run):
    return run.values["cpu"] is None and run.values["cpu of the run"] is not None


class Table:
    """Made from runs and from cells that could not be run: [(cell, reason)]."""

    def __init__(self, runs, not_run):
        self.not_run = not_run
        self.found = collections.defaultdict(list)  # {key: runs}
        for run in runs:
            self.found[_key(run.cell)].append(run)
        # CPU/msg is of the measured time or, where a run does not tell, of the whole run. The two
        # are not the same, so rows that are compared have one of them.
        self.of_whole_runs = [_workload(key) for key, of_cell in self.found.items()
                              if any(map(_lacks_intervals, _counting(of_cell)))]
        keys = list(dict.fromkeys([*self.found, *(_key(cell) for cell, _ in not_run)]))
        # Rows in order of the numbers; engines, features and ways to wait in the order they ran.
        ran = {axis: list(dict.fromkeys(key[index] for key in keys))
               for index, axis in enumerate(AXES)}

        def place(axis, value):
            return value or 0 if isinstance(value, int) else ran[axis].index(value)

        self.rows = sorted(keys, key=lambda key: [
            place(axis, key[AXES.index(axis)]) for axis in _ROW_ORDER])
        self.varied = [axis for index, axis in enumerate(AXES)
                       if index and len({key[index] for key in keys}) > 1]
        self.shown = self.varied or ["connections"]
        self.widths = [max([_COLUMNS[axis][1], *(2 + len(text) for text in texts)])
                       for axis, *texts in zip(self.shown, *map(self.axis_texts, keys))]

    def axis_texts(self, key):
        return [_COLUMNS[axis][2](key[AXES.index(axis)]) if _has(key[0], axis) else "-"
                for axis in self.shown]

    def name(self, key):
        """Of a cell in a note: "epoll 64", with more numbers where more varies."""
        return " ".join([key[0], *(text for text in self.axis_texts(key) if text != "-")])

    def _row(self, engine, axes, numbers, verdict):
        # With one axis 80 columns have room for everything; with more, the rarest percentile goes.
        skipped = {"p99.9"} if len(self.shown) > 1 else set()
        text = f"{engine:<8}"
        for width, value in zip(self.widths, axes):
            text += value.rjust(width)
        for (name, width), value in zip(_NUMBERS, numbers):
            text += "" if name in skipped else value.rjust(width)
        return f"{text}  {verdict}"

    def lines(self):
        yield self._row("engine", [_COLUMNS[axis][0] for axis in self.shown],
                        [name for name, _ in _NUMBERS], "verdict")
        for key in self.rows:
            runs = self.found.get(key)
            if runs is None:
                yield self._row(key[0], self.axis_texts(key), "------", "not run")
                continue
            yield self._row(key[0], self.axis_texts(key), self._numbers(key), _verdict_of(runs))

    def _numbers(self, key):
        runs = _counting(self.found[key])
        if not runs:
            return "------"
        cpu = "cpu of the run" if _workload(key) in self.of_whole_runs else "cpu"
        times = [units.duration(_median_of(runs, name)) for name in ("p50", "p99", "p99.9", cpu)]
        return [f"{_median_of(runs, 'rate'):,.0f}", *times, _percent(_median_of(runs, "loader"))]

    def note_lines(self):
        doubts = collections.defaultdict(list)
        for key in self.rows:
            runs = self.found.get(key, [])
            if len(_counting(runs)) < len(runs):
                doubts["invalid and left out"].append(
                    f"{self.name(key)} ({len(runs) - len(_counting(runs))} of {len(runs)})")
            failed = collections.Counter(
                check["id"] for run in runs for check in run.load["validity"]["checks"]
                if not check["ok"])
            for name, times in failed.items():
                doubts[name].append(f"{self.name(key)} ({times} of {len(runs)})")
        yield from (f"{name}: {', '.join(where)}" for name, where in doubts.items())
        workers = {run.cell["engine"] for runs in self.found.values() for run in runs
                   if run.server and run.server["resources"]["iou_workers"]}
        for engine in sorted(workers):
            yield f"{engine}: the server had kernel worker threads"
        whole = [self.name(key) for key in self.rows
                 if key in self.found and _workload(key) in self.of_whole_runs]
        if whole:
            yield f"CPU/msg of whole runs, connecting and warm-up included: {', '.join(whole)}"
        # A reason that many cells share is told once.
        where = collections.defaultdict(list)
        for cell, reason in self.not_run:
            where[reason].append(self.name(_key(cell)))
        for reason, names in where.items():
            times = collections.Counter(names)
            told = (name if times[name] == 1 else f"{name} ({times[name]} times)" for name in times)
            yield f"not run: {', '.join(told)}: {reason}"


def _cpus_text(result):
    cpus = result["config"]["cpus"]
    return "on CPU " + ",".join(map(str, cpus)) if cpus else "not pinned"


def heading_lines(table):
    """What is the same in all rows."""
    runs = [run for of_cell in table.found.values() for run in of_cell]
    # The run with most connections has the most threads.
    run = max(runs, key=lambda run: (run.cell["threads"] or 0, run.cell["connections"]))
    repeats = max(len(of_cell) for of_cell in table.found.values())
    environment, config = run.load["host"]["environment"], run.load["config"]
    cpu, tool = environment["cpu"], run.load["tool"]
    yield (f"ringecho {tool['version']} ({tool['git_commit'] or 'no commit'}), "
           f"Linux {environment['kernel_release']}")
    yield f"{cpu['count']} x {cpu['model']}"
    server = "not ours"
    if run.server:
        most = "up to " if "threads" in table.varied else ""
        threads = units.count(run.server["config"]["threads"], "thread")
        server = f"{most}{threads} {_cpus_text(run.server)}"
    yield (f"server: {server}; load generator: {config['engine']['name']},"
           f" {units.count(config['threads'], 'thread')} {_cpus_text(run.load)}")
    words = []
    if "size_bytes" not in table.varied:
        words.append(f"{config['size_bytes']:,} B messages")
    if "depth" not in table.varied:
        words.append(f"{config['depth']} in flight per connection")
    if "connections" not in table.shown:
        words.append(units.count(config["connections"], "connection"))
    if config.get("sessions"):
        words.append(f"{units.count(config['sessions'], 'session')} of "
                     f"{units.count(config['messages_per_connection'], 'message')}")
    elif config.get("duration_ns") is not None:  # runs may be bounded by messages instead
        words.append(f"{config['duration_ns'] / 1e9:g} s measured")
    words.append(f"median of {units.count(repeats, 'repeat')}")
    yield from textwrap.wrap(", ".join(words), 80)
    yield ""


def _state_lines(document):
    """What is missing of a series."""
    done = len(series_.of_status(document, series_.DONE))
    total = len(document["runs"]) - len(series_.of_status(document, series_.SKIPPED))
    if document["status"] in (series_.RUNNING, series_.INTERRUPTED):
        what = "interrupted" if document["status"] == series_.INTERRUPTED else "not ended"
        yield f"incomplete: {what}, {done} of {total} runs made; --resume makes the others"
    elif document["status"] == series_.FAILED:
        yield f"incomplete: {done} of {total} runs went well; --resume makes the others again"


def _cell_and_reason(run):
    return {"engine": "-", **run["cell"]}, run["reason"]


def read_folder(folder):
    """(Table, series.json or None). A folder without series.json is just result files."""
    document = series_.read(folder) if (folder / series_.FILE).exists() else None
    with_server, not_run = True, []
    if document:
        with_server = document["options"].get("server") != "running"
        failed = [_cell_and_reason(run) for run in series_.of_status(document, series_.FAILED)]
        for run in series_.of_status(document, series_.SKIPPED):  # the same for every repeat
            if _cell_and_reason(run) not in not_run:
                not_run.append(_cell_and_reason(run))
        not_run += failed
    return Table(results.read_runs(folder, with_server), not_run), document


def warning_lines(folder):
    """What was wrong with the machine, for whoever gets the table and has not seen it run."""
    if not (folder / series_.FILE).exists():
        return []
    told = [units.printable(f"warning: {entry['message']}")
            for entry in series_.read(folder)["preflight"]]
    return ["", *told] if told else []


def text(folder):
    """The whole text, lines without newlines. Anybody may have made the files."""
    try:
        return [units.printable(line) for line in _text(folder)]
    except series_.NOT_AS_IT_SHOULD_BE as error:
        raise series_.Unreadable(f"{folder}: a result or {series_.FILE} is not as it should be: "
                                 f"{error!r}; ringecho-compare names file and field") from None


def _text(folder):
    table, document = read_folder(folder)
    lines = list(heading_lines(table)) if table.found else []
    lines += table.lines()
    notes = [*(_state_lines(document) if document else ()), *table.note_lines()]
    return lines + ["", *notes] if notes else lines
