"""A project folder for run_bench.sh with the programs of this build, and what it leaves there."""
import json
import os
import pathlib
import shutil

import programs

SCRIPTS = pathlib.Path(os.environ["RINGECHO_SCRIPTS"])

# Shortest runs that mean anything to the scripts.
SHORT = ["--no-build", "--duration", "500ms", "--repeats", "1"]


def make_project(folder):
    """run_bench.sh in a project folder with the scripts and with what a build would have left."""
    shutil.copytree(SCRIPTS, folder / "scripts")
    for path, name in ((programs.SERVER, "server"), (programs.LOAD, "load")):
        place = folder / "build-bench" / "src" / name
        place.mkdir(parents=True)
        (place / pathlib.Path(path).name).symlink_to(path)
    return folder / "scripts" / "run_bench.sh"


def left_over(folder):
    """Command lines of running processes that name the folder or what is in it."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(os.fsencode(folder) in word for word in words) and b"ringecho-" in words[0]:
            found.append(words)
    return found


def wait_for_both(script, bench, number):
    """Until both programs of the run that is announced as [number/...] are at work."""
    script.wait_for(rf"^\[{number}/", "err")
    project = bench.parent.parent
    programs.wait_until(lambda: len(left_over(project)) == 2, "both run")


def rows(text, engine):
    """Of the table, as words."""
    return [line.split() for line in text.splitlines() if line.startswith(engine + " ")
            and line.split()[1] != "/"]


def series_of(bench):
    (folder,) = (bench.parent.parent / "bench_results").iterdir()
    return folder


def state_of(bench):
    return json.loads((series_of(bench) / "series.json").read_text())
