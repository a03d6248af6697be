"""One series from its plan to its table."""
import datetime
import hashlib
import os
import pathlib
import subprocess
import sys
import time

from bench import (cpus, matrix, preflight, process, progress, results, servers, settings, table,
                   units)
from bench import series as series_
from bench.settings import ASKED_BY, DEFAULTS

# A run that takes so much longer than it was asked to hangs. Ten retries of a connect that times
# out are well within it.
PATIENCE_S = 300
SLOWEST_PER_S = 1000  # messages of sessions

# The server's intervals, from which its CPU time within the measure phase is taken.
SERVER_INTERVAL = "100ms"


MOST_THREADS = 1024  # that the programs take


def say(text):
    print("\n".join(map(units.printable, text.split("\n"))), file=sys.stderr, flush=True)


class Cannot(Exception):
    """Why the series cannot be made, in one line."""


class Executables:
    """What build-bench holds."""

    def __init__(self, build):
        self.server = build / "src/server/ringecho-server"
        self.load = build / "src/load/ringecho-load"
        self.compare = build / "src/compare/ringecho-compare"


class Plan:
    """Settings, runs and the CPUs of each: everything that is known before anything is run."""

    def __init__(self, settings, topology, machine):
        self.settings = settings
        self.runs = matrix.runs(settings)
        self.layouts = {}  # {server threads: Layout or the reason why there is none}
        for threads in settings.axes.get("threads", [1]):
            try:
                self.layouts[threads] = cpus.lay_out(topology, settings, threads)
            except cpus.Impossible as why:
                self.layouts[threads] = str(why)
        self._machine = machine

    def layout(self, cell):
        return self.layouts[cell.get("threads", 1)]

    def possible_layouts(self):
        return {threads: layout for threads, layout in self.layouts.items()
                if isinstance(layout, cpus.Layout)}

    def used_cpus(self):
        used = {cpu for layout in self.possible_layouts().values()
                for cpu in [*layout.server, *layout.loader]}
        if self.settings.server != "local":  # the server's are another machine's
            used = {cpu for layout in self.possible_layouts().values() for cpu in layout.loader}
        return used or set(os.sched_getaffinity(0))

    def notes(self):
        """Of the CPU layouts, each once."""
        return list(dict.fromkeys(note for layout in self.possible_layouts().values()
                                  for note in layout.notes))

    def most_connections(self):
        return max(self.settings.axes["connections"])

    def why_skipped(self, cell):
        """Why a cell cannot be run as far as one knows without trying, or None."""
        if isinstance(self.layout(cell), str):
            return self.layout(cell)
        return preflight.too_many_connections(self._machine, cell["connections"],
                                              self.carriers(cell))

    def carriers(self, cell):
        """Threads at either end that have direct descriptors, which both programs take by
        themselves where they need them, and which only io_uring has."""
        asked = cell.get("features", DEFAULTS["features"])
        if self.settings.loader_engine == "epoll":
            return 0
        if self.settings.server != "local":  # its limits are another machine's
            return self.loader_threads(cell)
        if cell["engine"] != "io_uring" or \
                not (asked == DEFAULTS["features"] or "+direct_descriptors" in asked):
            return 0
        return min(cell["threads"], self.loader_threads(cell))

    def fewest_carriers(self):
        """Of the cells with the most connections that have CPUs at all."""
        most = self.most_connections()
        return min((self.carriers(run.cell) for run in self.runs
                    if run.cell["connections"] == most and
                    isinstance(self.layout(run.cell), cpus.Layout)), default=0)

    def _needs_direct(self, cell):
        return self.settings.loader_engine != "epoll" and \
            preflight.beyond_descriptors(self._machine, cell["connections"])

    def loader_threads(self, cell):
        """As many as have CPUs, and more where descriptors ask for it."""
        found = cpus.loader_threads(self.settings, self.layout(cell), cell["connections"])
        if self.settings.loader_threads or not self._needs_direct(cell):
            return found
        return max(found, min(preflight.threads_for(self._machine, cell["connections"]),
                              MOST_THREADS))

    def server_options(self, run):
        """Everything but where to listen and where the result goes."""
        options = ["-i", SERVER_INTERVAL, "-q", *self._naming(run)]
        if "engine" in run.cell:
            options += ["--engine", run.cell["engine"], "-t", str(run.cell["threads"])]
            for axis, usual in DEFAULTS.items():
                asked = run.cell.get(axis, usual)  # an older series lacks some
                if asked != usual and (axis, run.cell["engine"]) != ("features", "epoll"):
                    options.append(f"{ASKED_BY[axis]}={asked}")
            if self._needs_direct(run.cell) and run.cell["engine"] == "io_uring":
                room = run.cell["connections"] * preflight.ROOM // preflight.USED
                options += ["--max-connections", str(room)]
        if self.layout(run.cell).server:
            options += ["--cpus", ",".join(map(str, self.layout(run.cell).server))]
        return options

    def load_options(self, run, address, result_path):
        cell, layout = run.cell, self.layout(run.cell)
        threads = self.loader_threads(cell)
        options = ["--connect", address, "-c", str(cell["connections"]), "-s",
                   str(cell["size_bytes"]), "--depth", str(cell["depth"]), *self._until(),
                   "--engine", self.settings.loader_engine,
                   "-t", str(threads), "-q", "--json", result_path, *self._naming(run)]
        if self.settings.loader_wait:
            options += ["--wait", self.settings.loader_wait]
        if layout.loader:
            options += ["--cpus", ",".join(map(str, layout.loader[:threads]))]
        return options

    def _until(self):
        """What ends a run."""
        if self.settings.sessions:
            return ["--sessions", str(self.settings.sessions), "-n", str(self.settings.messages)]
        return ["-d", f"{self.settings.duration_ms}ms", "--warmup", f"{self.settings.warmup_ms}ms"]

    def _naming(self, run):
        options = ["--series", self.series_id, "--repeat", str(run.repeat), "--order",
                   str(run.order_index)]
        for label in self.settings.labels:
            options += ["--label", label]
        return options

    series_id = "SERIES"  # until there is a folder


