"""Reuse detection: of two uses of a one-time ticket one was a thief's, so its grant ends with all its tokens.

For a code that is RFC 6749 §4.1.2, for a refresh token RFC 9700 §4.14.2. A refresh token alone may come twice in good
faith: its client lost the answer, or refreshed twice at once. Then it gets the same answer again.
"""

from chalicelib.core import clock, secrets, telemetry
from chalicelib.events import kinds
from chalicelib.oauth import grants, refresh_replay
from chalicelib.oauth.errors import invalid_grant
from chalicelib.oauth.issuance import ACCESS_S, Answer, Issuance
from chalicelib.oauth.tables import Grant, Ticket

RETRY_MS, PUBLIC_RETRY_MS = 30_000, 10_000
"""For so long a client that repeats a refresh gets the same answer again.

Shorter for a public one: whoever has its refresh token needs nothing else.
"""
_RESOURCES = "resources"
"""Beside the answer that is sealed: what the tokens in it are for."""


def end_grant(spent: Ticket) -> None:
    """Revoke the grant of a ticket that was used again, and report it to the operator and to the account."""
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


def kept_answer(answer: Answer, issuance: Issuance, presented: str) -> bytes:
    """Return the answer to a refresh as it is kept, sealed under the refresh token that was `presented`."""
    return refresh_replay.seal(answer | {_RESOURCES: sorted(issuance.resources)}, presented)


def repeated_refresh(spent: Ticket, issuance: Issuance, presented: str) -> Answer:
    """Return the answer of the refresh that spent this token, when its client repeats that refresh in good faith.

    That is within 30 s (a public one 10 s), for the same scopes and resources, before its successor was used. Raises
    invalid_grant for any other second use, and ends the grant unless only what is asked for differs.
    """
    age_ms = clock.now_ms() - spent.consumed_at
    grace_ms = PUBLIC_RETRY_MS if issuance.client.is_public else RETRY_MS
    answer = refresh_replay.opened(spent.sealed, presented) if age_ms < grace_ms and spent.sealed is not None else None
    if answer is None or not _is_unused(str(answer["refresh_token"])) or not _is_live(spent.grant_id):
        end_grant(spent)
        raise invalid_grant()
    if (answer["scope"], answer.pop(_RESOURCES)) != (issuance.scope, sorted(issuance.resources)):
        # The same answer would give it what it didn't ask for. A client may have asked for two things at once.
        raise invalid_grant()
    return answer | {"expires_in": ACCESS_S - age_ms // 1000}


def _is_unused(secret: str) -> bool:
    successor = Ticket.found(secrets.digest(secret))
    return successor is not None and successor.consumed_at is None


def _is_live(grant_id: str | None) -> bool:
    grant = Grant.found(grant_id or "-")
    return grant is not None and grant.is_live()
