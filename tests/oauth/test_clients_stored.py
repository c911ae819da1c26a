"""Clients in DynamoDB: registering, changing and keeping clients, without the console."""

from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts.tables import Account
from chalicelib.core import errors, ids, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.oauth import client_lifetime, clients, delete_client
from chalicelib.oauth.clients import CLIENT_CREDENTIALS, CODE, DEVICE, REFRESH
from chalicelib.oauth.redirect_uris import BadRedirectURI
from chalicelib.oauth.tables import Client
from tests.credentials.events import recorded_events
from tests.oauth.flow import CALLBACK
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, record_calls

DAY_S = 86_400
NOON_S = START_MS // 1000
DOCUMENT = "https://client.example/client.json"


def register(**described: Any) -> clients.NewClient:
    """Register a client with the required arguments only."""
    least = {"name": "Photos", "uris": [CALLBACK], "auth_method": "client_secret_basic", "grant_types": {CODE}}
    return clients.register(**{**least, "wanted": set[str](), "registered_by": "account", **described})


def test_client_is_stored_completely(latchkey: TestApp) -> None:
    """A client is stored with all its fields; its secret is stored as digest and preview."""
    owner = latchkey.account()
    latchkey.clock.forward(1)
    new = register(account_id=owner.id, uri="https://photos.example/", wanted={"write"}, pkce_required=True)
    client = Client.get(new.client.client_id)
    assert new.secret
    assert (client.name, client.redirect_uris, client.auth_method) == ("Photos", [CALLBACK], "client_secret_basic")
    assert (client.grant_types, client.scopes, client.registered_by) == ({CODE}, {"write"}, "account")
    assert (client.created_at, client.account_id, client.uri) == (START_MS + 1000, owner.id, "https://photos.example/")
    assert (client.secret_digest, client.secret_hint) == (secrets.digest(new.secret), secrets.preview(new.secret))
    assert client.pkce_required is True
    assert clients.has_secret(client, new.secret)
    assert not clients.has_secret(client, f"{new.secret}x")
    assert repr(new) == f"NewClient({client.client_id})"
    assert recorded_events(owner.id) == [
        (kinds.APPLICATION_CREATED, {"application": client.client_id, "name": "Photos"})
    ]
    assert Account.get(owner.id).applications == 1


def test_client_with_minimal_metadata_has_defaults(latchkey: TestApp) -> None:
    """A client with minimal metadata gets both scopes. If it is public, it gets no secret. Absent fields
    aren't stored.
    """
    new = register(auth_method="none", registered_by="self", registration_digest="d", dies_at=NOON_S + 9)
    client = Client.get(new.client.client_id)
    assert new.secret is None
    assert not clients.has_secret(client, "")
    assert (client.scopes, client.registration_digest, client.dies_at) == ({"read", "write"}, "d", NOON_S + 9)
    unknown = {"account_id", "secret_digest", "secret_hint", "uri", "pkce_required"}
    assert client.attribute_values.keys().isdisjoint(unknown)


@pytest.mark.parametrize(
    ("described", "why"),
    [
        (
            {"auth_method": "none", "grant_types": {CODE, CLIENT_CREDENTIALS}},
            "can't use client_credentials",
        ),
        ({"uris": []}, "needs a redirect URI"),
        ({"uris": ["https://a.example/#x"]}, "absolute and plain"),
        ({"uris": [f"https://a.example/{number}" for number in range(11)]}, "at most 10 redirect URIs"),
        ({"wanted": {"read", "keys"}}, "scope may only contain read and write"),
    ],
)
def test_invalid_client_is_rejected(latchkey: TestApp, described: dict[str, Any], why: str) -> None:
    """A client with invalid metadata isn't stored."""
    with pytest.raises(errors.InvalidRequest, match=why):
        register(account_id=latchkey.account().id, **described)
    assert list(Client.scan()) == []


def test_client_has_up_to_ten_redirect_uris(latchkey: TestApp) -> None:
    """Duplicate redirect URIs count once and the order is kept; a client without the code grant needs none."""
    uris = [f"https://a.example/{number}" for number in range(9, -1, -1)]
    owner = latchkey.account().id
    assert register(account_id=owner, uris=uris[:5] * 2).client.redirect_uris == uris[:5]
    assert register(account_id=owner, uris=uris).client.redirect_uris == uris
    for grant_types in ({DEVICE}, {CLIENT_CREDENTIALS}, {REFRESH, DEVICE}):
        assert register(account_id=owner, uris=[], grant_types=grant_types).client.redirect_uris == []
    assert not register(account_id=owner, auth_method="none", grant_types={CODE, DEVICE}).secret


