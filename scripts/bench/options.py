"""The command line of run_bench.sh."""
import dataclasses
import pathlib
import shlex

from bench import scenario, servers, units
from bench.settings import OF_THE_SERVER

HELP = """\
Builds ringecho, measures its server, and prints a table. Missing packages are
installed (Debian and its like, as root) or named.

Usage: scripts/run_bench.sh [SCENARIO] [OPTIONS]

SCENARIO is one of --list; without one it is engines: io_uring against epoll.
Options take the place of what the scenario says; lists have commas.

What is measured:
  --connections LIST    open connections; k is a thousand
  --size LIST           bytes of a message; k is 1,024
  --depth LIST          messages in flight on each connection
  --threads LIST        threads of the server
  --engines LIST        of the server: io_uring, epoll
  --features LIST       io_uring features of the server: best, baseline,
                        minimal, +NAME, -NAME, or several run together:
                        baseline+buffer_ring
  --wait LIST           how the server waits: block, spin, hybrid:TIME,
                        batch:TIME
  --buffer-size LIST    bytes of one buffer of the server, or default
  --loader-engine NAME  of the load generator: auto, io_uring or epoll [auto].
                        It is the same for all engines of the server, because
                        only the server is what is compared.
  --loader-wait HOW     likewise; as --wait [as its --help says]
  --label KEY=VALUE     goes into every result; repeatable

How:
  --quick               the scenario quick: less than a minute
  --duration TIME       measured in each run, at least 500ms
  --warmup TIME         before that [a fifth of --duration]
  --sessions N          instead of them: connections in all of each run, which
                        come and go, as many at a time as --connections says
  --messages N          of each session [1]
  --repeats N           runs of each cell
  --order NAME          interleaved: A B, B A, A B ..., or shuffled
  --seed N              of a shuffled order [by the clock]
  --server-cpus LIST    instead of the CPUs chosen, such as 0,2-3
  --loader-cpus LIST    likewise for the load generator
  --loader-threads N    of the load generator [one for each of its CPUs]

Two machines:
  --connect HOST:PORT   measure the server that runs there, whoever's it is
  --server-cmd COMMAND  start the server with this command, such as
                        'ssh host ringecho-server {args}', which has to hand
                        {args} to a shell; with --connect HOST, where the
                        server is reached from here

What happens:
  --list                print the scenarios and exit
  --check               print what makes numbers unreliable on this machine and
                        the commands that mend it, and exit
  --dry-run             print what would be run, where and for how long; exit
  --resume DIR          make the runs of an interrupted series that are missing
  --out DIR             where results go [bench_results/<UTC>-<kernel>-SCENARIO]
  --no-build            use what an earlier run has built
  -h, --help            print this help and exit

DIR gets two JSON files per run, series.json, table.txt, and report.html, a
page with charts, where there are two sides to compare: not with one of
--engines and of --features or for a server that runs already. Columns of the
table, medians over the repeats that are not invalid:

  messages/s   echoed and verified, whole messages
  p50 ...      time from sending a message to its last byte coming back
  CPU/msg      CPU time of the server per message
  loader       how busy the load generator's threads were; near 100% it may be
               what limits the rate
  verdict      what the load generator thinks of its results; the worst repeat

Exit codes: 0 all went well, 1 something did not, a result is invalid or
comparing was refused, 2 bad options or files, 130 interrupted.
"""


class Usage(Exception):
    """What is wrong with the command line, in one line."""


@dataclasses.dataclass
class Options:
    scenario: str = ""  # as given
    overrides: dict = dataclasses.field(default_factory=dict)  # of settings.Settings
    out: str = ""
    resume: str = ""
    connect: str = ""
    server_cmd: str = ""
    build: bool = True
    list: bool = False
    check: bool = False
    dry_run: bool = False
    help: bool = False


def _loader_engine(text):
    if text not in ("auto", "io_uring", "epoll"):
        raise units.Bad(f'got "{text}", takes auto, io_uring or epoll')
    return text


def _some_cpus(text):
    cpus = units.cpu_list(text)
    if not cpus or len(set(cpus)) < len(cpus):
        raise units.Bad(f'got "{text}", takes CPUs such as 0,2-3')
    return cpus


def _seed(text):
    if not text.isdecimal() or len(text) > 18:
        raise units.Bad(f'got "{text}", takes whole numbers')
    return int(text)


# {option: (field of Settings, parser)}
_OVERRIDES = {
    "--loader-engine": ("loader_engine", _loader_engine),
    "--loader-wait": ("loader_wait", scenario.wait),
    "--duration": ("duration_ms", scenario.duration_ms),
    "--warmup": ("warmup_ms", units.time_ms),
    "--sessions": ("sessions", units.whole),
    "--messages": ("messages", units.whole),
    "--repeats": ("repeats", lambda text: units.whole(text, most=10_000)),
    "--order": ("order", scenario.order),
    "--seed": ("seed", _seed),
    "--server-cpus": ("server_cpus", _some_cpus),
    "--loader-cpus": ("loader_cpus", _some_cpus),
    "--loader-threads": ("loader_threads", lambda text: units.whole(text, most=1024)),
}
_OVERRIDES.update(
    (f"--{key}", (axis, lambda text, key=key: scenario.axis_values(key, text)))
    for key, (axis, _, _) in scenario.AXIS_KEYS.items())

