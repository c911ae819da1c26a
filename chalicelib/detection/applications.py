"""Identify the OAuth client behind a counter by the access tokens of the account, which hold its id and name."""

from chalicelib.credentials.tables import Credential
from chalicelib.limits.counter_items import counter_of

FIRST_TOKEN_ID, LAST_TOKEN_ID = "tok_", "tok_~"
PAGE = 100


def describe(account_id: str, counter: str, since_s: int) -> dict[str, str]:
    """Return `application` and `name` for a counter, from a token of the account that was valid since `since_s`.

    If no such token is left, `application` is the counter itself, which is the end of the client's id.
    """
    tokens = Credential.id.between(FIRST_TOKEN_ID, LAST_TOKEN_ID)
    for token in Credential.by_account.query(account_id, tokens, scan_index_forward=False, page_size=PAGE):
        # All tokens have the same lifetime, and the newest come first.
        if (token.expires_at or 0) < since_s * 1000:
            break
        if token.client_id is not None and counter_of(token.client_id) == counter:
            return {"application": token.client_id, "name": token.name}
    return {"application": counter}
