#!/usr/bin/env bash
# Builds and runs the tests. See --help.
# shellcheck source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Builds ringecho in build-test/ and runs its tests: unit, engine, conformance,
simulation and end-to-end. Missing packages are installed (Debian and its like,
as root) or named. The last line is "N passed, N failed, N skipped".

Usage: scripts/run_tests.sh [OPTIONS] [TEST...]

  TEST                 run just these (names of `meson test`)
  --suite NAME         run just this suite, such as unit or e2e
  --sanitize KIND      with "address,undefined" in build-test-address, or with
                       "thread" in build-test-thread
  --ladder             the conformance tests, with the address sanitizer: each
                       preset of io_uring features, all but one, all but two;
                       with RINGECHO_LADDER=all also of what is off by default
  --clang              build with clang in build-test-clang; warnings are errors
  --fuzz               fuzz the readers of files with clang's libFuzzer in
                       build-test-fuzz, each for RINGECHO_FUZZ_SECONDS (60)
  --lint               check formatting and run clang-tidy; no tests
  --soak               connections that come and go, thousands a second for a
                       minute, with epoll and three sets of io_uring features;
                       RINGECHO_CHURN_SECONDS is another time than 60. Then real
                       runs, whose difference is known, compared
  --static             build static binaries in build-test-static and run those
                       tests that start the programs
  --browser            the HTML report in headless Chromium; installs it, Node
                       and npm if need be, and from npm playwright-core, into
                       build-test-browser
  --all                everything above, one after another: what CI runs
  -h, --help           print this help and exit

RINGECHO_REQUIRE_IO_URING=1 makes it a failure when io_uring tests cannot run.
END
}

tests=()
modes=()
while (($#)); do
  case $1 in
    --suite)
      (($# > 1)) || refuse '--suite: takes the name of a suite'
      tests+=(--suite "$2")
      shift
      ;;
    --sanitize)
      case ${2-} in
        address,undefined | thread) modes+=("${2%%,*}") ;;
        *) refuse "--sanitize: got \"${2-}\", takes address,undefined or thread" ;;
      esac
      shift
      ;;
    --browser | --clang | --fuzz | --ladder | --lint | --soak | --static) modes+=("${1#--}") ;;
    --all) modes+=(default soak lint clang static address ladder fuzz thread browser) ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) refuse "unknown option $1" ;;
    *) tests+=("$1") ;;
  esac
  shift
