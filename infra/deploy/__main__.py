"""Entry point of `python -m infra.deploy`, which the Makefile calls."""

import signal
import sys

# Nothing has been changed while modules are still loading, so Ctrl-C ends the process without a message.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from infra.deploy.command import main  # noqa: E402 - the signal must be set before the imports

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # after either signal, the command releases its lock
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
