"""axe-core from npm, installed once into `.local/`, and what it has against a page."""

from functools import lru_cache
from pathlib import Path

from playwright.sync_api import Page

from infra import pinned

OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules to which it matters whether a page is light or dark."""

_RUN = """async ([rules, within]) => {
    const options = {resultTypes: ["violations"], ...(rules && {runOnly: rules})};
    const {violations} = await axe.run(within ?? document, options);
    return violations.flatMap(({id, help, nodes}) =>
        nodes.map(({target, failureSummary}) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`));
}"""


def violations(page: Page, *, rules: tuple[str, ...] | None = None, within: str | None = None) -> list[str]:
    """Return what `rules` find wrong with a page right now, or with what is `within` it (a selector).

    By default every rule of axe is asked, best practices included.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    found: list[str] = page.evaluate(_RUN, [rules and list(rules), within])
    return found


@lru_cache(maxsize=1)
def _source() -> str:
    modules = pinned.node_modules(Path(__file__).parent, "axe")
    return (modules / "axe-core" / "axe.min.js").read_text()