done
((${#modes[@]})) || modes=(default)

# Address space layouts of newer kernels are too random for the thread sanitizer of older
# compilers; a sandbox may forbid to switch that off.
steady_addresses() {
  if setarch -R true 2>/dev/null; then
    setarch -R "$@"
  else
    "$@"
  fi
}

ran=()      # build directories in which a mode has run tests
counted=()  # by mode: "N passed, N failed, N skipped"
failed=()   # modes that went wrong

# run_in DIR WRAPPER... : the tests of a build directory; WRAPPER is a command prefix.
run_in() {
  local dir=$1
  shift
  # What an earlier run left would be counted for a program that crashes before it writes its own.
  rm -f -- "$dir"/*.xml
  ran+=("$dir")
  "$@" meson test -C "$dir" --no-rebuild --print-errorlogs "${meson_test[@]}" "${tests[@]}" \
    "${left_out[@]}" >&2
}

# By default asserts are on (b_ndebug=false), optimisation too: the tests are to meet the code that
# is measured, and its invariants. The other builds look for faults of other kinds, and are
# optimised only as far as makes building and running them together fastest. -Dwerror is for those
# who develop, not for those whose newer compiler knows a new warning.
run_mode() {
  local mode=$1 dir=$root/build-test-$1
  # Most tests wait for something most of the time: with fewer at once two CPUs would idle, with more
  # the short runs of benchmarks in them get too little of these to measure anything.
  local meson_test=(--num-processes $(($(nproc) > 3 ? $(nproc) : 3)))
  local targets=() left_out=(--no-suite=browser --no-suite=soak)
  local options=(-Dbuildtype=release -Db_ndebug=false)
  case $mode in
    default)
      need build test
      dir=$root/build-test
      ;;
    soak)
      need build test
      dir=$root/build-test
      targets=(src/server/ringecho-server src/load/ringecho-load src/compare/ringecho-compare
        tests/burn/libburn.so)
      left_out=()
      # Two at a time, so that each has CPUs for both its ends.
      meson_test=(--num-processes 2)
      local tests=(--suite=soak)
      local -x RINGECHO_CHURN_SECONDS=${RINGECHO_CHURN_SECONDS:-60}
      ;;
    clang)
      need build test clang
      local -x CXX=clang++
      options+=(-Doptimization=1 -Dwerror=true)
      ;;
    static)
      need build test
      options+=(-Dstatic=true)
      # The programs are what is static, and what has to work that way.
      targets=(src/server/ringecho-server src/load/ringecho-load src/compare/ringecho-compare)
      local tests=("${tests[@]:---suite=e2e}")
      ;;
    address | ladder)
      need build test
      dir=$root/build-test-address
      options=(-Dbuildtype=debug -Doptimization=1 '-Db_sanitize=address,undefined')
      local -x ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
      local -x UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
      meson_test+=(--timeout-multiplier 4)
      if [[ $mode == ladder ]]; then
        local -x RINGECHO_LADDER=${RINGECHO_LADDER:-default}
        local tests=(--suite=conformance)
        meson_test+=(--timeout-multiplier 10)
      fi
      ;;
    fuzz)
      need build test clang fuzz
      local -x CXX=clang++
      options=(-Dbuildtype=debug -Doptimization=1 '-Db_sanitize=address,undefined'
        -Db_lundef=false -Dfuzz=true)
      targets=(tests/fuzz/result_json_fuzz tests/fuzz/histogram_fuzz)
      local -x UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
      local tests=(--suite=fuzz)
      ;;
    thread)
      need build test
      options=(-Dbuildtype=debug -Doptimization=1 -Db_sanitize=thread)
      local -x TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
      meson_test+=(--timeout-multiplier 4)
      ;;
    browser)
      need build test browser
      targets=(tests/unit/compare/html/write_pages)
      left_out=()
      local tests=(--suite=browser)
      local -x RINGECHO_REQUIRE_BROWSER=1
      ;;
    lint)
      need build test lint
      lint
      return
      ;;
  esac
  configure "$dir" "${options[@]}"
  build "$dir" "${targets[@]}"
  if [[ $mode == static ]]; then check_bare "$dir"; fi
  if [[ $mode == browser ]]; then get_playwright "$dir/tests/report"; fi
  say "testing ${dir#"$root"/}"
  if [[ $mode == thread ]]; then
    run_in "$dir" steady_addresses
  else
    run_in "$dir"
  fi
}

# get_playwright DIR: into DIR/node_modules, in the version that tests/report/package.json names.
get_playwright() {
  cp -- "$root/tests/report/package.json" "$1"
  quietly npm install --prefix "$1" --no-package-lock --ignore-scripts --no-audit --no-fund ||
    die 'npm could not install playwright-core'
}

# check_bare DIR: what is installed needs no library, and as root it is seen to run where there is
# nothing else, not even /proc.
check_bare() {
  local dest exe exes
  dest=$(mktemp -d)
  DESTDIR=$dest meson install -C "$1" --no-rebuild --quiet >&2 || die 'meson install failed'
  mapfile -t exes < <(find "$dest" -name 'ringecho-*' -type f -perm -u+x)
  ((${#exes[@]} == 3)) || die "installed were: ${exes[*]}"
  for exe in "${exes[@]}"; do
    ! readelf -l "$exe" | grep -q INTERP || die "${exe##*/} is not static"
    if ((EUID == 0)); then
      chroot "$dest" "${exe#"$dest"}" --version >&2 || die "${exe##*/} does not run by itself"
    fi
  done
  rm -rf -- "$dest"
}

lint() {
  local dir=$root/build-test-lint sources status=0
  mapfile -t sources < <(cd -- "$root" && git ls-files 'src/*.cc' 'src/*.h' 'tests/*.cc' 'tests/*.h')
  say 'checking the format'
  (cd -- "$root" && clang-format --dry-run -Werror "${sources[@]}") || status=1
  # clang-tidy wants the compile commands and the generated headers, not the objects.
  configure "$dir" -Dbuildtype=debug
  build "$dir" src/cli/build_info.h
  say 'running clang-tidy'
  mapfile -t sources < <(cd -- "$root" && git ls-files 'src/*.cc')
  (cd -- "$root" && printf '%s\0' "${sources[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$dir" 2>/dev/null) || status=1
  return "$status"
}

for mode in "${modes[@]}"; do
  started=$SECONDS
  # Each mode in a shell of its own, so that one that fails does not end the others; what it ran
  # is told through a file.
  list=$(mktemp)
  set +e  # in the condition of an if, bash would ignore errors inside it, too
  (
    set -e
    trap 'printf "%s\n" "${ran[@]}" >"$list"' EXIT
    run_mode "$mode"
  )
  status=$?
  set -e
  if ((status == 0)); then
    say "$mode: good, $((SECONDS - started)) s"
  else
    say "$mode: FAILED, $((SECONDS - started)) s"
    failed+=("$mode")
  fi
  # At once: two modes may share a directory, and the later one begins by emptying it.
  mapfile -t dirs < <(grep . "$list" || true)
  ((${#dirs[@]} == 0)) || counted+=("$(python3 "$root/scripts/count_tests.py" "${dirs[@]}")")
  rm -f -- "$list"
done

counts=$(printf '%s\n' "${counted[@]}" | awk '
  { passed += $1; failed += $3; skipped += $5 }
  END { printf "%d passed, %d failed, %d skipped", passed, failed, skipped }')
# What failed before there was a test to fail.
if ((${#failed[@]})) && [[ $counts == *' 0 failed'* ]]; then
  counts=${counts/ 0 failed/ ${#failed[@]} failed}
fi
echo "$counts"
((${#failed[@]} == 0))
