"""Run `make smoke`. Ctrl-C during the imports ends the command without a message: there is nothing to clean up yet."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from infra.smoke import command

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(command.main())
