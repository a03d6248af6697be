"""python3 -m bench, as scripts/run_bench.sh does."""
from bench.main import entry

entry()
