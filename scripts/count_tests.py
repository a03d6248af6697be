"""Counts what `meson test` ran: the cases inside its test programs, not the programs.

Usage: count_tests.py BUILD_DIR...   prints "N passed, N failed, N skipped", summed over all.

Test programs that tell their cases (GoogleTest, TAP) count with those; others count as one. A
program that failed without naming a case (it crashed, ran out of time) is one more failure.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

BAD = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}


def outcome(case):
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return "failed"
    if "skipped" in tags or case.get("status") == "notrun":
        return "skipped"
    return "passed"


def bare(name):
    """Meson writes a test as "name" or as "project:suite / name"."""
    return name.split(" / ")[-1].split(":")[-1]


def count(junit, programs):
    """junit: the parsed testlog.junit.xml; programs: {bare test name: meson's result}."""
    total = Counter()
    failed_in = Counter()
    for suite in junit.iter("testsuite"):
        # "project.test.suite" of GoogleTest, "project.test" of TAP, "project" of all others.
        named = suite.get("name").split(".")
        for case in suite.iter("testcase"):
            if len(named) > 1:
                how = outcome(case)
            else:  # meson does not mark one that ran out of time
                how = "failed" if programs.get(bare(case.get("name"))) in BAD else outcome(case)
            total[how] += 1
            if how == "failed":
                failed_in[bare(named[1] if len(named) > 1 else case.get("name"))] += 1
    for name, result in programs.items():
        if result in BAD and not failed_in[name]:
            total["failed"] += 1
    return total


def read(build_dir):
    logs = pathlib.Path(build_dir) / "meson-logs"
    programs = {}
    with open(logs / "testlog.json", encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            programs[bare(test["name"])] = test["result"]
    return count(ElementTree.parse(logs / "testlog.junit.xml").getroot(), programs)


def main(build_dirs):
    total = sum((read(build_dir) for build_dir in build_dirs), Counter())
    print(", ".join(f"{total[how]} {how}" for how in ("passed", "failed", "skipped")))


if __name__ == "__main__":
    main(sys.argv[1:])
