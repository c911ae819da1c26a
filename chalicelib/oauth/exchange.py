"""Exchanging a ticket for tokens: one transaction, in which the ticket is spent and the tokens come to be.

Client, redirect, verifier and scope were checked before and spend nothing. The transaction decides the rest, where it
can't be raced: the ticket is unspent and fresh, its grant and its account are alive. Whether the client is, every use
of the tokens asks again; a check here would make all exchanges of a busy client wait for each other.

What is written here is in the wire's own form: by models, the transaction would cost more to build than to send.
"""

from dataclasses import dataclass

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, ids, secrets, tables, telemetry, wire
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import KEPT_PAST_END_S
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds
from chalicelib.oauth import grants, sealed
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.resources import serves_this_api
from chalicelib.oauth.tables import Client, Grant, Ticket

ACCESS_S = 3_600
CODE_S = 60
RETRY_MS, PUBLIC_RETRY_MS = 30_000, 10_000
"""For so long a client that lost the answer to a refresh, or refreshed twice at once, gets the same answer again.

Shorter for a public one: whoever has its refresh token needs nothing else.
"""
REFRESH_KIND = "rt"
CODE_KIND = "ac"

Answer = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an exchange is about: by whom, and what the new access token is to carry."""

    client: Client
    account_id: str
    grant_id: str | None
    scopes: set[str]
    resources: set[str]
    base_url: str


def _access_token(asked: Asked) -> tuple[wire.Json, str]:
    """Return the item of a new access token, and its secret."""
    secret = secrets.mint(secrets.ACCESS_TOKEN_KIND)
    now_ms = clock.now_ms()
    item = Credential.item(
        digest=secrets.digest(secret),
        id=ids.new("tok"),
        account_id=asked.account_id,
        kind="token",
        name=asked.client.name,
        hint=secrets.hint(secret),
        scopes=asked.scopes,
        created_at=now_ms,
        expires_at=now_ms + ACCESS_S * 1000,
        client_id=asked.client.client_id,
        grant_id=asked.grant_id,
        resources=asked.resources,
        for_this_api=serves_this_api(asked.resources, asked.base_url),
        dies_at=now_ms // 1000 + ACCESS_S + KEPT_PAST_END_S,
    )
    return _put(Credential, item), secret


def redeem(ticket: Ticket, asked: Asked, *, with_refresh: bool) -> Answer:
    """Spend a code, or an approved device code, on an access token and, if the client may have one, a refresh token.

    Raises invalid_grant. A code used twice also ends what its first use issued: one of the two uses was a thief's (RFC
    6749 §4.1.2).
    """
    token, secret = _access_token(asked)
    refresh, refresh_secret = _refresh_ticket(asked, ticket) if with_refresh else (None, None)
    try:
        _exchange(ticket, asked, token, refresh)
    except wire.Cancelled as error:
        if not error.was_refused:
            raise
        if _was_spent(error):
            _reused(ticket, asked)
        raise invalid_grant() from None
    return _answer(secret, refresh_secret, asked.scopes)


def refresh(ticket: Ticket, asked: Asked, presented: str) -> Answer:
    """Spend a refresh token on an access token and its own successor.

    Raises invalid_grant. A refresh token used twice revokes its grant (RFC 9700 §4.14.2), unless a client repeats its
    last refresh within 30 s (a public one 10 s) and hasn't used the successor: then it gets the same answer again.
    """
    if ticket.consumed_at is not None:
        return _again(ticket, asked, presented)
    token, secret = _access_token(asked)
    successor, successor_secret = _refresh_ticket(asked, ticket)
    answer = _answer(secret, successor_secret, asked.scopes)
    try:
        _exchange(ticket, asked, token, successor, sealed.seal(answer | {_FOR: sorted(asked.resources)}, presented))
    except wire.Cancelled as error:
        if not error.was_refused:
            raise
        if not _was_spent(error):
            raise invalid_grant() from None
        return _again(Ticket.get(ticket.digest, consistent_read=True), asked, presented)
    return answer


def for_client_itself(asked: Asked) -> Answer:
    """Issue a token to a client in its own name, counted on its owner (RFC 6749 §4.4); it gets no refresh token."""
    token, secret = _access_token(asked)
    wire.call("PutItem", token)
    return _answer(secret, None, asked.scopes)


_FOR = "resources"
"""Beside the answer that is sealed: what the tokens in it are for."""
_LAST = -1
"""Where the ticket's own write stands in the transaction."""


