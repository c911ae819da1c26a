"""Of many who use one code or token at once, as many succeed as may; and what is over is over for the quick ones too.

Where it says "during", one writer is held back at its own write until the other has finished.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.limits import tiers
from chalicelib.oauth import authorize, clients, consent, delete_client, device, grants, parameters
from chalicelib.oauth.tables import Consent, Grant, OneTimeToken
from infra.standin import Answer
from tests.engine.faulty import Call, Rule, transaction
from tests.engine.fleet import PUBLIC_URL, Fleet, Reply, Request, flat
from tests.engine.holding import HoldingLine, at_once, met
from tests.oauth.flow import CHALLENGE, VERIFIER
from tests.support.console_client import ConsoleClient, Fields, Page, logged_in, person
from tests.support.harness import TestApp

of_functions = pytest.mark.xdist_group("fleet")

TWENTY = 20
REDIRECT = "https://app.example.com/callback"
KINDS = ("public", "confidential")

Parameters = dict[str, str]
_seconds = count(1)


@pytest.fixture
def line(url: str) -> Iterator[HoldingLine]:
    """A line that can hold calls back."""
    laid = HoldingLine(url)
    yield laid
    laid.close()


@pytest.fixture(autouse=True)
def _second_of_its_own(latchkey: TestApp) -> None:
    """Each test has a second for itself, so that none spends another's burst."""
    latchkey.clock.forward(2 * next(_seconds))


