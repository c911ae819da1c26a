"""`python -m infra.deploy`, by which make calls it."""

import signal
import sys

# Until everything is imported nothing has begun: Ctrl-C just ends it.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from infra.deploy.command import main  # noqa: E402 - as said above

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