def test_bad_redirect_uri_names_its_field() -> None:
    """The exception for a bad redirect URI names the field, and has a type of its own."""
    with pytest.raises(BadRedirectURI) as raised:
        clients.check_has_redirect_uri({CODE}, [])
    assert raised.value.field == "redirect_uris"
    with pytest.raises(BadRedirectURI) as raised:
        clients.validate_redirect_uris(["x"])
    assert raised.value.field == "redirect_uris"


def test_limit_of_50_applications_is_distinct_from_a_reused_form(latchkey: TestApp) -> None:
    """A form that is submitted twice, the limit of 50 applications and a database error raise different errors."""
    owner = latchkey.account()
    register(account_id=owner.id, form="form 1")
    with pytest.raises(errors.Conflict, match="Its application is in the list"):
        register(account_id=owner.id, form="form 1")
    owner.account.update(actions=[Account.applications.set(49)])
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        register(account_id=owner.id)
    register(account_id=owner.id)
    for form in (None, "form 2"):
        with pytest.raises(errors.Conflict, match="at most 50 applications"):
            register(account_id=owner.id, form=form)
    with pytest.raises(errors.NotFound, match="no such account"):
        register(account_id="acc_" + "0" * 20)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        register(registered_by="self")


def test_registration_overwrites_no_item(latchkey: TestApp) -> None:
    """Each put of a registration requires that no item with that id exists."""
    with record_calls() as calls:
        register(account_id=latchkey.account().id, form="form 1")
    puts = [write["Put"] for _, request in calls for write in request.get("TransactItems", ()) if "Put" in write]
    mine = [put for put in puts if put["TableName"].endswith(("-clients", "-tickets"))]
    assert len(mine) == 2
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in mine)


def approve(client: Client) -> tuple[Client, int]:
    """Return a client after an approval, and the number of updates."""
    with record_calls() as calls, models.transaction() as write:
        client_lifetime.keep(write, client)
    updates = [each for _, request in calls for each in request.get("TransactItems", ()) if "Update" in each]
    return Client.get(client.client_id), len(updates)


def test_self_registered_client_is_kept_once_it_is_used(latchkey: TestApp) -> None:
    """An approval removes a self-registered client's time of deletion; later approvals write nothing."""
    client = register(registered_by="self", dies_at=NOON_S + 9).client
    used, writes = approve(client)
    assert ("dies_at" in used.attribute_values, writes) == (False, 1)
    assert approve(used)[1] == 0


@pytest.mark.parametrize(("kept_until", "writes"), [(None, 1), (90 * DAY_S - 1, 1), (90 * DAY_S, 0), (91 * DAY_S, 0)])
def test_client_of_a_document_is_kept_longer_than_a_grant(
    latchkey: TestApp, kept_until: int | None, writes: int
) -> None:
    """An approval keeps a document's client for 120 days, unless the client is kept for at least 90 more days already.
    A grant is valid for 90 days.
    """
    until = None if kept_until is None else NOON_S + kept_until
    client = register(registered_by="document", dies_at=NOON_S + 2 * DAY_S).client
    if until is not None:
        client.update(actions=[Client.kept_until.set(until), Client.dies_at.set(until)])
    used, new = approve(client)
    assert new == writes
    if writes:
        assert used.kept_until == used.dies_at == NOON_S + 120 * DAY_S
    else:
        assert used.kept_until == used.dies_at == until


def test_missing_client_is_not_recreated_by_an_approval(latchkey: TestApp) -> None:
    """An approval doesn't recreate the item of a deleted or expired client."""
    deleted, expired = (register(registered_by="self", dies_at=NOON_S + 9).client for _ in range(2))
    delete_client.delete(deleted)
    Client(expired.client_id).delete()
    for client in (deleted, expired):
        client.dies_at = NOON_S + 9
        with pytest.raises(TransactWriteError), models.transaction() as write:
            client_lifetime.keep(write, client)
    assert Client.found(expired.client_id) is None


