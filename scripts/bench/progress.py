"""How long a series takes: from what it asks for, and then from what its runs took."""
import statistics

from bench import units

# Starting both programs and calibrating them, stopping, draining: until a run has been measured.
# Twice what it took in bench_results/reference, with 10,000 connections as much as there.
GUESS_S = 0.4
GUESS_PER_CONNECTION_S = 0.00013
GUESS_SESSIONS_PER_S = 15_000


def run_text(settings):
    """What ends each run: "4s", "40,000 sessions"."""
    return units.count(settings.sessions, "session") if settings.sessions else \
        units.time_text(settings.duration_ms)


def asked_s(settings):
    """What every run takes at least; sessions take as long as they take."""
    return (settings.warmup_ms + settings.duration_ms) / 1000


def estimate_s(settings, runs, remaining):
    """Seconds that the `remaining` ones of these runs will take, by those that have `seconds`.

    What a run takes besides measuring depends on its connections above all: it is the median of
    runs with as many, or what those with other numbers suggest.
    """
    besides = {}
    for run in runs:
        if run["seconds"] is not None:
            besides.setdefault(run["cell"]["connections"], []).append(
                max(0.0, run["seconds"] - asked_s(settings)))

    def of(connections):
        if connections in besides:
            return statistics.median(besides[connections])
        if not besides:
            return GUESS_S + GUESS_PER_CONNECTION_S * connections + \
                settings.sessions / GUESS_SESSIONS_PER_S
        nearest = min(besides, key=lambda known: abs(known - connections))
        more = GUESS_PER_CONNECTION_S * max(0, connections - nearest)
        return statistics.median(besides[nearest]) + more

    return sum(asked_s(settings) + of(run["cell"]["connections"]) for run in remaining)
