"""The report of a run, which an operator can attach to an issue: it has no secret, id, address or account."""

import platform
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from infra.smoke import outcomes
from infra.smoke.run import Run

FILE = Path(__file__).parents[2] / ".local" / "smoke" / "report.md"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def write(run: Run, file: Path, *, took_s: float) -> None:
    """Write the report."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_text(run, took_s=took_s))


def as_text(run: Run, *, took_s: float) -> str:
    """Return the report."""
    found = run.outcomes
    counts = ", ".join(f"{len(found.of(state))} {state}" for state in _STATES)
    version = tomllib.loads(PROJECT.read_text())["project"]["version"]
    where = run.target.stage or "an address alone"
    began = datetime.fromtimestamp(run.started_s, UTC).isoformat(timespec="seconds")
    lines = [
        "# Smoke run",
        "",
        f"Latchkey {version}, Python {platform.python_version()}. Target: {where}. Began {began}, took {took_s:.0f} s.",
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
