"""Verification of a secret: every rejection, and the principal of a valid credential."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from chalicelib.accounts.tables import Account, User
from chalicelib.core import errors, secrets, settings
from chalicelib.core.settings import Settings
from chalicelib.credentials import revoke, rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import bearer, parse_secret, verify
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import PRO
from chalicelib.oauth.tables import Client, Grant
from tests.oauth.flow import CLIENT, ISSUER, new_user, register_client
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import record_calls


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer abc",
        "bearer abc",
        "BEARER abc",
        "bEaReR abc",
        "  Bearer abc  ",
        "Bearer    abc",
        "Bearer\tabc",
        "Bearer abc\n",
    ],
)
def test_bearer_token_is_parsed_in_any_spelling(authorization: str) -> None:
    """The scheme `Bearer` may be in any case (RFC 9110 §11.1), with spaces around scheme and token."""
    assert bearer(authorization) == "abc"


@pytest.mark.parametrize(
    "authorization",
    [
        *("", " ", "Bearer", "bearer ", "Bearer \t ", "Basic abc", "abc", "Bearerabc", "Token Bearer abc", "\x00"),
        *("Bearer\xa0abc", "\xa0Bearer abc", "\u2000Bearer abc", "Bearer\u3000abc", "Bearer\x0cabc", "Bearer\nabc"),
    ],
)
def test_other_authorization_is_a_missing_key(authorization: str) -> None:
    """A header with another scheme, or without a scheme or token, is reported as a missing API key."""
    with pytest.raises(errors.MissingApiKey):
        bearer(authorization)


def test_text_after_the_token_belongs_to_it() -> None:
    """A token isn't cut at a space, so a token with text after it is invalid."""
    assert bearer("Bearer abc def") == "abc def"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        *(
            ("abc", "abc"),
            (" abc\r\n", "abc"),
            ("\tabc def ", "abc def"),
            ("Bearer abc", "abc"),
            ("bEARER  abc\n", "abc"),
        ),
        *(("Bearer", "Bearer"), ("Bearer ", "Bearer"), ("Basic abc", "Basic abc"), ("", ""), (" \t\r\n", "")),
    ],
)
def test_presented_secret_is_parsed(text: str, secret: str) -> None:
    """A presented secret may be a secret alone or the value of an Authorization header."""
    assert parse_secret(text) == secret


def test_text_longer_than_a_secret_is_rejected_before_it_is_parsed(latchkey: TestApp) -> None:
    """A text longer than any valid secret is rejected before it is parsed."""
    longest = Settings(brand="a" * 10)
    with settings.override(longest):
        assert max(len(secrets.mint(kind)) for kind in secrets.KINDS) == secrets.LENGTH_MAX
    for text in ("x" * 65_536, secrets.mint("live") + " " * 65_536, f"x{' ' * 9_500}x"):
        with pytest.raises(errors.InvalidApiKey):
            verify(text)


def test_valid_key_has_a_principal(latchkey: TestApp) -> None:
    """The principal of a key contains the key's account, user, role, scopes, tier and expiry. The verification time is
    before the read.
    """
    account = latchkey.account(PRO)
    issued = latchkey.key(account, "read", "keys", expires_in_s=600)
    principal = verify(issued.secret)
    assert (principal.account_id, principal.credential_id, principal.kind) == (account.id, issued.key.id, "key")
    assert (principal.user_id, principal.role) == (account.user_id, "owner")
    assert (principal.scopes, principal.tier) == (frozenset({"read", "keys"}), PRO)
    assert (principal.ends_at_ms, principal.client_id) == (START_MS + 600_000, "")
    assert principal.verified_at_ms == stale_marks.verified_from(START_MS)


def test_key_without_an_expiry_never_expires(latchkey: TestApp) -> None:
    """The principal of a key without an expiry has the expiry 0, which means never."""
    assert verify(latchkey.key(latchkey.account()).secret).ends_at_ms == 0


