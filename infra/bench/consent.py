"""A user's consent to a client, by the functions of the consent page, for the OAuth contenders."""

from urllib.parse import parse_qs, urlsplit

from chalicelib.oauth import authorize
from chalicelib.oauth.parameters import parse_query

CALLBACK = "https://app.example.com/cb"
ISSUER = "https://api.example.com"


def code(account_id: str, client_id: str, **more: str) -> str:
    """Return an authorization code after an account's consent; `more` are further request parameters."""
    asked = {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "read write",
        **more,
    }
    asking = authorize.parse(parse_query({name: [value] for name, value in asked.items()}), ISSUER)
    location = authorize.approve(asking, account_id, ISSUER)
    return parse_qs(urlsplit(location).query)["code"][0]
