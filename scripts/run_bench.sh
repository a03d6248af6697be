#!/usr/bin/env bash
# Measures servers over a matrix of workloads. See --help; the work is done by the package bench/.
# shellcheck source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# Any Python will do; meson needs one, so it is there after a build.
python=$(python_with json) || {
  need build
  python=$(python_with json) || die 'there is no python3'
}
# Leaves no __pycache__ behind, and needs nothing but the standard library (-S): what Python does
# before our first line cannot be interrupted quietly.
bench() { PYTHONPATH=$root/scripts "$python" -B -S -m bench "$@"; }

# What needs no programs is done by this: help, lists, checks, plans and refusals.
# Otherwise it says whether to build first.
readonly to_build=100 to_run=101
status=0
bench --before-build "$@" || status=$?
((status == to_build || status == to_run)) || exit "$status"

if ((status == to_build)); then
  need build
  configure "$root/build-bench" -Dbuildtype=release -Dtests=false
  build "$root/build-bench"
fi
PYTHONPATH=$root/scripts exec "$python" -B -S -m bench "$@"
