"""Token revocation and introspection without HTTP: which tokens they accept, and when a token is active."""

from typing import Any

import pytest

from chalicelib.accounts.roles import service_user_of
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import ids, secrets
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import exchange, grants, revocation
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.issuance import Issuance
from chalicelib.oauth.tables import Client, Grant, OneTimeToken
from tests.oauth.flow import ISSUER, App
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_marks, record_calls

FILES = "https://files.example.com"


def issue_tokens(latchkey: TestApp, app: App, *, resources: set[str] | None = None) -> tuple[Credential, OneTimeToken]:
    """Return the access token and the refresh token of a new grant."""
    account = latchkey.account()
    grant = grants.new(account.id, account.user_id, app.id, scopes={"read", "write"}, resources=set())
    grant.save()
    issuance = Issuance(
        app.client, account.id, account.user_id, grant.id, {"write", "read"}, resources or set(), ISSUER
    )
    code = OneTimeToken(
        "code", kind="ac", client_id=app.id, granted_at=START_MS, scopes={"write", "read"}, expires_at=START_MS + 1
    )
    code.member_since = account.membership.member.since
    code.resources = resources or None
    code.save()
    response = exchange.redeem(code, issuance)
    return (
        Credential.get(secrets.digest(str(response["access_token"]))),
        OneTimeToken.get(secrets.digest(str(response["refresh_token"]))),
    )


def introspect(app: App, token: revocation.Token) -> dict[str, object]:
    """Return the introspection response that a client gets for a token."""
    return revocation.introspect(app.client, token, ISSUER)


@pytest.mark.parametrize("resources", [None, {FILES, ISSUER}])
def test_introspection_describes_the_clients_own_tokens(
    latchkey: TestApp, app: App, resources: set[str] | None
) -> None:
    """RFC 7662 §2.2: a refresh token has no token_type, because it isn't sent to a resource server."""
    access, refresh = issue_tokens(latchkey, app, resources=resources)
    both = {"active": True, "scope": "read write", "client_id": app.id, "iss": ISSUER}
    both |= {"sub": access.user_id, "account_id": access.account_id}
    audience = {"aud": [ISSUER, FILES]} if resources else {}
    now_s = START_MS // 1000
    assert introspect(app, access) == both | audience | {"token_type": "Bearer", "iat": now_s, "exp": now_s + 3_600}
    assert introspect(app, refresh) == both | audience | {"exp": now_s + 90 * 86_400}


def test_introspection_describes_no_other_token(latchkey: TestApp, app: App) -> None:
    """Another client's token, a code and an unknown token are inactive."""
    access, refresh = issue_tokens(latchkey, app)
    other = Client(ids.new("app"), auth_method="client_secret_basic")
    for client, token in (
        (other, access),
        (other, refresh),
        (app.client, OneTimeToken.get("code")),
        (app.client, None),
    ):
        assert revocation.introspect(client, token, ISSUER) == {"active": False}
        if client is other:
            with pytest.raises(OAuthError, match="belongs to another client") as raised:
                revocation.revoke(client, token)
            assert raised.value.error == "invalid_grant"
        else:
            revocation.revoke(client, token)
    assert [introspect(app, token)["active"] for token in (access, refresh)] == [True, True]


def invalidate(name: str, access: Credential, refresh: OneTimeToken) -> None:
    """Revoke, expire or delete something that both tokens depend on."""
    account, user, grant = Account(access.account_id), User(access.user_id), Grant(access.grant_id)
    member = Member(access.account_id, access.user_id)
    endings: dict[str, Any] = {
        "grant revoked": lambda: grant.update(actions=[Grant.revoked_at.set(START_MS)]),
        "grant expired": lambda: grant.update(actions=[Grant.expires_at.set(START_MS)]),
        "grant gone": grant.delete,
        "account suspended": lambda: account.update(actions=[Account.status.set("suspended")]),
        "account proven": lambda: account.update(actions=[Account.credentials_since.set(START_MS + 1)]),
        "account gone": account.delete,
        "user deleted": lambda: user.update(actions=[User.status.set("deleted")]),
        "user proven": lambda: user.update(actions=[User.credentials_since.set(START_MS + 1)]),
        "user gone": user.delete,
        "member too old": lambda: member.update(actions=[Member.since.set(START_MS - 1)]),
        "member gone": member.delete,
        "member again": lambda: member.update(actions=[Member.since.set(START_MS + 60_000)]),
    }
    if name == "both spent":
        access.revoked_at = refresh.consumed_at = START_MS
    elif name == "both expired":
        access.expires_at = refresh.expires_at = START_MS
    else:
        endings[name]()


