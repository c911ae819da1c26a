"""One X-Ray subsegment a DynamoDB call, sent to the daemon beside the function.

X-Ray's own library patches botocore and costs its import; a subsegment is one datagram. Nothing is sent unless Lambda
traces this invocation.
"""

import json
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache

from chalicelib.core import settings

_HEADER = b'{"format": "json", "version": 1}\n'


_UNTRACED = nullcontext()


def subsegment(operation: str, table: str) -> AbstractContextManager[None]:
    """Tell X-Ray how long a `with` block took and whether it failed; do nothing when this invocation isn't traced."""
    trace = current()
    return _told(trace, operation, table) if trace.get("Sampled") == "1" else _UNTRACED


@contextmanager
def _told(trace: dict[str, str], operation: str, table: str) -> Iterator[None]:
    started, outcome = time.time(), {}
    try:
        yield
    except Exception as error:
        # X-Ray's words: an error is a refusal, such as a condition that doesn't hold; a fault is DynamoDB's own.
        outcome = {"fault" if getattr(error, "is_fault", True) else "error": True}
        raise
    finally:
        _send(
            {
                "id": secrets.token_hex(8),
                "trace_id": trace.get("Root", ""),
                "parent_id": trace.get("Parent", ""),
                "name": "DynamoDB",
                "type": "subsegment",
                "namespace": "aws",
                "start_time": started,
                "end_time": time.time(),
                "aws": {"operation": operation, "table_name": table},
                **outcome,
            }
        )


def current() -> dict[str, str]:
    """Return the parts of X-Ray's header of this invocation: Root, Parent, Sampled. Empty outside of Lambda."""
    header = settings.trace_header()
    return dict(pair.partition("=")[::2] for pair in header.split(";")) if header else {}


def _send(segment: dict[str, object]) -> None:
    host, _, port = settings.trace_daemon().rpartition(":")
    # A datagram: it is not waited for, and one that is lost is a line missing in a picture. Nothing of it may reach the
    # call that is traced: no daemon, no room in the buffer, an address that is none.
    with suppress(OSError, ValueError, OverflowError):
        _socket().sendto(_HEADER + json.dumps(segment).encode(), (host, int(port)))


@cache
def _socket() -> socket.socket:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setblocking(False)
    return sender
