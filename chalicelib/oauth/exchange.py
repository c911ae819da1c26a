"""Exchanging a code or refresh token for tokens: one transaction consumes it and stores the new tokens.

Client, redirect URI, verifier and scope are checked before and consume nothing. The transaction checks atomically that
the code or token is unused and not expired, and its grant and account are active. It doesn't check the client, which
each use of a token does: that would make concurrent exchanges of one client conflict.
"""

from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled
from chalicelib.oauth import clients, issuance, reuse
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.issuance import TokenResponse, Issuance
from chalicelib.oauth.tables import Grant, Ticket


class _AlreadySpentError(Exception):
    """The code or refresh token was consumed before; one that is only expired or revoked is not reused."""


def redeem(ticket: Ticket, issued: Issuance) -> TokenResponse:
    """Exchange a code or an approved device code for an access token and, if the client may have one, a refresh token.

    Raises invalid_grant. Reuse of a code also revokes the tokens that it was exchanged for (RFC 6749 §4.1.2).
    """
    access, secret = issuance.access_token(issued)
    puts, refresh_secret = [access], None
    if clients.REFRESH in issued.client.grant_types:
        refresh, refresh_secret = issuance.refresh_token(issued, ticket)
        puts.append(refresh)
    try:
        _commit(ticket, issued, puts)
    except _AlreadySpentError:
        reuse.revoke_grant(ticket)
        raise invalid_grant() from None
    return issuance.build_response(issued, secret, refresh_secret)


def rotate(ticket: Ticket, issued: Issuance, presented: str) -> TokenResponse:
    """Exchange a refresh token, whose secret is `presented`, for an access token and the next refresh token.

    Raises invalid_grant. Reuse revokes the grant (RFC 9700 §4.14.2), except when a client retries its last refresh.
    """
    if ticket.consumed_at is not None:
        return reuse.replay_refresh(ticket, issued, presented)
    access, secret = issuance.access_token(issued)
    successor, successor_secret = issuance.refresh_token(issued, ticket)
    response = issuance.build_response(issued, secret, successor_secret)
    try:
        _commit(ticket, issued, [access, successor], reuse.seal_response(response, issued, presented))
    except _AlreadySpentError:
        spent = Ticket.get(ticket.digest, consistent_read=True)
        return reuse.replay_refresh(spent, issued, presented)
    return response


def issue_to_client(issued: Issuance) -> TokenResponse:
    """Issue an access token to a client in its own name (RFC 6749 §4.4), without a refresh token."""
    access, secret = issuance.access_token(issued)
    dynamodb.call("PutItem", access)
    return issuance.build_response(issued, secret, None)


def _commit(ticket: Ticket, issued: Issuance, puts: list[dynamodb.Json], sealed_response: bytes | None = None) -> None:
    """Consume the code or token and store the new tokens atomically; raise _AlreadySpentError or invalid_grant."""
    now = {"N": str(clock.now_ms())}
    spend = {"Update": _consume(ticket, now, sealed_response)}
    checks = [{"ConditionCheck": _grant_is_active(issued, now)}, {"ConditionCheck": _account_is_active(ticket, issued)}]
    writes = [*checks, *({"Put": put} for put in puts), spend]
    try:
        dynamodb.call("TransactWriteItems", {"TransactItems": writes})
    except Cancelled as error:
        if not error.was_refused:
            raise
        if "consumed_at" in error.reasons[writes.index(spend)].get("Item", {}):
            raise _AlreadySpentError from None
        raise invalid_grant() from None


def _grant_is_active(issued: Issuance, now: dynamodb.Json) -> dynamodb.Json:
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
        # Accounts created before this attribute existed don't have it.
        "ConditionExpression": "#status = :active"
        " AND (attribute_not_exists(credentials_since) OR credentials_since <= :granted)",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":active": {"S": "active"}, ":granted": {"N": str(ticket.granted_at)}},
    }


def _consume(ticket: Ticket, now: dynamodb.Json, sealed_response: bytes | None) -> dynamodb.Json:
    values = {":now": now}
    update = "SET consumed_at = :now"
    if sealed_response is not None:
        values[":box"] = {"B": sealed_response}
        update = "SET consumed_at = :now, sealed = :box"
    return {
        "TableName": Ticket.Meta.table_name,
        "Key": Ticket.item(digest=ticket.digest),
        "UpdateExpression": update,
        # Of any number of concurrent exchanges only one succeeds.
        "ConditionExpression": "attribute_not_exists(consumed_at) AND expires_at > :now",
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
