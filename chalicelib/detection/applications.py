"""Which application a counter stands for: access tokens, which lie beside the account's keys, say its id and name."""

from chalicelib.credentials.tables import Credential
from chalicelib.limits.counter_items import counter_of

FIRST_TOKEN_ID, LAST_TOKEN_ID = "tok_", "tok_~"
PAGE = 100


def named(account_id: str, counter: str, since_s: int) -> dict[str, str]:
    """Return `application` and `name` of what is counted so, from a token of the account that worked since then.

    Whoever was counted had one. Where it is gone all the same, `application` is the counter: it ends as the id does.
    """
    tokens = Credential.id.between(FIRST_TOKEN_ID, LAST_TOKEN_ID)
    for token in Credential.by_account.query(account_id, tokens, scan_index_forward=False, page_size=PAGE):
        # All live equally long, and the newest come first.
        if (token.expires_at or 0) < since_s * 1000:
            break
        if token.client_id is not None and counter_of(token.client_id) == counter:
            return {"application": token.client_id, "name": token.name}
    return {"application": counter}
