"""Approve an authorization request: issue the code of a new grant (RFC 6749 §4.1.2), and remember the consent."""

from pynamodb.exceptions import TransactWriteError

from chalicelib.core import clock, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.oauth import client_lifetime, consent, grants, issuance
from chalicelib.oauth.account_choice import Choice
from chalicelib.oauth.authorize import AuthorizationRequest, CannotRedirect, build_location
from chalicelib.oauth.tables import Grant, OneTimeToken


class ConsentWithdrawn(Exception):
    """The remembered consent was withdrawn concurrently, so the consent page must be shown."""


def approve(request: AuthorizationRequest, choice: Choice, base_url: str) -> str:
    """Issue a code for a new grant, remember the consent, and return the redirect location.

    Raises CannotRedirect when the client was deleted or suspended concurrently.
    """
    location = _issue_code(request, choice, base_url)
    try:
        consent.remember(choice.membership, request.client.client_id, request.consent_entries(choice.scopes))
    except consent.ClientEnded:
        raise _client_ended() from None
    return location


def approve_remembered(request: AuthorizationRequest, choice: Choice, base_url: str) -> str:
    """Issue a code for a new grant, based on a remembered consent, and return the redirect location.

    Raises ConsentWithdrawn when the consent was withdrawn concurrently, CannotRedirect when the client was deleted
    or suspended.
    """
    return _issue_code(request, choice, base_url, remembered=True)


def _issue_code(request: AuthorizationRequest, choice: Choice, base_url: str, *, remembered: bool = False) -> str:
    code, client_id = secrets.mint(issuance.CODE_KIND), request.client.client_id
    member, scopes, named = choice.membership.member, set(choice.scopes), set(request.resources)
    grant = grants.new(member.account_id, member.user_id, client_id, scopes=scopes, resources=named)
    expires_at = clock.now_ms() + issuance.CODE_S * 1000
    stored_code = OneTimeToken(
        secrets.digest(code),
        kind=issuance.CODE_KIND,
        client_id=client_id,
        account_id=member.account_id,
        user_id=member.user_id,
        member_since=member.since,
        grant_id=grant.id,
        granted_at=grant.created_at,
        scopes=scopes,
        resources=named or None,
        redirect_uri=request.requested_redirect_uri,
        code_challenge=request.code_challenge,
        expires_at=expires_at,
        # Keep the code's item as long as the grant's item, so that a second use of the code is always detected.
        dies_at=grant.dies_at,
    )
    given = consent.key_of(member.user_id, member.account_id, client_id)
    try:
        with models.transaction() as write:
            write.save(grant, condition=Grant.account_id.does_not_exist())
            grants.record_event(write, grant, kinds.GRANT_CREATED, name=request.client.name)
            write.save(stored_code, condition=OneTimeToken.digest.does_not_exist())
            client_lifetime.keep(write, request.client)
            if remembered:
                consent.require_remembered(write, given, request.consent_entries(choice.scopes))
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        if remembered and consent.was_withdrawn(error, given):
            raise ConsentWithdrawn from None
        raise _client_ended() from None
    return build_location(request.redirect_uri, request.state, base_url, code=code)


def _client_ended() -> CannotRedirect:
    return CannotRedirect("The application that sent you here was deleted.")
