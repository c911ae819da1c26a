"""The `prompt` parameter: whether the consent page is shown (OpenID Connect Core §3.1.2.1)."""

from chalicelib.oauth.errors import invalid_request
from chalicelib.oauth.parameters import Parameters

CONSENT, NONE = "consent", "none"
INTERACTIVE = frozenset({CONSENT, "login", "select_account"})
"""Values that require a page. Each of them shows the consent page, which names the account and offers to switch it."""


def forbids_page(parameters: Parameters) -> bool:
    """Return whether a request forbids showing a page. This also works for a request that is otherwise invalid."""
    return NONE in parameters.get_unchecked("prompt").split(" ")


def parse(parameters: Parameters) -> str:
    """Return CONSENT, NONE or "" for the `prompt` of a request; raise invalid_request for an unknown value."""
    prompts = set(parameters.get("prompt").split(" ")) - {""}
    if prompts == {NONE}:
        return NONE
    if not prompts <= INTERACTIVE:
        raise invalid_request("prompt must be none, or any of consent, login and select_account.")
    return CONSENT if prompts else ""
