"""/v1/users, as a consumer meets it."""

from typing import Any

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken
from chalicelib.core import clock, secrets
from chalicelib.limits import stale_marks, tiers
from tests.api.routes import ROUTES
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import START_MS, TestApp, error_of


def admin_key(latchkey: TestApp, *scopes: str) -> str:
    """Return the key of an admin."""
    return latchkey.key(latchkey.account(name="Root", admin=True), *(scopes or ("admin",))).secret


def test_own_record_is_whole(latchkey: TestApp) -> None:
    """A caller sees email and tier of its own account."""
    account = latchkey.account(email="ada@example.com")
    answer = latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret)
    assert answer.status == 200
    assert answer.json() == {
        "id": account.id,
        "name": "Ada",
        "created_at": "2021-12-20T10:00:00Z",
        "email": "ada@example.com",
        "tier": "free",
        "status": "active",
    }


def test_someone_elses_record_is_a_public_profile(latchkey: TestApp) -> None:
    """Id, name and age are public; email, tier and status are not."""
    other = latchkey.account(name="Bea")
    answer = latchkey.call("GET", f"/v1/users/{other.id}", latchkey.key(latchkey.account()).secret)
    assert answer.json() == {"id": other.id, "name": "Bea", "created_at": "2021-12-20T10:00:00Z"}


@pytest.mark.parametrize("scopes", [("read", "admin"), ("read",)])
def test_record_by_id_is_whole_to_those_who_may(latchkey: TestApp, scopes: tuple[str, ...]) -> None:
    """An admin's key sees the whole record with the scope `admin`, and a public profile without."""
    other = latchkey.account(name="Bea", email="bea@example.com")
    answer = latchkey.call("GET", f"/v1/users/{other.id}", admin_key(latchkey, *scopes))
    assert answer.json().get("email") == ("bea@example.com" if "admin" in scopes else None)


@pytest.mark.parametrize("user_id", ["123", "acc_00000000000000000000", "key_00000000000000000000", "%00", "ME", "-"])
def test_unknown_user_is_a_404(latchkey: TestApp, user_id: str) -> None:
    """An id that isn't there and text that is no id look alike."""
    answer = latchkey.call("GET", f"/v1/users/{user_id}", latchkey.key(latchkey.account()).secret)
    assert error_of(answer) == (404, "not_found")
    assert answer.json()["message"] == "There is no such user."


def test_users_are_listed_page_by_page(latchkey: TestApp) -> None:
    """Following the cursor shows every account once, oldest first; only the last page has no next one."""
    made = []
    for number in range(7):
        made.append(latchkey.account(name=f"N{number}").id)
        latchkey.clock.forward(1)
    secret = latchkey.key(latchkey.account(name="Last")).secret
    seen, target, pages = [], "/v1/users?limit=3", 0
    while target:
        answer = latchkey.call("GET", target, secret)
        page: dict[str, Any] = answer.json()
        seen += [user["id"] for user in page["data"]]
        pages += 1
        cursor, link = page["next_cursor"], answer.header("Link")
        target = f"/v1/users?limit=3&cursor={cursor}" if cursor else ""
        assert link == (f'<https://api.example.com{target}>; rel="next"' if cursor else None)
    assert seen[:7] == made
    assert (len(seen), pages) == (8, 3)


def test_list_that_fills_its_page_exactly_has_no_next(latchkey: TestApp) -> None:
    """Nobody is sent to an empty page."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.account(name="Bea")
    assert latchkey.call("GET", "/v1/users?limit=2", secret).json()["next_cursor"] is None


def test_page_holds_fifty_unless_asked_otherwise(latchkey: TestApp) -> None:
    """The default is the documented one, the largest page is 100."""
    secret = latchkey.key(latchkey.account()).secret
    for number in range(55):
        latchkey.account(name=f"N{number}")
    assert len(latchkey.call("GET", "/v1/users", secret).json()["data"]) == 50
    assert len(latchkey.call("GET", "/v1/users?limit=100", secret).json()["data"]) == 56


def test_listed_profiles_are_public(latchkey: TestApp) -> None:
    """A list shows no email, not even the caller's own."""
    listed = latchkey.call("GET", "/v1/users", latchkey.key(latchkey.account()).secret).json()["data"]
    assert [user.keys() for user in listed] == [{"id", "name", "created_at"}]


def test_caller_renames_itself(latchkey: TestApp) -> None:
    """The new name is in the answer and stays; spaces around it are dropped."""
    secret = latchkey.key(latchkey.account()).secret
    assert latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "  Ada Lovelace "}).json()["name"] == (
        "Ada Lovelace"
    )
    assert latchkey.call("GET", "/v1/users/me", secret).json()["name"] == "Ada Lovelace"


@pytest.mark.parametrize("field", ["email", "tier", "status", "admin", "id"])
def test_caller_changes_nothing_but_its_name(latchkey: TestApp, field: str) -> None:
    """Nobody makes itself Pro, or someone else."""
    secret = latchkey.key(latchkey.account()).secret
    answer = latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "Ada", field: "pro"})
    assert error_of(answer) == (400, "invalid_request")
    assert field in answer.json()["message"]


