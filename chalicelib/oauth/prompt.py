"""The parameter `prompt` of an authorization: whether the resource owner is asked (OpenID Connect Core §3.1.2.1)."""

from chalicelib.oauth.errors import invalid_request
from chalicelib.oauth.parameters import Parameters

ASK, ASK_NOBODY = "consent", "none"
ASKING = frozenset({ASK, "login", "select_account"})
"""Prompts that mean a page. Which of them doesn't matter: the consent page names the account, and can be left."""


def asks_nobody(parameters: Parameters) -> bool:
    """Return whether a request, right or wrong, wants no page to be shown."""
    return ASK_NOBODY in parameters.as_sent("prompt").split(" ")


def of(parameters: Parameters) -> str:
    """Return ASK, ASK_NOBODY or "" for the prompts of a request."""
    prompts = set(parameters.get("prompt").split(" ")) - {""}
    if prompts == {ASK_NOBODY}:
        return ASK_NOBODY
    if not prompts <= ASKING:
        raise invalid_request("prompt may be none, or any of consent, login and select_account.")
    return ASK if prompts else ""
