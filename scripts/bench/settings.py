"""What one series measures: a scenario with what the command line changes of it."""
import dataclasses

# Axes of the matrix, in the order of columns; the names are those of result files. Those of the
# server are its own: its threads, how they wait, the io_uring features it is asked for, buffers.
AXES = ("engine", "connections", "size_bytes", "depth", "threads", "features", "wait",
        "buffer_size_bytes")
OF_THE_SERVER = ("engine", "threads", "features", "wait", "buffer_size_bytes")

# What a program does when it is not asked. "default": as the engine has it.
DEFAULTS = {"features": "best", "wait": "block", "buffer_size_bytes": "default"}

# The options of the server that ask it.
ASKED_BY = {"features": "--features", "wait": "--wait", "buffer_size_bytes": "--buffer-size"}

# The keys of ringecho-compare that are called otherwise.
_COMPARED_AS = {"wait": "server.wait", "threads": "server.threads",
                "buffer_size_bytes": "server.buffer_size_bytes"}


@dataclasses.dataclass
class Settings:
    scenario: str
    title: str
    vary: str
    base: str
    axes: dict  # {axis: values}; none of the server's where that is not ours
    duration_ms: int
    warmup_ms: int
    repeats: int
    order: str
    seed: int = None  # of a shuffled order
    sessions: int = 0  # of a run, instead of its duration
    messages: int = 1  # of a session
    share_cpus: bool = False  # threads need no CPU each
    server: str = "local"  # or "command" (--server-cmd), or "running" (only --connect)
    loader_engine: str = "auto"
    loader_wait: str = ""  # empty: its own default
    loader_threads: int = 0  # 0: as many as the CPU layout has room for
    server_cpus: list = dataclasses.field(default_factory=list)  # empty: chosen
    loader_cpus: list = dataclasses.field(default_factory=list)
    labels: list = dataclasses.field(default_factory=list)  # ["key=value", ...]


def from_scenario(scenario, overrides):
    """overrides: {field or axis: value}, as given on the command line."""
    settings = Settings(scenario.name, scenario.title, scenario.vary, scenario.base,
                        dict(scenario.axes), scenario.duration_ms, scenario.warmup_ms,
                        scenario.repeats, scenario.order, share_cpus=scenario.share_cpus,
                        sessions=scenario.sessions, messages=scenario.messages)
    if "sessions" in overrides:
        settings.duration_ms = settings.warmup_ms = 0
    if "duration_ms" in overrides:
        settings.warmup_ms = overrides["duration_ms"] // 5
    for key, value in overrides.items():
        if key in AXES:
            settings.axes[key] = value
        else:
            setattr(settings, key, value)
    if settings.server == "running":
        for axis in OF_THE_SERVER:
            del settings.axes[axis]
    else:
        _compare_features(settings)
    return settings


def _compare_features(settings):
    """Several features are sides of their own, and epoll, which has none, is one beside them. By
    engine they could not be compared: the one would have all of them on its side."""
    engines, features = settings.axes["engine"], settings.axes["features"]
    if settings.vary != "engine" or len(features) == 1 or "io_uring" not in engines:
        return
    settings.vary = "features"
    if settings.base not in engines:
        settings.base = features[0]


def differing(settings, overrides):
    """The first key of which the command line wants something else than the series has, or None."""
    for key, value in overrides.items():
        if (settings.axes.get(key) if key in AXES else getattr(settings, key)) != value:
            return key
    return None


# What series.json has at its top; the rest are its options.
_AT_THE_TOP = ("scenario", "title", "vary", "base", "order", "seed", "repeats", "axes")


def to_json(settings):
    """(axes, order, ... of series.json, its options): the seam to from_json."""
    top = {key: getattr(settings, key) for key in _AT_THE_TOP}
    top["vary"] = _COMPARED_AS.get(settings.vary, settings.vary)
    top["options"] = {key: getattr(settings, key)
                      for key in ("duration_ms", "warmup_ms", "sessions", "messages",
                                  "share_cpus", "server", "loader_engine",
                                  "loader_wait", "loader_threads", "server_cpus", "loader_cpus",
                                  "labels")}
    return top


def from_json(document):
    """Of a document that series_check has found good."""
    values = {**{key: document[key] for key in _AT_THE_TOP}, **document["options"]}
    values["vary"] = {name: axis for axis, name in _COMPARED_AS.items()}.get(values["vary"],
                                                                             values["vary"])
    return Settings(**values)
