"""Settings > API Keys: generate, see, rename, narrow, rotate, revoke, as a person does it."""

import re
from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.credentials import find, scopes
from chalicelib.detection import leak_policy
from chalicelib.limits import tiers
from tests.support.console_client import ConsoleClient, Page, logged_in, person
from tests.support.harness import TestApp, refusal

NEW = "/settings/keys/new"
NO_SCOPES = f"Scopes must be a list of one or more different words of {', '.join(scopes.ALL)}."


def secret_on(page: Page) -> str:
    """Return the one secret that a page shows: to copy it, and in a command to try."""
    (secret,) = set(page.secrets)
    return secret


def states(console: ConsoleClient) -> list[tuple[str, str]]:
    """Return the keys of the list from top to bottom: the first word of the name and the state."""
    rows = console.open("/settings/keys").rows
    return [(row[0].split()[0], row[-1]) for row in rows if row[-1] != "State"]


def test_person_generates_a_key_and_uses_it(latchkey: TestApp) -> None:
    """The page shows the secret once; the key does what was chosen, and appears in the list by its hint."""
    console = logged_in(latchkey, person())
    made = console.submit(NEW, name="Nightly export", scopes=["read", "write"], expiry="30 days")
    assert (made.status, made.heading) == (200, "Your new key")
    secret = secret_on(made)
    key = latchkey.call("GET", "/v1/users/me", secret)
    assert key.status == 200
    assert refusal(latchkey.call("GET", "/v1/keys", secret)) == (403, "insufficient_scope")
    row = console.open("/settings/keys").rows[1]
    assert row == [
        f"Nightly export lk_test_…{secret[-4:]}",
        "read write",
        "2021-12-20",
        "2022-01-19",
        "this hour",
        "Live",
    ]
    assert secret not in console.open("/settings/keys").html


@pytest.mark.parametrize(("expiry", "shown"), [("never", "never"), ("7 days", "2021-12-27"), ("1 year", "2022-12-20")])
def test_expiry_is_what_was_chosen(latchkey: TestApp, expiry: str, shown: str) -> None:
    """Each choice means what it says."""
    console = logged_in(latchkey, person())
    console.submit(NEW, name="CI", expiry=expiry)
    assert console.open("/settings/keys").rows[1][3] == shown


def test_form_sent_again_makes_no_second_key(latchkey: TestApp) -> None:
    """A reload of the answer says that the form was used, shows no secret, and a new form works."""
    account = person()
    console = logged_in(latchkey, account)
    form = console.filled(console.open(NEW), NEW, {"name": "CI"})
    assert console.send(NEW, form).status == 200
    again = console.send(NEW, form)
    assert (again.status, again.problem) == (409, "This form was already submitted. Its key is in the list.")
    assert again.secrets == []
    assert len(list(find.keys_of(account.id))) == 1
    assert console.send(NEW, console.filled(again, NEW, {"name": "CI"})).status == 200
    assert len(list(find.keys_of(account.id))) == 2


def test_form_of_one_account_spends_none_of_another(latchkey: TestApp) -> None:
    """A ticket that someone else has seen is still good for the account it was made for."""
    one, other = logged_in(latchkey, person()), logged_in(latchkey, person(name="Eve"))
    ticket = one.open(NEW).value(NEW, "ticket")
    assert other.submit(NEW, name="Theirs", ticket=ticket).status == 200
    assert one.submit(NEW, name="Ours", ticket=ticket).status == 200


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": " "}, "Name must be a text of 1 to 64 characters on one line."),
        ({"name": "x" * 65}, "Name must be a text of 1 to 64 characters on one line."),
        ({"name": "a\nb"}, "Name must be a text of 1 to 64 characters on one line."),
        ({"scopes": []}, "Select at least one scope."),
        ({"scopes": ["read", "fly"]}, NO_SCOPES),
        ({"scopes": ["read", "read"]}, NO_SCOPES),
        (
            {"scopes": ["read", "admin"]},
            "scopes may contain only scopes of your own credential; it doesn't have admin.",
        ),
        ({"expiry": "1000 years"}, "Expiry must be one of never, 7 days, 30 days, 90 days, 1 year."),
        ({"expiry": ""}, "Expiry must be one of never, 7 days, 30 days, 90 days, 1 year."),
    ],
)
def test_form_with_a_fault_is_shown_again_as_it_was(
    latchkey: TestApp, fields: dict[str, str | list[str]], problem: str
) -> None:
    """What was typed stands there still; no key was made, and the form's ticket is new."""
    account = person()
    console = logged_in(latchkey, account)
    typed: dict[str, str | list[str]] = {"name": "CI", "scopes": ["write"], "expiry": "7 days"}
    page = console.send(NEW, console.filled(console.open(NEW), NEW, typed | fields))
    assert (page.status, page.problem) == (400, problem)
    assert page.value(NEW, "name") == fields.get("name", "CI")
    if "scopes" not in fields:
        assert page.value(NEW, "scopes") == "write"
    assert list(find.keys_of(account.id)) == []


