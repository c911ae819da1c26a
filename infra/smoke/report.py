"""Write the report of a run. It contains no secrets, ids, addresses or accounts, so it can be attached to an issue."""

import platform
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from infra.smoke import outcomes
from infra.smoke.run import Run

FILE = Path(__file__).parents[2] / ".local" / "smoke" / "report.md"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def write(run: Run, file: Path, *, took_s: float) -> None:
    """Write the report of a run to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_text(run, took_s=took_s))


def as_text(run: Run, *, took_s: float) -> str:
    """Return the report of a run as Markdown."""
    found = run.outcomes
    counts = ", ".join(f"{len(found.of(state))} {state}" for state in _STATES)
    version = tomllib.loads(PROJECT.read_text())["project"]["version"]
    where = run.target.stage or "a URL without a stage"
    began = datetime.fromtimestamp(run.started_s, UTC).isoformat(timespec="seconds")
    lines = [
        "# Smoke run",
        "",
        f"Latchkey {version}, Python {platform.python_version()}. Target: {where}. Start: {began}, {took_s:.0f} s.",
        f"{counts}.",
    ]
    for state in _STATES:
        some = found.of(state)
        if some:
            lines += ["", f"## {state.capitalize()}", ""]
            lines += [f"- {each.check}" + (f": {_quoted(each.found)}" if each.found else "") for each in some]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text if "`" in text else f"`{text}`"


_STATES = (outcomes.DIFFERS, outcomes.SEEN, outcomes.LEFT_OUT, outcomes.OK)