def cpu_lines(plan):
    """Who runs where, for people."""
    for threads, layout in plan.layouts.items():
        if isinstance(layout, str):
            continue
        loader = plan.loader_threads({"threads": threads, "connections": plan.most_connections()})

        def where(numbers):
            return "on CPU " + ",".join(map(str, numbers)) if numbers else "not pinned"

        server = f"server: {units.count(threads, 'thread')} {where(layout.server)}"
        if plan.settings.server == "running":
            server = "server: runs already"
        yield (f"{server}; load generator: {units.count(loader, 'thread')} "
               f"{where(layout.loader[:loader])}")


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc)


class Runner:
    """Makes the runs of a series that are not made yet. Use it within `with Programs()`."""

    def __init__(self, plan, folder, document, executables, server, programs):
        self.plan = plan
        self.folder = folder
        self.document = document
        self._load = executables.load
        self._server = server
        self._programs = programs
        plan.series_id = document["id"]
        self._rate = ""
        self._tool = None  # what built a server elsewhere

    def _save(self):
        series_.write(self.folder, self.document)

    def _remaining(self):
        return series_.of_status(self.document, series_.PLANNED)

    def _skip_what_cannot_be(self):
        """Marks it, and tells each reason once."""
        told = set()
        for engine in self.plan.settings.axes.get("engine", []):
            log = self.folder / f"probe-{engine}.log"
            why = self._server.why_not(engine, log) if engine == "io_uring" else None
            for run in self._remaining():
                if run["cell"].get("engine") == engine and why:
                    self._skip(run, why, told)
            log.unlink(missing_ok=True)
        for run in self._remaining():
            why = self.plan.why_skipped(run["cell"])
            if why:
                self._skip(run, why, told)

    def _skip(self, run, why, told):
        run["status"], run["reason"] = series_.SKIPPED, why
        if (str(run["cell"]), why) not in told:
            told.add((str(run["cell"]), why))
            say(f"  {matrix.describe(self.plan.settings.axes, run['cell'])}: {why}")

    def run_all(self, warnings=()):
        """True when every run went well. The document says running until it says how it ended.

        warnings: of the machine, by preflight; they are those of the runs made now."""
        self._skip_what_cannot_be()
        remaining = self._remaining()
        if remaining:
            series_.add_warnings(self.document, warnings)
        self._save()
        by_index = {run.order_index: run for run in self.plan.runs}
        already = len(series_.of_status(self.document, series_.DONE))
        left = progress.estimate_s(self.plan.settings, self.document["runs"], remaining)
        if not remaining:
            say(f"nothing is left to run in {self.folder}")
            return not series_.of_status(self.document, series_.FAILED)
        say(f"{units.count(len(remaining), 'run')} of "
            f"{progress.run_text(self.plan.settings)}, about {units.seconds_left(left)}; "
            f"results in {self.folder}")
        for number, entry in enumerate(remaining, 1):
            run = by_index[entry["order_index"]]
            say(f"[{already + number}/{already + len(remaining)}] "
                f"{matrix.describe(self.plan.settings.axes, run.cell)}, repeat {run.repeat + 1}")
            self._run_one(run, entry)
            self._save()
            self._tell_progress(entry, remaining[number:])
        return not series_.of_status(self.document, series_.FAILED)

    def _tell_progress(self, entry, remaining):
        text = entry["reason"] or self._rate
        if remaining:
            left = progress.estimate_s(self.plan.settings, self.document["runs"], remaining)
            text += f", about {units.seconds_left(left)} left"
        say(f"  {text}")

    def _run_one(self, run, entry):
        started = time.monotonic()
        for role in ("load", "server"):
            (self.folder / f"{run.name}.{role}.json").unlink(missing_ok=True)
        try:
            self._measure(run)
        except servers.Failed as why:
            entry["status"], entry["reason"] = series_.FAILED, str(why)
            for role in ("load", "server"):  # half of a run is no result
                (self.folder / f"{run.name}.{role}.json").unlink(missing_ok=True)
            return
        entry["status"], entry["reason"] = series_.DONE, None
        entry["seconds"] = round(time.monotonic() - started, 3)

    def _path(self, run, end):
        return str(self.folder / f"{run.name}.{end}")

    def _measure(self, run):
        """Raises Failed. The server outlives the load generator, and nothing outlives this."""
        address = self._server.start(self.plan.server_options(run), self._path(run, "server.json"),
                                     self._path(run, "server.log"))
        try:
            self._drive(run, address)
        except servers.Failed:
            self._stop_after_failure()
            raise
        self._server.stop()
        if not results.is_whole(self.folder, run.name, self._server.has_result):
            raise servers.Failed("a result is missing or not whole")
        if self.plan.settings.server == "command":
            self._refuse_another_server(run)
        rate = results.read(self.folder / f"{run.name}.load.json")["totals"]["messages_per_s"]
        self._rate = f"{rate:,.0f} messages/s"

    def _refuse_another_server(self, run):
        """A program elsewhere has no digest: it is known by what its results say of it."""
        tool = results.read(self.folder / f"{run.name}.server.json")["tool"]
        if self._tool is None:
            done = [entry["name"] for entry in series_.of_status(self.document, series_.DONE)]
            first = done[0] if done else run.name
            self._tool = results.read(self.folder / f"{first}.server.json")["tool"]
        for key, value in self._tool.items():
            if tool.get(key) != value:
                raise Cannot(f"the server of --server-cmd is another one: its {key} was {value}, "
                             f"is {tool.get(key)}; begin a new series")

    def _stop_after_failure(self):
        """What the server says then matters less than what the load generator said."""
        try:
            self._server.stop()
        except servers.Failed:
            pass

    def _drive(self, run, address):
        log_path = self._path(run, "load.log")
        options = self.plan.load_options(run, address, self._path(run, "load.json"))
        with open(log_path, "wb") as log:
            loader = self._programs.start([str(self._load), *options], log)
        settings_ = self.plan.settings
        limit = PATIENCE_S + progress.asked_s(settings_) + \
            settings_.sessions * settings_.messages / SLOWEST_PER_S
        code = self._programs.wait(loader, limit)
        if code is None:
            self._programs.end(loader)
            raise servers.Failed(f"the load generator was still running after {limit:.0f} s")
        if code not in (0, 3):  # 3: measured, but not a valid result; the table says so
            raise servers.Failed(process.last_words(log_path))


