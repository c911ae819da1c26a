"""Is this secret good? Every kind of no, and what a yes tells."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import errors, secrets, settings
from chalicelib.core.settings import Settings
from chalicelib.credentials import revoke, rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import bearer, presented, verify
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import PRO
from chalicelib.oauth.tables import Client, Grant
from tests.oauth.flow import CLIENT, ISSUER, registered, someone
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
def test_bearer_is_found_in_any_spelling(authorization: str) -> None:
    """RFC 9110 §11.1: the scheme is case-insensitive; spaces around scheme and token don't matter."""
    assert bearer(authorization) == "abc"


@pytest.mark.parametrize(
    "authorization",
    [
        *("", " ", "Bearer", "bearer ", "Bearer \t ", "Basic abc", "abc", "Bearerabc", "Token Bearer abc", "\x00"),
        *("Bearer\xa0abc", "\xa0Bearer abc", "\u2000Bearer abc", "Bearer\u3000abc", "Bearer\x0cabc", "Bearer\nabc"),
    ],
)
def test_other_authorization_is_a_missing_key(authorization: str) -> None:
    """Another scheme, or none, or no token: no API key came."""
    with pytest.raises(errors.MissingApiKey):
        bearer(authorization)


def test_text_after_the_token_belongs_to_it() -> None:
    """Nothing is cut off a credential to make it fit."""
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
def test_secret_is_found_in_what_a_service_was_shown(text: str, secret: str) -> None:
    """Alone, or as the whole value of a header; what is around it belongs to a file, and other schemes to the text."""
    assert presented(text) == secret


def test_text_that_is_longer_than_a_secret_is_refused_before_it_is_looked_at(latchkey: TestApp) -> None:
    """And every secret that there is is short enough."""
    longest = Settings(brand="a" * 10)
    with settings.in_use(longest):
        assert max(len(secrets.mint(kind)) for kind in secrets.KINDS) == secrets.LENGTH_MAX
    for text in ("x" * 65_536, secrets.mint("live") + " " * 65_536, f"x{' ' * 9_500}x"):
        with pytest.raises(errors.InvalidApiKey):
            verify(text)


def test_good_key_tells_who_calls_and_what_it_may(latchkey: TestApp) -> None:
    """A verdict is everything the middleware needs to know, dated back by the clocks' skew."""
    account = latchkey.account(PRO)
    issued = latchkey.key(account, "read", "keys", expires_in_s=600)
    principal = verify(issued.secret)
    assert (principal.account_id, principal.credential_id, principal.kind) == (account.id, issued.key.id, "key")
    assert (principal.scopes, principal.tier) == (frozenset({"read", "keys"}), PRO)
    assert (principal.ends_at_ms, principal.client_id) == (START_MS + 600_000, "")
    assert principal.verified_at_ms == stale_marks.verified_from(START_MS)


def test_key_without_expiry_never_ends(latchkey: TestApp) -> None:
    """0 stands for never."""
    assert verify(latchkey.key(latchkey.account()).secret).ends_at_ms == 0


@pytest.mark.parametrize("kind", sorted({*secrets.KINDS} - {"live", "test", "at"}))
def test_secret_of_another_kind_is_refused(latchkey: TestApp, kind: str) -> None:
    """A refresh token, a session or a mail link opens no API, whatever the database says."""
    with pytest.raises(errors.InvalidApiKey):
        verify(secrets.mint(kind))


def test_unknown_key_is_invalid(latchkey: TestApp) -> None:
    """A well-formed key that was never issued is refused."""
    with pytest.raises(errors.InvalidApiKey):
        verify(secrets.mint("test"))


@pytest.mark.parametrize("kind", secrets.API_KEY_KINDS)
def test_key_of_either_kind_is_accepted(latchkey: TestApp, kind: str) -> None:
    """`live` and `test` are names: what counts is that the key is stored here."""
    with settings.in_use(replace(settings.current(), key_kind=kind)):
        secret = latchkey.key(latchkey.account()).secret
    assert secrets.kind_of(secret) == kind
    assert verify(secret)


def test_expired_key_is_refused_from_its_end_on(latchkey: TestApp) -> None:
    """Until the last millisecond it works; at its end it is expired."""
    secret = latchkey.key(latchkey.account(), expires_in_s=60).secret
    latchkey.clock.forward(59.999)
    assert verify(secret)
    latchkey.clock.forward(0.001)
    with pytest.raises(errors.TokenExpired):
        verify(secret)


