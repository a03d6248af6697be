#!/usr/bin/env bash
# Measures io_uring against epoll on this machine. See --help.
# shellcheck source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Builds ringecho, measures its server with io_uring and with epoll, and prints a
table. Missing packages are installed (Debian and its like, as root) or named.

Usage: scripts/run_bench.sh [OPTIONS]

  --quick               one short run of each, less than a minute in all
  --connections LIST    open connections [1,64,1000,10000]; k is a thousand
  --engines LIST        of the server [io_uring,epoll]
  --loader-engine NAME  of the load generator: auto, io_uring or epoll [auto].
                        It is the same for all engines of the server, because
                        only the server is what is compared.
  --duration TIME       measured in each run [5s], after a warm-up of a fifth
  --repeats N           runs of each, interleaved: A B, B A, A B ... [3]
  --size BYTES          of a message [64]
  --out DIR             where the results go [bench_results/<UTC>-<kernel>]
  --no-build            use what an earlier run has built
  -h, --help            print this help and exit

The server has one thread on a CPU of its own, the load generator up to three
on others, as far as there are enough. DIR gets two JSON files per run and the
table as table.txt. The columns of the table, medians over the repeats:

  messages/s   echoed and verified, whole messages
  p50 ...      time from sending a message to its last byte coming back
  CPU/msg      CPU time of the server per message
  loader       how busy the load generator's threads were; near 100% it may be
               what limits the rate
  verdict      what the load generator thinks of its results; the worst repeat
END
}

connections=(1 64 1000 10000)
engines=(io_uring epoll)
loader_engine=auto
duration=5s
repeats=3
size=64
out=
build=yes

# whole OPTION TEXT: "10k" as 10000; for lists of positive numbers.
whole() {
  [[ $2 =~ ^[1-9][0-9]{0,6}k?$ ]] || refuse "$1: got \"$2\", takes numbers such as 64 or 10k"
  printf '%s\n' "${2/k/000}"
}

while (($#)); do
  case $1 in
    --connections | --engines | --loader-engine | --duration | --repeats | --size | --out)
      (($# > 1)) || refuse "$1: takes a value"
      ;;&
    --connections)
      IFS=, read -ra list <<<"$2"
      connections=()
      for one in "${list[@]}"; do connections+=("$(whole --connections "$one")"); done
      ((${#connections[@]})) || refuse "--connections: got \"$2\", takes numbers such as 64 or 10k"
      shift
      ;;
    --engines)
      IFS=, read -ra engines <<<"$2"
      ((${#engines[@]})) || refuse "--engines: got \"$2\", takes io_uring and epoll"
      for one in "${engines[@]}"; do
        [[ $one == io_uring || $one == epoll ]] ||
          refuse "--engines: got \"$one\", takes io_uring and epoll"
      done
      shift
      ;;
    --loader-engine)
      [[ $2 =~ ^(auto|io_uring|epoll)$ ]] ||
        refuse "--loader-engine: got \"$2\", takes auto, io_uring or epoll"
      loader_engine=$2
      shift
      ;;
    --duration)
      [[ $2 =~ ^([0-9]+)(ms|s|m)$ ]] || refuse "--duration: got \"$2\", takes times such as 500ms or 10s"
      duration=$2
      shift
      ;;
    --repeats)
      repeats=$(whole --repeats "$2")
      shift
      ;;
    --size)
      [[ $2 =~ ^[1-9][0-9]*[km]?$ ]] || refuse "--size: got \"$2\", takes bytes such as 64 or 4k"
      size=$2
      shift
      ;;
    --out)
      out=$2
      shift
      ;;
    --quick)
      duration=2s
      repeats=1
      ;;
    --no-build) build= ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) refuse "unknown option $1" ;;
  esac
  shift
done
# In milliseconds, to name a warm-up of a fifth.
case $duration in
  *ms) duration_ms=${duration%ms} ;;
  *s) duration_ms=$((${duration%s} * 1000)) ;;
  *m) duration_ms=$((${duration%m} * 60000)) ;;
esac
((duration_ms >= 500)) || refuse "--duration: got \"$duration\", takes at least 500ms"

