"""The consent page of an authorization request (RFC 6749 §4.1.1) and of a device code (RFC 8628 §3.3).

On both pages, a user of several accounts selects the account that the client may access.
"""

from typing import Any

from chalicelib.accounts import unverified
from chalicelib.accounts.members import Membership
from chalicelib.api.console.outcomes import ExternalRedirect, Render
from chalicelib.api.console.page_request import LogInFirst, PageRequest
from chalicelib.core import errors
from chalicelib.credentials import scopes
from chalicelib.limits.tiers import DOCUMENT_FETCHES, Tier
from chalicelib.oauth import account_choice, approval, authorize, device, prompt, redirect_uris
from chalicelib.oauth.account_choice import Choice
from chalicelib.oauth.errors import OAuthError, access_denied
from chalicelib.oauth.parameters import AUTHORIZATION_PARAMETERS, Parameters, parse_query

DEVICE_TRIES = Tier("device-codes", 30, 10, kept_s=2 * 3_600)
"""The number of user codes that a user may enter in an hour. This limit prevents guessing (RFC 8628 §5.1)."""
CHANGED = "The request has changed since you opened this page. Review it again before you decide."
CHOSEN = "for_account"
"""The name of the form field that contains the id of the account that the client may access."""


def show_authorize(request: PageRequest) -> Render | ExternalRedirect:
    """Ask the resource owner for consent, or redirect to the client if an earlier consent covers the request."""
    parameters = _parameters(request)
    try:
        return _respond(request, _parse(request, parameters), parameters)
    except authorize.ErrorRedirect as back:
        if request.user_or_none is None and not prompt.forbids_page(parameters):
            # Whether the error may be redirected depends on the user's earlier consent, so the user has to log in
            # first.
            raise LogInFirst from None
        return ExternalRedirect(back.location_for(_memberships(request)), back.client_name)


def decide(request: PageRequest) -> Render | ExternalRedirect:
    """Redirect to the client with the decision. The request is parsed again, because the form could have been
    changed.
    """
    memberships, parameters = request.memberships, _parameters(request)
    try:
        asking = _parse(request, parameters)
    except authorize.ErrorRedirect as back:
        # The consent page is shown only for valid requests. This request is invalid, so the user hasn't decided on
        # it.
        return ExternalRedirect(back.location_for(memberships), back.client_name)
    offered = account_choice.choices(memberships, asking.scopes)
    was_shown = request.text("shown") == asking.page_digest(offered)
    if request.text("decision") != "allow":
        denied = authorize.build_error_redirect(asking, request.base_url, access_denied())
        return ExternalRedirect(denied.location if was_shown else denied.location_for(memberships), denied.client_name)
    unverified.require_verified_email(request.user.user)
    if not was_shown:
        # The client's name, redirect URI or scopes, or the user's accounts, changed while the page was open.
        return _consent_page(request, asking, offered, parameters, problem=CHANGED, status=409)
    try:
        choice = _chosen(request, offered)
    except errors.InvalidRequest as error:
        return request.reject_form(error, _consent_page(request, asking, offered, parameters))
    return ExternalRedirect(approval.approve(asking, choice, request.base_url), asking.client.name)


def show_device(request: PageRequest) -> Render:
    """Ask for a user code or, if the request contains one, for consent."""
    user = request.user.user
    user_code = request.query.get("user_code", "")
    if not user_code:
        return Render("device", {"code": ""})
    request.exchange.admit_as(f"device-codes_{user.id}", DEVICE_TRIES)
    try:
        pending = device.find_pending(user_code)
    except errors.NotFound as error:
        return request.reject_form(error.about("user_code"), Render("device", {"code": user_code[:20]}))
    return _device_page(request, pending, account_choice.choices(request.memberships, pending.scopes))


def decide_device(request: PageRequest) -> Render:
    """Record the resource owner's decision for the device."""
    user = request.user.user
    request.exchange.admit_as(f"device-codes_{user.id}", DEVICE_TRIES)
    user_code, is_allowed = request.text("user_code"), request.text("decision") == "allow"
    try:
        pending = device.find_pending(user_code)
        if not is_allowed:
            device.deny(pending, user.id)
        else:
            unverified.require_verified_email(user)
            offered = account_choice.choices(request.memberships, pending.scopes)
            if request.text("shown") != pending.page_digest(offered):
                return _device_page(request, pending, offered, problem=CHANGED, status=409)
            try:
                choice = _chosen(request, offered)
            except errors.InvalidRequest as error:
                return request.reject_form(error, _device_page(request, pending, offered))
            device.approve(pending, choice)
    except errors.NotFound as error:
        return request.reject_form(error.about("user_code"), Render("device", {"code": user_code[:20]}))
    return Render("device_done", {"client": pending.client, "allowed": is_allowed, "code": pending.user_code})


