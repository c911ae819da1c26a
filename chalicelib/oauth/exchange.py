"""Exchange a code or refresh token for tokens: one transaction consumes it and stores the new tokens.

Client, redirect URI, verifier and scope are checked before the transaction, so an invalid request doesn't consume the
code or token. The transaction checks atomically that the code or token is unused and not expired, that its grant,
account and user are active, and that the user is still the member of the account who approved. It doesn't check the
client, because concurrent exchanges of one client would then conflict; each use of a token checks the client.
"""

from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled
from chalicelib.oauth import clients, issuance, reuse
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.issuance import Issuance, TokenResponse
from chalicelib.oauth.tables import Grant, OneTimeToken


class _AlreadySpentError(Exception):
    """The code or refresh token was already consumed. An expired or revoked one raises another error."""


def redeem(code: OneTimeToken, issued: Issuance) -> TokenResponse:
    """Exchange a code or an approved device code for an access token and, if the client may have one, a refresh token.

    Raises invalid_grant if the code can't be used. If it is used twice, the tokens from its first use are also revoked
    (RFC 6749 §4.1.2).
    """
    access, secret = issuance.access_token(issued)
    puts, refresh_secret = [access], None
    if clients.REFRESH in issued.client.grant_types:
        successor, refresh_secret = issuance.refresh_token(issued, code)
        puts.append(successor)
    try:
        _commit(code, issued, puts)
    except _AlreadySpentError:
        reuse.revoke_grant(code)
        raise invalid_grant() from None
    return issuance.build_response(issued, secret, refresh_secret)


def rotate(refresh_token: OneTimeToken, issued: Issuance, presented: str) -> TokenResponse:
    """Rotate a refresh token: exchange it for an access token and the next refresh token. `presented` is the token's
    secret.

    Raises invalid_grant if the token can't be used. A second use also revokes the grant (RFC 9700 §4.14.2), except when
    a client retries its last refresh.
    """
    if refresh_token.consumed_at is not None:
        return reuse.replay_refresh(refresh_token, issued, presented)
    access, secret = issuance.access_token(issued)
    successor, successor_secret = issuance.refresh_token(issued, refresh_token)
    response = issuance.build_response(issued, secret, successor_secret)
    try:
        _commit(refresh_token, issued, [access, successor], reuse.seal_response(response, issued, presented))
    except _AlreadySpentError:
        spent = OneTimeToken.get(refresh_token.digest, consistent_read=True)
        return reuse.replay_refresh(spent, issued, presented)
    return response


def issue_to_client(issued: Issuance) -> TokenResponse:
    """Issue an access token to a client in its own name (RFC 6749 §4.4), without a refresh token."""
    access, secret = issuance.access_token(issued)
    dynamodb.call("PutItem", access)
    return issuance.build_response(issued, secret, None)


def _commit(
    one_time_token: OneTimeToken, issued: Issuance, puts: list[dynamodb.Json], sealed_response: bytes | None = None
) -> None:
    """Consume the code or token and store the new tokens atomically; raise _AlreadySpentError or invalid_grant."""
    now = {"N": str(clock.now_ms())}
    consume = {"Update": _consume(one_time_token, now, sealed_response)}
    checks = [
        {"ConditionCheck": _grant_is_active(issued, now)},
        {"ConditionCheck": _account_is_active(one_time_token, issued)},
        {"ConditionCheck": _user_is_active(one_time_token, issued)},
        {"ConditionCheck": _is_same_membership(one_time_token, issued)},
    ]
    writes = [*checks, *({"Put": put} for put in puts), consume]
    try:
        dynamodb.call("TransactWriteItems", {"TransactItems": writes})
    except Cancelled as error:
        if not error.was_refused:
            raise
        if "consumed_at" in error.reasons[writes.index(consume)].get("Item", {}):
            raise _AlreadySpentError from None
        raise invalid_grant() from None


def _grant_is_active(issued: Issuance, now: dynamodb.Json) -> dynamodb.Json:
    return {
        "TableName": Grant.Meta.table_name,
        "Key": Grant.item(id=issued.grant_id),
        "ConditionExpression": "attribute_not_exists(revoked_at) AND expires_at > :now",
        "ExpressionAttributeValues": {":now": now},
    }


def _account_is_active(one_time_token: OneTimeToken, issued: Issuance) -> dynamodb.Json:
    # Neither the grant nor the membership may predate the first verification of the creator's address.
    made_at = min(one_time_token.granted_at, one_time_token.member_since)
    return _is_active_since(Account, issued.account_id, made_at)


def _user_is_active(one_time_token: OneTimeToken, issued: Issuance) -> dynamodb.Json:
    return _is_active_since(User, issued.user_id, one_time_token.granted_at)


def _is_active_since(model: type[Account | User], subject_id: str, made_at: int) -> dynamodb.Json:
    return {
        "TableName": model.Meta.table_name,
        "Key": model.item(id=subject_id),
        "ConditionExpression": "#status = :active"
        " AND (attribute_not_exists(credentials_since) OR credentials_since <= :made)",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":active": {"S": ACTIVE}, ":made": {"N": str(made_at)}},
    }


def _is_same_membership(one_time_token: OneTimeToken, issued: Issuance) -> dynamodb.Json:
    """Return the condition that the user is still a member. If the user was removed and joined again, it fails."""
    return {
        "TableName": Member.Meta.table_name,
        "Key": Member.item(account_id=issued.account_id, user_id=issued.user_id),
        "ConditionExpression": "since = :since",
        "ExpressionAttributeValues": {":since": {"N": str(one_time_token.member_since)}},
    }


def _consume(one_time_token: OneTimeToken, now: dynamodb.Json, sealed_response: bytes | None) -> dynamodb.Json:
    values = {":now": now}
    update = "SET consumed_at = :now"
    if sealed_response is not None:
        values[":box"] = {"B": sealed_response}
        update = "SET consumed_at = :now, sealed = :box"
    return {
        "TableName": OneTimeToken.Meta.table_name,
        "Key": OneTimeToken.item(digest=one_time_token.digest),
        "UpdateExpression": update,
        # Of any number of concurrent exchanges only one succeeds.
        "ConditionExpression": "attribute_not_exists(consumed_at) AND expires_at > :now",
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