@pytest.mark.parametrize(
    "name",
    [
        *("grant revoked", "grant expired", "grant gone", "account suspended", "account proven", "account gone"),
        *("user deleted", "user proven", "user gone", "member too old", "member gone", "member again"),
        *("both spent", "both expired"),
    ],
)
def test_token_is_inactive_once_anything_it_depends_on_is(latchkey: TestApp, app: App, name: str) -> None:
    """Introspection reports a token as inactive whenever the API would reject it."""
    access, refresh = issue_tokens(latchkey, app)
    Account(access.account_id).update(actions=[Account.credentials_since.set(START_MS)])
    assert [introspect(app, token)["active"] for token in (access, refresh)] == [True, True]
    invalidate(name, access, refresh)
    assert [introspect(app, token) for token in (access, refresh)] == [{"active": False}] * 2


@pytest.mark.parametrize(("role", "scope"), [("admin", "read write"), ("viewer", "read"), ("unknown", "")])
def test_introspection_shows_the_scopes_that_the_role_allows_now(
    latchkey: TestApp, app: App, role: str, scope: str
) -> None:
    """The scopes are those that the API accepts: the token's scopes that the user's role allows at this time."""
    tokens = issue_tokens(latchkey, app)
    Member(tokens[0].account_id, tokens[0].user_id).update(actions=[Member.role.set(role)])
    assert [introspect(app, token)["scope"] for token in tokens] == [scope] * 2


def test_introspection_reads_once(latchkey: TestApp, app: App) -> None:
    """Account, user, membership and grant are read in one database call."""
    for token in issue_tokens(latchkey, app):
        with record_calls() as calls:
            assert introspect(app, token)["active"]
        assert [operation for operation, _ in calls] == ["BatchGetItem"]


def test_client_token_depends_on_no_grant(latchkey: TestApp, app: App) -> None:
    """A client token has no grant, and is active until it is revoked."""
    account_id = str(app.client.account_id)
    issuance = Issuance(app.client, account_id, service_user_of(account_id), None, {"read"}, set(), ISSUER)
    token = Credential.get(secrets.digest(str(exchange.issue_to_client(issuance)["access_token"])))
    assert introspect(app, token)["active"]
    revocation.revoke(app.client, token)
    assert not introspect(app, Credential.get(token.digest))["active"]


def test_revocation_revokes_a_token_or_the_grant_of_a_refresh_token(latchkey: TestApp, app: App) -> None:
    """RFC 7009 §2.1: revoking an access token revokes only this token. Revoking a refresh token revokes its grant."""
    access, refresh = issue_tokens(latchkey, app)
    for _ in range(2):
        revocation.revoke(app.client, access)
    assert Credential.get(access.digest).revoked_at == START_MS
    assert introspect(app, refresh)["active"]
    for _ in range(2):
        revocation.revoke(app.client, refresh)
    assert not introspect(app, refresh)["active"]
    assert Grant.get(access.grant_id).revoked_at == START_MS


def test_revocation_without_invalidated_caches_is_unavailable(latchkey: TestApp, app: App) -> None:
    """If cached policies can't be invalidated, revoking either type of token is a 503, although the
    token is revoked.
    """
    for token in issue_tokens(latchkey, app):
        with fail_marks(), pytest.raises(OAuthError, match="Try again") as raised:
            revocation.revoke(app.client, token)
        assert (raised.value.error, raised.value.status) == ("temporarily_unavailable", 503)
    assert Grant.get(token.grant_id).revoked_at == START_MS
