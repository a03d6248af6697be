# shellcheck shell=bash
# What the scripts share: messages, what must be installed, how to build. Sourced, never run.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
program=${0##*/}

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$program: $*"
  exit 1
}
# A usage error: what was wrong with the command line.
refuse() {
  say "$program: $*; --help lists the options"
  exit 2
}

# shellcheck disable=SC2034  # read through a name reference, in missing_of
{
# What is needed, as "KIND:NAME MINIMUM DEBIAN FEDORA ARCH". It is looked for by what it does, not
# by package, so that something newer or home-made counts, on any distribution. KIND is
#   cmd  a command on PATH        pc  a pkg-config module, of at least version MINIMUM
#   py   a module of Python 3     rt  a library of clang, of -fsanitize=NAME
#   deb  a file that Debian and its like have; elsewhere the build does without
needs_build=(
  'cmd:g++ - g++ gcc-c++ gcc'
  'cmd:ninja - ninja-build ninja-build ninja'
  'cmd:pkg-config - pkg-config pkgconf-pkg-config pkgconf'
  'cmd:meson 1.0 meson meson meson'
  'cmd:git - git git git'
  'pc:liburing 2.3 liburing-dev liburing-devel liburing'
  'pc:absl_status 20220623 libabsl-dev abseil-cpp-devel abseil-cpp'
  'pc:nlohmann_json 3.10 nlohmann-json3-dev json-devel nlohmann-json'
  'pc:CLI11 2.1 libcli11-dev cli11-devel cli11'
  'pc:zlib - zlib1g-dev zlib-devel zlib'
  'deb:/usr/share/javascript/chart.js/chart.min.js - libjs-chart.js - -'
)
needs_test=(
  'pc:gmock_main - libgmock-dev gmock-devel gtest'
  'pc:gtest - libgtest-dev gtest-devel gtest'
  'py:pytest - python3-pytest python3-pytest python-pytest'
  'py:jsonschema - python3-jsonschema python3-jsonschema python-jsonschema'
  'cmd:socat - socat socat socat'
  'cmd:nc - netcat-openbsd netcat openbsd-netcat'
  'cmd:strace - strace strace strace'
)
needs_lint=(
  'cmd:clang-format - clang-format clang-tools-extra clang'
  'cmd:clang-tidy - clang-tidy clang-tools-extra clang'
)
needs_clang=(
  'cmd:clang++ - clang clang clang'
)
needs_fuzz=(
  'rt:fuzzer - libclang-rt-14-dev compiler-rt compiler-rt'
)
needs_browser=(
  'cmd:chromium - chromium chromium chromium'
  'cmd:node - nodejs nodejs nodejs'
  'cmd:npm - npm nodejs-npm npm'
)
}

# The Python that has the distribution's modules: the distribution's own, whatever else is on PATH.
python_with() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c "import $1" 2>/dev/null; then
      printf '%s\n' "$python"
      return
    fi
  done
  return 1
}

# at_least VERSION MINIMUM
at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

have() {
  local kind=${1%%:*} name=${1#*:} minimum=$2
  case $kind in
    cmd)
      command -v "$name" >/dev/null || return 1
      [[ $minimum == - ]] || at_least "$("$name" --version | head -n 1)" "$minimum"
      ;;
    pc)
      command -v pkg-config >/dev/null || return 1
      if [[ $minimum == - ]]; then
        pkg-config --exists "$name"
      else
        pkg-config --atleast-version="$minimum" "$name"
      fi
      ;;
    py) python_with "$name" >/dev/null ;;
    rt)
      clang++ -fsanitize="$name" -x c++ -o /dev/null - 2>/dev/null \
        <<<'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }'
      ;;
    deb) ! command -v apt-get >/dev/null || [[ -e $name ]] ;;
  esac
}

# The lines of the given groups ("build test") for which nothing is there.
missing_of() {
  local group line need minimum
  for group in "$@"; do
    local -n lines="needs_$group"
    for line in "${lines[@]}"; do
      read -r need minimum _ <<<"$line"
      have "$need" "$minimum" || printf '%s\n' "$line"
    done
  done
}

# column NUMBER: that field of the lines on stdin, on one line, each once.
column() { awk -v n="$1" '{ print $n }' | sort -u | paste -sd ' ' -; }

explain_missing() {
  local missing=$1
  say "$program: these are missing (commands, pkg-config modules, Python modules):"
  awk '{ sub(/^[a-z]*:/, "", $1)
         print "  " $1 ($2 == "-" ? "" : " >= " $2) }' <<<"$missing" >&2
  say "Packages on Debian, Ubuntu: $(column 3 <<<"$missing")"
  say "         on Fedora:         $(column 4 <<<"$missing")"
  say "         on Arch:           $(column 5 <<<"$missing")"
}

# quietly COMMAND...: says nothing unless it fails, and then everything.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  ((status == 0)) || cat -- "$log" >&2
  rm -f -- "$log"
  return "$status"
}

# need GROUP...: returns when everything of these groups is there. On Debian and its like root
# gets what is missing installed; everybody else is told what to do.
need() {
  local missing packages
  missing=$(missing_of "$@")
  [[ -n $missing ]] || return 0
  packages=$(column 3 <<<"$missing")
  if ! command -v apt-get >/dev/null; then
    explain_missing "$missing"
    exit 1
  fi
  if ((EUID != 0)); then
    say "$program: some packages are missing; install them with"
    say "  sudo apt-get install --no-install-recommends $packages"
    exit 1
  fi
  say "installing $packages"
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get update || die 'apt-get update failed; is there a network and a mirror?'
  # shellcheck disable=SC2086  # a list of names
  quietly apt-get install -y --no-install-recommends $packages ||
    die "apt-get could not install $packages"
  hash -r
  missing=$(missing_of "$@")
  [[ -z $missing ]] && return
  say "$program: what this distribution has of them is too old"
  explain_missing "$missing"
  exit 1
}

# configure DIR OPTION...: a build directory with these meson options, made or brought up to date.
# The compiler is that of CXX when the directory is made.
configure() {
  local dir=$1 options
  shift
  options="$* CXX=${CXX-}"
  if [[ -f $dir/build.ninja && -f $dir/options && $(<"$dir/options") == "$options" ]]; then
    return  # ninja itself notices changed build files
  fi
  say "configuring ${dir#"$root"/}"
  if [[ -e $dir && ! -f $dir/options ]]; then
    die "$dir is not a build directory of these scripts; move it out of the way"
  fi
  # One of other options or another compiler, or half of one, is begun afresh.
  rm -rf -- "$dir"
  mkdir -- "$dir"
  : >"$dir/options"
  quietly meson setup "$@" "$dir" "$root" || die 'meson could not configure the build'
  printf '%s' "$options" >"$dir/options"
}

# build DIR TARGET...: quietly, unless it fails.
build() {
  local dir=$1
  shift
  local note=
  if [[ ! -e $dir/.ninja_log ]]; then note=', which takes some minutes the first time'; fi
  say "building ${dir#"$root"/}$note"
  ninja -C "$dir" "$@" >"$dir/build.log" 2>&1 || {
    grep -v '^ninja: Entering' "$dir/build.log" | tail -n 60 >&2
    die "the build failed; ${dir#"$root"/}/build.log has all of it"
  }
}