def _exchange(
    ticket: Ticket, asked: Asked, token: wire.Json, refresh: wire.Json | None, box: bytes | None = None
) -> None:
    now = {"N": str(clock.now_ms())}
    grant = {
        "TableName": Grant.Meta.table_name,
        "Key": Grant.item(id=asked.grant_id),
        "ConditionExpression": "attribute_not_exists(revoked_at) AND expires_at > :now",
        "ExpressionAttributeValues": {":now": now},
    }
    account = {
        "TableName": Account.Meta.table_name,
        "Key": Account.item(id=asked.account_id),
        # An account that is older than this attribute lacks it.
        "ConditionExpression": "#status = :active"
        " AND (attribute_not_exists(credentials_since) OR credentials_since <= :granted)",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":active": {"S": "active"}, ":granted": {"N": str(ticket.granted_at)}},
    }
    spent = {
        "TableName": Ticket.Meta.table_name,
        "Key": Ticket.item(digest=ticket.digest),
        "UpdateExpression": "SET consumed_at = :now",
        # Wins the race of any number of exchanges of one ticket: consumed_at is written once.
        "ConditionExpression": "attribute_not_exists(consumed_at) AND expires_at > :now",
        "ExpressionAttributeValues": {":now": now},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if box is not None:
        spent["UpdateExpression"] = "SET consumed_at = :now, sealed = :box"
        spent["ExpressionAttributeValues"] = {":now": now, ":box": {"B": box}}
    writes = [{"ConditionCheck": grant}, {"ConditionCheck": account}, {"Put": token}]
    if refresh is not None:
        writes.append({"Put": refresh})
    wire.call("TransactWriteItems", {"TransactItems": [*writes, {"Update": spent}]})


def _put(table: type[tables.Table], item: wire.Json) -> wire.Json:
    """Return the write of a new item under the digest of its secret."""
    return {"TableName": table.Meta.table_name, "Item": item, "ConditionExpression": "attribute_not_exists(digest)"}


def _was_spent(error: wire.Cancelled) -> bool:
    """Tell whether it was the ticket that refused, because it had been spent: expiry, or a dead grant, is no reuse."""
    return "consumed_at" in error.reasons[_LAST].get("Item", {})


def _again(spent: Ticket, asked: Asked, presented: str) -> Answer:
    """Decide what the second use of a refresh token is: a lost answer, or a thief."""
    grace_ms = PUBLIC_RETRY_MS if asked.client.is_public else RETRY_MS
    age_ms = clock.now_ms() - spent.consumed_at
    if age_ms < grace_ms and spent.sealed is not None:
        answer = sealed.opened(spent.sealed, presented)
        if answer is not None and _is_unused(str(answer["refresh_token"])) and _lives(asked.grant_id):
            if (answer["scope"], answer.pop(_FOR)) != (scopes.joined(asked.scopes), sorted(asked.resources)):
                # It asks for something else, and the same answer would give it what it didn't ask for.
                raise invalid_grant()
            return answer | {"expires_in": ACCESS_S - age_ms // 1000}
    _reused(spent, asked)
    raise invalid_grant()


def _reused(ticket: Ticket, asked: Asked) -> None:
    telemetry.warning(
        "token.reuse_detected",
        grant_id=asked.grant_id,
        client_id=asked.client.client_id,
        account_id=asked.account_id,
        kind=ticket.kind,
    )
    telemetry.count("ReuseDetected", kind=ticket.kind)
    if asked.grant_id is not None:
        grants.revoke_by_id(asked.grant_id, kinds.REUSE_DETECTED)


def _is_unused(secret: str) -> bool:
    successor = Ticket.found(secrets.digest(secret))
    return successor is not None and successor.consumed_at is None


def _lives(grant_id: str | None) -> bool:
    grant = Grant.found(grant_id or "-")
    return grant is not None and grant.is_live()


def _refresh_ticket(asked: Asked, spent: Ticket) -> tuple[wire.Json, str]:
    """A refresh token keeps the scopes of what it replaces, whatever the access token was narrowed to (§6)."""
    secret = secrets.mint(REFRESH_KIND)
    ends_at = spent.granted_at + grants.LIVES_MS
    item = Ticket.item(
        digest=secrets.digest(secret),
        kind=REFRESH_KIND,
        client_id=asked.client.client_id,
        account_id=asked.account_id,
        grant_id=asked.grant_id,
        granted_at=spent.granted_at,
        scopes=spent.scopes,
        resources=spent.resources,
        expires_at=ends_at,
        # A spent ticket stays until its grant has ended: reuse is found as long as it could matter.
        dies_at=ends_at // 1000 + grants.KEPT_S,
    )
    return _put(Ticket, item), secret


def _answer(access: str, refresh_secret: str | None, granted: set[str]) -> Answer:
    telemetry.count("TokensIssued")
    answer: Answer = {"access_token": access, "token_type": "Bearer", "expires_in": ACCESS_S}
    if refresh_secret is not None:
        answer["refresh_token"] = refresh_secret
    return answer | {"scope": scopes.joined(granted)}
