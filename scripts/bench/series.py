"""series.json: what was to be run, what has been, and what became of it."""
import fcntl
import json
import os

from bench import matrix, series_check
from bench import settings as settings_

FILE = "series.json"
SCHEMA, SCHEMA_VERSION = "ringecho.series", "1.0"

# Of the series and of its runs.
RUNNING, COMPLETE, INTERRUPTED, FAILED = "running", "complete", "interrupted", "failed"
PLANNED, DONE, SKIPPED = "planned", "done", "skipped"


class Unreadable(Exception):
    """A folder or file that is not what it should be, in one line."""


# What looking into JSON raises that lacks a key or has something else in its place.
NOT_AS_IT_SHOULD_BE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


def now(clock):
    return clock.strftime("%Y-%m-%dT%H:%M:%SZ")


def new(folder_name, settings, runs, started):
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": folder_name,
        **settings_.to_json(settings),
        "status": RUNNING,
        "started": started,
        "ended": None,
        "machine": {},
        "boots": [],
        "programs": {},
        "digests": {},
        "cpus": {"server": [], "loader": []},
        "cpus_by_threads": {},
        "preflight": [],
        "runs": [{"order_index": run.order_index, "repeat": run.repeat, "cell": run.cell,
                  "name": run.name, "status": PLANNED, "reason": None, "seconds": None}
                 for run in runs],
    }


def write(folder, document):
    """Whole or not at all."""
    temporary = folder / f".{FILE}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / FILE)


def read(folder):
    path = folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path}: {error}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or \
            not str(document.get("schema_version")).startswith("1."):
        raise Unreadable(f"{path}: not a series of ringecho that this script knows")
    try:
        series_check.check(document)
    except (series_check.Wrong, RecursionError) as error:
        raise Unreadable(f"{path}: {error}") from None
    return document


def settings_of(document, folder):
    """Of a document that was read; its runs have to be what the settings ask for."""
    try:
        series_check.at_most_as_many(document)
        found = settings_.from_json(document)
        series_check.check_plan(document, matrix.runs(found))
    except series_check.Wrong as error:
        raise Unreadable(f"{folder / FILE}: {error}") from None
    return found


def lock(folder):
    """A descriptor that keeps others out while it is open; None when another holds it."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def add_warnings(document, warnings):
    """Those that are new; what was wrong during earlier runs stays."""
    for warning in warnings:
        entry = {"id": warning.id, "message": warning.text, "fix": warning.fix}
        if entry not in document["preflight"]:
            document["preflight"].append(entry)


def of_status(document, *statuses):
    return [run for run in document["runs"] if run["status"] in statuses]
