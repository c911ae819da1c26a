"""The README and the pages that it links to match the code: sessions, endpoints, the map and the dependencies."""

import re
import subprocess
from collections.abc import Iterator
from itertools import chain

import pytest

from chalicelib.api.routing import Route, route_of
from chalicelib.api.schema.description import description_of
from infra.routes import of_latchkey
from tests.examples.blocks import ROOT, blocks_of
from tests.examples.served import Served

pytestmark = pytest.mark.xdist_group("examples")

DEVELOPING = "docs/developing.md"
SESSIONS = ("README.md", DEVELOPING)


def test_terminal_session_goes_as_shown(api: Served) -> None:
    """Each curl command prints the lines below it; an ellipsis replaces text that differs between runs."""
    environment = api.environment(api.demo_secret("free@example.com"))
    steps = [_curl_steps(page) for page in SESSIONS]
    assert all(steps)
    for command, shown in chain.from_iterable(steps):
        ended = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        lines = ended.stdout.splitlines()
        for line in shown:
            pattern = ".+".join(map(re.escape, line.split("…")))
            assert any(re.fullmatch(pattern, printed.strip()) for printed in lines), line


def test_readme_names_the_test_command() -> None:
    """The README has the test commands that CI runs."""
    commands = re.findall(r"^make .+$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert commands
    assert [command for command in commands if f"`{command}`" not in (ROOT / "README.md").read_text()] == []


def test_every_endpoint_is_listed_with_its_scope() -> None:
    """The table in docs/endpoints.md lists each route of the API, and no other, with its required scope."""
    rows = [row for row in _rows("docs/endpoints.md") if re.match(r"`[A-Z]+ /", row[0])]
    listed = {tuple(row[0].strip("`").split()): row[1].strip("`") for row in rows}
    routes = {
        (method, path): _required_by(route_of(entry))
        for path, entries in of_latchkey().items()
        for method, entry in entries.items()
        if method != "HEAD"
        and (path.startswith("/v1/") or path in ("/health", "/openapi.json", "/status.json", "/status.rss"))
    }
    assert listed == routes


def test_map_names_what_is_there() -> None:
    """Each path in the map of the repository exists, and the map lists each package."""
    named = set(_named_in_map())
    assert {path for path in named if not (ROOT / path).exists()} == set()
    packages = {f"chalicelib/{marker.parent.name}/" for marker in (ROOT / "chalicelib").glob("*/__init__.py")}
    assert packages <= named


def test_every_pinned_package_is_explained() -> None:
    """The table of dependencies in docs/developing.md lists each pinned package."""
    asked = set((ROOT / "infra" / "requirements").glob("*.in")) - {ROOT / "infra" / "requirements" / "bench.in"}
    pins = "".join(path.read_text() for path in asked)
    pinned = set(re.findall(r"^([\w-]+)(?:\[\w+\])?==", pins, re.MULTILINE))
    explained = {name.strip() for row in _rows(DEVELOPING) if len(row) == 2 for name in row[0].split(",")}
    assert pinned <= explained


def _required_by(route: Route) -> str:
    """Return the requirement of a route: a scope, a signature, or nothing."""
    signed = route.is_documented and "github" in description_of(route.resolve()).security
    return " ".join(route.scopes) or ("a signature" if signed else "none")


def _rows(page: str) -> list[list[str]]:
    """Return the cells of each table row of a page."""
    lines = (ROOT / page).read_text().splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in lines if row.startswith("|")]


def _curl_steps(page: str) -> list[tuple[str, list[str]]]:
    """Return each curl command in a page's terminal sessions with the lines shown below it."""
    steps: list[tuple[str, list[str]]] = []
    for block in blocks_of(page):
        for step in block.code.split("$ ")[1:] if block.language == "console" else ():
            command, *shown = step.splitlines()
            if command.startswith("curl "):
                steps.append((command, shown))
    return steps


def _named_in_map() -> Iterator[str]:
    page = (ROOT / DEVELOPING).read_text()
    for row in page.partition("\n## Map of the code\n")[2].partition("\n## ")[0].splitlines():
        if row.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", row.split("|")[1])
