"""Exchange of codes and tokens: the stored items, the response, and the conditions of the transaction."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.accounts import members
from chalicelib.accounts.roles import service_user_of
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import secrets, telemetry
from chalicelib.core.dynamodb.errors import Cancelled, DynamoDBError
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds
from chalicelib.oauth import exchange, grants
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.issuance import REFRESH_KIND, Issuance, TokenResponse
from chalicelib.oauth.tables import Grant, OneTimeToken
from tests.credentials.events import recorded_events
from tests.oauth.flow import CODE, ISSUER, App, register_client
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, record_calls, run_before

DAY_S = 86_400
FILES = "https://files.example.com"


def build_issuance(app: App, grant: Grant | None = None, **changed: Any) -> Issuance:
    """Return the parameters for issuing tokens of a grant or of the client itself."""
    whole: dict[str, Any] = {
        "client": app.client,
        "account_id": grant.account_id if grant else app.client.account_id,
        "user_id": grant.user_id if grant else service_user_of(str(app.client.account_id)),
        "grant_id": grant.id if grant else None,
        "scopes": {"read"},
        "resources": set(),
        "base_url": ISSUER,
    }
    return Issuance(**whole | changed)


def store_approval(
    latchkey: TestApp, app: App, *, kind: str = "ac", secret: str = "", **more: Any
) -> tuple[OneTimeToken, Grant]:
    """Store a grant created a minute ago, and a code or refresh token for it."""
    account = latchkey.account()
    grant = grants.new(account.id, account.user_id, app.id, scopes={"read", "write"}, resources=set())
    grant.save()
    latchkey.clock.forward(60)
    one_time_token = OneTimeToken(
        secrets.digest(secret or secrets.mint(kind)),
        kind=kind,
        client_id=app.id,
        account_id=account.id,
        user_id=account.user_id,
        member_since=account.membership.member.since,
        grant_id=grant.id,
        granted_at=grant.created_at,
        scopes={"read", "write"},
        expires_at=latchkey.clock.now_ms + 1,
        **more,
    )
    one_time_token.save()
    return one_time_token, grant


def exchange_any(one_time_token: OneTimeToken, issuance_for: Issuance, secret: str) -> TokenResponse:
    """Exchange a code, device code or refresh token."""
    if one_time_token.kind == REFRESH_KIND:
        return exchange.rotate(one_time_token, issuance_for, secret)
    return exchange.redeem(one_time_token, issuance_for)


def find_stored(response: TokenResponse, name: str = "access_token") -> Any:
    """Return the stored item of a token."""
    table: Any = Credential if name == "access_token" else OneTimeToken
    return table.get(secrets.digest(str(response[name])))


def test_code_exchange_returns_both_tokens(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §5.1: both tokens are stored completely with their expiry, and overwrite no item."""
    one_time_token, grant = store_approval(latchkey, app, resources={FILES})
    now_ms = latchkey.clock.now_ms
    with record_calls() as calls:
        response = exchange.redeem(one_time_token, build_issuance(app, grant, resources={FILES}))
    access, refresh = find_stored(response), find_stored(response, "refresh_token")
    assert {**response, "access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 3_600,
        "refresh_token": "",
        "scope": "read",
    }
    assert (access.id[:4], access.kind, access.name, access.account_id) == ("tok_", "token", "Photos", grant.account_id)
    assert (access.user_id, refresh.user_id) == (grant.user_id, grant.user_id)
    assert refresh.member_since == one_time_token.member_since
    assert (access.client_id, access.grant_id, access.hint) == (
        app.id,
        grant.id,
        secrets.preview(str(response["access_token"])),
    )
    assert (access.scopes, access.resources, access.for_this_api) == ({"read"}, {FILES}, False)
    assert (access.created_at, access.expires_at) == (now_ms, now_ms + 3_600_000)
    assert access.dies_at == now_ms // 1000 + 3_600 + 30 * DAY_S
    assert (refresh.kind, refresh.client_id, refresh.account_id) == ("rt", app.id, grant.account_id)
    assert (refresh.grant_id, refresh.granted_at) == (grant.id, START_MS)
    assert (refresh.scopes, refresh.resources) == ({"read", "write"}, {FILES})
    assert refresh.expires_at == START_MS + 90 * DAY_S * 1000
    assert refresh.dies_at == START_MS // 1000 + 120 * DAY_S
    assert OneTimeToken.get(one_time_token.digest).consumed_at == now_ms
    ((_, request),) = calls
    puts = [write["Put"] for write in request["TransactItems"] if "Put" in write]
    assert [put["ConditionExpression"] for put in puts] == ["attribute_not_exists(digest)"] * 2


def test_code_exchange_without_the_refresh_grant_returns_one_token(latchkey: TestApp) -> None:
    """A client without the refresh grant gets an access token only; without a resource the token is for this API."""
    app = register_client(latchkey, grant_types=[CODE])
    one_time_token, grant = store_approval(latchkey, app)
    response = exchange.redeem(one_time_token, build_issuance(app, grant))
    assert response.keys() == {"access_token", "token_type", "expires_in", "scope"}
    access = find_stored(response)
    assert ("resources" in access.attribute_values, access.for_this_api) == (False, True)
    assert list(OneTimeToken.scan(OneTimeToken.kind == "rt")) == []


