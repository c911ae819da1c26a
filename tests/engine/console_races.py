"""Helpers of the tests of concurrent requests to the console."""

from collections import Counter
from collections.abc import Callable

from tests.engine.fault_proxy import Call
from tests.support.console_client import Page
from tests.support.harness import TestApp

TWENTY = 20
PLACE, EVERYWHERE = "/settings/account/sessions", "/settings/account/log-out-everywhere"
OTHER_PASSWORDS = ("harmonica wolverine custard", "telescope marmalade ostrich")


def sessions_write(operation: str) -> Callable[[Call], bool]:
    """Return the rule that picks one kind of write on sessions."""
    return lambda call: (call.operation, call.table) == (operation, "sessions")


def making_a_key(call: Call) -> bool:
    """Tell whether `call` stores a credential."""
    items = call.body.get("TransactItems", [])
    return any(item.get("Put", {}).get("TableName", "").endswith("-credentials") for item in items)


def statuses(pages: list[Page]) -> Counter[int]:
    """Count what was answered."""
    return Counter(page.status for page in pages)


def works(latchkey: TestApp, secret: str) -> bool:
    """Tell whether a key is accepted by a gateway and a function that have never seen it."""
    latchkey.forget()
    latchkey.gateway.cached.clear()
    return latchkey.call("GET", "/v1/users/me", secret).status == 200
