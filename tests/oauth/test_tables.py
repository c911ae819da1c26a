"""Computed properties of stored clients, consents and grants."""

from typing import Any

import pytest
from pynamodb.exceptions import AttributeNullError

from chalicelib.oauth.tables import Client, Consent, Grant
from tests.support.harness import START_MS, TestApp


@pytest.mark.parametrize(
    ("uris", "only"), [([], None), (["https://a.example/"], "https://a.example/"), (["https://a/", "https://b/"], None)]
)
def test_default_redirect_uri_requires_exactly_one(uris: list[str], only: str | None) -> None:
    """A client with several redirect URIs has no default, because it would be ambiguous."""
    assert Client("app_1", redirect_uris=uris).default_redirect_uri == only


def test_account_of_a_client_is_stored_as_owner_id(latchkey: TestApp) -> None:
    """The Python name is `account_id`, and every way to write and read an item maps it to the stored `owner_id`."""
    client = Client("app_1", account_id="acc_1", name="Photos", grant_types={"authorization_code"}, scopes={"read"})
    stored = {"client_id": {"S": "app_1"}, "owner_id": {"S": "acc_1"}}
    assert client.serialize(null_check=False)["owner_id"] == stored["owner_id"]
    assert Client.item(client_id="app_1", account_id="acc_1") == stored
    assert Client.from_raw_data(stored).account_id == "acc_1"


@pytest.mark.parametrize(
    ("described", "must"),
    [
        ({"auth_method": "none", "registered_by": "account"}, True),
        ({"auth_method": "none", "registered_by": "self"}, True),
        ({"auth_method": "client_secret_basic", "registered_by": "self"}, True),
        ({"auth_method": "client_secret_basic", "registered_by": "document"}, True),
        ({"auth_method": "client_secret_post", "registered_by": "account"}, False),
        ({"auth_method": "client_secret_post", "registered_by": "account", "pkce_required": False}, False),
        ({"auth_method": "client_secret_post", "registered_by": "account", "pkce_required": True}, True),
    ],
)
def test_only_confidential_clients_of_accounts_may_omit_pkce(described: dict[str, Any], must: bool) -> None:
    """A client must use PKCE unless it is a confidential client of an account that doesn't require PKCE."""
    client = Client("app_1", **described)
    assert (client.must_use_pkce, client.is_public) == (must, described["auth_method"] == "none")


@pytest.mark.parametrize(
    "ended", [{"deleted_at": 1}, {"owner_suspended_at": 1}, {"deleted_at": 1, "owner_suspended_at": 1}]
)
def test_client_is_inactive_when_deleted_or_suspended(ended: dict[str, Any]) -> None:
    """A client that is deleted, or whose account is suspended, is inactive."""
    assert Client("app_1").is_active
    assert not Client("app_1", **ended).is_active


def test_scopes_of_a_consent_are_those_of_all_entries() -> None:
    """The scopes of a consent are those of all its entries, for any recipient and resource."""
    entries = {"https://a.example  read", "https://a.example https://files.example write", "app:/cb  read"}
    assert Consent("usr_1", "acc_1#app_1", allowed=entries).scopes == {"read", "write"}


@pytest.mark.parametrize(
    ("times", "is_active"),
    [
        ({"expires_at": START_MS + 1}, True),
        ({"expires_at": START_MS}, False),
        ({"expires_at": START_MS + 1, "revoked_at": START_MS}, False),
    ],
)
def test_grant_is_active_until_it_expires_or_is_revoked(
    latchkey: TestApp, times: dict[str, Any], is_active: bool
) -> None:
    """A grant is inactive from the millisecond of its expiry or revocation on."""
    assert Grant("gra_1", **times).is_active() == is_active


def test_grant_without_a_time_of_deletion_cannot_be_stored() -> None:
    """A grant without a time of deletion can't be stored, because DynamoDB would never delete it."""
    grant = Grant("gra_1", account_id="acc_1", client_id="app_1", scopes={"read"}, created_at=0, expires_at=0)
    with pytest.raises(AttributeNullError, match="dies_at"):
        grant.serialize()
