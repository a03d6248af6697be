"""What ringecho-compare says of a series, where it was built."""
import subprocess

# Comparing reads a few hundred small files; this is for one that hangs.
LIMIT_S = 120

REPORT = "report.html"


class Judge:
    """ringecho-compare of our build, if it is there."""

    def __init__(self, executable):
        self._executable = executable

    def _run(self, *arguments):
        return subprocess.run([self._executable, *arguments], capture_output=True, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                              check=False)

    def available(self):
        return self._executable.exists()

    def text(self, folder):
        """(lines, complaint): either is empty. The complaint says why nothing is compared."""
        try:
            ended = self._run(folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            return [], str(error)
        return ([], _complaint(ended)) if ended.returncode else (ended.stdout.splitlines(), "")

    def forget(self, folder):
        """Removes the report of an earlier state of the series, which may be all there will be."""
        (folder / REPORT).unlink(missing_ok=True)

    def report(self, folder):
        """(path of the HTML report, complaint): neither where this build has no reports."""
        path = folder / REPORT
        try:
            if "html" not in self._run("--help").stdout:
                return None, ""
            ended = self._run(folder, "--format", "html", "-o", path)
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, str(error)
        return (None, _complaint(ended)) if ended.returncode else (path, "")


def _complaint(ended):
    return ended.stderr.strip() or f"ringecho-compare: ended with exit code {ended.returncode}"
