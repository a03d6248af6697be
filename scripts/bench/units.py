"""Numbers as people write and read them. Parsing raises Bad with what would have been right."""
import re


class Bad(ValueError):
    """What was got and what is taken, in one line without a name in front."""


def _refuse(text, taken):
    raise Bad(f'got "{text}", takes {taken}')


def whole(text, taken="numbers such as 64 or 10k", most=9_999_999):
    """"10k" as 10000; from 1 to `most`."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([km]?)", text)
    if not match:
        _refuse(text, taken)
    value = int(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2]]
    if value > most:
        _refuse(text, f"{taken}, at most {most:,}")
    return value


def size(text):
    """"4k" as 4096 bytes."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([km]?)", text)
    if not match:
        _refuse(text, "bytes such as 64 or 4k")
    return int(match[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[match[2]]


def time_ms(text):
    """Without a unit it is seconds, as for the programs."""
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|)", text)
    if not match:
        _refuse(text, "times such as 500ms or 10s")
    return int(match[1]) * {"ms": 1, "s": 1_000, "": 1_000, "m": 60_000}[match[2]]


def parts(text, parse, taken):
    """A list with commas, spaces allowed; each value once, in the order given."""
    found = [parse(part.strip()) for part in text.split(",")] if text.strip() else []
    if not found:
        _refuse(text, taken)
    for value in found:
        if found.count(value) > 1:
            _refuse(text, "each value once")
    return found


def cpu_list(text):
    """"0,2-4" as [0, 2, 3, 4]; the format of the kernel and of taskset. Empty is []."""
    cpus = []
    for part in filter(None, text.strip().split(",")):
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            _refuse(text, "CPUs such as 0,2-3")
        cpus += range(int(match[1]), int(match[2] or match[1]) + 1)
    return cpus


def duration(ns):
    """Three digits and a unit; "-" for None."""
    if ns is None:
        return "-"
    for limit, unit in ((1e3, "ns"), (1e6, "us"), (1e9, "ms")):
        if ns < limit:
            return f"{_three_digits(ns / limit * 1e3)} {unit}"
    return f"{_three_digits(ns / 1e9)} s"


def _three_digits(value):
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def seconds_left(seconds):
    """For people who wait: "40 s", "5 min", "2 h 5 min"."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def count(number, noun):
    """"1 thread", "2 threads"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(line):
    """What files and other programs say, fit for a terminal: with nothing that moves its cursor."""
    return "".join(char if char.isprintable() else "?" for char in line)


def size_text(value):
    """4096 as "4k": what size() takes."""
    for factor, unit in ((1 << 20, "m"), (1 << 10, "k")):
        if value >= factor and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def size_or_word(value):
    """As size_text(); a word stands for itself: "default"."""
    return value if isinstance(value, str) else size_text(value)


def time_text(ms):
    """1500 as "1500ms", 4000 as "4s": what time_ms() takes, and the programs."""
    return f"{ms // 1000}s" if ms and ms % 1000 == 0 else f"{ms}ms"
