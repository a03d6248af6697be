#!/usr/bin/env bash
# Usage: fuzz.sh TARGET SEEDS [DICTIONARY]   runs a libFuzzer target, RINGECHO_FUZZ_SECONDS long (60).
#
# Beside the target it keeps TARGET.corpus/, what reached new code in earlier runs, and
# TARGET.findings/, the inputs that crashed, hung (more than 30 s) or took too much memory.
set -euo pipefail
target=$(realpath -- "$1") seeds=$2
corpus=$target.corpus findings=$target.findings
mkdir -p -- "$corpus" "$findings"

# An input of the length limit takes a few MiB, a histogram at most 32 MiB and is held five times;
# freed memory that the address sanitizer keeps back would count, too.
export ASAN_OPTIONS=${ASAN_OPTIONS-}:quarantine_size_mb=16
# libFuzzer ends with 77 after a finding, which would tell meson that the test was skipped.
"$target" -max_total_time="${RINGECHO_FUZZ_SECONDS:-60}" -max_len=32768 -timeout=30 \
  -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$findings/" ${3+-dict="$3"} \
  "$corpus" "$seeds" || {
  echo "What was found is in $findings; mend it, and add the input to $seeds under a name that" \
    "says what it is (tests/fuzz/README.md)."
  exit 1
}
