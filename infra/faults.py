"""Print tracebacks of a local run readably in the terminal, since the log contains them only as escaped JSON."""

import logging
import sys
import traceback
from pathlib import Path

from chalicelib.core import telemetry

ROOT = Path(__file__).parent.parent
BEFORE_A_VIEW = {str(ROOT / "chalicelib" / "api" / name) for name in ("middleware.py", "routing.py")}


def show_in_terminal() -> None:
    """Print the traceback of every exception that is logged after this call."""
    logging.getLogger(telemetry.SERVICE).addHandler(_Terminal(logging.ERROR))


def format_traceback(error: BaseException) -> str:
    """Return the traceback of an exception without the frames before the view, which are the same for all requests."""
    shown = traceback.TracebackException.from_exception(error)
    while shown.stack and shown.stack[0].filename in BEFORE_A_VIEW:
        shown.stack.pop(0)
    return "".join(shown.format()).replace(f"{ROOT}/", "")


class _Terminal(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            request = getattr(record, "request_id", None)
            where = f" (request {request})" if request else ""
            print(f"\n{record.getMessage()}{where}\n{format_traceback(error)}", file=sys.stderr, flush=True)