_TEXTS = {"--out": "out", "--resume": "resume", "--connect": "connect",
          "--server-cmd": "server_cmd"}

_FLAGS = {"--list": ("list", True), "--check": ("check", True), "--dry-run": ("dry_run", True),
          "--no-build": ("build", False), "-h": ("help", True), "--help": ("help", True)}


def option_of(key):
    """The option that sets a key of overrides."""
    return {field: option for option, (field, _) in _OVERRIDES.items()}.get(key, f"--{key}")


def parse(arguments):
    """Raises Usage."""
    options = Options()
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, given, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _FLAGS and not given:
            field, state = _FLAGS[name]
            setattr(options, field, state)
        elif name == "--quick" and not given:
            _name_scenario(options, "quick")
        elif name in _OVERRIDES or name in _TEXTS or name == "--label":
            if not given:
                if not words:
                    raise Usage(f"{name}: takes a value")
                value = words.pop(0)
            _take(options, name, value)
        elif word.startswith("-"):
            raise Usage(f"unknown option {word}")
        else:
            _name_scenario(options, word)
    if not options.help:
        _check(options)
    return options


def _name_scenario(options, name):
    if options.scenario not in ("", name):
        raise Usage(f'two scenarios, "{options.scenario}" and "{name}", takes one')
    options.scenario = name


def _check_text(text):
    """What is kept with results is text; bytes that are none have become surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise units.Bad(f'got "{text}", takes UTF-8') from None


def _take(options, name, value):
    try:
        if name in ("--label", "--out"):
            _check_text(value)
        if name == "--label":
            _add_label(options, value)
        elif name in _TEXTS:
            if not value:
                raise units.Bad('got "", takes a value')
            setattr(options, _TEXTS[name], value)
        else:
            field, parse_value = _OVERRIDES[name]
            options.overrides[field] = parse_value(value)
    except units.Bad as bad:
        raise Usage(f"{name}: {bad}") from None


def _add_label(options, text):
    key, equals, _ = text.partition("=")
    labels = options.overrides.setdefault("labels", [])
    if not key or not equals:
        raise units.Bad(f'got "{text}", takes KEY=VALUE')
    if any(label.startswith(f"{key}=") for label in labels):
        raise units.Bad(f'got "{key}" twice, takes each key once')
    labels.append(text)


def _check(options):
    """What contradicts each other."""
    if options.resume and options.out:
        raise Usage("--out: cannot be combined with --resume, which names the folder")
    if options.out and pathlib.Path(options.out).exists() and \
            not pathlib.Path(options.out).is_dir():
        raise Usage(f'--out: got "{options.out}", takes a folder')
    if "seed" in options.overrides and options.overrides.get("order", "") != "shuffled" \
            and not options.resume:
        raise Usage("--seed: takes --order shuffled, too")
    if options.server_cmd:
        _check_server_cmd(options)
    elif options.connect:
        _check_connect(options)
    if options.connect:
        options.overrides["server"] = "command" if options.server_cmd else "running"


def _check_server_cmd(options):
    try:
        words = shlex.split(options.server_cmd)
    except ValueError as error:
        raise Usage(f'--server-cmd: got "{options.server_cmd}": {error}') from None
    if not any("{args}" in word for word in words):
        raise Usage(f'--server-cmd: got "{options.server_cmd}", takes a command with {{args}} in '
                    "it")
    if not options.connect:
        raise Usage("--server-cmd: takes --connect HOST, too, where the server is reached")
    try:
        servers.split_connect(options.connect)
    except ValueError:
        raise Usage(f'--connect: got "{options.connect}", takes HOST, HOST:PORT or [V6]:PORT') \
            from None


def _check_connect(options):
    try:
        known = options.connect.startswith("unix:") or servers.split_connect(options.connect)[1]
    except ValueError:
        known = False
    if not known:
        raise Usage(f'--connect: got "{options.connect}", takes HOST:PORT of a server that runs, '
                    "or HOST with --server-cmd")
    for field in (*OF_THE_SERVER, "server_cpus"):
        if field in options.overrides:
            raise Usage(f"{option_of(field)}: cannot be chosen for a server that runs already "
                        "(--connect)")


def folder_to_resume(options):
    folder = pathlib.Path(options.resume)
    if not (folder / "series.json").is_file():
        raise Usage(f'--resume: got "{options.resume}", takes a folder with a series.json')
    return folder.resolve()
