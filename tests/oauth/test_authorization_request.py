"""Authorization requests without HTTP: parsing, the page digest, errors, and the stored code and grant."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import secrets, settings
from chalicelib.events import kinds
from chalicelib.oauth import approval, authorize, consent, parameters, prompt
from chalicelib.oauth.errors import invalid_request
from chalicelib.oauth.tables import Client, Grant, OneTimeToken
from tests.credentials.events import recorded_events
from tests.oauth.flow import CALLBACK, CHALLENGE, ISSUER, PKCE, App, User, choice_of, query_of, register_client
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, record_calls, run_before

FILES = "https://files.example.com"
ASKING = authorize.AuthorizationRequest(
    client=Client("app_1", name="Photos"),
    redirect_uri=CALLBACK,
    requested_redirect_uri=CALLBACK,
    state="xyz",
    scopes=frozenset({"read", "write"}),
    resources=frozenset({FILES}),
    code_challenge=CHALLENGE,
    prompt="",
)


def parse(app: App, **changed: str | None) -> authorize.AuthorizationRequest:
    """Return a client's authorization request."""
    query: Mapping[str, str | None] = {
        "client_id": app.id,
        "redirect_uri": app.redirect_uri,
        "response_type": "code",
        "state": "xyz",
        **app.proof,
        **changed,
    }
    sent_so = {name: [value] for name, value in query.items() if value is not None}
    return authorize.parse(parameters.parse_query(sent_so), ISSUER)


@pytest.mark.parametrize(
    "changed",
    [
        {"client": Client("app_1", name="Other")},
        {"redirect_uri": f"{CALLBACK}/2"},
        {"scopes": frozenset({"read"})},
        {"resources": frozenset[str]()},
        {"scopes": frozenset({"read"}), "resources": frozenset({FILES, "write"})},
    ],
)
def test_decision_is_bound_to_the_content_of_the_page(changed: dict[str, Any]) -> None:
    """The page digest changes with client, redirect URI, scopes and resources, but not with parameters the page
    omits.
    """
    assert replace(ASKING, **changed).page_digest([]) != ASKING.page_digest([])
    assert replace(
        ASKING, state="other", prompt="consent", code_challenge=None, requested_redirect_uri=None
    ).page_digest([]) == ASKING.page_digest([])


def test_decision_is_bound_to_the_offered_accounts(latchkey: TestApp) -> None:
    """The page digest changes if the user's accounts change, or the scopes that a role allows."""
    account, other = latchkey.account(), latchkey.account()
    offers = [[], [choice_of(account)], [choice_of(account, "read")], [choice_of(account), choice_of(other)]]
    assert len({ASKING.page_digest(offered) for offered in offers}) == 4


def test_error_redirect_logs_nothing_of_the_request() -> None:
    """`str` of the redirect exception is logged, so it contains neither the state nor the location."""
    redirect = authorize.build_error_redirect(ASKING, ISSUER, invalid_request("No."))
    assert str(redirect) == "the error is redirected to the client"
    assert "xyz" not in repr(redirect)
    assert query_of(redirect.location) == {
        "error": "invalid_request",
        "error_description": "No.",
        "state": "xyz",
        "iss": ISSUER,
    }


@pytest.mark.parametrize(
    ("sent", "asks_nobody"),
    [("none", True), ("none login", True), ("login none", True), ("", False), ("login", False), ("nones", False)],
)
def test_prompt_none_is_detected_in_invalid_requests(sent: str, asks_nobody: bool) -> None:
    """A `prompt` that contains `none` forbids showing a page, even if a second value makes the request invalid."""
    assert prompt.forbids_page(parameters.parse_query({"prompt": [sent]})) == asks_nobody


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        *((None, ""), ("none", "none"), ("consent", "consent"), ("login", "consent"), ("select_account", "consent")),
        *((" login  consent ", "consent"), ("consent login select_account", "consent"), ("none none", "none")),
    ],
)
def test_prompt_values_require_or_forbid_a_page(latchkey: TestApp, app: App, prompt: str | None, read: str) -> None:
    """OpenID Connect Core §3.1.2.1: every prompt except `none` shows the consent page, which names the account."""
    assert parse(app, prompt=prompt).prompt == read


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "none login"},
        {"prompt": "create"},
        {"response_mode": "quer"},
        {"response_mode": "fragment"},
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE[:-1], "code_challenge_method": "S256"},
        {"code_challenge": f"{CHALLENGE}a", "code_challenge_method": "S256"},
        {"code_challenge": f"{CHALLENGE[:-1]}=", "code_challenge_method": "S256"},
    ],
)
def test_invalid_request_is_redirected_with_its_state(latchkey: TestApp, app: App, changed: dict[str, str]) -> None:
    """The error of an invalid request is redirected to the client's redirect URI, with the state of the request."""
    with pytest.raises(authorize.ErrorRedirect) as raised:
        parse(app, **changed)
    assert raised.value.location.startswith(f"{CALLBACK}?error=invalid_request&")
    assert query_of(raised.value.location)["state"] == "xyz"


