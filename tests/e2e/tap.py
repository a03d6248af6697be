"""Runs pytest files and tells their results in TAP, so that meson counts the tests inside.

Usage: tap.py PYTEST_FILE [PYTEST_ARGUMENT...]

TAP goes to stdout, everything pytest prints to stderr. Without the modules the tests need nothing
runs: that is a skip, loudly, and a failure where CI is set.
"""
import os
import sys

try:
    import jsonschema  # noqa: F401  what conftest.py needs
    import pytest
except ImportError as missing:
    if os.environ.get("CI"):
        print(f"Bail out! {missing.name} is not installed for {sys.executable}")
        sys.exit(1)
    print(f"1..0 # SKIP NO END-TO-END TESTS: {sys.executable} has no module {missing.name} "
          "(apt install python3-pytest python3-jsonschema)")
    sys.exit(0)


class Tap:
    """A pytest plugin. One line per test, when its last phase is over."""

    def __init__(self, out):
        self._out = out
        self._count = 0
        self._outcome = {}

    def _say(self, text):
        print(text, file=self._out, flush=True)

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split("::", 1)[-1].replace("#", "")
        good, directive = self._outcome.get(name, (True, ""))
        if hasattr(report, "wasxfail"):
            good, directive = report.passed, f" # TODO {report.wasxfail}"
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            directive = " # SKIP " + reason.replace("\n", " ")
        elif report.failed:
            good, directive = False, ""
        self._outcome[name] = good, directive
        if report.when == "teardown":
            self._count += 1
            self._say(f"{'ok' if good else 'not ok'} {self._count} {name}{directive}")

    def pytest_collectreport(self, report):
        if report.failed:
            self._say(f"Bail out! {report.nodeid} cannot be loaded")

    def pytest_sessionfinish(self):
        self._say(f"1..{self._count}")


def main(arguments):
    tap_out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    options = ["-p", "no:cacheprovider", "--color=no", "-ra", "--durations=5", "--durations-min=1"]
    return pytest.main(options + arguments, plugins=[Tap(tap_out)])


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # What failed is in the TAP lines; other codes say that pytest itself did.
    sys.exit(0 if code in (0, 1) else int(code))