dir=$root/build-bench
server_exe=$dir/src/server/ringecho-server
load_exe=$dir/src/load/ringecho-load
if [[ $build ]]; then
  need build
  configure "$dir" -Dbuildtype=release -Dtests=false
  build "$dir"
fi
[[ -x $server_exe && -x $load_exe ]] || die "nothing is built in $dir; leave out --no-build"

# --- where things run ---

# expand LIST: "0,2-4" as "0 2 3 4".
expand() {
  local part parts
  IFS=, read -ra parts <<<"$1"
  for part in "${parts[@]}"; do seq "${part%-*}" "${part#*-}"; done
}

# Sets server_cpu and loader_cpus (an array), empty where there is only one CPU.
choose_cpus() {
  local cpus cpu twins left=()
  mapfile -t cpus < <(expand "$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)")
  server_cpu=
  loader_cpus=()
  if ((${#cpus[@]} == 1)); then
    say 'There is only one CPU: server and load generator share it. The numbers then say how'
    say 'much both together cost, and the CPU per message is still that of the server alone.'
    return
  fi
  # Not the first one, where interrupts usually arrive.
  server_cpu=${cpus[-1]}
  # A hyperthread of the server's core would slow the server down; used only if there is no other.
  twins=$(cat "/sys/devices/system/cpu/cpu$server_cpu/topology/thread_siblings_list" 2>/dev/null ||
    echo "$server_cpu")
  twins=" $(expand "$twins" | paste -sd ' ' -) "
  for cpu in "${cpus[@]}"; do
    [[ $twins == *" $cpu "* ]] || left+=("$cpu")
  done
  if ((${#left[@]} == 0)); then
    say 'The only other CPU is a hyperthread of the server'\''s core: the two disturb each other.'
    left=("${cpus[@]:0:${#cpus[@]}-1}")
  fi
  loader_cpus=("${left[@]:0:3}")
}

warn_of_company() {
  local comm name load
  for comm in /proc/[0-9]*/comm; do
    name=$(cat "$comm" 2>/dev/null) || continue
    if [[ $name == ringecho-server || $name == ringecho-load ]]; then
      comm=${comm%/comm}
      say "warning: another $name is running (pid ${comm##*/}); it will disturb the measurement"
    fi
  done
  read -r load _ </proc/loadavg
  if awk -v load="$load" -v cpus="$(nproc)" 'BEGIN { exit !(load > cpus / 4 + 0.5) }' &&
    [[ ! $build ]]; then
    say "warning: the machine is busy (load average $load)"
  fi
}

# --- one run ---

server_pid=
load_pid=

# end PID: asks a process of ours to end, and makes it.
end() {
  local i
  kill -TERM "$1" 2>/dev/null || return 0
  for ((i = 0; i < 50; ++i)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null || true
}

end_all() {
  if [[ $load_pid ]]; then end "$load_pid"; fi
  if [[ $server_pid ]]; then end "$server_pid"; fi
  load_pid='' server_pid=''
}

# skip ENGINE CONNECTIONS REASON: for the table. The reason is told once.
skip() {
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$out/skipped.tsv"
  say "  $1, $2 connections: $3"
}

# last_words FILE: the line in which a program said why it ended.
last_words() { grep -E '^ringecho-(server|load): ' "$1" | tail -n 1 | cut -c 1-400; }

# start_server ENGINE NAME LABEL...: sets server_pid and address, or fails.
start_server() {
  local engine=$1 log=$out/$2.server.log i
  local argv=("$server_exe" --engine "$engine" --listen 127.0.0.1:0 -i 100ms -q
    --json "$out/$2.server.json")
  [[ $server_cpu ]] && argv+=(--cpus "$server_cpu")
  shift 2
  "${argv[@]}" "$@" >"$log" 2>&1 &
  server_pid=$!
  for ((i = 0; i < 100; ++i)); do
    address=$(sed -n 's/^listening on //p' "$log" 2>/dev/null)
    [[ $address ]] && return
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  end "$server_pid"
  server_pid=
  return 1
}

# run_one ENGINE CONNECTIONS REPEAT NUMBER
run_one() {
  local engine=$1 count=$2 name threads status=0
  name=$(printf '%03d-%s-c%s-r%s' "$4" "$engine" "$count" "$3")
  local labels=(--label "series=${out##*/}" --label "repeat=$3" --label "order=$4")
  if ! start_server "$engine" "$name" "${labels[@]}"; then
    skip "$engine" "$count" "$(last_words "$out/$name.server.log")"
    failures=$((failures + 1))
    return
  fi
  threads=${#loader_cpus[@]}
  ((threads > 0)) || threads=1
  ((threads <= count)) || threads=$count
  local argv=("$load_exe" --engine "$loader_engine" --connect "$address" -c "$count" -t "$threads"
    -s "$size" -d "$duration" --warmup "$((duration_ms / 5))ms" -q --json "$out/$name.load.json")
  ((${#loader_cpus[@]})) && argv+=(--cpus "$(IFS=,; echo "${loader_cpus[*]:0:threads}")")
  # In the background, because bash does not answer a signal while it waits for a foreground one.
  "${argv[@]}" "${labels[@]}" >"$out/$name.load.log" 2>&1 &
  load_pid=$!
  wait "$load_pid" || status=$?
  load_pid=
  end "$server_pid"
  wait "$server_pid" || say "  the server ended with exit code $?"
  server_pid=
  case $status in
    0 | 3) tell_progress "$(sed -n 's/^  throughput  *\([^ ]* messages\/s\).*/\1/p' "$out/$name.load.log")" ;;
    *)
      skip "$engine" "$count" "$(last_words "$out/$name.load.log")"
      failures=$((failures + 1))
      ;;
  esac
}

# --- all of them ---

started=$SECONDS
tell_progress() {
  local to_go=$(((SECONDS - started) * (total - number) / number))
  say "  $1$( ((number < total)) && echo ", about $to_go s left")"
}

show_table() {
  python3 "$root/scripts/bench_table.py" "$out" | tee "$out/table.txt"
  say "results: $out"
}

interrupted() {
  trap '' INT TERM HUP
  say 'interrupted'
  end_all
  echo "interrupted in run $number of $total" >"$out/INCOMPLETE"
  show_table
  exit 130
}

# too_many COUNT: why so many connections cannot be, if they cannot.
too_many() {
  local hard
  hard=$(ulimit -Hn)
  # Besides connections: rings, listeners, libraries, files.
  if [[ $hard != unlimited ]] && (($1 + 64 > hard)); then
    echo "needs $(($1 + 64)) descriptors, the hard limit is $hard (ulimit -Hn, LimitNOFILE=)"
  fi
}

choose_cpus
warn_of_company
[[ $out ]] || out=$root/bench_results/$(date -u +%Y%m%dT%H%M%SZ)-$(uname -r)
mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)
compgen -G "$out/*.json" >/dev/null && die "$out has results already; name another --out"

if [[ " ${engines[*]} " == *' io_uring '* ]] && ! why=$("$server_exe" --engine io_uring -q \
  --listen 127.0.0.1:0 --duration 1ms 2>&1 >/dev/null); then
  for count in "${connections[@]}"; do skip io_uring "$count" "${why#ringecho-server: }"; done
  mapfile -t engines < <(printf '%s\n' "${engines[@]}" | grep -v io_uring || true)
fi
fitting=()
for count in "${connections[@]}"; do
  why=$(too_many "$count")
  if [[ $why ]]; then
    for engine in "${engines[@]}"; do skip "$engine" "$count" "$why"; done
  else
    fitting+=("$count")
  fi
done

total=$((${#engines[@]} * ${#fitting[@]} * repeats))
number=0
failures=0
echo "not all of $total runs were made" >"$out/INCOMPLETE"
trap interrupted INT TERM HUP
trap end_all EXIT
say "$total runs of $duration, results in $out"
for ((repeat = 0; repeat < repeats; ++repeat)); do
  for count in "${fitting[@]}"; do
    order=("${engines[@]}")
    if ((repeat % 2)); then mapfile -t order < <(printf '%s\n' "${engines[@]}" | tac); fi
    for engine in "${order[@]}"; do
      number=$((number + 1))
      say "[$number/$total] $engine, $count connections, repeat $((repeat + 1))"
      run_one "$engine" "$count" "$repeat" "$number"
    done
  done
done
rm -f -- "$out/INCOMPLETE"
show_table
((failures == 0))
