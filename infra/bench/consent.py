"""The yes of a person to a client, by what the consent page calls: how the OAuth contenders come to their codes."""

from urllib.parse import parse_qs, urlsplit

from chalicelib.oauth import authorize
from chalicelib.oauth.parameters import parse_query

CALLBACK = "https://app.example.com/cb"
ISSUER = "https://api.example.com"


def code(account_id: str, client_id: str, **more: str) -> str:
    """Return a code for a client that an account says yes to; `more` is what else the client asks with."""
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