def test_request_is_parsed_completely(latchkey: TestApp) -> None:
    """Every parameter of a request is parsed, and an absent parameter has its default."""
    with settings.override(replace(settings.current(), resources=FILES)):
        request = parse(register_client(latchkey), scope="write read", resource=FILES, response_mode="query", **PKCE)
    assert (request.redirect_uri, request.requested_redirect_uri, request.state) == (CALLBACK, CALLBACK, "xyz")
    assert (request.scopes, request.resources) == (frozenset({"read", "write"}), frozenset({FILES}))
    assert (request.code_challenge, request.prompt) == (CHALLENGE, "")
    minimal = parse(register_client(latchkey), redirect_uri=None, state=None)
    assert (minimal.redirect_uri, minimal.requested_redirect_uri, minimal.state) == (CALLBACK, None, "")
    assert (minimal.scopes, minimal.resources, minimal.code_challenge) == (frozenset({"read"}), frozenset(), None)


def test_code_and_grant_are_stored_completely(latchkey: TestApp, ada: User, app: App) -> None:
    """A code expires after a minute, but is stored as long as its grant. The new grant is recorded as an event."""
    latchkey.clock.forward(1)
    choice = choice_of(ada.account, "write")
    with settings.override(replace(settings.current(), resources=FILES)), record_calls() as calls:
        location = approval.approve(parse(app, scope="write", resource=FILES, **PKCE), choice, ISSUER)
    code = OneTimeToken.get(secrets.digest(query_of(location)["code"]))
    (grant,) = Grant.by_account.query(ada.account.id)
    assert (code.kind, code.client_id, code.account_id, code.grant_id) == ("ac", app.id, ada.account.id, grant.id)
    assert (code.user_id, grant.user_id, code.member_since) == (*[ada.account.user_id] * 2, START_MS)
    assert (code.scopes, code.resources, code.redirect_uri, code.code_challenge) == (
        {"write"},
        {FILES},
        CALLBACK,
        CHALLENGE,
    )
    assert (code.granted_at, code.expires_at, code.dies_at) == (START_MS + 1_000, START_MS + 61_000, grant.dies_at)
    assert (grant.client_id, grant.scopes, grant.resources, grant.created_at) == (
        app.id,
        {"write"},
        {FILES},
        START_MS + 1_000,
    )
    assert grant.dies_at == grant.expires_at // 1000 + 30 * 86_400 == START_MS // 1000 + 1 + 120 * 86_400
    created, remembered = sorted(
        (each for each in recorded_events(ada.account.id) if "application" in each[1]), reverse=True
    )
    assert created == (
        kinds.GRANT_CREATED,
        {"grant": grant.id, "application": app.id, "scopes": "write", "name": "Photos"},
    )
    assert remembered == (kinds.CONSENT_REMEMBERED, {"application": app.id, "scopes": "write"})
    puts = [write["Put"] for _, request in calls for write in request.get("TransactItems", ()) if "Put" in write]
    assert len(puts) == 4
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


def test_code_without_resources_or_challenge_has_none(latchkey: TestApp, ada: User, app: App) -> None:
    """A code without resources or challenge is stored without these attributes."""
    location = approval.approve(parse(app, redirect_uri=None), choice_of(ada.account, "read"), ISSUER)
    code = OneTimeToken.get(secrets.digest(query_of(location)["code"]))
    assert code.attribute_values.keys().isdisjoint({"resources", "redirect_uri", "code_challenge"})


def test_consent_withdrawn_concurrently_issues_no_code(latchkey: TestApp, ada: User, app: App) -> None:
    """If a remembered consent is withdrawn between the check and the write of an approval, no code is issued."""
    request, choice = parse(app), choice_of(ada.account, "read")
    key = consent.key_of(ada.account.user_id, ada.account.id, app.id)
    approval.approve(request, choice, ISSUER)
    assert "code" in query_of(approval.approve_remembered(request, choice, ISSUER))
    with (
        run_before("TransactWriteItems", key.delete),
        pytest.raises(approval.ConsentWithdrawn),
    ):
        approval.approve_remembered(request, choice, ISSUER)


@pytest.mark.parametrize("approve", [approval.approve, approval.approve_remembered])
def test_database_error_is_not_taken_for_a_failed_condition(
    latchkey: TestApp, ada: User, app: App, approve: Any
) -> None:
    """A database error during an approval is raised unchanged, and not as a withdrawn consent."""
    request, choice = parse(app), choice_of(ada.account, "read")
    consent.remember(choice.membership, app.id, request.consent_entries(choice.scopes))
    with fail_calls("TransactWriteItems"), pytest.raises(Exception) as raised:  # noqa: PT011 - of which kind is below
        approve(request, choice, ISSUER)
    assert type(raised.value).__name__ == "TransactWriteError"


def test_consent_page_is_shown_when_required_or_nothing_is_remembered(latchkey: TestApp, ada: User, app: App) -> None:
    """The consent page is skipped only if an earlier consent to the same recipient covers the whole request."""
    request, choice = parse(app), choice_of(ada.account, "read")
    assert request.remembered([choice]) == []
    consent.remember(choice.membership, app.id, request.consent_entries(choice.scopes))
    assert request.remembered([choice]) == [choice]
    assert replace(request, prompt="none").remembered([choice]) == [choice]
    assert replace(request, prompt="consent").remembered([choice]) == []
    assert request.remembered([choice_of(ada.account)]) == []
    assert replace(request, redirect_uri="https://other.example/").remembered([choice]) == []
