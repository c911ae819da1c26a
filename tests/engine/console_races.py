"""Helpers of the tests of concurrent requests to the console."""

from collections import Counter
from collections.abc import Callable

from tests.engine.fault_proxy import Call
from tests.support.console_client import Page
from tests.support.harness import TestApp

TWENTY = 20
PLACE, EVERYWHERE = "/settings/profile/sessions", "/settings/profile/log-out-everywhere"
OTHER_PASSWORDS = ("harmonica wolverine custard", "telescope marmalade ostrich")


def session_write(operation: str) -> Callable[[Call], bool]:
    """Return a rule that matches one DynamoDB operation on sessions."""
    return lambda call: (call.operation, call.table) == (operation, "sessions")


def stores_a_key(call: Call) -> bool:
    """Return whether a call stores a credential."""
    items = call.body.get("TransactItems", [])
    return any(item.get("Put", {}).get("TableName", "").endswith("-credentials") for item in items)


def count_statuses(pages: list[Page]) -> Counter[int]:
    """Count the statuses of pages."""
    return Counter(page.status for page in pages)


def is_accepted(latchkey: TestApp, secret: str) -> bool:
    """Return whether a key is accepted by a gateway and a function whose caches are empty."""
    latchkey.forget()
    latchkey.gateway.cached.clear()
    return latchkey.call("GET", "/v1/users/me", secret).status == 200
