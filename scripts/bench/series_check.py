"""Whether series.json is as series.py writes it. Who edits or sends one decides which files are
removed and which options programs get, so nothing of it is used before."""
import collections
import json
import re

from bench.scenario import ENGINES, ORDERS
from bench.settings import OF_THE_SERVER


class Wrong(Exception):
    """Field, what was got and what is taken, in one line."""


# What a value has to be: a Rule, a Map whose values are of one shape, a list with the shape of its
# elements, or a dict with those of its keys.
Rule = collections.namedtuple("Rule", "takes good")
Map = collections.namedtuple("Map", "shape")

_NOTHING = object()


def _whole(least, most=10 ** 15):
    return Rule(f"a whole number from {least} to {most}",
                lambda value: type(value) is int and least <= value <= most)  # True is an int, too


def _matching(pattern, takes):
    return Rule(takes, lambda value: isinstance(value, str) and re.fullmatch(pattern, value))


def _one_of(*words):
    return _matching("|".join(map(re.escape, words)), " or ".join(words))


def _or(other, rule):
    return Rule(f"{json.dumps(other)} or {rule.takes}",
                lambda value: value == other and type(value) is type(other) or rule.good(value))


_TEXT = _matching("[^\0\ud800-\udfff]*", "a text")
_CPUS = [_whole(0, 99_999)]
_WAIT = _matching("block|spin|(hybrid|batch):[0-9]+(ns|us|ms|s)", "a way to wait")

_CELL = {
    "engine": _one_of(*ENGINES),
    "connections": _whole(1, 9_999_999),
    "size_bytes": _whole(1),
    "depth": _whole(1, 9_999_999),
    "threads": _whole(1, 1024),
    "features": _matching("[a-z_0-9+,-]+", "a list of features"),
    "wait": _WAIT,
    "buffer_size_bytes": _or("default", _whole(1)),
}

_OPTIONS = {
    "duration_ms": _whole(0),
    "warmup_ms": _whole(0),
    "sessions": _whole(0, 9_999_999),
    "messages": _whole(1, 9_999_999),
    "share_cpus": Rule("true or false", lambda value: type(value) is bool),
    "server": _one_of("local", "command", "running"),
    "loader_engine": _one_of("auto", *ENGINES),
    "loader_wait": _or("", _WAIT),
    "loader_threads": _whole(0, 1024),
    "server_cpus": _CPUS,
    "loader_cpus": _CPUS,
    "labels": [_matching("[^=\0\ud800-\udfff]+=[^\0\ud800-\udfff]*", "KEY=VALUE")],
}

_SERIES = {
    "id": _TEXT, "scenario": _TEXT, "title": _TEXT, "vary": _TEXT, "base": _TEXT,
    "order": _one_of(*ORDERS),
    "seed": _or(None, _whole(0, 10 ** 18)),
    "repeats": _whole(1, 10_000),
    "axes": {axis: [rule] for axis, rule in _CELL.items()},
    "options": _OPTIONS,
    "status": _one_of("running", "complete", "interrupted", "failed"),
    "started": _TEXT,
    "ended": _or(None, _TEXT),
    "machine": Map(_or(None, Rule("a text or a number", lambda value: type(value) in (str, int)))),
    "boots": [_or(None, _TEXT)],
    "programs": Map(_TEXT),
    "digests": Map(_matching("[0-9a-f]{64}", "a SHA-256")),
    "cpus": {"server": _CPUS, "loader": _CPUS},
    "cpus_by_threads": Map({"server": _CPUS, "loader": _CPUS}),
    "preflight": [{"id": _TEXT, "message": _TEXT, "fix": [_TEXT]}],
    "runs": [{
        "order_index": _whole(0),
        "repeat": _whole(0, 9_999),
        "cell": _CELL,
        # It becomes the name of files: nothing that leads out of the folder.
        "name": _matching("[0-9]{3,}-[a-z_0-9+,-]+", 'a name such as "000-epoll-c64-r0"'),
        "status": _one_of("planned", "done", "skipped", "failed"),
        "reason": _or(None, _TEXT),
        "seconds": _or(None, Rule("seconds", lambda value: type(value) in (int, float)
                                  and 0 <= value < 1e9)),
    }],
}

