"""Exchanging a ticket for tokens: one transaction, in which the ticket is spent and the tokens come to be.

Client, redirect, verifier and scope were checked before and spend nothing. The transaction decides the rest, where it
can't be raced: the ticket is unspent and fresh, its grant and its account are alive. Whether the client is, every use
of the tokens asks again; a check here would make all exchanges of a busy client wait for each other.
"""

from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, ids, secrets, tables, telemetry
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import KEPT_PAST_END_S
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import grants, sealed
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.resources import serves_this_api
from chalicelib.oauth.tables import Client, Grant, Ticket

ACCESS_S = 3_600
CODE_S = 60
RETRY_MS = 30_000
"""For so long a confidential client that lost the answer to a refresh gets the same answer again."""
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


def access_token(asked: Asked) -> tuple[Credential, str]:
    """Return an access token that is not stored yet, and its secret."""
    secret = secrets.mint(secrets.ACCESS_TOKEN_KIND)
    now_ms = clock.now_ms()
    token = Credential(
        secrets.digest(secret),
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
        resources=asked.resources or None,
        for_this_api=serves_this_api(asked.resources, asked.base_url),
        dies_at=now_ms // 1000 + ACCESS_S + KEPT_PAST_END_S,
    )
    return token, secret


def redeem(ticket: Ticket, asked: Asked, *, with_refresh: bool) -> Answer:
    """Spend a code, or an approved device code, on an access token and, if the client may have one, a refresh token.

    Raises invalid_grant. A code used twice also ends what its first use issued: one of the two uses was a thief's (RFC
    6749 §4.1.2).
    """
    token, secret = access_token(asked)
    refresh, refresh_secret = _refresh_ticket(asked, ticket) if with_refresh else (None, None)
    try:
        _exchange(ticket, asked, token, refresh)
    except TransactWriteError as error:
        if not tables.refused(error):
            raise
        if _was_spent(error):
            _reused(ticket, asked)
        raise invalid_grant() from None
    return _answer(secret, refresh_secret, asked.scopes)


def refresh(ticket: Ticket, asked: Asked, presented: str) -> Answer:
    """Spend a refresh token on an access token and its own successor.

    Raises invalid_grant. A refresh token used twice revokes its grant (RFC 9700 §4.14.2), unless a confidential client
    repeats its last refresh within 30 s and hasn't used the successor: then it gets the same answer again.
    """
    if ticket.consumed_at is not None:
        return _again(ticket, asked, presented)
    token, secret = access_token(asked)
    successor, successor_secret = _refresh_ticket(asked, ticket)
    answer = _answer(secret, successor_secret, asked.scopes)
    box = None if asked.client.is_public else sealed.seal(answer, presented)
    try:
        _exchange(ticket, asked, token, successor, box)
    except TransactWriteError as error:
        if not tables.refused(error):
            raise
        if not _was_spent(error):
            raise invalid_grant() from None
        return _again(Ticket.get(ticket.digest, consistent_read=True), asked, presented)
    return answer


def for_client_itself(asked: Asked) -> Answer:
    """Issue a token to a client in its own name, counted on its owner (RFC 6749 §4.4); it gets no refresh token."""
    token, secret = access_token(asked)
    token.save(condition=Credential.digest.does_not_exist())
    return _answer(secret, None, asked.scopes)


_SPENDING = 0
"""Where the ticket's own write stands among the updates; checks and puts are sent before it."""


def _exchange(
    ticket: Ticket, asked: Asked, token: Credential, refresh: Ticket | None, box: bytes | None = None
) -> None:
    now_ms = clock.now_ms()
    since = Account.credentials_since
    spent: list[Action] = [Ticket.consumed_at.set(now_ms)]
    if box is not None:
        spent.append(Ticket.sealed.set(box))
    with tables.transaction() as write:
        write.condition_check(
            Grant, asked.grant_id or "", condition=Grant.revoked_at.does_not_exist() & (Grant.expires_at > now_ms)
        )
        write.condition_check(
            Account,
            asked.account_id,
            # An account that is older than this attribute lacks it.
            condition=(Account.status == "active") & (since.does_not_exist() | (since <= (ticket.granted_at or 0))),
        )
        write.save(token, condition=Credential.digest.does_not_exist())
        if refresh is not None:
            write.save(refresh, condition=Ticket.digest.does_not_exist())
        write.update(
            Ticket(ticket.digest),
            actions=spent,
            # Wins the race of any number of exchanges of one ticket: consumed_at is written once.
            condition=Ticket.consumed_at.does_not_exist() & (Ticket.expires_at > now_ms),
            return_values="ALL_OLD",
        )


def _was_spent(error: TransactWriteError) -> bool:
    """Tell whether it was the ticket that refused, because it had been spent: expiry, or a dead grant, is no reuse."""
    last = error.cancellation_reasons[-1] if error.cancellation_reasons else None
    return bool(last and last.raw_item and "consumed_at" in last.raw_item)


def _again(spent: Ticket, asked: Asked, presented: str) -> Answer:
    """Decide what the second use of a refresh token is: a lost answer, or a thief."""
    recent = clock.now_ms() - (spent.consumed_at or 0) < RETRY_MS
    if recent and not asked.client.is_public and spent.sealed is not None:
        answer = sealed.opened(spent.sealed, presented)
        if answer is not None and _is_unused(str(answer["refresh_token"])) and _lives(asked.grant_id):
            age_s = (clock.now_ms() - (spent.consumed_at or 0)) // 1000
            return answer | {"expires_in": ACCESS_S - age_s}
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
        grants.revoke_by_id(asked.grant_id)


def _is_unused(secret: str) -> bool:
    successor = Ticket.found(secrets.digest(secret))
    return successor is not None and successor.consumed_at is None


def _lives(grant_id: str | None) -> bool:
    grant = Grant.found(grant_id or "-")
    return grant is not None and grant.is_live()


def _refresh_ticket(asked: Asked, spent: Ticket) -> tuple[Ticket, str]:
    """A refresh token keeps the scopes of what it replaces, whatever the access token was narrowed to (§6)."""
    secret = secrets.mint(REFRESH_KIND)
    ends_at = (spent.granted_at or 0) + grants.LIVES_MS
    ticket = Ticket(
        secrets.digest(secret),
        kind=REFRESH_KIND,
        client_id=asked.client.client_id,
        account_id=asked.account_id,
        grant_id=asked.grant_id,
        granted_at=spent.granted_at,
        scopes=set(spent.scopes or ()),
        resources=spent.resources,
        expires_at=ends_at,
        # A spent ticket stays until its grant has ended: reuse is found as long as it could matter.
        dies_at=ends_at // 1000 + grants.KEPT_S,
    )
    return ticket, secret


def _answer(access: str, refresh_secret: str | None, granted: set[str]) -> Answer:
    telemetry.count("TokensIssued")
    answer: Answer = {"access_token": access, "token_type": "Bearer", "expires_in": ACCESS_S}
    if refresh_secret is not None:
        answer["refresh_token"] = refresh_secret
    return answer | {"scope": " ".join(scopes.in_order(granted))}
