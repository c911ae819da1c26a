"""Create authorization codes for the OAuth benchmarks with the functions behind the consent page."""

from urllib.parse import parse_qs, urlsplit

from chalicelib.accounts import members
from chalicelib.accounts.tables import Account, User
from chalicelib.oauth import account_choice, approval, authorize
from chalicelib.oauth.parameters import parse_query

CALLBACK = "https://app.example.com/cb"
ISSUER = "https://api.example.com"


def code(account_id: str, client_id: str, **more: str) -> str:
    """Approve an authorization request as the creator of an account, and return the code; `more` are extra request
    parameters.
    """
    parameters = {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "read write",
        **more,
    }
    request = authorize.parse(parse_query({name: [value] for name, value in parameters.items()}), ISSUER)
    membership = members.find(User.get(Account.get(account_id).created_by), account_id)
    (choice,) = account_choice.choices([membership], request.scopes)
    location = approval.approve(request, choice, ISSUER)
    return parse_qs(urlsplit(location).query)["code"][0]