# Keys that not every series has: those of a server that is ours, and what older runners did not
# know.
_MAY_BE_MISSING = {"digests", "loader_wait", "sessions", "messages", "share_cpus",
                   *OF_THE_SERVER}


def _refuse(where, value, takes):
    got = "nothing" if value is _NOTHING else json.dumps(value)
    raise Wrong(f"{where}: got {got if len(got) < 60 else got[:56] + ' ...'}, takes {takes}")


def _check(where, shape, value):
    if isinstance(shape, Rule):
        if not shape.good(value):
            _refuse(where, value, shape.takes)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            _refuse(where, value, "a list")
        for index, element in enumerate(value):
            _check(f"{where}[{index}]", shape[0], element)
    elif not isinstance(value, dict):
        _refuse(where, value, "an object")
    elif isinstance(shape, Map):
        for key, inside in value.items():
            _check(f"{where}.{_word(key)}", shape.shape, inside)
    else:
        _check_keys(where, shape, value)


def _check_keys(where, shape, value):
    for key, inside in shape.items():
        if key in value or key not in _MAY_BE_MISSING:
            _check(f"{where}.{key}" if where else key, inside, value.get(key, _NOTHING))


def _word(key):
    """A key of theirs, fit for a terminal."""
    return key if re.fullmatch("[A-Za-z0-9_.-]+", key) else json.dumps(key)


def check(document):
    """Raises Wrong. Further keys are fine where nothing is run by them: a later runner may have
    added them."""
    _check_keys("", _SERIES, document)
    for where, known in (("options", _OPTIONS), ("axes", _CELL)):
        for key in sorted(set(document[where]) - set(known)):
            raise Wrong(f"{where}.{_word(key)}: this script does not know it")
    if not document["options"]["duration_ms"] and not document["options"].get("sessions"):
        _refuse("options.duration_ms", 0, "a time, or sessions beside it")
    for axis, values in document["axes"].items():
        if not values or any(values.count(value) > 1 for value in values):
            _refuse(f"axes.{axis}", values, "each value once")
    _check_server(document)


def _check_server(document):
    """A server that is not ours has nothing that could be chosen; ours needs its first two."""
    ours = document["options"]["server"] != "running"
    for axis in OF_THE_SERVER:
        value = document["axes"].get(axis, _NOTHING)
        if not ours and value is not _NOTHING:
            _refuse(f"axes.{axis}", value, "nothing, as the server was not ours")
        if ours and axis in ("engine", "threads") and value is _NOTHING:
            _refuse(f"axes.{axis}", value, "a list")


def at_most_as_many(document):
    """Before runs are planned from axes and repeats: these may ask for any number of them."""
    axes = document["axes"]
    planned = document["repeats"]
    for axis, values in axes.items():
        planned *= len(values) if axis not in ("engine", "features") else 1
    # epoll has no features to switch: it is there once.
    features = len(axes.get("features", [None]))
    planned *= sum(1 if engine == "epoll" else features for engine in axes.get("engine", [None]))
    if planned > len(document["runs"]):
        raise Wrong(f"runs: got {len(document['runs'])}, takes all that axes and repeats make")


def check_plan(document, runs):
    """The runs of a series are those that its axes make, each where it belongs."""
    if len(document["runs"]) != len(runs):
        raise Wrong(f"runs: got {len(document['runs'])}, takes {len(runs)}")
    for index, (found, run) in enumerate(zip(document["runs"], runs)):
        for key in ("order_index", "repeat", "cell", "name"):
            if found[key] != getattr(run, key):
                _refuse(f"runs[{index}].{key}", found[key], json.dumps(getattr(run, key)))