def _device_page(
    request: PageRequest,
    pending: device.PendingAuthorization,
    offered: list[Choice],
    *,
    problem: str = "",
    status: int = 200,
) -> Render:
    values = {
        "client": pending.client,
        "resources": sorted(pending.device_code.resources or ()),
        "code": pending.user_code,
        "shown": pending.page_digest(offered),
        "problem": problem,
    }
    return Render("device_consent", values | _accounts(request, offered, pending.scopes), status)


def _parse(request: PageRequest, parameters: Parameters) -> authorize.AuthorizationRequest:
    """Parse an authorization request. A fetch of a client's metadata document counts on the caller's networks."""

    def admit_fetch() -> None:
        request.exchange.admit_networks(DOCUMENT_FETCHES)

    return authorize.parse(parameters, request.base_url, admit_fetch=admit_fetch)


def _respond(
    request: PageRequest, asking: authorize.AuthorizationRequest, parameters: Parameters
) -> Render | ExternalRedirect:
    if asking.prompt == prompt.NONE:
        return _respond_silently(request, asking, parameters)
    user = request.user.user
    offered = account_choice.choices(request.memberships, asking.scopes)
    remembered = asking.remembered(offered)
    # A HEAD request must not create a grant or a code.
    if len(remembered) != 1 or unverified.must_verify_email(user) or request.exchange.is_head:
        unverified.require_verified_email(user)
        return _consent_page(request, asking, offered, parameters)
    try:
        return _approve_remembered(request, asking, remembered)
    except approval.ConsentWithdrawn:
        return _respond(request, asking, parameters)


def _respond_silently(
    request: PageRequest, asking: authorize.AuthorizationRequest, parameters: Parameters
) -> Render | ExternalRedirect:
    """Respond to a request with prompt=none, which forbids a page (OpenID Connect Core §3.1.2.6)."""

    def error(code: str, description: str) -> authorize.ErrorRedirect:
        return authorize.build_error_redirect(asking, request.base_url, OAuthError(code, description))

    if request.user_or_none is None:
        raise error("login_required", "The user isn't logged in.")
    try:
        offered = account_choice.choices(request.memberships, asking.scopes)
    except errors.LatchkeyError as problem:
        raise error("interaction_required", problem.message) from None
    remembered = asking.remembered(offered)
    if not remembered or unverified.must_verify_email(request.user.user):
        raise error("consent_required", "The user has to give consent.")
    if len(remembered) > 1:
        # This code says what is missing. With `interaction_required`, the client couldn't know that another request
        # with prompt=none will fail, too.
        raise error("account_selection_required", "The user has to select an account.")
    if request.exchange.is_head:
        return _consent_page(request, asking, offered, parameters)
    try:
        return _approve_remembered(request, asking, remembered)
    except approval.ConsentWithdrawn:
        raise error("consent_required", "The user has to give consent.") from None


def _approve_remembered(
    request: PageRequest, asking: authorize.AuthorizationRequest, remembered: list[Choice]
) -> ExternalRedirect:
    (choice,) = remembered
    return ExternalRedirect(approval.approve_remembered(asking, choice, request.base_url), asking.client.name)


def _memberships(request: PageRequest) -> list[Membership]:
    return request.memberships if request.user_or_none is not None else []


def _chosen(request: PageRequest, offered: list[Choice]) -> Choice:
    """Return the account that the user selected; raise InvalidRequest unless the page offered it."""
    return account_choice.pick(offered, request.text(CHOSEN))


def _parameters(request: PageRequest) -> Parameters:
    event = request.exchange.request.to_original_event()
    return parse_query(event.get("multiValueQueryStringParameters") or {})


def _accounts(request: PageRequest, offered: list[Choice], requested: frozenset[str]) -> dict[str, Any]:
    """Return the values of a consent page for its accounts and scopes. The account that the browser opened last is
    selected.
    """
    opened = request.last_opened_of([choice.membership for choice in offered])
    return {
        "offered": offered,
        "opened": opened.account.id,
        "requested": scopes.in_order(requested),
        "scopes": scopes.in_order(frozenset().union(*(choice.scopes for choice in offered))),
    }


def _consent_page(
    request: PageRequest,
    asking: authorize.AuthorizationRequest,
    offered: list[Choice],
    parameters: Parameters,
    *,
    problem: str = "",
    status: int = 200,
) -> Render:
    request.forms_may_leave = True
    pairs = [(name, value) for name in AUTHORIZATION_PARAMETERS for value in parameters.get_all(name)]
    values = {
        "client": asking.client,
        "resources": sorted(asking.resources),
        "redirect": redirect_uris.origin(asking.redirect_uri),
        "shown": asking.page_digest(offered),
        "pairs": pairs,
        "problem": problem,
    }
    return Render("consent", values | _accounts(request, offered, asking.scopes), status)