@pytest.mark.parametrize("kind", sorted({*secrets.KINDS} - {"live", "test", "at"}))
def test_secret_of_another_kind_is_rejected(latchkey: TestApp, kind: str) -> None:
    """A refresh token, a session or an email link gives no access to the API, even if its digest is stored."""
    with pytest.raises(errors.InvalidApiKey):
        verify(secrets.mint(kind))


def test_unknown_key_is_invalid(latchkey: TestApp) -> None:
    """A well-formed key that was never issued is rejected."""
    with pytest.raises(errors.InvalidApiKey):
        verify(secrets.mint("test"))


@pytest.mark.parametrize("kind", secrets.API_KEY_KINDS)
def test_key_of_either_kind_is_accepted(latchkey: TestApp, kind: str) -> None:
    """Keys of both kinds, `live` and `test`, are accepted."""
    with settings.override(replace(settings.current(), key_kind=kind)):
        secret = latchkey.key(latchkey.account()).secret
    assert secrets.kind_of(secret) == kind
    assert verify(secret)


def test_key_is_rejected_from_its_expiry_on(latchkey: TestApp) -> None:
    """A key works until the millisecond before its expiry."""
    secret = latchkey.key(latchkey.account(), expires_in_s=60).secret
    latchkey.clock.forward(59.999)
    assert verify(secret)
    latchkey.clock.forward(0.001)
    with pytest.raises(errors.TokenExpired):
        verify(secret)


def test_revoked_and_expired_key_is_invalid(latchkey: TestApp) -> None:
    """A key that is both revoked and expired is rejected as revoked."""
    account = latchkey.account()
    issued = latchkey.key(account, expires_in_s=60)
    revoke.revoke(account.id, issued.key.id)
    latchkey.clock.forward(61)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_key_of_a_suspended_account_is_invalid(latchkey: TestApp) -> None:
    """Credentials of a suspended account are rejected."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    account.account.update(actions=[Account.status.set("suspended")])
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_key_of_a_missing_account_is_invalid(latchkey: TestApp) -> None:
    """A key whose account item was deleted is rejected."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    account.account.delete()
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_admin_scopes_require_the_flag_of_the_user(latchkey: TestApp) -> None:
    """A user who lost the admin flag loses the admin scopes on all of their keys."""
    account = latchkey.account(admin=True)
    secret = latchkey.key(account, "read", "admin", "verify").secret
    assert verify(secret).scopes == {"read", "admin", "verify"}
    account.user.update(actions=[User.admin.set(False)])
    assert verify(secret).scopes == {"read"}


def test_lineage_of_a_key_is_its_first_predecessor(latchkey: TestApp) -> None:
    """Rotated keys share idempotent requests, because their lineage is the id of the first key."""
    account = latchkey.account()
    keeper, first = latchkey.key(account), latchkey.key(account)
    second = rotate.rotate(verify(keeper.secret), first.key.id, 0)
    third = rotate.rotate(verify(keeper.secret), second.key.id, 0)
    assert [verify(issued.secret).lineage for issued in (keeper, third)] == [keeper.key.id, first.key.id]


def test_lineage_of_a_token_is_its_grant_or_its_client(latchkey: TestApp) -> None:
    """The lineage of a token is its grant or its client, so that a refreshed token counts as the same caller."""
    ada, client = new_user(latchkey), register_client(latchkey)
    token, refresh = ada.grant(client)
    later = client.refresh(refresh).json()["access_token"]
    assert verify(token).lineage == verify(later).lineage
    assert verify(token).lineage.startswith("gra_")
    own = {verify(client.ask(CLIENT).json()["access_token"]).lineage for _ in range(2)}
    assert own == {client.id}