def test_rotation_replaces_the_secret(latchkey: TestApp) -> None:
    """Rotation replaces the secret in the table and in the client object that was passed in."""
    owner = latchkey.account()
    new = register(account_id=owner.id)
    latchkey.clock.forward(1)
    secret = clients.rotate_secret(new.client)
    stored = Client.get(new.client.client_id)
    for client in (new.client, stored):
        assert clients.has_secret(client, secret)
        assert not clients.has_secret(client, str(new.secret))
        assert client.secret_hint == secrets.preview(secret)
    assert recorded_events(owner.id)[1:] == [
        (kinds.APPLICATION_SECRET_ROTATED, {"application": stored.client_id, "name": "Photos"})
    ]


@pytest.mark.parametrize("pkce_required", [None, False, True])
def test_update_changes_name_and_redirect_uris(latchkey: TestApp, pkce_required: bool | None) -> None:
    """An update changes the PKCE requirement only if it is passed, and keeps all other attributes."""
    owner = latchkey.account()
    client = register(account_id=owner.id, pkce_required=True).client
    latchkey.clock.forward(1)
    clients.update(client, name="Albums", uris=["https://b.example/"], pkce_required=pkce_required)
    stored = Client.get(client.client_id)
    for changed in (client, stored):
        assert (changed.name, changed.redirect_uris) == ("Albums", ["https://b.example/"])
    assert stored.pkce_required is (pkce_required is not False)
    assert recorded_events(owner.id)[1:] == [
        (kinds.APPLICATION_CHANGED, {"application": client.client_id, "name": "Albums"})
    ]


def test_unknown_client_is_not_changed(latchkey: TestApp) -> None:
    """Updating or rotating an unknown client creates no item."""
    client = Client(ids.new("app"), name="Photos", registered_by="self", secret_digest="d")
    with pytest.raises(errors.NotFound):
        clients.update(client, name="Albums", uris=[CALLBACK])
    with pytest.raises(errors.Conflict):
        clients.rotate_secret(client)
    assert not delete_client.start_deletion(client)
    assert Client.found(client.client_id) is None


def test_account_reads_only_its_own_clients(latchkey: TestApp) -> None:
    """Reading another account's client gives the same error as reading a missing one."""
    owner, other = latchkey.account(), latchkey.account(name="Bea")
    mine = register(account_id=owner.id).client
    assert clients.get_of_account(owner.id, mine.client_id).client_id == mine.client_id
    for account, client_id in ((other.id, mine.client_id), (owner.id, "app_" + "0" * 20), (owner.id, "x")):
        with pytest.raises(errors.NotFound, match="no such application"):
            clients.get_of_account(account, client_id)
    assert [each.client_id for each in clients.list_of_account(owner.id)] == [mine.client_id]
    assert list(clients.list_of_account(other.id)) == []


def test_client_is_verified_while_its_account_is_active(latchkey: TestApp) -> None:
    """A client is verified if it belongs to an active account. A self-registered client never is, even with an
    account's id.
    """
    owner = latchkey.account()
    mine, alone = register(account_id=owner.id).client, register(registered_by="self").client
    posing = replace_in(alone, account_id=owner.id)
    assert [clients.has_active_account(each) for each in (mine, alone, posing)] == [True, False, False]
    owner.account.update(actions=[Account.status.set("suspended")])
    assert not clients.has_active_account(mine)
    owner.account.delete()
    assert not clients.has_active_account(mine)


def replace_in(client: Client, **values: Any) -> Client:
    """Return a copy of a stored client with some values replaced."""
    copy = Client.get(client.client_id)
    for name, value in values.items():
        setattr(copy, name, value)
    return copy


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *(("app_" + "0" * 20, True), ("key_" + "0" * 20, False), ("app_x", False), ("", False), ("https://x", True)),
        *(("http://x", False), ("x", False), ("https://".ljust(999, "x"), True)),
        ("https://".ljust(1_000, "x"), False),
    ],
)
def test_client_id_is_generated_or_a_document_url(text: str, is_one: bool) -> None:
    """A client id is a generated id, or a document's URL that fits into a sort key after the id of an account."""
    assert clients.is_client_id(text) == is_one
