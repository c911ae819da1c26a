"""Exchanging a ticket for tokens: one transaction, in which the ticket is spent and the tokens are stored.

Client, redirect URI, verifier and scope were checked before and spend nothing. The transaction decides the rest, where
it can't be raced: the ticket is unspent and fresh, its grant and its account are active. Whether the client is, every
use of the tokens asks again; a check here would make all exchanges of a busy client wait for each other.
"""

from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled
from chalicelib.oauth import clients, issuance, reuse
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.issuance import Answer, Issuance
from chalicelib.oauth.tables import Grant, Ticket


class _AlreadySpentError(Exception):
    """The ticket was spent before: expiry, or an ended grant, is no reuse."""


def redeem(ticket: Ticket, issued: Issuance) -> Answer:
    """Spend a code, or an approved device code, on an access token and, if the client may have one, a refresh token.

    Raises invalid_grant. A code used twice also ends what its first use issued (RFC 6749 §4.1.2).
    """
    access, secret = issuance.access_token(issued)
    puts, refresh_secret = [access], None
    if clients.REFRESH in issued.client.grant_types:
        refresh, refresh_secret = issuance.refresh_token(issued, ticket)
        puts.append(refresh)
    try:
        _commit(ticket, issued, puts)
    except _AlreadySpentError:
        reuse.end_grant(ticket)
        raise invalid_grant() from None
    return issuance.answer(issued, secret, refresh_secret)


def rotate(ticket: Ticket, issued: Issuance, presented: str) -> Answer:
    """Spend a refresh token, whose secret is `presented`, on an access token and its own successor.

    Raises invalid_grant. Used twice it revokes its grant (RFC 9700 §4.14.2), unless a client repeats its last refresh.
    """
    if ticket.consumed_at is not None:
        return reuse.repeated_refresh(ticket, issued, presented)
    access, secret = issuance.access_token(issued)
    successor, successor_secret = issuance.refresh_token(issued, ticket)
    answer = issuance.answer(issued, secret, successor_secret)
    try:
        _commit(ticket, issued, [access, successor], reuse.kept_answer(answer, issued, presented))
    except _AlreadySpentError:
        spent = Ticket.get(ticket.digest, consistent_read=True)
        return reuse.repeated_refresh(spent, issued, presented)
    return answer


def issue_to_client(issued: Issuance) -> Answer:
    """Issue a token to a client in its own name, counted on its owner (RFC 6749 §4.4); it gets no refresh token."""
    access, secret = issuance.access_token(issued)
    dynamodb.call("PutItem", access)
    return issuance.answer(issued, secret, None)


def _commit(ticket: Ticket, issued: Issuance, puts: list[dynamodb.Json], kept_answer: bytes | None = None) -> None:
    """Spend the ticket and store the tokens, or neither; raise _AlreadySpentError, or invalid_grant."""
    now = {"N": str(clock.now_ms())}
    spend = {"Update": _spend(ticket, now, kept_answer)}
    checks = [{"ConditionCheck": _grant_is_live(issued, now)}, {"ConditionCheck": _account_is_active(ticket, issued)}]
    writes = [*checks, *({"Put": put} for put in puts), spend]
    try:
        dynamodb.call("TransactWriteItems", {"TransactItems": writes})
    except Cancelled as error:
        if not error.was_refused:
            raise
        if "consumed_at" in error.reasons[writes.index(spend)].get("Item", {}):
            raise _AlreadySpentError from None
        raise invalid_grant() from None


def _grant_is_live(issued: Issuance, now: dynamodb.Json) -> dynamodb.Json:
    return {
        "TableName": Grant.Meta.table_name,
        "Key": Grant.item(id=issued.grant_id),
        "ConditionExpression": "attribute_not_exists(revoked_at) AND expires_at > :now",
        "ExpressionAttributeValues": {":now": now},
    }


def _account_is_active(ticket: Ticket, issued: Issuance) -> dynamodb.Json:
    return {
        "TableName": Account.Meta.table_name,
        "Key": Account.item(id=issued.account_id),
        # An account that is older than this attribute lacks it.
        "ConditionExpression": "#status = :active"
        " AND (attribute_not_exists(credentials_since) OR credentials_since <= :granted)",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":active": {"S": "active"}, ":granted": {"N": str(ticket.granted_at)}},
    }


def _spend(ticket: Ticket, now: dynamodb.Json, kept_answer: bytes | None) -> dynamodb.Json:
    values = {":now": now}
    update = "SET consumed_at = :now"
    if kept_answer is not None:
        values[":box"] = {"B": kept_answer}
        update = "SET consumed_at = :now, sealed = :box"
    return {
        "TableName": Ticket.Meta.table_name,
        "Key": Ticket.item(digest=ticket.digest),
        "UpdateExpression": update,
        # Wins the race of any number of exchanges of one ticket: consumed_at is written once.
        "ConditionExpression": "attribute_not_exists(consumed_at) AND expires_at > :now",
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
