"""Create authorization codes for the OAuth benchmarks with the functions behind the consent page."""

from urllib.parse import parse_qs, urlsplit

from chalicelib.oauth import authorize
from chalicelib.oauth.parameters import parse_query

CALLBACK = "https://app.example.com/cb"
ISSUER = "https://api.example.com"


def code(account_id: str, client_id: str, **more: str) -> str:
    """Approve an authorization request for an account and return its code; `more` are extra request parameters."""
    parameters = {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "read write",
        **more,
    }
    request = authorize.parse(parse_query({name: [value] for name, value in parameters.items()}), ISSUER)
    location = authorize.approve(request, account_id, ISSUER)
    return parse_qs(urlsplit(location).query)["code"][0]
