"""Print the emails of a local run in the terminal. The app stores them in a folder instead of sending them."""

import threading
import time
from pathlib import Path

LOOKS_EVERY_S = 0.3


def watch(folder: Path) -> None:
    """Print every email that arrives in `folder` after this call."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = set(folder.iterdir())
    threading.Thread(target=_look, args=(folder, known), daemon=True).start()


def _look(folder: Path, known: set[Path]) -> None:
    while True:
        for email in sorted(set(folder.iterdir()) - known):
            text = email.read_text()
            if text:
                known.add(email)
                print("\n  ┌ mail ".ljust(60, "─"), *text.rstrip().splitlines(), sep="\n  │ ", flush=True)
        time.sleep(LOOKS_EVERY_S)
