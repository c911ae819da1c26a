"""Run axe-core, which is installed once from npm into `.local/`, on a page."""

from functools import lru_cache
from pathlib import Path

from playwright.sync_api import Page

from infra import pinned

_RUN = """async within => {
    const {violations} = await axe.run(within ?? document, {resultTypes: ["violations"]});
    return violations.flatMap(({id, help, nodes}) =>
        nodes.map(({target, failureSummary}) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`));
}"""


def find_violations(page: Page, *, within: str | None = None) -> list[str]:
    """Return the violations that axe finds on a page, or in the part that the selector `within` matches.

    All rules are enabled, including best practices.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    found: list[str] = page.evaluate(_RUN, within)
    return found


@lru_cache(maxsize=1)
def _source() -> str:
    modules = pinned.node_modules(Path(__file__).parent, "axe")
    return (modules / "axe-core" / "axe.min.js").read_text()
