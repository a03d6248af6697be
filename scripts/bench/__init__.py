"""The matrix runner behind scripts/run_bench.sh. Python 3.9 and its standard library only.

    options    the command line            scenario   scenarios/NAME.ini
    settings   what a series measures      matrix     cells, their runs and the order of them
    cpus       who runs where              preflight  what makes numbers unreliable
    process    start and end programs      servers    the server: ours here, ours there, another's
    series     series.json                 series_check   whether one is as it should be
    progress   how long it takes
    runner     one series from start to end
    results    result files                table      the table of a folder
    verdict    ringecho-compare            main       which of these a command line asks for
    entry      how a script begins and ends
"""