class Registered:
    """A client as its makers see it, and what it asks the server."""

    def __init__(self, latchkey: TestApp, kind: str) -> None:
        """Register it for an account of its own."""
        public = kind == "public"
        kinds = {clients.CODE, clients.REFRESH, clients.DEVICE} | (set() if public else {clients.CLIENT_CREDENTIALS})
        made = clients.register(
            name="App",
            uris=[REDIRECT],
            auth_method="none" if public else "client_secret_post",
            grant_types=kinds,
            wanted={"read", "write"},
            registered_by="account",
            account_id=latchkey.account(tiers.PRO).id,
        )
        self.latchkey, self.client, self.id = latchkey, made.client, made.client.client_id
        self.credentials = {"client_id": self.id} | ({"client_secret": made.secret} if made.secret else {})

    def authorization(self, **more: str) -> Parameters:
        """Return the parameters of an authorization request."""
        return {
            "client_id": self.id,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "read write",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }

    def approved(self, account: Account, authorization: Parameters) -> str:
        """Return where an account's yes leads."""
        asked = parameters.parse_query({name: [value] for name, value in authorization.items()})
        return authorize.approve(authorize.parse(asked, PUBLIC_URL), account.id, PUBLIC_URL)

    def code(self, account: Account) -> str:
        """Return a code that an account's yes was worth."""
        location = self.approved(account, self.authorization())
        return parse_qs(urlsplit(location).query)["code"][0]

    def redemption(self, code: str) -> Parameters:
        """Return the token request for a code."""
        proof = {"redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return {"grant_type": clients.CODE, "code": code, **proof, **self.credentials}

    def refresh(self, tokens: dict[str, Any]) -> Parameters:
        """Return the token request that rotates the refresh token of an answer."""
        return {"grant_type": clients.REFRESH, "refresh_token": tokens["refresh_token"], **self.credentials}

    def poll(self, device_code: str) -> Parameters:
        """Return the token request for a device code."""
        return {"grant_type": clients.DEVICE, "device_code": device_code, **self.credentials}

    def ask(self, asked: Parameters) -> Answer:
        """Send a token request."""
        return self.latchkey.call("POST", "/oauth/token", json_body=asked)

    def spend(self, asked: Parameters) -> Answer:
        """Send a token request, and use what it brings as fast as can be: the gateway then remembers a yes."""
        answer = self.ask(asked)
        if answer.status == 200:
            self.latchkey.call("GET", "/v1/users/me", answer.json()["access_token"])
        return answer

    def revoke(self, token: str) -> Answer:
        """Give a token back."""
        return self.latchkey.call("POST", "/oauth/revoke", json_body={"token": token, **self.credentials})

    def tokens(self, account: Account) -> dict[str, Any]:
        """Return the tokens of a new grant of an account's."""
        answer = self.spend(self.redemption(self.code(account)))
        assert answer.status == 200, answer.body
        tokens: dict[str, Any] = answer.json()
        return tokens

    def device_code(self) -> tuple[str, str]:
        """Return a new device code, and what its person is to type."""
        shown = device.start(self.client, scopes={"read"}, resources=set(), base_url=PUBLIC_URL)
        return str(shown["device_code"]), str(shown["user_code"])


@pytest.fixture(params=KINDS)
def app(latchkey: TestApp, request: pytest.FixtureRequest) -> Registered:
    """A public, and a confidential, client."""
    return Registered(latchkey, request.param)


def said(answer: Answer | Reply) -> tuple[int, str]:
    """Return the status of an answer and, of a refusal, the `error`."""
    body = answer.json() if isinstance(answer, Answer) else answer.body
    return answer.status, body.get("error", "")


def working(latchkey: TestApp, everything: list[dict[str, Any]]) -> list[str]:
    """Return the access tokens that are accepted, by the gateway as it is or by one that has never seen them."""
    secrets = [tokens["access_token"] for tokens in everything]
    statuses = [latchkey.call("GET", "/v1/users/me", secret).status for secret in secrets]
    latchkey.forget()
    latchkey.gateway.cached.clear()
    statuses += [latchkey.call("GET", "/v1/users/me", secret).status for secret in secrets]
    assert set(statuses) <= {200, 401}
    return [secret for secret, status in zip(secrets * 2, statuses, strict=True) if status == 200]


def issued(answers: list[Answer]) -> list[dict[str, Any]]:
    """Return the tokens that came with the answers that brought any."""
    return [answer.json() for answer in answers if answer.status == 200 and b"access_token" in answer.body]


def assert_nothing_works(app: Registered, everything: list[dict[str, Any]]) -> None:
    """No access token is accepted and no refresh token brings another."""
    app.latchkey.clock.forward(1)  # who asks for so many has this second's burst for it, however many the race issued
    assert working(app.latchkey, everything) == []
    app.latchkey.clock.forward(1)
    assert {said(app.ask(app.refresh(tokens))) for tokens in everything} <= {
        (400, "invalid_grant"),
        (401, "invalid_client"),
    }


def spending(call: Call) -> bool:
    """Tell whether `call` makes a ticket, or spends one, and what comes of it."""
    return transaction(call) and "tickets" in _written(call)


def _written(call: Call) -> set[str]:
    """Return the tables that a transaction writes to."""
    return _tables_of(call, "Update") | _tables_of(call, "Put")


def _tables_of(call: Call, kind: str) -> set[str]:
    """Return the tables that the writes of one kind in a transaction are for."""
    return {each[kind]["TableName"].rpartition("-")[2] for each in call.body["TransactItems"] if kind in each}


def revoking(call: Call) -> bool:
    """Tell whether `call` ends a grant."""
    return transaction(call) and "revoked_at" in json.dumps([each.get("Update") for each in call.body["TransactItems"]])


def remembering(call: Call) -> bool:
    """Tell whether `call` remembers a consent."""
    return transaction(call) and "consents" in _tables_of(call, "Update")


def replacing(call: Call) -> bool:
    """Tell whether `call` puts a consent in the place of another."""
    return transaction(call) and "consents" in _tables_of(call, "Put")


def first_of(rule: Rule) -> Rule:
    """Return the rule that picks no more than the first call that `rule` picks, however often it is sent again."""
    picked: list[Call] = []

    def picks(call: Call) -> bool:
        if rule(call) and not picked:
            picked.append(call)
        return call in picked

    return picks


def everywhere(latchkey: TestApp, fleet: Fleet, url: str, asked: Parameters) -> list[Reply]:
    """Send one token request 20 times at once, from four processes that have imported all they need."""
    nobody = json.dumps({"client_id": "app_nobody", "grant_type": clients.CODE}).encode()
    fleet.everywhere(url, Request("POST", "/oauth/token", "", clock.now_ms() - 1000, nobody))
    body = json.dumps(asked).encode()
    return flat(fleet.send(url, [Request("POST", "/oauth/token", "", clock.now_ms(), body)] * TWENTY))


ONE_OF_TWENTY = {(200, ""): 1, (400, "invalid_grant"): TWENTY - 1}


def test_code_redeemed_20_times_at_once_succeeds_once(latchkey: TestApp, line: HoldingLine, app: Registered) -> None:
    """All read it unspent; one gets tokens, the others invalid_grant, and the reuse ends what the one got."""
    asked = app.redemption(app.code(person()))
    answers = met(line, spending, [partial(app.spend, asked)] * TWENTY)
    assert Counter(map(said, answers)) == ONE_OF_TWENTY
    assert_nothing_works(app, issued(answers))


@of_functions
def test_code_redeemed_by_four_processes_at_once_succeeds_once(
    latchkey: TestApp, fleet: Fleet, url: str, app: Registered
) -> None:
    """The same of functions that share nothing but the database."""
    replies = everywhere(latchkey, fleet, url, app.redemption(app.code(person())))
    assert Counter(map(said, replies)) == ONE_OF_TWENTY
    assert_nothing_works(app, [reply.body for reply in replies if reply.status == 200])


def test_refresh_token_used_20_times_at_once_brings_one_pair(
    latchkey: TestApp, line: HoldingLine, app: Registered
) -> None:
    """All get the same access and refresh token, both work, and the grant lives: of either kind of client."""
    account = person()
    answers = met(line, spending, [partial(app.spend, app.refresh(app.tokens(account)))] * TWENTY)
    assert_one_pair(app, account, issued(answers))


@of_functions
def test_refresh_token_used_by_four_processes_at_once_brings_one_pair(
    latchkey: TestApp, fleet: Fleet, url: str, app: Registered
) -> None:
    """The same of functions that share nothing but the database."""
    account = person()
    replies = everywhere(latchkey, fleet, url, app.refresh(app.tokens(account)))
    assert_one_pair(app, account, [reply.body for reply in replies if reply.status == 200])


def test_refreshes_at_once_over_the_grace_are_reuse(latchkey: TestApp, app: Registered) -> None:
    """20 late repeats of a refresh are a theft: none succeeds, and the grant is revoked."""
    account = person()
    tokens = app.tokens(account)
    successor = app.ask(app.refresh(tokens)).json()
    latchkey.clock.forward(10 if app.client.is_public else 30)
    answers = at_once([partial(app.spend, app.refresh(tokens))] * TWENTY)
    assert {said(answer) for answer in answers} == {(400, "invalid_grant")}
    assert_nothing_works(app, [tokens, successor])


def test_refreshes_at_once_after_the_successor_was_used_are_reuse(latchkey: TestApp, app: Registered) -> None:
    """Whoever used the successor had the answer: 20 repeats bring nothing, and the grant is revoked."""
    tokens = app.tokens(person())
    second = app.ask(app.refresh(tokens)).json()
    third = app.ask(app.refresh(second)).json()
    answers = at_once([partial(app.spend, app.refresh(tokens))] * TWENTY)
    assert {said(answer) for answer in answers} == {(400, "invalid_grant")}
    assert_nothing_works(app, [tokens, second, third])


def test_revocation_during_a_refresh_leaves_no_live_token(
    latchkey: TestApp, line: HoldingLine, app: Registered
) -> None:
    """A refresh that was decided before the revocation and is written after it brings nothing."""
    tokens = app.tokens(person())
    with line.holding(spending) as held, ThreadPoolExecutor(1) as thread:
        refresh = thread.submit(app.spend, app.refresh(tokens))
        held.wait_for(1)
        assert app.revoke(tokens["refresh_token"]).status == 200
        held.let_go()
        assert said(refresh.result()) == (400, "invalid_grant")
    assert_nothing_works(app, [tokens])


def test_refresh_during_a_revocation_leaves_no_live_token(
    latchkey: TestApp, line: HoldingLine, app: Registered
) -> None:
    """Tokens that come to be between the revocation's reading and its writing, and are used, are dead after it."""
    tokens = app.tokens(person())
    with line.holding(revoking) as held, ThreadPoolExecutor(1) as thread:
        revocation = thread.submit(app.revoke, tokens["refresh_token"])
        held.wait_for(1)
        successor = app.spend(app.refresh(tokens)).json()
        held.let_go()
        assert revocation.result().status == 200
    assert_nothing_works(app, [tokens, successor])


def test_revocations_and_refreshes_20_at_once_leave_no_live_token(latchkey: TestApp, app: Registered) -> None:
    """However they fall together, whoever was told that the token is revoked can rely on it."""
    tokens = app.tokens(person())
    refreshes = [partial(app.spend, app.refresh(tokens))] * (TWENTY // 2)
    revocations = [partial(app.revoke, tokens["refresh_token"])] * (TWENTY // 2)
    answers = at_once([*refreshes, *revocations])
    assert {answer.status for answer in answers[TWENTY // 2 :]} == {200}
    assert_nothing_works(app, [tokens, *issued(answers)])


def test_device_code_polled_20_times_at_once_is_redeemed_once(
    latchkey: TestApp, line: HoldingLine, app: Registered
) -> None:
    """All find it approved and unspent; one gets tokens, the others invalid_grant."""
    device_code, user_code = app.device_code()
    device.approve(device.find_pending(user_code), person().id)
    answers = met(line, spending, [partial(app.spend, app.poll(device_code))] * TWENTY)
    assert Counter(map(said, answers)) == ONE_OF_TWENTY


@of_functions
def test_device_code_polled_by_four_processes_at_once_is_redeemed_once(
    latchkey: TestApp, fleet: Fleet, url: str, app: Registered
) -> None:
    """The same of functions that share nothing but the database."""
    device_code, user_code = app.device_code()
    device.approve(device.find_pending(user_code), person().id)
    replies = everywhere(latchkey, fleet, url, app.poll(device_code))
    assert Counter(map(said, replies)) == ONE_OF_TWENTY


def test_polls_of_an_undecided_device_code_at_once_are_in_time_once(latchkey: TestApp) -> None:
    """Of 20 polls at the same moment one hears that nobody has decided yet, the others that they are too fast."""
    app = Registered(latchkey, "public")
    device_code, _ = app.device_code()
    answers = at_once([partial(app.spend, app.poll(device_code))] * TWENTY)
    assert Counter(map(said, answers)) == {(400, "authorization_pending"): 1, (400, "slow_down"): TWENTY - 1}


def test_device_code_decided_by_20_people_at_once_is_decided_once(
    latchkey: TestApp, line: HoldingLine, app: Registered
) -> None:
    """Of ten who allow and ten who deny one stands: the others hear that it is decided, the device hears the one."""
    device_code, user_code = app.device_code()
    decisions = []
    for decision in ("allow", "deny") * (TWENTY // 2):
        console = logged_in(latchkey, person())
        page = console.open(f"/device?user_code={user_code}")
        form = console.filled(page, "/device", {"decision": decision})
        decisions.append(partial(console.send, "/device", form))
    pages = met(line, spending, decisions)
    assert Counter(page.status for page in pages) == {200: 1, 404: TWENTY - 1}
    allowed = next(at for at, page in enumerate(pages) if page.status == 200) % 2 == 0
    assert said(app.ask(app.poll(device_code))) == ((200, "") if allowed else (400, "access_denied"))


@pytest.mark.parametrize("first", ["allow", "deny"])
def test_decision_that_comes_second_changes_nothing(latchkey: TestApp, line: HoldingLine, first: str) -> None:
    """Whoever decides during another's decision is told so, whichever of the two it is."""
    app = Registered(latchkey, "public")
    device_code, user_code = app.device_code()
    second = {"allow": "deny", "deny": "allow"}[first]
    early, late = (decider(latchkey, user_code, decision) for decision in (first, second))
    with line.holding(first_of(spending)) as held, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(late)
        held.wait_for(1)
        assert early().status == 200
        held.let_go()
        assert waiting.result().status == 404
    assert said(app.ask(app.poll(device_code))) == ((200, "") if first == "allow" else (400, "access_denied"))


def test_consents_at_once_add_up(latchkey: TestApp, line: HoldingLine) -> None:
    """20 yeses for different scopes and resources, written at the same moment, are all remembered."""
    app, account = Registered(latchkey, "confidential"), person()
    asked = [
        app.authorization(scope=scope, resource=f"{PUBLIC_URL}/v1/{number}")
        for number in range(TWENTY // 2)
        for scope in ("read", "write")
    ]
    met(line, remembering, [partial(app.approved, account, each) for each in asked])
    assert_remembered(app, account, asked)
    everything = [*app.authorization().items(), *(("resource", each["resource"]) for each in asked[::2])]
    page = logged_in(latchkey, account).open(f"/oauth/authorize?{urlencode(everything)}")
    assert page.location.startswith(f"{REDIRECT}?code=")


def test_consents_at_once_take_the_place_of_one_that_is_over(latchkey: TestApp, line: HoldingLine) -> None:
    """20 yeses that all find one from before the address was proven are remembered, and that one no more."""
    app, account = Registered(latchkey, "confidential"), person()
    app.approved(account, app.authorization(scope="write", resource=f"{PUBLIC_URL}/v1/of-a-squatter"))
    latchkey.clock.forward(1)
    account.update(actions=[Account.credentials_since.set(clock.now_ms())])
    asked = [app.authorization(scope="read", resource=f"{PUBLIC_URL}/v1/{number}") for number in range(TWENTY)]
    met(line, replacing, [partial(app.approved, account, each) for each in asked])
    assert_remembered(app, account, asked)


def test_client_deleted_during_redemptions_leaves_no_working_token(latchkey: TestApp, line: HoldingLine) -> None:
    """Tokens whose issuing was decided before the deletion and written after it don't work."""
    app = Registered(latchkey, "confidential")
    asked = [app.redemption(app.code(person())) for _ in range(4)]
    with line.holding(spending) as held, ThreadPoolExecutor(4) as threads:
        redemptions = [threads.submit(app.spend, each) for each in asked]
        held.wait_for(len(asked))
        delete_client.delete(clients.get_of_account(str(app.client.account_id), app.id))
        held.let_go()
        answers = [redemption.result() for redemption in redemptions]
    assert_nothing_works(app, issued(answers))


def test_client_deletion_and_redemptions_20_at_once_leave_no_working_token(latchkey: TestApp, app: Registered) -> None:
    """However they fall together, after the deletion nothing that the client was given works."""
    owner = logged_in(latchkey, Account.get(str(app.client.account_id)))
    path = f"/settings/applications/{app.id}"
    form = owner.filled(owner.open(f"{path}/delete"), f"{path}/delete", {})
    redemptions = [partial(app.spend, app.redemption(app.code(person()))) for _ in range(TWENTY - 2)]
    own = partial(app.spend, {"grant_type": clients.CLIENT_CREDENTIALS, **app.credentials})
    deeds: list[Callable[[], Answer]] = [*redemptions, own, pressed(owner, f"{path}/delete", form)]
    answers = at_once(deeds)
    assert answers[-1].status == 303
    everything = issued(answers)
    assert working(latchkey, everything) == []
    assert {said(each()) for each in (*redemptions, own)} == {(401, "invalid_client")}


@pytest.mark.parametrize("exchange", ["redemption", "refresh"])
def test_disconnection_during_an_exchange_leaves_no_working_token(
    latchkey: TestApp, line: HoldingLine, app: Registered, exchange: str
) -> None:
    """An exchange that was decided before the disconnection and is written after it brings nothing."""
    account = person()
    tokens = app.tokens(account)
    asked = app.refresh(tokens) if exchange == "refresh" else app.redemption(app.code(account))
    with line.holding(spending) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(app.spend, asked)
        held.wait_for(1)
        consent.withdraw(account.id, app.id)
        held.let_go()
        assert said(late.result()) == (400, "invalid_grant")
    assert_nothing_works(app, [tokens])


def test_disconnection_and_refreshes_20_at_once_leave_no_working_token(latchkey: TestApp, app: Registered) -> None:
    """However they fall together, after the disconnection nothing that the client holds for this account works."""
    account = person()
    held = [app.tokens(account) for _ in range(4)]
    console = logged_in(latchkey, account)
    asks = console.open(f"/settings/connected/disconnect?client_id={app.id}")
    form = console.filled(asks, "/settings/connected", {})
    refreshes = [partial(app.spend, app.refresh(held[at % 4])) for at in range(TWENTY - 1)]
    deeds: list[Callable[[], Answer]] = [*refreshes, pressed(console, "/settings/connected", form)]
    answers = at_once(deeds)
    assert answers[-1].status == 303
    assert_nothing_works(app, [*held, *issued(answers)])
    assert list(grants.of_account(account.id)) == []


def test_silent_authorization_during_a_disconnection_brings_nothing(
    latchkey: TestApp, line: HoldingLine, app: Registered
) -> None:
    """One that was decided before the disconnection and is written after it asks the person instead."""
    account = person()
    app.code(account)
    console = logged_in(latchkey, account)
    silently = f"/oauth/authorize?{urlencode(app.authorization())}"
    with line.holding(transaction) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(console.open, silently)
        held.wait_for(1)
        held.rule = lambda _: False
        consent.withdraw(account.id, app.id)
        held.let_go()
        assert late.result().status == 200
    assert list(grants.of_account(account.id)) == []
    assert console.open(silently).status == 200


def test_silent_authorizations_and_a_disconnection_20_at_once_leave_nothing_allowed(
    latchkey: TestApp, app: Registered
) -> None:
    """However they fall together, afterwards the person is asked, and no code that was given is worth a token."""
    account = person()
    app.code(account)
    console = logged_in(latchkey, account)
    asks = console.open(f"/settings/connected/disconnect?client_id={app.id}")
    form = console.filled(asks, "/settings/connected", {})
    silently = f"/oauth/authorize?{urlencode(app.authorization())}"
    tabs = [ConsoleClient(latchkey, cookies=dict(console.cookies)) for _ in range(TWENTY - 1)]
    deeds: list[Callable[[], Page]] = [partial(tab.open, silently) for tab in tabs]
    deeds.append(partial(console.send, "/settings/connected", form))
    pages = at_once(deeds)
    assert pages[-1].status == 303
    assert {page.status for page in pages[:-1]} <= {200, 303}
    assert list(grants.of_account(account.id)) == []
    assert console.open(silently).status == 200


def assert_remembered(app: Registered, account: Account, asked: list[Parameters]) -> None:
    """The scopes and resources of these requests are remembered, and no others."""
    lines = {f"https://app.example.com {each['resource']} {each['scope']}" for each in asked}
    assert Consent.get(account.id, app.id).allowed == lines


def assert_one_successor(account: Account) -> None:
    """The account's only grant lives and has two refresh tokens: the spent one, and one successor."""
    (grant,) = Grant.by_account.query(account.id)
    assert grant.revoked_at is None
    its_refresh_tokens = OneTimeToken.scan((OneTimeToken.grant_id == grant.id) & (OneTimeToken.kind == "rt"))
    spent = Counter(ticket.consumed_at is not None for ticket in its_refresh_tokens)
    assert spent == {True: 1, False: 1}


def assert_one_pair(app: Registered, account: Account, answers: list[dict[str, Any]]) -> None:
    """All 20 got the same tokens, which work, and no others were stored."""
    assert len(answers) == TWENTY
    (access_token,) = {answer["access_token"] for answer in answers}
    (refresh_token,) = {answer["refresh_token"] for answer in answers}
    assert_one_successor(account)
    assert working(app.latchkey, answers[:1]) == [access_token] * 2
    assert app.ask(app.refresh({"refresh_token": refresh_token})).status == 200


def pressed(console: ConsoleClient, action: str, form: Fields) -> Callable[[], Answer]:
    """Return the press of a button."""
    return lambda: console.send(action, form).answer


def decider(latchkey: TestApp, user_code: str, decision: str) -> Callable[[], Page]:
    """Return the press of a button by somebody who has the page with the device's code open."""
    console = logged_in(latchkey, person())
    form = console.filled(console.open(f"/device?user_code={user_code}"), "/device", {"decision": decision})
    return partial(console.send, "/device", form)
