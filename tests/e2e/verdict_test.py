"""What ringecho-compare says of real runs whose difference is known (run_tests.sh --soak)."""
import os
import pathlib
import subprocess

import programs

SCRIPTS = pathlib.Path(os.environ["RINGECHO_SCRIPTS"])
BUILD = pathlib.Path(programs.SERVER).parents[2]


def test_burnt_cpu_is_found_and_the_same_twice_is_not_told_apart():
    checked = subprocess.run(
        [SCRIPTS / "check_compare.sh", "--quick", "--build", BUILD],
        capture_output=True, text=True, check=False, timeout=240)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[-1] == "both answers are right"