def test_scopes_of_admins_are_offered_to_admins_only(latchkey: TestApp) -> None:
    """Nobody is offered what they would be refused."""
    offered = re.findall(r'name="scopes" value="(\w+)"', logged_in(latchkey, person()).open(NEW).html)
    assert offered == list(scopes.ORDINARY)
    admin = logged_in(latchkey, person(admin=True))
    assert re.findall(r'name="scopes" value="(\w+)"', admin.open(NEW).html) == list(scopes.ALL)
    assert admin.submit(NEW, name="Ops", scopes=["admin"]).status == 200


def test_admin_generates_a_key_that_asks_about_secrets(latchkey: TestApp) -> None:
    """A service of the owner's needs one, and nothing but the scope `verify` on it."""
    admin = logged_in(latchkey, person(admin=True))
    service = secret_on(admin.submit(NEW, name="Orders", scopes=["verify"]))
    asked = latchkey.call("POST", "/v1/verify", service, json_body={"secret": latchkey.key(latchkey.account()).secret})
    assert (asked.status, asked.json()["valid"]) == (200, True)


def test_twenty_first_key_is_refused_in_words(latchkey: TestApp) -> None:
    """The page says what to do about it."""
    account = person()
    for _ in range(20):
        latchkey.key(account)
    page = logged_in(latchkey, account).submit(NEW, name="One more")
    assert (page.status, "at most 20 active keys" in page.problem) == (409, True)


def test_key_is_renamed(latchkey: TestApp) -> None:
    """Under its page, with a confirmation; a bad name changes nothing."""
    account = person()
    console = logged_in(latchkey, account)
    path = f"/settings/keys/{latchkey.key(account).key.id}"
    page = console.submit(f"{path}/rename", on=path, name="Web shop")
    assert page.location == f"{path}?done=renamed"
    shown = console.follow(page)
    assert (shown.heading, shown.notice) == ("Web shop", "The name is changed.")
    bad = console.submit(f"{path}/rename", on=path, name="")
    assert (bad.status, bad.heading) == (400, "Web shop")


def test_key_is_narrowed_and_never_widened(latchkey: TestApp) -> None:
    """From the next request on it may do less; what was taken can't be given back."""
    account = person()
    console = logged_in(latchkey, account)
    key = latchkey.key(account, "read", "write")
    path = f"/settings/keys/{key.key.id}"
    assert latchkey.call("PATCH", "/v1/users/me", key.secret, json_body={"name": "Ada"}).status == 200
    page = console.submit(f"{path}/narrow", on=path, scopes=["read"])
    assert console.follow(page).notice == "The scopes are narrowed, from the next request on."
    assert refusal(latchkey.call("PATCH", "/v1/users/me", key.secret, json_body={"name": "Ada"})) == (
        403,
        "insufficient_scope",
    )
    csrf = console.open(path).value(f"{path}/rename", "csrf")
    none = console.send(f"{path}/narrow", {"csrf": csrf})
    assert (none.status, none.problem) == (400, "Select at least one scope.")
    widened = console.send(f"{path}/narrow", {"csrf": csrf, "scopes": ["read", "write"]})
    assert (widened.status, "can only be removed" in widened.problem) == (400, True)


