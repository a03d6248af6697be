"""python3 -m bench, as scripts/run_bench.sh does."""
from bench import entry

entry.quiet_interrupts()
from bench.main import main  # noqa: E402  the rest takes a while to import

entry.run(main)