def test_key_is_read_consistently(latchkey: TestApp) -> None:
    """Credentials are read consistently, because API Gateway would cache a wrong denial for 300 s."""
    ada, client = new_user(latchkey), register_client(latchkey)
    token, _ = ada.grant(client)
    key = latchkey.key(latchkey.account())
    for secret, tables in ((key.secret, 3), (token, 5)):
        with record_calls() as calls:
            verify(secret)
        assert [name for name, _ in calls] == ["GetItem", "BatchGetItem"]
        assert calls[0][1]["ConsistentRead"] is True
        wanted = calls[1][1]["RequestItems"]
        assert [each["ConsistentRead"] for each in wanted.values()] == [True] * tables


@pytest.mark.parametrize(
    "ending",
    [
        lambda grant: Grant(grant).update(actions=[Grant.revoked_at.set(START_MS)]),
        lambda grant: Grant(grant).delete(),
        lambda grant: Client(Grant.get(grant).client_id).update(actions=[Client.deleted_at.set(START_MS)]),
        lambda grant: Client(Grant.get(grant).client_id).update(actions=[Client.owner_suspended_at.set(START_MS)]),
        lambda grant: Client(Grant.get(grant).client_id).delete(),
        lambda grant: Account(Grant.get(grant).account_id).update(actions=[Account.status.set("suspended")]),
        lambda grant: Account(Grant.get(grant).account_id).delete(),
    ],
    ids=["grant", "no grant", "client", "client's owner", "no client", "account", "no account"],
)
def test_token_is_invalid_without_an_active_grant_client_and_account(
    latchkey: TestApp, ending: Callable[[str], object]
) -> None:
    """An access token is invalid unless its grant, its account and its client's account are active."""
    token, _ = new_user(latchkey).grant(register_client(latchkey))
    principal = verify(token)
    assert (principal.kind, principal.scopes) == ("token", frozenset({"read"}))
    assert principal.client_id.startswith("app_")
    ending(principal.lineage)
    with pytest.raises(errors.InvalidApiKey):
        verify(token)


@pytest.mark.parametrize(("later_ms", "works"), [(0, True), (1, False)])
def test_key_from_before_credentials_since_is_invalid(latchkey: TestApp, later_ms: int, works: bool) -> None:
    """A key created before `credentials_since` is rejected, and one created in the same millisecond is accepted."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    account.account.update(actions=[Account.credentials_since.set(START_MS + later_ms)])
    with nullcontext() if works else pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_account_and_user_without_newer_attributes_are_ordinary(latchkey: TestApp) -> None:
    """A user without newer attributes is not an admin, and all of the account's credentials are valid."""
    account = latchkey.account()
    secret = latchkey.key(account, "read", "admin").secret
    account.account.update(actions=[Account.credentials_since.remove()])
    account.user.update(actions=[User.admin.remove(), User.credentials_since.remove()])
    assert verify(secret).scopes == {"read"}


FILES = "https://files.example.com"


@pytest.mark.parametrize(
    ("resources", "here", "there"),
    [(None, True, False), ([ISSUER], True, False), ([FILES], False, True), ([ISSUER, FILES], True, True)],
)
def test_token_is_valid_for_its_resources_or_for_this_api(
    latchkey: TestApp, resources: list[str] | None, here: bool, there: bool
) -> None:
    """An access token is valid for its own resources or for this API; a key is valid for all resources."""
    with settings.override(replace(settings.current(), resources=FILES)):
        token, _ = new_user(latchkey).grant(register_client(latchkey), resource=resources)
    for resource, is_good in (("", here), (FILES, there)):
        with nullcontext() if is_good else pytest.raises(errors.InvalidApiKey):
            verify(token, resource)
    assert verify(latchkey.key(latchkey.account()).secret, FILES)


def test_token_without_resources_is_valid_for_this_api(latchkey: TestApp) -> None:
    """An access token without resources is valid for this API only."""
    token, _ = new_user(latchkey).grant(register_client(latchkey))
    old = Credential(secrets.digest(token))
    old.update(actions=[Credential.for_this_api.remove(), Credential.resources.remove()])
    assert verify(token)
    with pytest.raises(errors.InvalidApiKey):
        verify(token, FILES)