def test_revoked_key_is_invalid_even_when_it_is_expired_too(latchkey: TestApp) -> None:
    """Revocation is the stronger word."""
    account = latchkey.account()
    issued = latchkey.key(account, expires_in_s=60)
    revoke.revoke(account.id, issued.key.id)
    latchkey.clock.forward(61)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_key_of_a_suspended_account_is_invalid(latchkey: TestApp) -> None:
    """Nothing of a suspended account works."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    account.update(actions=[Account.status.set("suspended")])
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_key_of_a_vanished_account_is_invalid(latchkey: TestApp) -> None:
    """A key without an account speaks for nobody."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    account.delete()
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_scopes_of_admins_end_with_the_flag(latchkey: TestApp) -> None:
    """An account that is no admin any more has keys that can do no more than others'."""
    account = latchkey.account(admin=True)
    secret = latchkey.key(account, "read", "admin", "verify").secret
    assert verify(secret).scopes == {"read", "admin", "verify"}
    account.update(actions=[Account.admin.set(False)])
    assert verify(secret).scopes == {"read"}


def test_lineage_of_a_key_is_the_first_of_its_rotations(latchkey: TestApp) -> None:
    """However often it is rotated: what was asked for by the one is known to the other."""
    account = latchkey.account()
    keeper, first = latchkey.key(account), latchkey.key(account)
    second = rotate.rotate(verify(keeper.secret), first.key.id, 0)
    third = rotate.rotate(verify(keeper.secret), second.key.id, 0)
    assert [verify(issued.secret).lineage for issued in (keeper, third)] == [keeper.key.id, first.key.id]


def test_lineage_of_a_token_is_its_grant_or_its_client(latchkey: TestApp) -> None:
    """A refreshed token is the same caller; so is a client in its own name, whichever token it has got."""
    ada, client = someone(latchkey), registered(latchkey)
    token, refresh = ada.grant(client)
    later = client.refresh(refresh).json()["access_token"]
    assert verify(token).lineage == verify(later).lineage
    assert verify(token).lineage.startswith("gra_")
    own = {verify(client.ask(CLIENT).json()["access_token"]).lineage for _ in range(2)}
    assert own == {client.id}


def test_key_is_read_as_it_is_at_this_moment(latchkey: TestApp) -> None:
    """The gateway would remember a wrong no for 300 s: two reads of a key, and its account with a token's origins."""
    ada, client = someone(latchkey), registered(latchkey)
    token, _ = ada.grant(client)
    key = latchkey.key(latchkey.account())
    with record_calls() as calls:
        verify(key.secret)
    assert [(name, request["ConsistentRead"]) for name, request in calls] == [("GetItem", True)] * 2
    with record_calls() as calls:
        verify(token)
    assert [name for name, _ in calls] == ["GetItem", "BatchGetItem"]
    assert calls[0][1]["ConsistentRead"] is True
    assert all(wanted["ConsistentRead"] for wanted in calls[1][1]["RequestItems"].values())


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
def test_token_ends_with_what_it_came_from(latchkey: TestApp, ending: Callable[[str], object]) -> None:
    """Its grant, its client, the client's owner, and the account that it speaks for."""
    token, _ = someone(latchkey).grant(registered(latchkey))
    principal = verify(token)
    assert (principal.kind, principal.scopes) == ("token", frozenset({"read"}))
    assert principal.client_id.startswith("app_")
    ending(principal.lineage)
    with pytest.raises(errors.InvalidApiKey):
        verify(token)


@pytest.mark.parametrize(("later_ms", "works"), [(0, True), (1, False)])
def test_key_from_before_the_accounts_credentials_ended_is_invalid(
    latchkey: TestApp, later_ms: int, works: bool
) -> None:
    """One made in that very millisecond is not from before."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    account.update(actions=[Account.credentials_since.set(START_MS + later_ms)])
    with nullcontext() if works else pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_account_from_before_there_were_such_attributes_is_ordinary(latchkey: TestApp) -> None:
    """It is no admin, and none of its credentials have ended."""
    account = latchkey.account()
    secret = latchkey.key(account, "read", "admin").secret
    account.update(actions=[Account.admin.remove(), Account.credentials_since.remove()])
    assert verify(secret).scopes == {"read"}


FILES = "https://files.example.com"


@pytest.mark.parametrize(
    ("resources", "here", "there"),
    [(None, True, False), ([ISSUER], True, False), ([FILES], False, True), ([ISSUER, FILES], True, True)],
)
def test_token_is_good_for_the_resources_it_names_or_for_this_api(
    latchkey: TestApp, resources: list[str] | None, here: bool, there: bool
) -> None:
    """A key is good for all that is the owner's."""
    with settings.in_use(replace(settings.current(), resources=FILES)):
        token, _ = someone(latchkey).grant(registered(latchkey), resource=resources)
    for resource, is_good in (("", here), (FILES, there)):
        with nullcontext() if is_good else pytest.raises(errors.InvalidApiKey):
            verify(token, resource)
    assert verify(latchkey.key(latchkey.account()).secret, FILES)


def test_token_from_before_there_were_resources_is_for_this_api(latchkey: TestApp) -> None:
    """And for no other."""
    token, _ = someone(latchkey).grant(registered(latchkey))
    old = Credential(secrets.digest(token))
    old.update(actions=[Credential.for_this_api.remove(), Credential.resources.remove()])
    assert verify(token)
    with pytest.raises(errors.InvalidApiKey):
        verify(token, FILES)
