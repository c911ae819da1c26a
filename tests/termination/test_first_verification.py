"""The first verification of an address deletes everything that was created before it. If the function is killed, a
later run finishes.
"""

from typing import Any

import pytest

from chalicelib.accounts import email_links, pending_terminations
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import find
from chalicelib.oauth import clients, delete_client, grants
from chalicelib.oauth.tables import Grant
from chalicelib.termination import finish, password_reset
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint
from tests.oauth.flow import User, new_user, register_client
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp
from tests.termination.test_account_deletion import Killed, run_pending

PASSWORD = "harmonica wolverine custard"


@pytest.fixture
def squatter(latchkey: TestApp) -> User:
    """Return an account with an unverified address and one record of every type."""
    eve = new_user(latchkey, "Eve", verified=False)
    latchkey.key(eve.account)
    endpoints.create(eve.account.id, url="https://example.com/", name="Spy", types=None)
    register_client(latchkey, owner=eve.account)
    latchkey.clock.forward(1)
    return eve


def count_active(account_id: str) -> tuple[int, int, int]:
    """Count the active keys, webhooks and applications."""
    keys = [key for key in find.keys_of(account_id) if key.is_live()]
    hooks = list(Endpoint.query(account_id, Endpoint.id.startswith("whk_")))
    return len(keys), len(hooks), len(list(clients.list_of_account(account_id)))


def verify(latchkey: TestApp, owner: User) -> None:
    """Open the verification link in another browser and set a password there."""
    ticket = email_links.new_link(
        owner.account.id, email_links.VERIFY_EMAIL, email=owner.account.email, epoch=owner.account.session_epoch
    )
    assert ConsoleClient(latchkey).submit(f"/verify?ticket={ticket}", password=PASSWORD).status == 303


def test_first_verification_deletes_everything_from_before_it(latchkey: TestApp, squatter: User) -> None:
    """The request that verifies an address deletes the keys, webhooks and applications that were created before."""
    assert count_active(squatter.account.id) == (1, 1, 1)
    verify(latchkey, squatter)
    assert count_active(squatter.account.id) == (0, 0, 0)


@pytest.mark.parametrize("after", range(0, 12, 3))
def test_killed_first_verification_is_finished_by_the_minutes_function(
    latchkey: TestApp, squatter: User, after: int
) -> None:
    """If the function is killed after its transaction, later runs delete the rest. A key that is created after the
    verification stays valid.
    """
    sender, calls = dynamodb.sender(), -1

    def until_killed(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        if calls == after:
            raise Killed
        response = sender(operation, request)
        is_proof = operation == "TransactWriteItems" and "credentials_since" in str(request)
        calls += is_proof or calls >= 0
        return response

    with dynamodb.use_sender(until_killed), pytest.raises(Killed):
        verify(latchkey, squatter)
    assert count_active(squatter.account.id) != (0, 0, 0)
    latchkey.clock.forward(30)
    own = latchkey.key(squatter.account)
    run_pending()
    assert count_active(squatter.account.id) == (1, 0, 0)
    latchkey.clock.forward(60)
    run_pending()
    assert latchkey.call("GET", "/v1/users/me", own.secret).status == 200
    assert list(pending_terminations.all_pending()) == []


@pytest.mark.parametrize("by", ["proof", "link"])
def test_termination_of_many_applications_reaches_the_users_of_three(latchkey: TestApp, by: str) -> None:
    """All applications are deleted at once. The grants of the first three are revoked at once, too, and all other
    grants by a later run.
    """
    owner = new_user(latchkey, "Eve", verified=by == "link")
    owned = [register_client(latchkey, owner=owner.account) for _ in range(delete_client.IMMEDIATE_MAX + 2)]
    given = [grants.new(latchkey.account().id, app.id, scopes={"read"}, resources=set()) for app in owned]
    for grant in given:
        grant.save()
    latchkey.clock.forward(1)
    if by == "proof":
        verify(latchkey, owner)
    else:
        pending = password_reset.new(owner.account.id, {app.id for app in owned}, by="link")
        pending.save()
        assert finish.run_first_slice(pending)
    assert list(clients.list_of_account(owner.account.id)) == []
    assert [Grant.get(grant.id).is_active() for grant in given] == [False] * delete_client.IMMEDIATE_MAX + [True] * 2
    run_pending()
    assert [grant.id for grant in given if Grant.get(grant.id).is_active()] == []
