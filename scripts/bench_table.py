#!/usr/bin/env -S python3 -B
"""Prints the table of a folder that run_bench.sh wrote.

Usage: bench_table.py FOLDER
"""
import pathlib
import sys

from bench import series, table


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return 2
    try:
        print("\n".join(table.text(pathlib.Path(arguments[0]))))
    except series.Unreadable as error:
        print(f"bench_table.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
