"""axe-core from npm, installed once into `.local/`, and what it has against a page."""

import subprocess
from functools import lru_cache
from pathlib import Path

from playwright.sync_api import Page

from infra.engine import LOCAL
from tests import installed

PACKAGE = "axe-core@4.14.1"

OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules to which it matters whether a page is light or dark."""

_RUN = """async rules => {
    const options = {resultTypes: ["violations"], ...(rules && {runOnly: rules})};
    const {violations} = await axe.run(document, options);
    return violations.flatMap(({id, help, nodes}) =>
        nodes.map(({target, failureSummary}) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`));
}"""


def violations(page: Page, *, rules: tuple[str, ...] | None = None) -> list[str]:
    """Return what `rules` (by default every rule of axe, best practices included) find wrong with a page right now."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    found: list[str] = page.evaluate(_RUN, rules and list(rules))
    return found


@lru_cache(maxsize=1)
def _source() -> str:
    prefix = installed.once(LOCAL / f"npm-{PACKAGE}", _install)
    return (prefix / "node_modules" / "axe-core" / "axe.min.js").read_text()


def _install(folder: Path) -> None:
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
    subprocess.run(command, check=True, capture_output=True)