def test_policy_is_chosen(latchkey: TestApp) -> None:
    """What is done when something is unusual; what is no policy is refused."""
    account = person()
    console = logged_in(latchkey, account)
    key_id = latchkey.key(account).key.id
    path = f"/settings/keys/{key_id}"
    page = console.submit(f"{path}/policy", on=path, on_anomaly="narrow")
    assert console.follow(page).notice == "Saved."
    assert find.owned_key(account.id, key_id).on_anomaly == "narrow"
    assert console.submit(f"{path}/policy", on=path, on_anomaly="panic").status == 400


def test_what_was_noticed_is_taken_for_usual(latchkey: TestApp) -> None:
    """By a button beside it, in the list, too; what was noticed after the page was shown stays."""
    account = person()
    console = logged_in(latchkey, account)
    key_id = latchkey.key(account).key.id
    path = f"/settings/keys/{key_id}"
    leak_policy.act(account.id, key_id, why="requests from a new network")
    csrf, seen = (console.open(path).value(f"{path}/usual", name) for name in ("csrf", "noted_at"))
    latchkey.clock.forward(1)
    leak_policy.act(account.id, key_id, why="far more requests than ever")
    console.send(f"{path}/usual", {"csrf": csrf, "noted_at": seen})
    assert "far more requests than ever" in console.open("/settings/keys").text
    page = console.follow(console.submit(f"{path}/usual", on=path))
    assert page.notice == "Dismissed. We'll alert you again if it recurs."
    assert "Unusual" not in page.text + console.open("/settings/keys").text
    for rubbish in ("", "None", "soon"):
        assert console.send(f"{path}/usual", {"csrf": csrf, "noted_at": rubbish}).status == 303


def test_key_is_rotated_with_the_grace_that_was_chosen(latchkey: TestApp) -> None:
    """The new secret is shown once; the old key works until the moment the page names, and was last used then."""
    account = person()
    console = logged_in(latchkey, account)
    key = latchkey.key(account)
    latchkey.call("GET", "/v1/users/me", key.secret)
    path = f"/settings/keys/{key.key.id}"
    latchkey.clock.forward(1)
    made = console.submit(f"{path}/rotate", on=path, grace="in 1 hour")
    assert (made.status, made.heading) == (200, "Your new key")
    assert "2021-12-20 11:00 UTC" in made.text
    assert "this hour" in made.text
    assert states(console) == [("Test", "Live"), ("Test", "Rotated out")]
    assert latchkey.call("GET", "/v1/users/me", secret_on(made)).status == 200
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    latchkey.clock.forward(3_600)
    assert refusal(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "token_expired")
    assert states(console) == [("Test", "Live"), ("Test", "Expired")]


def test_rotation_sent_again_makes_no_second_key(latchkey: TestApp) -> None:
    """A reload says that the key was rotated already."""
    account = person()
    console = logged_in(latchkey, account)
    path = f"/settings/keys/{latchkey.key(account).key.id}"
    form = console.filled(console.open(f"{path}/rotate"), f"{path}/rotate", {"grace": "at once"})
    assert console.send(f"{path}/rotate", form).status == 200
    again = console.send(f"{path}/rotate", form)
    assert again.status == 409
    assert len(list(find.keys_of(account.id))) == 2
    assert console.send(f"{path}/rotate", form | {"grace": "in 100 years"}).status == 400