def test_client_token_belongs_to_the_account_of_the_client(latchkey: TestApp, app: App) -> None:
    """A client token belongs to the service user of the client's account and has no grant or refresh token."""
    response = exchange.issue_to_client(build_issuance(app, scopes={"write", "read"}))
    access = find_stored(response)
    assert (access.account_id, access.scopes) == (app.client.account_id, {"read", "write"})
    assert access.user_id == service_user_of(access.account_id)
    assert "grant_id" not in access.attribute_values
    assert (response["scope"], "refresh_token" in response) == ("read write", False)


def test_refresh_consumes_its_token_and_seals_the_response(latchkey: TestApp, app: App) -> None:
    """A refresh consumes its token and seals its response. A retry gets the same response with the
    remaining lifetime.
    """
    secret = secrets.mint("rt")
    one_time_token, grant = store_approval(latchkey, app, kind="rt", secret=secret)
    response = exchange.rotate(one_time_token, build_issuance(app, grant), secret)
    assert find_stored(response, "refresh_token").grant_id == grant.id
    latchkey.clock.now_ms += 1_999
    again = exchange.rotate(OneTimeToken.get(one_time_token.digest), build_issuance(app, grant), secret)
    assert again == response | {"expires_in": 3_599}
    assert "resources" not in again


def test_refresh_of_a_consumed_token_writes_nothing(latchkey: TestApp, app: App) -> None:
    """A refresh with a consumed token only reads the token and its successor, and writes nothing."""
    secret = secrets.mint("rt")
    one_time_token, grant = store_approval(latchkey, app, kind="rt", secret=secret)
    exchange.rotate(one_time_token, build_issuance(app, grant), secret)
    consumed = OneTimeToken.get(one_time_token.digest)
    with record_calls() as calls:
        exchange.rotate(consumed, build_issuance(app, grant), secret)
    assert [operation for operation, _ in calls] == ["GetItem", "GetItem"]


def test_concurrent_refreshes_get_the_same_response(latchkey: TestApp, app: App) -> None:
    """The second of two concurrent refreshes finds the token consumed, and returns the sealed response."""
    secret = secrets.mint("rt")
    one_time_token, grant = store_approval(latchkey, app, kind="rt", secret=secret)
    responses: list[TokenResponse] = []
    with (
        record_calls() as calls,
        run_before(
            "TransactWriteItems",
            lambda: responses.append(exchange.rotate(one_time_token, build_issuance(app, grant), secret)),
        ),
    ):
        responses.append(exchange.rotate(one_time_token, build_issuance(app, grant), secret))
    assert responses[0] == responses[1]
    reads = [request.get("ConsistentRead") for operation, request in calls if operation == "GetItem"]
    assert reads
    assert all(reads)
    assert len(list(Credential.by_account.query(grant.account_id))) == 1


def revoke_grant(one_time_token: OneTimeToken) -> None:
    """Revoke the grant."""
    Grant(one_time_token.grant_id).update(actions=[Grant.revoked_at.set(START_MS)])


def expire_grant(one_time_token: OneTimeToken) -> None:
    """Let the grant expire now."""
    Grant(one_time_token.grant_id).update(actions=[Grant.expires_at.set(START_MS + 60_000)])


def expire_one_time_token(one_time_token: OneTimeToken) -> None:
    """Let the code or token expire now."""
    OneTimeToken(one_time_token.digest).update(actions=[OneTimeToken.expires_at.set(START_MS + 60_000)])


def suspend_account(one_time_token: OneTimeToken) -> None:
    """Suspend the account."""
    Account(one_time_token.account_id).update(actions=[Account.status.set("suspended")])


def verify_email_of_creator(one_time_token: OneTimeToken) -> None:
    """Verify the email of the account's creator a millisecond after the approval."""
    Account(one_time_token.account_id).update(actions=[Account.credentials_since.set(START_MS + 1)])


def verify_email_of_user(one_time_token: OneTimeToken) -> None:
    """Verify the email of the user a millisecond after the approval."""
    User(one_time_token.user_id).update(actions=[User.credentials_since.set(START_MS + 1)])


def delete_user(one_time_token: OneTimeToken) -> None:
    """Delete the user."""
    User(one_time_token.user_id).update(actions=[User.status.set("deleted")])


def remove_member(one_time_token: OneTimeToken) -> None:
    """Remove the user from the account."""
    Member(one_time_token.account_id, one_time_token.user_id).delete()


def join_again(one_time_token: OneTimeToken) -> None:
    """Remove the user from the account, and let the user join again a millisecond after the approval."""
    member = members.new(one_time_token.account_id, one_time_token.user_id, "owner")
    member.since = START_MS + 1
    member.save()


