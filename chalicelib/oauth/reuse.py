"""Reuse detection. A second use of a code or refresh token is treated as theft, and its grant is revoked.

For codes see RFC 6749 §4.1.2, for refresh tokens RFC 9700 §4.14.2. There is one exception: a client may repeat a
refresh because it lost the response, or send two refreshes concurrently. Within a grace period it gets the same
response again.
"""

from chalicelib.core import clock, secrets, telemetry
from chalicelib.events import kinds
from chalicelib.oauth import grants, refresh_replay
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.issuance import ACCESS_S, Issuance, TokenResponse
from chalicelib.oauth.tables import Grant, OneTimeToken

RETRY_MS, PUBLIC_RETRY_MS = 30_000, 10_000
"""How long a client may retry a refresh: first for confidential, then for public clients. Public clients have less
time, because their refresh tokens can be used without a client secret.
"""
_RESOURCES = "resources"
"""The field of a sealed response that contains the resources of the issued access token."""


def revoke_grant(spent: OneTimeToken) -> None:
    """Revoke the grant of a reused code or token, and report it to the operator and to the account."""
    telemetry.warning(
        "token.reuse_detected",
        grant_id=spent.grant_id,
        client_id=spent.client_id,
        account_id=spent.account_id,
        kind=spent.kind,
    )
    telemetry.count("ReuseDetected", kind=spent.kind)
    if spent.grant_id is not None:
        grants.revoke_by_id(spent.grant_id, kinds.REUSE_DETECTED)


def seal_response(response: TokenResponse, issuance: Issuance, presented: str) -> bytes:
    """Return the response to a refresh, encrypted under the refresh token that was `presented`."""
    return refresh_replay.seal(response | {_RESOURCES: sorted(issuance.resources)}, presented)


def replay_refresh(spent: OneTimeToken, issuance: Issuance, presented: str) -> TokenResponse:
    """If the request is a retry, return the response of the refresh that consumed this token.

    A request is a retry if it is sent within 30 s (10 s for a public client) and before the refresh token in that
    response is used, and if it requests the same scopes and resources. Raises invalid_grant for any other second use.
    This also revokes the grant, unless only the scopes or resources differ.
    """
    age_ms = clock.now_ms() - spent.consumed_at
    is_recent = age_ms < (PUBLIC_RETRY_MS if issuance.client.is_public else RETRY_MS)
    response = refresh_replay.unseal(spent.sealed, presented) if is_recent and spent.sealed is not None else None
    if response is None or not _is_unused(str(response["refresh_token"])) or not _is_grant_active(spent.grant_id):
        revoke_grant(spent)
        raise invalid_grant()
    if (response["scope"], response.pop(_RESOURCES)) != (issuance.scope, sorted(issuance.resources)):
        # This isn't theft: a client may send two refreshes concurrently. But the stored response has scopes or
        # resources that this request didn't ask for.
        raise invalid_grant()
    return response | {"expires_in": ACCESS_S - age_ms // 1000}


def _is_unused(secret: str) -> bool:
    successor = OneTimeToken.found(secrets.digest(secret))
    return successor is not None and successor.consumed_at is None


def _is_grant_active(grant_id: str | None) -> bool:
    grant = Grant.found(grant_id or "-")
    return grant is not None and grant.is_active()
