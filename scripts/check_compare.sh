#!/usr/bin/env bash
# Checks what ringecho-compare says against what is known. See --help.
# shellcheck source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Measures one server three ways on this machine, interleaved: as it is, as it is
once more, and with CPU burnt on purpose. ringecho-compare must find nothing
between the first two, and the third slower. About 5 minutes: where repeats
vary by 10%, as on a shared host, 5% takes so many of them.

Usage: scripts/check_compare.sh [OPTIONS]

  --burn PERCENT   of the server's own CPU time, burnt on top of it [5]
  --repeats N      of each, 1 s long [60]
  --quick          half a minute, for machines of any restlessness: 100% burnt,
                   8 repeats, changes below 30% do not count
  --build DIR      take the programs that are there; installs and builds nothing
  -h, --help       print this help and exit

Exit codes: 0 both answers are right, 1 one is not, 2 bad options.
END
}

burn=5
repeats=60
least=()
dir=
while (($#)); do
  case $1 in
    --burn | --repeats)
      [[ ${2-} =~ ^[1-9][0-9]{0,2}$ ]] || refuse "$1: got \"${2-}\", takes 1 to 999"
      if [[ $1 == --burn ]]; then burn=$2; else repeats=$2; fi
      shift
      ;;
    --quick)
      burn=100
      repeats=8
      least=(--min-effect 30%)
      ;;
    --build)
      [[ -d ${2-} ]] || refuse "--build: got \"${2-}\", takes a build directory"
      dir=$2
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) refuse "unknown option $1" ;;
  esac
  shift
done

if [[ ! $dir ]]; then
  need build test
  dir=$root/build-test
  configure "$dir" -Dbuildtype=release -Db_ndebug=false
  build "$dir" src/server/ringecho-server src/load/ringecho-load src/compare/ringecho-compare \
    tests/burn/libburn.so
fi

work=$(mktemp -d)
server_pid=
cleanup() {
  if [[ $server_pid ]]; then kill -KILL "$server_pid" 2>/dev/null || true; fi
  rm -rf -- "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# Both ends share one CPU: what they do then depends least on what else the host does, and the
# server's CPU time is its own all the same.
cpu=$(($(nproc) - 1))

# measure SIDE NUMBER [VARIABLE=VALUE...]: one run of the server with this environment.
measure() {
  local side=$1 number=$2 name address=
  shift 2
  name=$work/$side/$(printf '%03d' "$number")
  mkdir -p -- "$work/$side"
  local labels=(--label "side=$side" --series "$side" --order "$number")
  env "$@" "$dir/src/server/ringecho-server" --engine epoll --listen 127.0.0.1:0 --cpus "$cpu" \
    -i 100ms -q --json "$name.server.json" "${labels[@]}" >"$work/log" 2>&1 &
  server_pid=$!
  for ((i = 0; i < 100; ++i)); do
    address=$(sed -n 's/^listening on //p' "$work/log" 2>/dev/null)
    [[ $address ]] && break
    sleep 0.1
  done
  [[ $address ]] || die "the server did not start: $(tail -n 1 "$work/log")"
  "$dir/src/load/ringecho-load" --connect "$address" -c 64 -d 1s --warmup 300ms -q \
    --wait block --cpus "$cpu" --json "$name.load.json" "${labels[@]}" >"$work/load.log" 2>&1 ||
    die "the load generator failed: $(tail -n 1 "$work/load.log")"
  kill -TERM "$server_pid"
  wait "$server_pid" || die 'the server failed'
  server_pid=
  : >"$work/log"
}

for ((repeat = 0; repeat < repeats; ++repeat)); do
  say "[$((repeat + 1))/$repeats]"
  preload=(LD_PRELOAD="$dir/tests/burn/libburn.so" RINGECHO_BURN_PERCENT="$burn")
  # There and back, so that drift hits all alike.
  if ((repeat % 2)); then
    measure burnt "$repeat" "${preload[@]}"
    measure again "$repeat" LC_ALL=C
    measure plain "$repeat" LC_ALL=C
  else
    measure plain "$repeat" LC_ALL=C
    measure again "$repeat" LC_ALL=C
    measure burnt "$repeat" "${preload[@]}"
  fi
done

# compared SIDE OPTIONS...: with the plain one.
compared() {
  "$dir/src/compare/ringecho-compare" "$work/plain" "$work/$1" --vary label.side --base plain \
    "${least[@]}" "${@:2}"
}

# verdicts SIDE: what is found between it and the plain one, as "METRIC VERDICT" lines of those that
# are judged.
verdicts() {
  compared "$1" --format json | python3 -c '
import json, sys
found = json.load(sys.stdin)
for one in found["findings"]:
    metric = found["metrics"][one["metric"]]
    if metric["judged"]:
        print(metric["id"], one["verdict"])'
}

status=0
echo '--- the same twice: nothing may be found'
compared again
if verdicts again | grep -qv ' ~$'; then status=1; fi
echo
echo "--- with $burn% of CPU burnt: the server must cost more"
compared burnt
if ! verdicts burnt | grep -q '^server_cpu_ns_per_message slower$'; then status=1; fi
echo
if ((status == 0)); then echo 'both answers are right'; else echo 'an answer is wrong'; fi
exit "$status"
