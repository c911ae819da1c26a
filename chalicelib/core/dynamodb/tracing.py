"""Send one X-Ray subsegment per DynamoDB call to the X-Ray daemon, which runs next to the function.

X-Ray's own library isn't used, because it patches botocore and is slow to import; a subsegment is only one datagram. If
Lambda doesn't trace an invocation, nothing is sent.
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
    """Report the duration and outcome of a `with` block to X-Ray, if this invocation is traced."""
    trace = current()
    return _report(trace, operation, table) if trace.get("Sampled") == "1" else _UNTRACED


@contextmanager
def _report(trace: dict[str, str], operation: str, table: str) -> Iterator[None]:
    started, outcome = time.time(), {}
    try:
        yield
    except Exception as error:
        # In X-Ray's terms, an error is a rejected call, such as a failed condition; a fault is DynamoDB's own failure.
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
    """Return the parts of this invocation's X-Ray header: Root, Parent, Sampled. Empty outside Lambda."""
    header = settings.trace_header()
    return dict(pair.partition("=")[::2] for pair in header.split(";")) if header else {}


def _send(segment: dict[str, object]) -> None:
    host, _, port = settings.trace_daemon().rpartition(":")
    # Sending doesn't block. If a datagram is lost, the trace only lacks this call. No error may affect the traced call:
    # neither a missing daemon, nor a full buffer, nor a malformed address.
    with suppress(OSError, ValueError, OverflowError):
        _socket().sendto(_HEADER + json.dumps(segment).encode(), (host, int(port)))


@cache
def _socket() -> socket.socket:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setblocking(False)
    return sender
