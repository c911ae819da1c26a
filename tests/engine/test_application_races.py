"""Concurrent registrations and deletions of OAuth applications never exceed 50 applications per account."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from chalicelib.accounts import change
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account
from chalicelib.oauth import clients, delete_client
from tests.engine.hold_calls import run_concurrently
from tests.oauth.flow import new_user, register_client
from tests.support.console_client import log_in_as
from tests.support.harness import TestApp
from tests.support.job_runs import run_jobs

TWENTY = 20
NEW = "/settings/applications/new"


def test_concurrent_registrations_leave_50_applications(latchkey: TestApp) -> None:
    """If twenty forms for a new application are submitted concurrently, and five places are free, five forms succeed
    and fifteen get a 409.
    """
    owner = latchkey.account()
    for _ in range(clients.PER_ACCOUNT_MAX - 5):
        register_client(latchkey, owner=owner)
    console = log_in_as(latchkey, owner)
    asked = {"name": ["Mine"], "kind": ["public"], "redirect_uris": ["https://app.example.com/cb"], "scopes": ["read"]}
    # Each form has its own one-time token, because a form submitted twice would create no second application anyway.
    forms = [console.fill(console.open(NEW), NEW, asked) for _ in range(TWENTY)]
    statuses = Counter(page.status for page in run_concurrently([partial(console.send, NEW, form) for form in forms]))
    assert statuses == {200: 5, 409: 15}
    assert len(list(clients.list_of_account(owner.id))) == Account.get(owner.id).applications == clients.PER_ACCOUNT_MAX


def test_concurrent_deletions_of_one_application_free_one_place(latchkey: TestApp) -> None:
    """Concurrent deletions of one application decrease the account's application count by one."""
    owner = latchkey.account()
    apps = [register_client(latchkey, owner=owner) for _ in range(2)]
    run_concurrently([partial(delete_client.delete, apps[0].client)] * TWENTY)
    assert len(list(clients.list_of_account(owner.id))) == Account.get(owner.id).applications == 1


def test_application_registered_during_suspension_is_not_active(latchkey: TestApp) -> None:
    """In any order of nineteen registrations and a suspension, every registered application is suspended."""
    owner = new_user(latchkey, "Owner").account
    asked = {"name": ["Mine"], "kind": ["public"], "redirect_uris": ["https://app.example.com/cb"], "scopes": ["read"]}
    console = log_in_as(latchkey, owner)
    forms = [console.fill(console.open(NEW), NEW, asked) for _ in range(TWENTY - 1)]
    suspend = partial(change.set_tier_and_status, owner.id, tier=None, status=SUSPENDED, actor="operator")
    deeds: list[Callable[[], object]] = [*(partial(console.send, NEW, form) for form in forms), suspend]
    run_concurrently(deeds)
    run_jobs()
    made = list(clients.list_of_account(owner.id))
    assert [client.client_id for client in made if client.is_active] == []
    assert len(made) == (Account.get(owner.id).applications or 0)
    # A suspended account can register no application.
    assert console.send(NEW, forms[0]).status in (303, 401, 403)
