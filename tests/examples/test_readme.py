"""The README shows what really happens, and names what is really there."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from chalicelib.api.routing import Route, route_of
from chalicelib.api.schema.description import description_of
from infra.routes import of_latchkey
from tests.examples.blocks import ROOT, blocks_of
from tests.examples.served import Served

pytestmark = pytest.mark.xdist_group("examples")

README = (ROOT / "README.md").read_text()
ROWS = [[cell.strip() for cell in row.strip("|").split("|")] for row in README.splitlines() if row.startswith("|")]


def test_terminal_session_goes_as_shown(api: Served) -> None:
    """Each curl line, pasted, prints the lines below it; what differs from run to run is shown as an ellipsis."""
    environment = api.environment(api.demo_secret("free@example.com"))
    steps = _curl_steps()
    assert steps
    for command, shown in steps:
        ended = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        lines = ended.stdout.splitlines()
        for line in shown:
            pattern = ".+".join(map(re.escape, line.split("…")))
            assert any(re.fullmatch(pattern, printed.strip()) for printed in lines), line


def test_every_endpoint_is_listed_with_its_scope() -> None:
    """The table of endpoints has each route of the API, and no other, with the scope that it asks for."""
    listed = {tuple(row[0].strip("`").split()): row[1].strip("`") for row in ROWS if re.match(r"`[A-Z]+ /", row[0])}
    routes = {
        (method, path): _required_by(route_of(entry))
        for path, entries in of_latchkey().items()
        for method, entry in entries.items()
        if method != "HEAD"
        and (path.startswith("/v1/") or path in ("/health", "/openapi.json", "/status.json", "/status.rss"))
    }
    assert listed == routes


def test_map_names_what_is_there() -> None:
    """Each path in the map exists, and no folder of the code is missing from it."""
    named = set(_named_in_map())
    assert {path for path in named if not (ROOT / path).exists()} == set()
    packages = {f"chalicelib/{marker.parent.name}/" for marker in (ROOT / "chalicelib").glob("*/__init__.py")}
    assert packages <= named


def test_every_pinned_package_is_explained() -> None:
    """The table of dependencies has each pinned package."""
    asked = set((ROOT / "infra" / "requirements").glob("*.in")) - {ROOT / "infra" / "requirements" / "bench.in"}
    pins = "".join(path.read_text() for path in asked)
    pinned = set(re.findall(r"^([\w-]+)(?:\[\w+\])?==", pins, re.MULTILINE))
    explained = {name.strip() for row in ROWS if len(row) == 2 for name in row[0].split(",")}
    assert pinned <= explained


def _required_by(route: Route) -> str:
    """Return what a route requires of its caller: a scope, a signature, or nothing."""
    signed = route.is_documented and "github" in description_of(route.resolve()).security
    return " ".join(route.scopes) or ("a signature" if signed else "none")


def _curl_steps() -> list[tuple[str, list[str]]]:
    """Return each curl line of the README's terminal sessions with the lines shown below it."""
    steps: list[tuple[str, list[str]]] = []
    for block in blocks_of("README.md"):
        for step in block.code.split("$ ")[1:] if block.language == "console" else ():
            command, *shown = step.splitlines()
            if command.startswith("curl "):
                steps.append((command, shown))
    return steps


def _named_in_map() -> Iterator[str]:
    start = README.index("## What is where")
    for row in README[start : README.index("## Endpoints")].splitlines():
        if row.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", row.split("|")[1])
