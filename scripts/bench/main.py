"""What a command line asks for. Exit codes: 0 good, 1 not, 2 usage or files, 130 interrupted.

run_bench.sh calls twice: first with FIRST, which does what needs no programs and otherwise answers
TO_BUILD or TO_RUN, and then to measure.
"""
import pathlib
import shlex
import time

from bench import cpus, options, preflight, process, progress, results, runner, scenario, servers
from bench import series as series_
from bench import settings as settings_
from bench import units, verdict
from bench.options import Usage
from bench.runner import Cannot, say

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent

FIRST = "--before-build"  # given by run_bench.sh in its first call
TO_BUILD, TO_RUN = 100, 101


def main(arguments):
    process.SIGNALS.install()
    first = arguments[:1] == [FIRST]
    try:
        return _main(options.parse(arguments[first:]), first)
    except (Usage, units.Bad) as error:
        say(f"run_bench.sh: {error}; --help lists the options")
        return 2
    except series_.Unreadable as error:
        say(f"run_bench.sh: {error}")
        return 2
    except (Cannot, scenario.Broken) as error:
        say(f"run_bench.sh: {error}")
        return 1
    except BrokenPipeError:  # entry.run() knows
        raise
    except OSError as error:  # a full disk, a folder that went away
        say(f"run_bench.sh: {error}")
        return 1
    except process.Interrupted:  # before there was anything to report
        return 130


def _main(given, first):
    if given.help:
        print(options.HELP, end="")
        return 0
    if given.list:
        print("\n".join(scenario.list_lines()))
        return 0
    machine = preflight.Machine()
    topology = cpus.read_topology()
    settings, folder, document = _settings_of(given)
    plan = runner.Plan(settings, topology, machine)
    if given.check:
        return _check(plan, machine)
    executables = runner.Executables(PROJECT / "build-bench")
    if given.dry_run:
        _dry_run(plan, given, executables, document)
        return 0
    if first and given.build:
        return TO_BUILD
    if not (executables.server.exists() or settings.server != "local") or \
            not executables.load.exists():
        raise Cannot(f"nothing is built in {PROJECT / 'build-bench'}; leave out --no-build")
    if first:
        return TO_RUN
    return _make(given, plan, machine, executables, folder, document)


def _settings_of(given):
    """(settings, folder, document); the last two are those of a series to resume, or None."""
    overrides = dict(given.overrides)
    if not given.resume:
        found = settings_.from_scenario(scenario.by_name(given.scenario or "engines"), overrides)
        _check_together(found, overrides)
        if found.order == "shuffled" and "seed" not in overrides:
            found.seed = time.time_ns() % 1_000_000_000
        return found, None, None
    folder = options.folder_to_resume(given)
    if not (given.check or given.dry_run):
        runner.hold(folder)  # before it is read: whoever has it now changes what there is to do
    document = series_.read(folder)
    settings = series_.settings_of(document, folder)
    if given.scenario not in ("", settings.scenario):
        raise Usage(f"--resume: the scenario of {folder.name} is {settings.scenario}, not "
                    f"{given.scenario}")
    # Addresses and host names are not kept with results.
    if settings.server != overrides.get("server", "local"):
        raise Usage(f"--resume: {folder.name} was made " + {
            "local": "without --connect and --server-cmd",
            "running": "with --connect alone; give it again",
            "command": "with --server-cmd and --connect; give them again"}[settings.server])
    key = settings_.differing(settings, overrides)
    if key:
        raise Usage(f"{options.option_of(key)}: differs from that of {folder.name}; leave it out "
                    "to resume")
    return settings, folder, document


def _check_together(settings, overrides):
    """What the scenario and the options make of each other."""
    scenario.check_in_flight(settings.axes)
    for key in ("duration_ms", "warmup_ms"):
        if settings.sessions and key in overrides:
            raise Usage(f"{options.option_of(key)}: cannot be combined with sessions, which end a "
                        "run by themselves")
    most = max(settings.axes["connections"])
    if 0 < settings.sessions < most:
        raise Usage(f"--sessions: got {settings.sessions}, takes at least as many as --connections "
                    f"({most})")
    if not settings.sessions and "messages" in overrides:
        raise Usage("--messages: takes --sessions, too")


def _preflight(plan, machine, average):
    return preflight.check(machine, plan.used_cpus(), plan.notes(), plan.most_connections(),
                           threads=plan.fewest_carriers(),
                           remote=plan.settings.server != "local", average=average)


def _check(plan, machine):
    for line in runner.cpu_lines(plan):
        print(line)
    found = _preflight(plan, machine, average=True)
    for warning in found:
        print(f"warning: {warning.text}")
        for command in warning.fix:
            print(f"    {command}")
    print(f"{units.count(len(found), 'warning')}; nothing was changed" if found else
          "nothing found that would make numbers unreliable")
    return 0


def _server_of(given, programs, executables):
    if given.server_cmd:
        return servers.CommandServer(programs, given.server_cmd, given.connect)
    if given.connect:
        return servers.RunningServer(given.connect)
    return servers.LocalServer(programs, str(executables.server))


def _dry_run(plan, given, executables, document):
    """Commands as they would be run, but for the port, which the server picks, and the folder."""
    server = _server_of(given, None, executables)
    done = {run["order_index"] for run in document["runs"] if run["status"] == series_.DONE} \
        if document else set()
    print("\n".join(runner.cpu_lines(plan)))
    planned = []
    for run in plan.runs:
        why = plan.why_skipped(run.cell)
        if why:
            print(f"# {run.name}: not run: {why}")
        elif run.order_index not in done:
            planned.append({"cell": run.cell, "seconds": None})
            _print_commands(plan, server, run, given.connect or "127.0.0.1:PORT", executables)
    left = progress.estimate_s(plan.settings, document["runs"] if document else planned, planned)
    print(f"{units.count(len(planned), 'run')} of {progress.run_text(plan.settings)}, "
          f"about {units.seconds_left(left)}; nothing was run")