def test_admin_creates_an_account(latchkey: TestApp) -> None:
    """The account is there, free unless a tier is named, its email claimed in the form that all spellings share."""
    answer = latchkey.call(
        "POST", "/v1/users", admin_key(latchkey), json_body={"email": " Bea@Example.COM", "name": "Bea"}
    )
    made = answer.json()
    assert answer.status == 201
    assert (made["email"], made["tier"], made["status"]) == ("bea@example.com", "free", "active")
    assert answer.header("Location") == f"https://api.example.com/v1/users/{made['id']}"
    assert answer.header("Cache-Control") == "no-store"
    assert Account.get(made["id"]).admin is False
    assert EmailClaim.get("bea@example.com").account_id == made["id"]


def test_created_accounts_link_is_stored_by_its_digest_for_an_hour(latchkey: TestApp) -> None:
    """Who reads the tables can't set anybody's password."""
    made = latchkey.call(
        "POST", "/v1/users", admin_key(latchkey), json_body={"email": "b@example.com", "name": "B"}
    ).json()
    base, _, secret = made["set_password_url"].partition("?ticket=")
    ticket = OneTimeToken.get(secrets.digest(secret))
    assert base == "https://api.example.com/password"
    assert (ticket.account_id, ticket.purpose, ticket.expires_at) == (made["id"], "set_password", START_MS + 3_600_000)


@pytest.mark.parametrize("spelling", ["bea@example.com", "BEA@example.com", " bea@EXAMPLE.com ", "bea@ｅxample.com"])
def test_email_that_is_taken_is_a_conflict(latchkey: TestApp, spelling: str) -> None:
    """One mailbox, one account, however it is spelled; nothing is left behind."""
    secret = admin_key(latchkey)
    latchkey.account(email="bea@example.com")
    before = Account.count()
    answer = latchkey.call("POST", "/v1/users", secret, json_body={"email": spelling, "name": "Bea"})
    assert error_of(answer) == (409, "conflict")
    assert Account.count() == before


def test_admin_changes_tier_and_status(latchkey: TestApp) -> None:
    """One of them or both, and what isn't named stays."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")

    def change(**fields: str) -> tuple[str, str]:
        changed = latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body=fields).json()
        return changed["tier"], changed["status"]

    assert change(tier="pro") == ("pro", "active")
    assert change(status="suspended") == ("pro", "suspended")
    assert change(tier="enterprise", status="active") == ("enterprise", "active")


def test_nobody_suspends_their_own_account(latchkey: TestApp) -> None:
    """A conflict says so, by the API and in the console, and nothing has changed."""
    admin = new_account(admin=True)
    secret = latchkey.key(admin, "admin").secret
    answer = latchkey.call("PATCH", f"/v1/users/{admin.id}", secret, json_body={"status": "suspended"})
    assert error_of(answer) == (409, "conflict")
    path = f"/admin/accounts/{admin.id}"
    console = log_in_as(latchkey, admin)
    assert f"{path}/suspend" not in console.open(path).urls
    assert console.open(f"{path}/suspend").status == 409
    csrf = console.open("/settings/account").value("/settings/account/name", "csrf")
    page = console.send(f"{path}/suspend", {"csrf": csrf, "reason": "Oops"})
    assert (page.status, "your own account" in page.text) == (409, True)
    assert find.account_by_id(admin.id).status == "active"


def test_suspended_account_is_refused_at_the_next_request(latchkey: TestApp) -> None:
    """The gateway has cached the yes; the next request is refused all the same."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": "suspended"})
    assert error_of(latchkey.call("GET", "/v1/users/me", theirs)) == (401, "invalid_api_key")


def test_reinstated_account_works_at_the_next_request(latchkey: TestApp) -> None:
    """Where the gateway remembers the yes from before, a reinstatement is felt at once."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("GET", "/v1/users/me", theirs)
    for status in ("suspended", "active"):
        latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": status})
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200


def test_refusal_that_the_gateway_remembers_lasts_five_minutes(latchkey: TestApp) -> None:
    """A cached no can't be taken back before it ends by itself."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": "suspended"})
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 401
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": "active"})
    latchkey.clock.forward(299)
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 401
    latchkey.clock.forward(1)
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200


def test_new_tier_holds_at_the_next_request(latchkey: TestApp) -> None:
    """An upgraded caller whose quota was spent has the new one at once."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("GET", "/v1/users/me", theirs)
    latchkey.set_counters(other.id, tiers.FREE, used=1000)
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"tier": "pro"})
    answer = latchkey.call("GET", "/v1/users/me", theirs)
    assert (answer.status, answer.header("X-RateLimit-Limit"), answer.header("X-RateLimit-Remaining")) == (
        200,
        "10000",
        "9999",
    )


def test_admin_that_loses_the_flag_loses_the_scope_at_the_next_request(latchkey: TestApp) -> None:
    """The key still says `admin`; its account doesn't."""
    root = latchkey.account(name="Root", admin=True)
    secret = latchkey.key(root, "read", "admin").secret
    other = latchkey.account(name="Bea")
    assert latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"tier": "pro"}).status == 200
    root.update(actions=[Account.admin.set(False)])
    stale_marks.mark(root.id)
    answer = latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"tier": "free"})
    assert error_of(answer) == (403, "insufficient_scope")


