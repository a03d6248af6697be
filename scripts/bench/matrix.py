"""The runs of a series and their order."""
import collections
import itertools
import random

from bench import units
from bench.settings import AXES

# `cell`: {axis: value}; `repeat` and `order_index` count from 0.
Run = collections.namedtuple("Run", "order_index repeat cell name")

# From the axis that changes least to the one whose values are measured side by side.
_NESTING = ("threads", "size_bytes", "depth", "connections", "buffer_size_bytes", "wait",
            "features", "engine")

_NAME_PARTS = {"connections": "c", "size_bytes": "s", "depth": "d", "threads": "t",
               "features": "f", "wait": "w", "buffer_size_bytes": "b"}


def cells(axes, vary):
    """Every combination; those that differ in `vary` alone stand side by side."""
    nesting = [axis for axis in _NESTING if axis in axes and axis != vary]
    nesting += [axis for axis in axes if axis == vary]
    every = [dict(zip(nesting, values))
             for values in itertools.product(*(axes[axis] for axis in nesting))]
    return [{axis: cell[axis] for axis in AXES if axis in cell}
            for cell in every if _is_meant(axes, cell)]


def _is_meant(axes, cell):
    """epoll has no features to switch: it is there once."""
    return cell.get("engine") != "epoll" or cell.get("features") in axes.get("features", [None])[:1]


def ordered(axes, vary, repeats, order, seed):
    """[(repeat, cell)]: every repeat visits every cell once, so that drift hits all alike.

    Interleaved: what is compared is measured side by side, A B in one repeat and B A in the next.
    Shuffled: each repeat in an order of its own, drawn from the seed.
    """
    every = cells(axes, vary)
    generator = random.Random(seed)
    found = []
    for repeat in range(repeats):
        turn = list(every)
        if order == "shuffled":
            generator.shuffle(turn)
        elif repeat % 2:
            turn = [cell for _, side_by_side in itertools.groupby(turn, _all_but(vary))
                    for cell in reversed(list(side_by_side))]
        found += [(repeat, cell) for cell in turn]
    return found


def _all_but(vary):
    """Equal for cells that stand side by side. What features need is another engine for epoll."""
    varied = {vary, "engine"} if vary == "features" else {vary}
    return lambda cell: [value for axis, value in cell.items() if axis not in varied]


def name_of(axes, cell, repeat):
    """The engine, connections, what else varies, the repeat: "epoll-c64-d8-r0"."""
    words = [cell.get("engine", "server")]
    words += [f"{letter}{cell[axis]}" for axis, letter in _NAME_PARTS.items()
              if axis == "connections" or len(axes.get(axis, [])) > 1]
    return "-".join([*words, f"r{repeat}"]).replace(":", "")


def runs(settings):
    plan = ordered(settings.axes, settings.vary, settings.repeats, settings.order, settings.seed)
    return [Run(index, repeat, cell, f"{index:03d}-{name_of(settings.axes, cell, repeat)}")
            for index, (repeat, cell) in enumerate(plan)]


def describe(axes, cell):
    """For progress lines: "io_uring, 1,000 connections, 4,096 B"."""
    words = [cell["engine"]] if "engine" in cell else []
    words.append(units.count(cell["connections"], "connection"))
    if len(axes["size_bytes"]) > 1:
        words.append(f"{cell['size_bytes']:,} B")
    if len(axes["depth"]) > 1:
        words.append(f"{cell['depth']:,} in flight each")
    if len(axes.get("threads", [])) > 1:
        words.append(units.count(cell["threads"], "server thread"))
    if len(axes.get("features", [])) > 1 and cell["engine"] != "epoll":
        words.append(cell["features"])
    if len(axes.get("wait", [])) > 1:
        words.append(cell["wait"])
    if len(axes.get("buffer_size_bytes", [])) > 1:
        words.append(f"buffers {units.size_or_word(cell['buffer_size_bytes'])}")
    return ", ".join(words)
