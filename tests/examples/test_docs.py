"""Every program in docs/authentication.md runs unchanged and prints what the guide says.

A heading has one or more programs; `PROVED` has a check for each heading, and a heading without a check fails.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import errors
from tests.examples import programs
from tests.examples.blocks import Block, blocks_of
from tests.examples.programs import LANGUAGES, Ran
from tests.examples.served import Key, Served

pytestmark = pytest.mark.xdist_group("examples")

GUIDE = "docs/authentication.md"
BLOCKS = blocks_of(GUIDE)
PROGRAMS = [block for block in BLOCKS if block.language in LANGUAGES]

Run = Callable[..., Ran]
"""Runs the program with a valid or invalid key and additional environment variables."""


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: f"{block.heading}-{block.language}")
def test_program_does_what_the_guide_says(block: Block, api: Served, tmp_path: Path) -> None:
    """A program that is copied from the guide works, and prints what the guide says."""

    def run(key: Key | str, **more: str) -> Ran:
        return programs.run(block, tmp_path, api.environment(key) | more)

    PROVED[block.heading](api, run)


def _exports(_api: Served, run: Run) -> None:
    assert run("").lines == []


def _lists_users_with_curl(api: Served, run: Run) -> None:
    head, _, body = run(api.key()).printed.partition("\n\n")
    assert head.startswith("HTTP/1.1 200 ")
    assert "X-RateLimit-Remaining: 999" in head
    assert body.startswith('{"data":[{"id":"usr_')


def _lists_users(api: Served, run: Run) -> None:
    key = api.key()
    users = api.get(key, "/v1/users")["data"]
    assert run(key).lines == [*(f"{user['id']} {user['name']}" for user in users), "998 of 1000 requests left"]


def _reads_records_and_meets_a_refusal(api: Served, run: Run) -> None:
    assert run(api.key(tier="pro")).lines == [
        "Ada is on the tier pro",
        "true",
        "404 not_found: There is no such user.",
    ]


def _shows_limits(api: Served, run: Run) -> None:
    shown = run(api.key(tier="pro")).json()
    assert (shown["tier"], shown["quota"]["remaining"], shown["burst"]["remaining"]) == ("pro", 9_999, 199)
    assert _form(shown) == _form(_answer("Show your limits"))


def _shows_own_record(api: Served, run: Run) -> None:
    key = api.key()
    shown = run(key).json()
    assert shown["email"] == key.email
    assert _form(shown) == _form(_answer("Show your own record"))


def _curl_waits_but_not_an_hour(api: Served, run: Run) -> None:
    key = api.key_without_burst()
    assert run(key).json()["id"] == key.user_id
    refused = run(api.key_without_quota())
    assert (refused.status, refused.printed) == (22, "")
    assert "429" in refused.complained


def _waits_but_not_an_hour(api: Served, run: Run) -> None:
    key = api.key_without_burst()
    ran = run(key)
    assert ran.lines == [f"200 {key.user_id}"]
    assert ran.complained == "429: waiting, as asked for, 1 s and a little more\n"
    refused = run(api.key_without_quota())
    assert (refused.lines, refused.complained) == ([f"429 {errors.RateLimited(3600).message}"], "")


def _lists_every_page(api: Served, run: Run) -> None:
    admin = api.key("read", "admin", admin=True)
    keys = [api.key() for _ in range(101)]
    lines = run(admin).lines
    assert {f"{key.user_id} Ada" for key in keys} <= set(lines)
    assert len(lines) == len(set(lines))
    assert run(keys[0]).lines == [f"{keys[0].user_id} Ada"]
    assert _form(api.get(keys[0], "/v1/users?limit=100")["data"]) == _form(_answer("List users")["data"])


def _renames(api: Served, run: Run) -> None:
    key = api.key()
    assert "Ada Lovelace" in run(key).lines[0]
    assert api.get(key, "/v1/users/me")["name"] == "Ada Lovelace"


def _creates_an_account(api: Served, run: Run) -> None:
    admin = api.key("read", "admin", admin=True)
    made = run(admin).json()
    assert (made["name"], made["tier"]) == ("Grace", "pro")
    assert api.get(admin, f"/v1/users/{made['owner_id']}")["email"] == "grace@example.com"
    assert made["set_password_url"].startswith(f"{api.url}/")


def _changes_an_account(api: Served, run: Run) -> None:
    other = api.key()
    assert run(api.key("admin", admin=True), ACCOUNT_ID=other.account_id).json()["tier"] == "enterprise"
    assert api.get(other, "/v1/limits")["tier"] == "enterprise"


def _lists_keys(api: Served, run: Run) -> None:
    key = api.key()
    (shown,) = run(key).json()["data"]
    assert shown["id"] == key.id
    assert shown["hint"] == f"lk_test_…{key.secret[-4:]}"
    assert shown.keys() == _answer("List keys")["data"][0].keys()


def _shows_a_key(api: Served, run: Run) -> None:
    key = api.key()
    assert run(key, KEY_ID=key.id).json()["state"] == "live"


def _creates_a_key(api: Served, run: Run) -> None:
    made = run(api.key()).json()
    assert made["scopes"] == ["read"]
    assert _moment(made["expires_at"]) - _moment(made["created_at"]) == timedelta(days=30)
    assert api.get(made["secret"], "/v1/users/me")["name"] == "Ada"


def _makes_one_key_however_often(api: Served, run: Run) -> None:
    key = api.key()
    assert run(key).json() == run(key).json()
    assert [made["name"] for made in api.get(key, "/v1/keys")["data"]].count("CI pipeline") == 1


def _rotates(api: Served, run: Run) -> None:
    key = api.key()
    successor = run(key, KEY_ID=key.id).json()
    assert api.get(successor["secret"], "/v1/users/me")["id"] == key.user_id
    _is_in_its_grace(api, key, successor["id"])


def _rotates_itself(api: Served, run: Run) -> None:
    key = api.key()
    (line,) = run(key).lines
    assert line.startswith(f"{key.id} works for another hour; its successor is key_")
    _is_in_its_grace(api, key, line.split()[-1])


def _is_in_its_grace(api: Served, key: Key, successor_id: str) -> None:
    old = api.get(key, f"/v1/keys/{key.id}")
    assert (old["state"], old["replaced_by"]) == ("retiring", successor_id)
    assert _moment(old["expires_at"]) - _moment(old["created_at"]) == timedelta(hours=1)


def _narrows(api: Served, run: Run) -> None:
    key = api.key()
    assert run(key, KEY_ID=key.id).json()["scopes"] == ["read"]
    assert api.call("GET", "/v1/keys", key).json()["error"] == "insufficient_scope"


def _revokes(api: Served, run: Run) -> None:
    key = api.key()
    assert run(key, KEY_ID=key.id).lines == []
    assert api.call("GET", "/v1/users/me", key).status_code == 401


def _is_let_in(api: Served, run: Run) -> None:
    assert run(api.key()).lines == ["200"]


def _is_refused(_api: Served, run: Run) -> None:
    (text,) = (block.code for block in BLOCKS if block.language == "text")
    assert run("").printed == text


PROVED: dict[str, Callable[[Served, Run], None]] = {
    "Authentication": _exports,
    "cURL": _lists_users_with_curl,
    "JavaScript": _lists_users,
    "Python": _lists_users,
    "Go": _lists_users,
    "Node.js client": _reads_records_and_meets_a_refusal,
    "Python client": _reads_records_and_meets_a_refusal,
    "Go client": _reads_records_and_meets_a_refusal,
    "Show your limits": _shows_limits,
    "Backing off in cURL": _curl_waits_but_not_an_hour,
    "Backing off in JavaScript": _waits_but_not_an_hour,
    "Backing off in Python": _waits_but_not_an_hour,
    "Backing off in Go": _waits_but_not_an_hour,
    "Idempotent requests": _makes_one_key_however_often,
    "List users": _lists_every_page,
    "Show your own record": _shows_own_record,
    "Change your own name": _renames,
    "Create an account": _creates_an_account,
    "Change an account": _changes_an_account,
    "List keys": _lists_keys,
    "Show a key": _shows_a_key,
    "Create a key": _creates_a_key,
    "Rotate a key": _rotates,
    "Let a key rotate itself": _rotates_itself,
    "Rename a key or remove scopes": _narrows,
    "Revoke a key": _revokes,
    "Testing your set-up": _is_let_in,
    "Testing with an invalid key": _is_refused,
}


def _answer(heading: str) -> Any:
    """Return the parsed response that the guide shows under a heading."""
    (shown,) = (block.code for block in BLOCKS if block.heading == heading and block.language == "json")
    return json.loads(shown)


def _moment(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


def _form(value: Any) -> Any:
    """Return the names and types in `value`, without its values."""
    if isinstance(value, dict):
        return {name: _form(held) for name, held in value.items()}
    return [_form(held) for held in value] if isinstance(value, list) else type(value)