@pytest.mark.parametrize("user_id", ["acc_00000000000000000000", "nobody"])
def test_unknown_user_is_not_changed_into_being(latchkey: TestApp, user_id: str) -> None:
    """Changing what isn't there is a 404 and makes nothing."""
    answer = latchkey.call("PATCH", f"/v1/users/{user_id}", admin_key(latchkey), json_body={"tier": "pro"})
    assert error_of(answer) == (404, "not_found")
    assert Account.count() == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "email is missing"),
        ({"email": "b@example.com"}, "name is missing"),
        ({"email": "b", "name": "B"}, "email must"),
        ({"email": "b@example.com", "name": ""}, "name must"),
        ({"email": "b@example.com", "name": "B" * 101}, "name must"),
        ({"email": "b@example.com", "name": "B\x00"}, "name must"),
        ({"email": "b@example.com", "name": ["B"]}, "name must"),
        ({"email": 7, "name": "B"}, "email must"),
        ({"email": "b@example.com", "name": "B", "tier": "anonymous"}, "tier must be one of free, pro, enterprise"),
        ({"email": "b@example.com", "name": "B", "tier": None}, "tier must"),
        ({"email": "b@example.com", "name": "B", "admin": True}, "'admin'"),
    ],
)
def test_account_that_cannot_be_is_refused_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """The message names the field and says what it takes; nothing is made."""
    answer = latchkey.call("POST", "/v1/users", admin_key(latchkey), json_body=body)
    assert error_of(answer) == (400, "invalid_request")
    assert named in answer.json()["message"]
    assert Account.count() == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "Give tier, status or both."),
        ({"tier": "gold"}, "tier must"),
        ({"status": "deleted"}, "status must"),
        ({"tier": None}, "tier must"),
        ({"admin": True}, "'admin'"),
    ],
)
def test_standing_that_cannot_be_is_refused_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """Nobody is made an admin through the API, and no tier is invented."""
    other = latchkey.account(name="Bea")
    answer = latchkey.call("PATCH", f"/v1/users/{other.id}", admin_key(latchkey), json_body=body)
    assert error_of(answer) == (400, "invalid_request")
    assert named in answer.json()["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=ten", "limit=", "limit=1.5", "limit=٣", "limit=-1"])
def test_limit_out_of_bounds_is_refused(latchkey: TestApp, query: str) -> None:
    """The message says what limit takes."""
    answer = latchkey.call("GET", f"/v1/users?{query}", latchkey.key(latchkey.account()).secret)
    assert error_of(answer) == (400, "invalid_request")
    assert answer.json()["message"] == "limit must be a whole number from 1 to 100."


@pytest.mark.parametrize("cursor", ["", "x", "YWNj", "a2V5XzAwMDAwMDAwMDAwMDAwMDAwMDAw", "%FF", "é", "=" * 50])
def test_cursor_of_our_own_making_only(latchkey: TestApp, cursor: str) -> None:
    """A made-up cursor, or one of another list, is refused."""
    answer = latchkey.call("GET", f"/v1/users?cursor={cursor}", latchkey.key(latchkey.account()).secret)
    assert error_of(answer) == (400, "invalid_request")
    assert "cursor must" in answer.json()["message"]


def test_misspelt_parameter_is_refused_by_name(latchkey: TestApp) -> None:
    """`?limt=5` doesn't pass in silence."""
    answer = latchkey.call("GET", "/v1/users?limt=5", latchkey.key(latchkey.account()).secret)
    assert error_of(answer) == (400, "invalid_request")
    assert answer.json()["message"] == "Unknown parameter 'limt'; this request takes limit, cursor."


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_parameter_that_a_request_does_not_have_is_refused_by_name(
    latchkey: TestApp, method: str, path: str, scope: str
) -> None:
    """By every request that takes a key, as the guide says: also by those that take no parameter at all."""
    secret = latchkey.key(latchkey.account(admin=True), scope).secret
    body: dict[str, str] | None = {} if method in ("POST", "PATCH") else None
    answer = latchkey.call(method, f"{path.format(id='x')}?limt=5", secret, json_body=body)
    assert error_of(answer) == (400, "invalid_request")
    assert "Unknown parameter 'limt'; this request takes" in answer.json()["message"]


def test_time_of_creation_is_the_clocks(latchkey: TestApp) -> None:
    """Times are ISO 8601 in UTC."""
    latchkey.clock.forward(3_661)
    account = latchkey.account()
    shown = latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret).json()["created_at"]
    assert shown == "2021-12-20T11:01:01Z" == clock.iso(account.created_at)
