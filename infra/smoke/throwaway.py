"""Create an account and its user at the start of a run, and delete both at the end, even after errors.

With access to the stage's tables, they are created by the same code as in `make account`. With an administrator's key,
they are created by POST /v1/accounts, which returns a link to set the password. The console's forms delete the account,
with its keys and OAuth clients, and then the user.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core import clock
from chalicelib.core.errors import Conflict
from chalicelib.limits import tiers
from infra.browser import Browser
from infra.smoke.run import Failed, Run, as_line, expect, undisturbed

NAME = "Smoke"
SCOPES = ["read", "write", "keys", "webhooks"]
TIER = tiers.FREE
DOMAIN = "example.com"
CLEANUP = "cleaning up"
TRIES = 3
"""The number of attempts to use a key, a second apart, because a 429 doesn't show whether the key is valid."""


class Unconfirmed(Exception):
    """The account can't create keys: an administrator's key has created it, so its email address is unverified."""


@dataclass
class Account:
    """The account of a run, with its only user."""

    run: Run
    email: str
    password: str = field(repr=False)
    browser: Browser = field(repr=False)
    id: str = ""
    user_id: str = ""
    key: str = field(default="", repr=False)

    def make_key(self, *scopes: str, **more: Any) -> dict[str, Any]:
        """Create a key through the API, authorized by the account's first key, and return the parsed response."""
        body = {"name": NAME, "scopes": list(scopes or ("read",)), **more}
        made: dict[str, Any] = expect(
            201, "POST /v1/keys", self.run.call("POST", "/v1/keys", self.key, body=body)
        ).json()
        self.run.hide(made["secret"])
        return made

    def make_first_key(self) -> None:
        """Create the account's first key in the console."""
        form = "/settings/keys/new"
        page = self.browser.open(form)
        if page.answer.status == Conflict.status:
            raise Unconfirmed
        made = self.browser.send(page, form, name=NAME, scopes=SCOPES, expiry="30 days")
        self.key = self.run.hide(made.value("secret"))


@contextmanager
def account(run: Run) -> Iterator[Account]:
    """Yield an account with a password and a key; delete the account at the end of the `with` block."""
    # The name is shorter than an AWS account number, so that it isn't redacted.
    name, password = f"smoke.{secrets.token_hex(5)}", secrets.token_urlsafe(24)
    made = Account(run, f"{name}@{DOMAIN}", run.hide(password), run.browser())
    try:
        # Ctrl-C between the creation and the recording of the id would leave an account behind.
        with undisturbed():
            _make_in_tables(made) if run.target.stage else _make_by_key(made)
        run.account_id = made.id
        made.browser.log_in(made.email, password)
        made.make_first_key()
        yield made
    finally:
        with undisturbed(), run.record_errors(CLEANUP):
            _end(made)


def _make_in_tables(made: Account) -> None:
    from chalicelib.accounts.create import create_account
    from chalicelib.accounts.passwords import hash_password

    password_hash, now_ms = hash_password(made.password), clock.now_ms()
    new = create_account(email=made.email, name=NAME, tier=TIER, password_hash=password_hash, verified_at_ms=now_ms)
    made.id, made.user_id = new.account.id, new.user.id


def _make_by_key(made: Account) -> None:
    run = made.run
    body = {"email": made.email, "name": NAME, "tier": TIER.name}
    # With the Idempotency-Key, a retry returns the account that the first attempt created.
    once = {"Idempotency-Key": secrets.token_urlsafe(16)}
    try:
        response = run.call("POST", "/v1/accounts", run.target.admin_key, once, body)
    except OSError:
        response = run.call("POST", "/v1/accounts", run.target.admin_key, once, body)
    new = expect(201, "POST /v1/accounts with ADMIN_KEY", response).json()
    made.id, made.user_id, link = new["id"], new["owner_id"], run.hide(new["set_password_url"])
    page = made.browser.send(made.browser.open(link), "/password", password=made.password)
    if page.answer.status != 200:
        raise Failed(f"The link that sets a password returned {page.answer.status}.")


def _end(made: Account) -> None:
    """Delete the account and its user, or suspend the account if it can't be deleted, and record the result."""
    if not made.id and not _find(made):
        return
    try:
        why = _delete(made)
    except Exception as error:  # the account must be suspended after any error
        why = as_line(error)
    if not why:
        _end_user(made)
        return
    left = f"the account of {made.email.partition('@')[0]} at {DOMAIN} left behind, {_try_to_suspend(made)} ({why})"
    made.run.outcomes.differs(CLEANUP, expected="the account deleted", got=left)


def _delete(made: Account) -> str:
    """Submit the form that deletes the account; return "" or, if the account isn't deleted, the reason."""
    form, browser = "/settings/account/delete", made.browser
    page = browser.open("/settings/account")
    if page.form(form) is None:  # the browser isn't logged in
        browser.log_in(made.email, made.password)
        page = browser.open("/settings/account")
    status = browser.send(page, form, password=made.password).answer.status
    if status != 200:
        return f"the form that deletes it returned {status}"
    return "its key still works" if made.key and _works(made) else ""


def _end_user(made: Account) -> None:
    """Delete the user of the deleted account, and record the result."""
    form = "/settings/profile/delete"
    status = made.browser.send(made.browser.open("/settings/profile"), form, password=made.password).answer.status
    if status == 200 and made.browser.open("/settings/profile").form(form) is None:
        made.run.outcomes.ok(CLEANUP, "the account is deleted, with its user, keys, application and webhooks")
    else:
        left = f"the user {made.email.partition('@')[0]} at {DOMAIN} left behind: the form returned {status}"
        made.run.outcomes.differs(CLEANUP, expected="the user deleted", got=left)


def _works(made: Account) -> bool:
    for _ in range(TRIES):
        status = made.run.call("GET", "/v1/users/me", made.key).status
        if status != 429:
            break
        time.sleep(1)
    return status == 200


def _find(made: Account) -> bool:
    """Record the ids of an account and user created before an interruption; return whether there are any."""
    if not made.run.target.stage:
        return False
    from chalicelib.accounts import find, members
    from chalicelib.core import errors

    try:
        (found,) = members.all_of(find.user_by_email(made.email))
    except (errors.LatchkeyError, ValueError):  # ValueError: the user has no account
        return False
    made.id, made.user_id = found.account.id, found.user.id
    return True


def _try_to_suspend(made: Account) -> str:
    """Suspend the account; return the result as part of a sentence."""
    try:
        _suspend(made)
    except Exception as error:  # any error is part of the report, which names the remaining account
        return f"not even suspended: {as_line(error)}"
    return "suspended"


def _suspend(made: Account) -> None:
    if made.run.target.stage:
        from chalicelib.accounts import change, states

        change.set_tier_and_status(made.id, tier=None, status=states.SUSPENDED, actor="operator")
    else:
        path, body = f"/v1/accounts/{made.id}", {"status": "suspended"}
        expect(200, "PATCH /v1/accounts/{id}", made.run.call("PATCH", path, made.run.target.admin_key, body=body))
