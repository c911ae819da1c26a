"""axe-core from npm, installed once into `.local/`, and what it has against a page."""

import os
import shutil
import subprocess
from functools import lru_cache

from playwright.sync_api import Page

from infra.engine import LOCAL

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
    prefix = LOCAL / f"npm-{PACKAGE}"
    if not prefix.exists():
        assert shutil.which("npm"), "Install Node.js with npm: axe-core, which looks at the pages, comes from there."
        making = LOCAL / f"npm-{PACKAGE}.{os.getpid()}"
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(making), PACKAGE]
        subprocess.run(command, check=True, capture_output=True)
        making.rename(prefix)
    return (prefix / "node_modules" / "axe-core" / "axe.min.js").read_text()
