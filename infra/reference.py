"""`make reference`: write the API reference, docs/rest-api.md, from the same data as the page /docs.

It also writes docs/webhook-events.md and docs/access.md (see `webhook_events` and `access_matrix`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from chalicelib.api.openapi.document import document
from chalicelib.pages.outline import Operation, Row, outline
from infra import access_matrix, webhook_events
from infra.routes import of_latchkey

PAGE = Path(__file__).parents[1] / "docs" / "rest-api.md"
BASE_URL = "https://api.example.com"


def page() -> str:
    """Return the text of docs/rest-api.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    reference = outline(document(of_latchkey(), BASE_URL))
    yield "# API reference"
    yield from ("", "<!-- Printed by `make reference` from the routes; manual changes are lost. -->")
    for paragraph in reference.introduction:
        yield from ("", paragraph)
    yield from (
        "",
        "A deployment serves the same reference at `/docs`, where requests can be tried, and at `/openapi.json`.",
    )
    for tag in reference.tags:
        yield from ("", f"## {tag.name}", "", tag.about)
        for operation in tag.operations:
            yield from _operation(operation)
    yield from ("", "## Errors", "")
    codes = [(f"`{each['error']}`", str(each["status"]), each["about"]) for each in reference.errors]
    yield from _table(("code", "status", "description"), codes)
    yield from ("", "## Scopes", "")
    yield from _table(("scope", "description"), [(f"`{each['scope']}`", each["about"]) for each in reference.scopes])
    yield from ("", "## Tiers", "")
    tiers = [(f"`{each['tier']}`", _amount(each["quota"]), _amount(each["burst"])) for each in reference.tiers]
    yield from _table(("tier", "requests per hour", "burst"), tiers)
    yield from ("", "## Headers", "")
    yield from _table(("header", "description"), [(f"`{row.name}`", row.about) for row in reference.headers])
    yield from ("", "## Event types", "")
    yield from _table(("type", "description"), [(f"`{each['type']}`", each["about"]) for each in reference.event_types])
    yield from ("", "## Schemas")
    for schema in reference.schemas:
        yield from ("", f"### {schema.name}", "", schema.about)
        yield from _rows(schema.rows, "optional")


def _operation(operation: Operation) -> Iterator[str]:
    yield from ("", f"### {operation.method} {operation.path}", "", f"{operation.summary}.")
    if operation.more:
        yield from ("", operation.more)
    yield from ("", f"Authentication: {operation.needs}.")
    for rows in (operation.in_path, operation.in_query, operation.in_headers, operation.fields):
        yield from _rows(rows, "optional")
    yield from ("", "```console", f"$ {operation.curl}", "```", "")
    responses = [(each.status, " ".join((each.about, *map(_link, each.schemas)))) for each in operation.responses]
    errors = [(each.status, each.about) for each in operation.errors]
    yield from _table(("status", "response"), [*responses, *errors])


def _rows(rows: tuple[Row, ...], absent: str) -> Iterator[str]:
    if rows:
        yield ""
        yield from _table(
            ("name", "description", "type"),
            [(f"`{row.name}`" + ("" if row.required else f" ({absent})"), row.about, row.kind) for row in rows],
        )


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _amount(number: int | None) -> str:
    return "unlimited" if number is None else f"{number:,}"


def _link(schema: str) -> str:
    return f"[{schema}](#{schema.lower()})"


if __name__ == "__main__":
    PAGE.write_text(page())
    webhook_events.PAGE.write_text(webhook_events.page())
    access_matrix.PAGE.write_text(access_matrix.page())
