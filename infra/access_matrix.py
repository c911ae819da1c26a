"""Who may use which route and page: the table that docs/access.md prints and that a test tries, cell by cell.

Every cell follows from two declarations: the scopes of a route (`api/routes.py`) with the scopes of each role
(`credentials/scopes.py`), and the least role of a page (`api/console/routes.py`).
"""

from collections.abc import Iterator
from pathlib import Path

from chalicelib.accounts import roles
from chalicelib.api import routing
from chalicelib.api.console import render_response
from chalicelib.api.console.routes import least_role
from chalicelib.credentials import scopes
from infra.routes import of_latchkey

PAGE = Path(__file__).parents[1] / "docs" / "access.md"
NOBODY, OTHER, SUSPENDED, REMOVED = "no credential", "other account", "suspended account", "removed member"
CALLERS = (*roles.ALL, OTHER, SUSPENDED, REMOVED, NOBODY)
"""The columns: the roles, and callers who may not act in the account."""
ALLOWED = "yes"

_INTRODUCTION = """\
# Access

<!-- Printed by `make reference` from the routes; manual changes are lost. -->

Which [role](accounts.md#roles) may use which route and page. An API key has at most the scopes that the role of its
user allows now, so the table shows the rights of a key with every scope. “Suspended account” is a member of an account
that the operator has suspended, “removed member” a credential or session of a user who was removed a moment ago, and
“other account” the owner of another account, who gets that account's pages and lists, and nothing by an id of this one.

Beside this table, a member with a role below admin can change, rotate and revoke only their own keys and remove only
themselves, only owners can give or take the role owner, and the last owner of an account can't leave it. The scopes
`admin` and `verify` need a user with the operator's admin flag.
"""


def page() -> str:
    """Return the text of docs/access.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## API"
    yield from _table(((f"`{method} {path}`", api_cells(path, needs)) for method, path, needs in api_routes()))
    yield from ("", "## Console")
    yield from _table(((f"`{method} {path}`", page_cells(method, path)) for method, path in account_pages()))
    yield from ("", "All other pages belong to a user or to nobody, and no role changes them.")


def api_routes() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield method, path and scopes of each route that requires a credential."""
    for path, methods in of_latchkey().items():
        for method, entry in methods.items():
            route = routing.route_of(entry)
            if route.scopes and method != "HEAD":
                yield method, path, route.scopes


def account_pages() -> Iterator[tuple[str, str]]:
    """Yield method and path of each page that belongs to an account."""
    for path, methods in of_latchkey().items():
        for method, entry in methods.items():
            route = routing.route_of(entry)
            is_page = route.error_response is render_response.plain_error_page and method in ("GET", "POST")
            if is_page and least_role(path) and not route.view_name[1].startswith("redirect_to_"):
                yield method, path


def api_cells(path: str, needs: tuple[str, ...]) -> dict[str, str]:
    """Return what a key with every scope gets from a route, by caller: `yes` or the error."""
    by_role = {role: scopes.effective(scopes.ALL, role=role, admin=False) for role in roles.ALL}
    cells = {role: ALLOWED if set(needs) <= allowed else "insufficient_scope" for role, allowed in by_role.items()}
    other = "not_found" if "{" in path else ALLOWED
    cells[OTHER] = "insufficient_scope" if cells[roles.OWNER] != ALLOWED else other
    return cells | {SUSPENDED: "invalid_api_key", REMOVED: "invalid_api_key", NOBODY: "missing_api_key"}


def page_cells(method: str, path: str) -> dict[str, str]:
    """Return what a session gets from a page, by caller: `yes`, the error, or `log in`.

    A page always belongs to one of the user's own accounts. A form names its account.
    """
    least = least_role(path)
    cells = {role: ALLOWED if roles.has_rights_of(role, least) else "insufficient_role" for role in roles.ALL}
    other = ALLOWED if method == "GET" and "{" not in path else "not_found"
    return cells | {OTHER: other, SUSPENDED: "suspended", REMOVED: other, NOBODY: "log in"}


def _table(rows: Iterator[tuple[str, dict[str, str]]]) -> Iterator[str]:
    yield ""
    yield f"| | {' | '.join(CALLERS)} |"
    yield "|---" * (len(CALLERS) + 1) + "|"
    for name, cells in rows:
        yield f"| {name} | {' | '.join(_shown(cells[caller]) for caller in CALLERS)} |"


def _shown(cell: str) -> str:
    return cell if cell in (ALLOWED, "log in") else f"`{cell}`"
