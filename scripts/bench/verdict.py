"""What ringecho-compare says of a series, where it was built."""
import subprocess

# Comparing reads a few hundred small files; this is for one that hangs.
LIMIT_S = 120


class Judge:
    """ringecho-compare of our build, if it is there."""

    def __init__(self, executable):
        self._executable = executable

    def _run(self, *arguments):
        return subprocess.run([self._executable, *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)

    def available(self):
        return self._executable.exists()

    def text(self, folder):
        """(lines, complaint): either may be empty."""
        try:
            ended = self._run(folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            return [], str(error)
        return ended.stdout.splitlines(), ended.stderr.strip()

    def report(self, folder):
        """The path of the HTML report, or None where it is not to be had."""
        path = folder / "report.html"
        try:
            if "html" not in self._run("--help").stdout:
                return None
            ended = self._run(folder, "--format", "html", "-o", path)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return path if ended.returncode == 0 else None
