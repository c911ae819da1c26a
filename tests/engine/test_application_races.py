"""Of many who register or delete applications of one account at once, never more than 50 are there."""

from collections import Counter
from functools import partial

from chalicelib.accounts.tables import Account
from chalicelib.oauth import clients
from tests.engine.holding import at_once
from tests.house import House
from tests.oauth.flow import registered
from tests.visitor import logged_in

TWENTY = 20
NEW = "/settings/applications/new"


def test_registrations_at_once_leave_50_applications(home: House) -> None:
    """Of twenty forms sent at once for the last five places five make an application, and fifteen say why not."""
    owner = home.account()
    for _ in range(clients.OWNED_MAX - 5):
        registered(home, owner=owner)
    visitor = logged_in(home, owner)
    asked = {"name": ["Mine"], "kind": ["public"], "redirect_uris": ["https://app.example.com/cb"], "scopes": ["read"]}
    # Each form has a ticket of its own: one that is sent twice makes no second application anyway.
    forms = [visitor.filled(visitor.open(NEW), NEW, asked) for _ in range(TWENTY)]
    statuses = Counter(page.status for page in at_once([partial(visitor.send, NEW, form) for form in forms]))
    assert statuses == {200: 5, 409: 15}
    assert len(list(clients.owned_by(owner.id))) == Account.get(owner.id).applications == clients.OWNED_MAX


def test_deletions_of_one_application_at_once_give_one_place_back(home: House) -> None:
    """However often it is deleted at the same moment."""
    owner = home.account()
    apps = [registered(home, owner=owner) for _ in range(2)]
    at_once([partial(clients.delete, apps[0].client)] * TWENTY)
    assert len(list(clients.owned_by(owner.id))) == Account.get(owner.id).applications == 1
