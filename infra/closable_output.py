"""Standard output that doesn't interrupt a command: closed by its reader, as `head` does, on a full disk, not UTF-8."""

import io
import os
import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any


def discarded_when_closed() -> AbstractContextManager[Any]:
    """Discard the output of a `with` block once it can't be written, instead of interrupting the command.

    Characters that the encoding of the terminal or the file lacks are replaced.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    return redirect_stdout(_ClosableOutput(sys.stdout))


class _ClosableOutput:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or discard it if that fails."""
        try:
            self._stream.write(text)
        except OSError:
            self._discard()
        return len(text)

    def flush(self) -> None:
        """Flush the output, or discard it if that fails."""
        try:
            self._stream.flush()
        except OSError:
            self._discard()

    def _discard(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