def _print_commands(plan, server, run, address, executables):
    print(f"# {run.name}")
    started = server.command(plan.server_options(run), f"DIR/{run.name}.server.json")
    if started:
        print(units.printable(shlex.join(started)), "&")
    print(units.printable(shlex.join([
        str(executables.load), *plan.load_options(run, address, f"DIR/{run.name}.load.json")])))


def _refuse_other_machine(document, identity):
    for key, value in document["machine"].items():
        if identity.get(key) != value:
            raise Cannot(f"--resume: this is another machine or kernel: {key} was {value}, is "
                         f"{identity.get(key)}; begin a new series")


def _refuse_other_programs(document, programs, digests):
    """The version tells people; two builds of work in progress have the same."""
    for name, version in document["programs"].items():
        if programs.get(name) != version:
            raise Cannot(f"--resume: {name} was {version}, is {programs.get(name)}; begin a new "
                         "series")
    for name, digest in document.get("digests", {}).items():  # older series have none
        if digests.get(name) != digest:
            raise Cannot(f"--resume: {name} is another build of the same version; begin a new "
                         "series")


def _refuse_other_cpus(document, layouts):
    if document["cpus_by_threads"] != layouts:
        raise Cannot("--resume: the CPUs of the series cannot be used as they were: "
                     f"{document['cpus_by_threads']}, now {layouts}")


def _begin(given, plan, folder, document, machine, executables):
    """The folder and document of a new or resumed series, written once."""
    identity, boot = preflight.identity(machine)
    ours = [executables.load] + [executables.server] * (plan.settings.server == "local")
    programs, digests = runner.program_versions(ours), runner.digests(ours)
    layouts = {str(threads): {"server": list(layout.server), "loader": list(layout.loader)}
               for threads, layout in plan.possible_layouts().items()}
    if document:
        _refuse_other_machine(document, identity)
        _refuse_other_programs(document, programs, digests)
        _refuse_other_cpus(document, layouts)
        if boot not in document["boots"]:
            say("the machine has been booted since: the series will be of "
                f"{units.count(len(document['boots']) + 1, 'boot')}")
        _plan_again(folder, document, plan.settings.server != "running")
    else:
        folder = runner.make_folder(given.out or None, plan.settings, PROJECT)
        document = series_.new(folder.name, plan.settings, plan.runs,
                               series_.now(runner.utc_now()))
        document.update(machine=identity, programs=programs, digests=digests,
                        cpus_by_threads=layouts)
        document["cpus"] = list(layouts.values())[-1] if layouts else document["cpus"]
    if boot not in document["boots"]:
        document["boots"].append(boot)
    return folder, document


def _plan_again(folder, document, with_server):
    """Everything that is not there as a whole."""
    for run in document["runs"]:
        if run["status"] != series_.DONE or \
                not results.is_whole(folder, run["name"], with_server):
            run.update(status=series_.PLANNED, reason=None, seconds=None)
    document.update(status=series_.RUNNING, ended=None)


def _make(given, plan, machine, executables, folder, document):
    refused = runner.refused_features(plan.settings, executables)
    if refused:
        raise Usage(refused)
    for line in runner.cpu_lines(plan):
        say(line)
    # Our own build is no reason to doubt the machine.
    warnings = _preflight(plan, machine, average=not given.build)
    for warning in warnings:
        say(f"warning: {warning.text}")
    if any(warning.fix for warning in warnings):
        say("scripts/run_bench.sh --check prints the commands that mend this")
    folder, document = _begin(given, plan, folder, document, machine, executables)
    series_.write(folder, document)
    code = _run(given, plan, executables, folder, document, warnings)
    process.SIGNALS.install()  # comparing may take a while, too
    compared = runner.print_outcome(folder, verdict.Judge(executables.compare))
    if document["status"] != series_.COMPLETE:
        say(f"to go on: scripts/run_bench.sh --resume {shlex.quote(str(folder))}")
    invalid = results.invalid_names(folder, document)
    if invalid:
        say(f"{units.count(len(invalid), 'run')} of {len(document['runs'])} invalid: "
            f"{invalid[0]}{' and others' if len(invalid) > 1 else ''}")
    return code or (1 if invalid or not compared else 0)


def _run(given, plan, executables, folder, document, warnings):
    """Exit code. The document says how it ended, also when that was by an exception."""
    document["status"] = series_.FAILED
    try:
        with process.Programs() as programs:
            server = _server_of(given, programs, executables)
            work = runner.Runner(plan, folder, document, executables, server, programs)
            document["status"] = series_.RUNNING
            good = work.run_all(warnings)
        good = good and bool(series_.of_status(document, series_.DONE))
        document["status"] = series_.COMPLETE if good else series_.FAILED
        return 0 if good else 1
    except process.Interrupted:
        say("interrupted")
        document["status"] = series_.INTERRUPTED
        return 130
    except BaseException:
        document["status"] = series_.FAILED
        raise
    finally:
        process.SIGNALS.ignore()
        document["ended"] = series_.now(runner.utc_now())
        _remove_halves(folder, document)
        series_.write(folder, document)


def _remove_halves(folder, document):
    """What a run left that was not made to its end."""
    for run in series_.of_status(document, series_.PLANNED):
        for end in ("load.json", "server.json", "server.json.part"):
            (folder / f"{run['name']}.{end}").unlink(missing_ok=True)
