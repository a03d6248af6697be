"""Scenarios: named questions, one small file each in scripts/scenarios/."""
import collections
import configparser
import pathlib
import re

from bench import units
from bench.settings import DEFAULTS

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "scenarios"

# The order in which --list shows them: from the quick one to the long ones.
NAMES = ("quick", "engines", "sizes", "depth", "threads", "features", "wait", "c10k",
         "c100k", "churn")

ENGINES = ("io_uring", "epoll")
ORDERS = ("interleaved", "shuffled")

# `axes`: {"engine": [...], ...}, as in settings.AXES. Times in ms.
Scenario = collections.namedtuple(
    "Scenario", "name title description vary base axes duration_ms warmup_ms repeats order "
    "share_cpus sessions messages")


class Broken(Exception):
    """A scenario file that is not what it should be, in one line."""


def engine(text):
    if text not in ENGINES:
        raise units.Bad(f'got "{text}", takes io_uring and epoll')
    return text


def features(text):
    """The server knows the names; here it is only kept apart from other options. Commas stand
    between values, so the parts of one are run together: baseline+buffer_ring."""
    if not text or not re.fullmatch(r"([a-z_0-9]+)?([+-][a-z_0-9]+)*", text):
        raise units.Bad(f'got "{text}", takes best, baseline, minimal, +NAME and -NAME')
    return re.sub(r"(?<=.)(?=[+-])", ",", text)


# What the programs take, so that it is refused before anything is built or run.
MOST_BYTES = 16 << 20  # of a message, and of a buffer
LEAST_BUFFER = 16
MOST_IN_FLIGHT = 1 << 26  # messages of all connections
_MOST_WAIT_NS = {"hybrid": 1_000_000_000, "batch": 10_000_000}


def wait(text):
    match = re.fullmatch(r"(block|spin)|(hybrid|batch):([0-9]{1,10})(ns|us|ms|s)", text)
    if match and not match[1]:
        ns = int(match[3]) * {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}[match[4]]
        match = 1_000 <= ns <= _MOST_WAIT_NS[match[2]]
    if not match:
        raise units.Bad(f'got "{text}", takes block, spin, hybrid:TIME with 1us to 1s and '
                        "batch:TIME with 1us to 10ms")
    return text


def message_size(text):
    value = units.size(text)
    if value > MOST_BYTES:
        raise units.Bad(f'got "{text}", takes at most {units.size_text(MOST_BYTES)}')
    return value


def buffer_size(text):
    if text == DEFAULTS["buffer_size_bytes"]:
        return text
    value = units.size(text)
    if not LEAST_BUFFER <= value <= MOST_BYTES:
        raise units.Bad(f'got "{text}", takes {LEAST_BUFFER} to {units.size_text(MOST_BYTES)}')
    return value


def order(text):
    if text not in ORDERS:
        raise units.Bad(f'got "{text}", takes interleaved or shuffled')
    return text


def share_cpus(text):
    if text not in ("apart", "shared"):
        raise units.Bad(f'got "{text}", takes apart or shared')
    return text == "shared"


def duration_ms(text):
    """At least what has some intervals of the server's, from which its CPU time is taken."""
    value = units.time_ms(text)
    if value < 500:
        raise units.Bad(f'got "{text}", takes at least 500ms')
    return value


# {key in the file and name of the option: (axis, parser of one value, what a list takes)}
AXIS_KEYS = {
    "engines": ("engine", engine, "io_uring and epoll"),
    "connections": ("connections", units.whole, "numbers such as 64 or 10k"),
    "size": ("size_bytes", message_size, "bytes such as 64 or 4k"),
    "depth": ("depth", units.whole, "numbers such as 64 or 10k"),
    "threads": ("threads", lambda text: units.whole(text, "numbers such as 2", 1024),
                "numbers such as 2"),
    "features": ("features", features, "best, baseline, minimal, +NAME and -NAME"),
    "wait": ("wait", wait, "block, spin, hybrid:TIME and batch:TIME"),
    "buffer-size": ("buffer_size_bytes", buffer_size, "default and bytes such as 4k or 64k"),
}


KEYS = {"title", "description", "vary", "base", "duration", "warmup", "repeats", "order", "cpus",
        "sessions", "messages"}


def check_in_flight(axes):
    """Of the two axes that are bounded together; raises units.Bad."""
    connections, depth = max(axes["connections"]), max(axes["depth"])
    if connections * depth > MOST_IN_FLIGHT:
        raise units.Bad(f"--depth: got {depth} with {connections} connections, takes at most "
                        f"{MOST_IN_FLIGHT // connections} with so many")


def axis_values(key, text):
    _, parse, taken = AXIS_KEYS[key]
    return units.parts(text, parse, taken)


def _times(section):
    """(duration, warm-up) in ms; a run of sessions has none."""
    if "sessions" in section:
        return 0, 0
    return duration_ms(section["duration"]), units.time_ms(section["warmup"])


def _sessions(section):
    """(sessions, messages of each); without sessions 0."""
    if "sessions" not in section:
        return 0, 1
    return units.whole(section["sessions"]), units.whole(section.get("messages", "1"))


def read(path):
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        section, axes = parser["scenario"], parser["axes"]
        for key in [*section, *axes]:
            if key not in KEYS and key not in AXIS_KEYS:
                raise Broken(f"{path}: unknown key {key}")
        return Scenario(
            path.stem, section["title"], section["description"], section["vary"], section["base"],
            {axis: axis_values(key, axes[key] if axis not in DEFAULTS else
                               axes.get(key, DEFAULTS[axis]))
             for key, (axis, _, _) in AXIS_KEYS.items()},
            *_times(section), units.whole(section["repeats"]), order(section["order"]),
            share_cpus(section.get("cpus", "apart")), *_sessions(section))
    except (OSError, configparser.Error, KeyError, units.Bad) as error:
        raise Broken(f"{path}: {error}") from None


def by_name(name):
    if name not in NAMES:
        raise units.Bad(f'unknown scenario "{name}", --list shows them')
    return read(FOLDER / f"{name}.ini")


def list_lines():
    """A line for each."""
    return [f"{name:<9}{by_name(name).description}" for name in NAMES]