@pytest.mark.parametrize("kind", ["ac", "rt"])
@pytest.mark.parametrize(
    "happens",
    [
        *(revoke_grant, expire_grant, expire_one_time_token, suspend_account, delete_user, remove_member, join_again),
        *(verify_email_of_creator, verify_email_of_user),
    ],
)
def test_exchange_checks_conditions_in_its_transaction(latchkey: TestApp, app: App, kind: str, happens: Any) -> None:
    """An exchange fails if the grant, token, account, user or membership becomes invalid after the token was read.
    Nothing is consumed, stored or recorded as reuse.
    """
    secret = secrets.mint("rt")
    one_time_token, grant = store_approval(latchkey, app, kind=kind, secret=secret)
    happens(one_time_token)
    with pytest.raises(OAuthError, match="already used or issued to another client") as raised:
        exchange_any(one_time_token, build_issuance(app, grant), secret)
    assert raised.value.error == "invalid_grant"
    assert "consumed_at" not in OneTimeToken.get(one_time_token.digest).attribute_values
    assert list(Credential.by_account.query(grant.account_id)) == []
    assert recorded_events(grant.account_id) == []


@pytest.mark.parametrize("since_ms", [START_MS, None])
def test_exchange_of_an_approval_after_the_verification_succeeds(
    latchkey: TestApp, app: App, since_ms: int | None
) -> None:
    """An approval is valid if it has the same time as the email verification, or if there was no verification."""
    one_time_token, grant = store_approval(latchkey, app)
    for subject in (Account(grant.account_id), User(grant.user_id)):
        since = type(subject).credentials_since
        subject.update(actions=[since.remove() if since_ms is None else since.set(since_ms)])
    assert exchange.redeem(one_time_token, build_issuance(app, grant))


def test_exchange_of_a_membership_from_before_the_verification_fails(latchkey: TestApp, app: App) -> None:
    """An approval is invalid if its membership predates the first verification of the creator's address."""
    one_time_token, grant = store_approval(latchkey, app)
    Account(grant.account_id).update(actions=[Account.credentials_since.set(START_MS)])
    one_time_token.update(actions=[OneTimeToken.member_since.set(START_MS - 1)])
    Member(grant.account_id, grant.user_id).update(actions=[Member.since.set(START_MS - 1)])
    with pytest.raises(OAuthError, match="already used or issued to another client"):
        exchange.redeem(OneTimeToken.get(one_time_token.digest), build_issuance(app, grant))


@pytest.mark.parametrize("kind", ["ac", "dc", "rt"])
def test_reuse_revokes_the_grant_and_is_reported(latchkey: TestApp, app: App, kind: str) -> None:
    """At each reuse, the operator's log contains all ids but no secret, and the account gets one event."""
    log = io.StringIO()
    telemetry.write_to(log)
    secret = secrets.mint(kind)
    one_time_token, grant = store_approval(latchkey, app, kind=kind, secret=secret)
    OneTimeToken(one_time_token.digest).update(actions=[OneTimeToken.consumed_at.set(START_MS)])
    for _ in range(2):
        consumed = OneTimeToken.get(one_time_token.digest)
        with pytest.raises(OAuthError):
            exchange_any(consumed, build_issuance(app, grant), secret)
    assert [what for what, _ in recorded_events(grant.account_id)] == [kinds.REUSE_DETECTED]
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    warnings = [line for line in lines if line["message"] == "token.reuse_detected"]
    about = {"grant_id": grant.id, "client_id": app.id, "account_id": grant.account_id, "kind": kind}
    assert [about | line == line for line in warnings] == [True] * 2
    counted = [line for line in lines if line.get("ReuseDetected")]
    assert [(line["ReuseDetected"], line["kind"]) for line in counted] == [(1, kind)] * 2
    assert secret not in log.getvalue()


def test_database_error_is_not_taken_for_a_failed_condition(latchkey: TestApp, app: App) -> None:
    """A database error is raised unchanged, and isn't reported as reuse."""
    secret = secrets.mint("rt")
    one_time_token, grant = store_approval(latchkey, app, kind="rt", secret=secret)

    def conflict() -> None:
        raise Cancelled("TransactionCanceledException", "", {"CancellationReasons": [{"Code": "ValidationError"}]})

    exchanges: list[Callable[[], TokenResponse]] = [
        lambda: exchange.redeem(one_time_token, build_issuance(app, grant)),
        lambda: exchange.rotate(one_time_token, build_issuance(app, grant), secret),
    ]
    for each in exchanges:
        with run_before("TransactWriteItems", conflict), pytest.raises(Cancelled):
            each()
        with fail_calls("TransactWriteItems"), pytest.raises(DynamoDBError):
            each()
    assert recorded_events(grant.account_id) == []


def test_issued_tokens_are_counted(latchkey: TestApp, app: App) -> None:
    """The metric TokensIssued counts each request that issues tokens."""
    log = io.StringIO()
    telemetry.write_to(log)
    exchange.issue_to_client(build_issuance(app))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["TokensIssued"] for line in lines if "TokensIssued" in line] == [1]
