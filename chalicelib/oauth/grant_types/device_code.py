"""The device code grant: a device polls until the resource owner has decided (RFC 8628 §3.4, §3.5)."""

from chalicelib.oauth import clients, device, exchange
from chalicelib.oauth.errors import OAuthError, access_denied, invalid_grant, invalid_request, unauthorized_client
from chalicelib.oauth.issuance import TokenResponse
from chalicelib.oauth.tables import OneTimeToken
from chalicelib.oauth.token_request import TokenRequest


def redeem(request: TokenRequest) -> TokenResponse:
    """Exchange an approved device code for tokens; raise OAuthError if it isn't approved or the request is invalid."""
    if not request.parameters.get("device_code"):
        raise invalid_request("Missing 'device_code' in payload")
    if clients.DEVICE not in request.client.grant_types:
        raise unauthorized_client(f"response_type={clients.DEVICE}")
    code = request.get_own(device.DEVICE_KIND)
    if code is None:
        raise invalid_grant()
    _check_approved(code)
    return exchange.redeem(code, request.issuance(code, set(code.scopes or ())))


def _check_approved(code: OneTimeToken) -> None:
    """Raise the error of RFC 8628 §3.5 unless the device code is approved."""
    if code.is_expired:
        raise OAuthError("expired_token", "The device code has expired. Start again.")
    if code.decision == device.APPROVED:
        return
    if code.decision is not None:
        raise access_denied()
    if device.polls_too_fast(code):
        raise OAuthError("slow_down", "Polling too frequently. Increase the interval by 5 seconds.")
    raise OAuthError("authorization_pending", "The resource owner has not decided yet. Poll again after the interval.")
