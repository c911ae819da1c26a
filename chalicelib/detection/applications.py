"""Find the OAuth client to which a counter belongs. Its id and name are read from an access token of the account."""

from chalicelib.credentials.tables import Credential
from chalicelib.limits.counter_items import counter_of

FIRST_TOKEN_ID, LAST_TOKEN_ID = "tok_", "tok_~"
PAGE = 100


def describe(account_id: str, counter: str, since_s: int) -> dict[str, str]:
    """Return the id (`application`) and the `name` of the client to which `counter` belongs.

    They are read from one of the client's tokens that was still valid at `since_s`. If no such token is stored, only
    `application` is returned. It is then the name of the counter, which contains the end of the client's id.
    """
    tokens = Credential.id.between(FIRST_TOKEN_ID, LAST_TOKEN_ID)
    for token in Credential.by_account.query(account_id, tokens, scan_index_forward=False, page_size=PAGE):
        # Tokens are read newest first and all have the same lifetime, so all further tokens expired earlier.
        if (token.expires_at or 0) < since_s * 1000:
            break
        if token.client_id is not None and counter_of(token.client_id) == counter:
            return {"application": token.client_id, "name": token.name}
    return {"application": counter}
