"""Standard output of commands whose output may be piped to a reader that closes it early, as `head` does."""

import os
import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any


def discarded_when_closed() -> AbstractContextManager[Any]:
    """Discard the output of a `with` block once its reader has closed it, instead of interrupting the command."""
    return redirect_stdout(_ClosableOutput(sys.stdout))


class _ClosableOutput:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or discard it if the reader has closed the output."""
        try:
            self._stream.write(text)
        except BrokenPipeError:
            self._discard()
        return len(text)

    def flush(self) -> None:
        """Flush the output, unless the reader has closed it."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
