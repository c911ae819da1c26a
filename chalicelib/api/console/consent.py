"""Where people decide: the consent page of an authorization request, and the page for a device's code."""

from chalicelib.accounts import unverified
from chalicelib.accounts.tables import Account
from chalicelib.api.console.outcomes import ExternalRedirect, Render
from chalicelib.api.console.page_request import LogInFirst, PageRequest
from chalicelib.core import errors
from chalicelib.limits.tiers import DOCUMENT_FETCHES, Tier
from chalicelib.oauth import authorize, device, prompt, redirect_uris
from chalicelib.oauth.errors import OAuthError, access_denied
from chalicelib.oauth.parameters import OF_AUTHORIZATION, Parameters, of_query

DEVICE_TRIES = Tier("device-codes", 30, 10, kept_s=2 * 3_600)
"""How many codes one account may try in an hour: guessing another's must not pay (RFC 8628 §5.1)."""
CHANGED = "The application has changed since you opened this page. Read the request again before you decide."


def show_authorize(request: PageRequest) -> Render | ExternalRedirect:
    """Ask the person, or go straight back to the client when they said yes to all of it before."""
    parameters = _parameters(request)
    try:
        return _asked(request, _read(request, parameters), parameters)
    except authorize.BackToClient as refused:
        if request.logged_in is None and not prompt.asks_nobody(parameters):
            # Whom nobody knows yet is sent nowhere: they may have allowed this client before, and then it is told.
            raise LogInFirst from None
        return ExternalRedirect(refused.location_for(_account(request)), refused.client_name)


def decide(request: PageRequest) -> Render | ExternalRedirect:
    """Take the person's decision back to the client. The request is read again: nothing of the form is trusted."""
    account, parameters = request.person.account, _parameters(request)
    try:
        asking = _read(request, parameters)
    except authorize.BackToClient as refused:
        # It was right when it was shown, or there was no button to press: nobody has decided about this one.
        return ExternalRedirect(refused.location_for(account), refused.client_name)
    was_shown = request.text("shown") == asking.shown
    if request.text("decision") != "allow":
        denied = authorize.refused(asking, request.base_url, access_denied())
        return ExternalRedirect(denied.location if was_shown else denied.location_for(account), denied.client_name)
    unverified.check_proven(account)
    if not was_shown:
        # The client changed its name, its redirect URI or its scopes while the page was open.
        return _consent_page(request, asking, parameters, problem=CHANGED, status=409)
    return ExternalRedirect(authorize.approve(asking, account.id, request.base_url), asking.client.name)


def show_device(request: PageRequest) -> Render:
    """Ask for the code that a device shows; with a code, ask whether it may."""
    account = request.person.account
    typed = request.query.get("user_code", "")
    if not typed:
        return Render("device", {"code": ""})
    request.exchange.admit_as(f"device-codes_{account.id}", DEVICE_TRIES)
    try:
        waiting = device.pending(typed)
    except errors.NotFound as error:
        return request.refused_by(error.about("user_code"), Render("device", {"code": typed[:20]}))
    return _device_page(waiting)


def decide_device(request: PageRequest) -> Render:
    """Take the person's decision to the device."""
    account = request.person.account
    request.exchange.admit_as(f"device-codes_{account.id}", DEVICE_TRIES)
    typed, allowed = request.text("user_code"), request.text("decision") == "allow"
    try:
        waiting = device.pending(typed)
        if allowed:
            unverified.check_proven(account)
            if request.text("shown") != waiting.shown:
                return _device_page(waiting, problem=CHANGED, status=409)
            device.approve(waiting, account.id)
        else:
            device.deny(waiting, account.id)
    except errors.NotFound as error:
        return request.refused_by(error.about("user_code"), Render("device", {"code": typed[:20]}))
    return Render("device_done", {"client": waiting.client, "allowed": allowed, "code": waiting.user_code})


def _device_page(waiting: device.Pending, *, problem: str = "", status: int = 200) -> Render:
    matter = {
        "client": waiting.client,
        "scopes": sorted(waiting.ticket.scopes or ()),
        "resources": sorted(waiting.ticket.resources or ()),
        "code": waiting.user_code,
        "shown": waiting.shown,
        "problem": problem,
    }
    return Render("device_consent", matter, status)


def _read(request: PageRequest, parameters: Parameters) -> authorize.Asking:
    """Read a request; a client's document is fetched only within the allowance of the network that it comes from."""

    def admit_fetch() -> None:
        request.exchange.admit_networks(DOCUMENT_FETCHES)

    return authorize.read(parameters, request.base_url, admit_fetch=admit_fetch)


def _asked(request: PageRequest, asking: authorize.Asking, parameters: Parameters) -> Render | ExternalRedirect:
    account, asks_nobody = _account(request), asking.prompt == prompt.ASK_NOBODY
    if account is None:
        if asks_nobody:
            raise authorize.refused(asking, request.base_url, OAuthError("login_required", "Nobody is logged in."))
        raise LogInFirst
    if asking.needs_consent(account) or unverified.is_unproven(account):
        if asks_nobody:
            raise authorize.refused(
                asking, request.base_url, OAuthError("consent_required", "The person must be asked.")
            )
        unverified.check_proven(account)
        return _consent_page(request, asking, parameters)
    if request.exchange.is_head:
        # A grant and its code are made for whoever goes there, not for whoever looks where a link leads.
        return _consent_page(request, asking, parameters)
    try:
        return ExternalRedirect(authorize.approve_again(asking, account.id, request.base_url), asking.client.name)
    except authorize.TakenBack:
        return _asked(request, asking, parameters)


def _account(request: PageRequest) -> Account | None:
    return request.logged_in.account if request.logged_in is not None else None


def _parameters(request: PageRequest) -> Parameters:
    event = request.exchange.request.to_original_event()
    return of_query(event.get("multiValueQueryStringParameters") or {})


def _consent_page(
    request: PageRequest, asking: authorize.Asking, parameters: Parameters, *, problem: str = "", status: int = 200
) -> Render:
    request.forms_may_leave = True
    pairs = [(name, value) for name in OF_AUTHORIZATION for value in parameters.every(name)]
    matter = {
        "client": asking.client,
        "scopes": sorted(asking.scopes),
        "resources": sorted(asking.resources),
        "redirect": redirect_uris.origin(asking.redirect_uri),
        "shown": asking.shown,
        "pairs": pairs,
        "problem": problem,
    }
    return Render("consent", matter, status)
