"""Of many who register or delete applications of one account at once, never more than 50 are there."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from chalicelib.accounts import change
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.oauth import clients, delete_client
from chalicelib.termination import finish
from tests.engine.holding import at_once
from tests.oauth.flow import new_user, register_client
from tests.support.console_client import logged_in
from tests.support.harness import TestApp

TWENTY = 20
LATER_MS = 60_000
NEW = "/settings/applications/new"


def test_registrations_at_once_leave_50_applications(latchkey: TestApp) -> None:
    """Of twenty forms sent at once for the last five places five make an application, and fifteen say why not."""
    owner = latchkey.account()
    for _ in range(clients.PER_ACCOUNT_MAX - 5):
        register_client(latchkey, owner=owner)
    console = logged_in(latchkey, owner)
    asked = {"name": ["Mine"], "kind": ["public"], "redirect_uris": ["https://app.example.com/cb"], "scopes": ["read"]}
    # Each form has a ticket of its own: one that is sent twice makes no second application anyway.
    forms = [console.filled(console.open(NEW), NEW, asked) for _ in range(TWENTY)]
    statuses = Counter(page.status for page in at_once([partial(console.send, NEW, form) for form in forms]))
    assert statuses == {200: 5, 409: 15}
    assert len(list(clients.list_of_account(owner.id))) == Account.get(owner.id).applications == clients.PER_ACCOUNT_MAX


def test_deletions_of_one_application_at_once_give_one_place_back(latchkey: TestApp) -> None:
    """However often it is deleted at the same moment."""
    owner = latchkey.account()
    apps = [register_client(latchkey, owner=owner) for _ in range(2)]
    at_once([partial(delete_client.delete, apps[0].client)] * TWENTY)
    assert len(list(clients.list_of_account(owner.id))) == Account.get(owner.id).applications == 1


def test_no_application_is_active_that_is_registered_while_its_owner_is_suspended(latchkey: TestApp) -> None:
    """However nineteen registrations and a suspension fall together, all that were made stand as their owner does."""
    owner = new_user(latchkey, "Owner").account
    asked = {"name": ["Mine"], "kind": ["public"], "redirect_uris": ["https://app.example.com/cb"], "scopes": ["read"]}
    console = logged_in(latchkey, owner)
    forms = [console.filled(console.open(NEW), NEW, asked) for _ in range(TWENTY - 1)]
    suspend = partial(change.set_standing, owner.id, tier=None, status=SUSPENDED, actor="operator")
    deeds: list[Callable[[], object]] = [*(partial(console.send, NEW, form) for form in forms), suspend]
    at_once(deeds)
    finish.all_unfinished(clock.now_ms() + LATER_MS)
    made = list(clients.list_of_account(owner.id))
    assert [client.client_id for client in made if client.is_active] == []
    assert len(made) == (Account.get(owner.id).applications or 0)
    # And none can be made afterwards.
    assert console.send(NEW, forms[0]).status in (303, 401, 403)