def test_key_is_revoked_after_a_question(latchkey: TestApp) -> None:
    """The page asks first; then the key stops at the next request and stands below as revoked."""
    account = person()
    console = logged_in(latchkey, account)
    key, other = latchkey.key(account), latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    path = f"/settings/keys/{key.key.id}"
    assert f"{path}/revoke" in console.open(path).urls
    page = console.follow(console.submit(f"{path}/revoke"))
    assert (page.target, page.notice) == (
        "/settings/keys?done=revoked",
        "The key is revoked. It stops working with the next request.",
    )
    assert refusal(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert latchkey.call("GET", "/v1/users/me", other.secret).status == 200
    assert states(console) == [("Test", "Live"), ("Test", "Revoked")]
    assert not [form for form in console.open(path).read.forms if "settings/keys" in form.action]


def test_keys_are_listed_newest_first_and_ended_ones_below(latchkey: TestApp) -> None:
    """What works stands on top."""
    account = person()
    console = logged_in(latchkey, account)
    for name, expiry in (("First", "7 days"), ("Second", "never"), ("Third", "90 days")):
        console.submit(NEW, name=name, expiry=expiry)
        latchkey.clock.forward(60)
    latchkey.clock.forward(8 * 86_400)
    assert states(logged_in(latchkey, account)) == [("Third", "Live"), ("Second", "Live"), ("First", "Expired")]


def test_last_use_is_shown_in_words(latchkey: TestApp) -> None:
    """Never, this hour, hours ago, days ago."""
    account = person()
    key = latchkey.key(account)
    shown = []
    for forward_s in (0, 0, 3_600 * 5, 86_400 * 3):
        latchkey.clock.forward(forward_s)
        shown.append(logged_in(latchkey, account).open("/settings/keys").rows[1][4])
        if len(shown) == 1:
            latchkey.call("GET", "/v1/users/me", key.secret)
    assert shown == ["never", "this hour", "5 hours ago", "3 days ago"]


def test_use_that_is_long_ago_is_not_said_to_be_none(latchkey: TestApp) -> None:
    """Counters are kept for 31 days: of what an older key did before, nobody knows."""
    account = person()
    path = f"/settings/keys/{latchkey.key(account).key.id}"
    console = logged_in(latchkey, account)
    assert "It was never used." in console.open(f"{path}/revoke").text
    latchkey.clock.forward(31 * 86_400)
    console = logged_in(latchkey, account)
    assert console.open("/settings/keys").rows[1][4] == "not in 31 days"
    assert "It was not used in 31 days." in console.open(f"{path}/revoke").text
    assert "never" not in console.open(path).text.partition("Last used")[2].partition("Rotate")[0]


@pytest.mark.parametrize("configured", [True, False])
def test_unproven_address_generates_no_key_where_mail_is_sent(latchkey: TestApp, configured: bool) -> None:
    """By page and by API alike; where no mail leaves, nobody could prove anything, so nobody has to."""
    account = person(verified=False)
    key = latchkey.key(account)
    console = logged_in(latchkey, account)
    form = console.filled(console.open(NEW), NEW, {"name": "CI"})
    with settings.in_use(replace(settings.current(), mail_from="keys@example.com" if configured else "")):
        shown, sent = console.open(NEW), console.send(NEW, form)
        made = latchkey.call("POST", "/v1/keys", key.secret, json_body={"name": "CI", "scopes": ["read"]})
        assert ("Confirm your email address" in console.open("/settings/keys").text) is configured
        assert [shown.status, sent.status, made.status] == ([409, 409, 409] if configured else [200, 200, 201])
        if configured:
            assert made.json()["message"] == "Confirm your email address first. Request a link in Settings > Account."
            assert latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret).status == 201


def test_key_made_here_is_no_stronger_than_its_account(latchkey: TestApp) -> None:
    """The tier is the account's, whichever of its keys asks."""
    console = logged_in(latchkey, person(tier=tiers.PRO))
    secret = secret_on(console.submit(NEW, name="CI"))
    assert latchkey.call("GET", "/v1/limits", secret).json()["tier"] == "pro"


@pytest.mark.parametrize(
    ("scope", "path"),
    [("read", "users/me"), ("keys", "keys"), ("events", "events"), ("webhooks", "webhooks"), ("write", None)],
)
def test_what_a_new_key_is_tried_with_is_what_it_may_ask_for(latchkey: TestApp, scope: str, path: str | None) -> None:
    """The command on its page answers 200; a key that may ask for nothing has none."""
    console = logged_in(latchkey, person())
    page = console.submit("/settings/keys/new", name="One", scopes=[scope])
    assert ("Try it" in page.text) is (path is not None)
    if path is not None:
        assert f"/v1/{path} " in page.text
        assert latchkey.call("GET", f"/v1/{path}", secret_on(page)).status == 200
