"""The consent page of an authorization request (RFC 6749 §4.1.1) and of a device code (RFC 8628 §3.3)."""

from chalicelib.accounts import unverified
from chalicelib.accounts.tables import Account
from chalicelib.api.console.outcomes import ExternalRedirect, Render
from chalicelib.api.console.page_request import LogInFirst, PageRequest
from chalicelib.core import errors
from chalicelib.limits.tiers import DOCUMENT_FETCHES, Tier
from chalicelib.oauth import authorize, device, prompt, redirect_uris
from chalicelib.oauth.errors import OAuthError, access_denied
from chalicelib.oauth.parameters import AUTHORIZATION_PARAMETERS, Parameters, parse_query

DEVICE_TRIES = Tier("device-codes", 30, 10, kept_s=2 * 3_600)
"""The number of user codes that an account may enter in an hour. This limit prevents guessing (RFC 8628 §5.1)."""
CHANGED = "The app has changed since you opened this page. Review its request again before you decide."


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
        return ExternalRedirect(back.location_for(_account(request)), back.client_name)


def decide(request: PageRequest) -> Render | ExternalRedirect:
    """Redirect to the client with the decision. The request is parsed again, because the form could have been
    changed.
    """
    account, parameters = request.user.account, _parameters(request)
    try:
        asking = _parse(request, parameters)
    except authorize.ErrorRedirect as back:
        # The consent page is shown only for valid requests. This request is invalid, so the user hasn't decided on
        # it.
        return ExternalRedirect(back.location_for(account), back.client_name)
    was_shown = request.text("shown") == asking.page_digest
    if request.text("decision") != "allow":
        denied = authorize.build_error_redirect(asking, request.base_url, access_denied())
        return ExternalRedirect(denied.location if was_shown else denied.location_for(account), denied.client_name)
    unverified.require_verified_email(account)
    if not was_shown:
        # The client's name, redirect URI or scopes changed while the page was open.
        return _consent_page(request, asking, parameters, problem=CHANGED, status=409)
    return ExternalRedirect(authorize.approve(asking, account.id, request.base_url), asking.client.name)


def show_device(request: PageRequest) -> Render:
    """Ask for a user code or, if the request contains one, for consent."""
    account = request.user.account
    user_code = request.query.get("user_code", "")
    if not user_code:
        return Render("device", {"code": ""})
    request.exchange.admit_as(f"device-codes_{account.id}", DEVICE_TRIES)
    try:
        pending = device.find_pending(user_code)
    except errors.NotFound as error:
        return request.reject_form(error.about("user_code"), Render("device", {"code": user_code[:20]}))
    return _device_page(pending)


def decide_device(request: PageRequest) -> Render:
    """Record the resource owner's decision for the device."""
    account = request.user.account
    request.exchange.admit_as(f"device-codes_{account.id}", DEVICE_TRIES)
    user_code, is_allowed = request.text("user_code"), request.text("decision") == "allow"
    try:
        pending = device.find_pending(user_code)
        if is_allowed:
            unverified.require_verified_email(account)
            if request.text("shown") != pending.page_digest:
                return _device_page(pending, problem=CHANGED, status=409)
            device.approve(pending, account.id)
        else:
            device.deny(pending, account.id)
    except errors.NotFound as error:
        return request.reject_form(error.about("user_code"), Render("device", {"code": user_code[:20]}))
    return Render("device_done", {"client": pending.client, "allowed": is_allowed, "code": pending.user_code})


def _device_page(pending: device.PendingAuthorization, *, problem: str = "", status: int = 200) -> Render:
    values = {
        "client": pending.client,
        "scopes": sorted(pending.device_code.scopes or ()),
        "resources": sorted(pending.device_code.resources or ()),
        "code": pending.user_code,
        "shown": pending.page_digest,
        "problem": problem,
    }
    return Render("device_consent", values, status)


def _parse(request: PageRequest, parameters: Parameters) -> authorize.AuthorizationRequest:
    """Parse an authorization request. A fetch of a client's metadata document counts on the caller's networks."""

    def admit_fetch() -> None:
        request.exchange.admit_networks(DOCUMENT_FETCHES)

    return authorize.parse(parameters, request.base_url, admit_fetch=admit_fetch)


def _respond(
    request: PageRequest, asking: authorize.AuthorizationRequest, parameters: Parameters
) -> Render | ExternalRedirect:
    account, is_silent = _account(request), asking.prompt == prompt.NONE
    if account is None:
        if is_silent:
            raise authorize.build_error_redirect(
                asking, request.base_url, OAuthError("login_required", "The user isn't logged in.")
            )
        raise LogInFirst
    if asking.needs_consent(account) or unverified.must_verify_email(account):
        if is_silent:
            raise authorize.build_error_redirect(
                asking, request.base_url, OAuthError("consent_required", "The user has to give consent.")
            )
        unverified.require_verified_email(account)
        return _consent_page(request, asking, parameters)
    if request.exchange.is_head:
        # A HEAD request must not create a grant or a code.
        return _consent_page(request, asking, parameters)
    try:
        return ExternalRedirect(authorize.approve_remembered(asking, account.id, request.base_url), asking.client.name)
    except authorize.ConsentWithdrawn:
        return _respond(request, asking, parameters)


def _account(request: PageRequest) -> Account | None:
    return request.user_or_none.account if request.user_or_none is not None else None


def _parameters(request: PageRequest) -> Parameters:
    event = request.exchange.request.to_original_event()
    return parse_query(event.get("multiValueQueryStringParameters") or {})


def _consent_page(
    request: PageRequest,
    asking: authorize.AuthorizationRequest,
    parameters: Parameters,
    *,
    problem: str = "",
    status: int = 200,
) -> Render:
    request.forms_may_leave = True
    pairs = [(name, value) for name in AUTHORIZATION_PARAMETERS for value in parameters.get_all(name)]
    values = {
        "client": asking.client,
        "scopes": sorted(asking.scopes),
        "resources": sorted(asking.resources),
        "redirect": redirect_uris.origin(asking.redirect_uri),
        "shown": asking.page_digest,
        "pairs": pairs,
        "problem": problem,
    }
    return Render("consent", values, status)
