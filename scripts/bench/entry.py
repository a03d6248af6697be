"""Begins and ends a script quietly where nobody wants its words any more.

Imports little, because until `quiet_interrupts` has been called Ctrl-C makes a traceback.
"""
import os
import signal
import sys

PIPE_BROKEN = 128 + signal.SIGPIPE  # as a shell has it


def quiet_interrupts():
    """Until somebody handles it, SIGINT just ends us; where it is ignored, it stays so."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(main):
    """Ends the process with what main(arguments) returns."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # for what Python flushes when it ends
        code = PIPE_BROKEN
    sys.exit(code)