def program_versions(paths):
    """{name: its first line of --version}: what may not change within a series."""
    found = {}
    for path in paths:
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30,
                                  stdin=subprocess.DEVNULL, check=False).stdout
        except (OSError, subprocess.TimeoutExpired):
            said = ""
        found[path.name] = (said.splitlines() or [""])[0]
    return found


def refused_features(settings, executables):
    """What our server says of features that it does not know or that contradict each other, or
    None. What this kernel has not is another matter: it is found out run by run."""
    if settings.server != "local" or "io_uring" not in settings.axes["engine"]:
        return None
    for features in settings.axes.get("features", []):
        why = _refused(executables.server, f"--features={features}") \
            if features != DEFAULTS["features"] else None
        if why:
            return why
    return None


def _refused(server, option):
    """What a server says that starts only to read its options, if it does not like them."""
    try:
        ended = subprocess.run([server, option, "-q", "--listen", "127.0.0.1:0", "--duration",
                                "1ms"], capture_output=True, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stderr.strip().replace("ringecho-server: ", "", 1) if ended.returncode == 2 \
        else None


def digests(paths):
    """{name: SHA-256 of the file}."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def hold(folder):
    """Keeps others from working in a folder until this process ends."""
    if series_.lock(folder) is None:
        raise Cannot(f"another run_bench.sh is at work in {folder}")


def make_folder(out, settings, project):
    """A new folder for results, held; `out` is what --out named, or None."""
    if out is None:
        stamp = utc_now().strftime("%Y%m%dT%H%M%SZ")
        out = project / "bench_results" / f"{stamp}-{os.uname().release}-{settings.scenario}"
    folder = pathlib.Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hold(folder)
        if any(folder.glob("*.json")):
            raise Cannot(f"{out} has results already; name another --out, or go on with "
                         "--resume")
    except OSError as error:
        raise Cannot(f"--out: {error.strerror}: {out}") from None
    return folder.resolve()


def print_outcome(folder, judge):
    """The table, and below it the verdict; both go to table.txt as well. False when there are
    sides that could not be compared."""
    judge.forget(folder)
    sides = _has_sides(folder)
    judged, complaint = judge.text(folder) if judge.available() and sides else ([], "")
    lines = table.text(folder)
    if judged:
        lines += ["", *map(units.printable, judged)]
    else:  # the verdicts have them among their notes
        lines += table.warning_lines(folder)
    (folder / "table.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), flush=True)
    report = None
    if judged:
        report, complaint = judge.report(folder)
    if complaint:
        say(complaint)
    say(f"results: {folder}")
    if report:
        say(f"report:  {report}")
    elif complaint:
        say("report:  none, comparing was refused")
    elif not sides:
        say("report:  none, there are no two sides to compare")
    return not complaint


def _has_sides(folder):
    """Whether there is something to compare: done runs of two values of what is varied."""
    document = series_.read(folder)
    done = series_.of_status(document, series_.DONE)
    vary = settings.from_json(document).vary
    return len({(run["cell"].get(vary), run["cell"].get("engine")) for run in done}) > 1
