#!/usr/bin/env -S python3 -B
"""Prints the table of a folder that run_bench.sh wrote.

Usage: bench_table.py FOLDER
"""
import pathlib

from bench import entry

entry.quiet_interrupts()
from bench import series, table  # noqa: E402
from bench.runner import say  # noqa: E402


def _refuse(why):
    say(f"bench_table.py: {why}")
    return 2


def _has_any(folder):
    return (folder / series.FILE).exists() or any(folder.glob("*.load.json"))


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return _refuse("takes one folder; --help says more")
    folder = pathlib.Path(arguments[0])
    try:
        if not _has_any(folder):
            return _refuse(f"{folder}: no folder with results of run_bench.sh")
        print("\n".join([*table.text(folder), *table.warning_lines(folder)]))
    except BrokenPipeError:
        raise
    except (series.Unreadable, OSError) as error:
        return _refuse(error)
    return 0


if __name__ == "__main__":
    entry.run(main)
