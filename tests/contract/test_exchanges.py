"""The HTTP contract as data: each `<topic>/<case>.http` has one request and its complete response, to the byte.

Before the request, lines of `# given:` say what is so, in order. Without any it is 2021-12-20T10:00:00Z, and there is
one free account, Ada: `{{ada}}` is her id; `{{key}}` is her key (read, write, keys), `{{ada_key_id}}` its id and
`{{hint}}` its hint.

    tier NAME         Ada's tier
    admin             Ada is an admin
    suspended         Ada's account is suspended
    scopes NAME …     what her key carries
    expires N         her key ends in N seconds
    rotated N         her key is rotated and works on for N seconds; its successor is `{{successor_id}}`
    revoked           her key is revoked
    other NAME        another account: `{{name}}`, its key `{{name_key_id}}`
    used N            N requests are counted in this hour, for Ada and for the client address
    burst N           N requests are counted in this second, for both
    seconds N         the clock moves on
    origin ORIGIN     the one allowed origin
    fault             there is a route whose view fails, GET /v1/fault
    outage            the database has lost the table of accounts

In requests, `{{unknown_key}}` and `{{mistyped_key}}` are never stored, `{{long}}` is 7 KB, `{{controls}}` are control
characters, `{{spaces}}` are three, and `{{after_ada}}` is the cursor beyond her. In answers, `{{request_id}}` is the
gateway's, and `{{new_id}}`, `{{new_key}}`, `{{new_hint}}`, `{{new_ticket}}` are what a 201 has made; headers are
sorted by name. The steps of the authorization server are in `flows`.
"""

import base64
import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path

import pytest

from chalicelib.accounts import states
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import rotate
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.limits import tiers
from infra.local_gateway.response import Response
from tests.contract.flows import Flow, new_names
from tests.support import conformance
from tests.support.failing_view import gateway_with_fault
from tests.support.harness import TestApp

HERE = Path(__file__).parent
CASES = sorted(str(path.relative_to(HERE).with_suffix("")) for path in HERE.glob("*/*.http"))
CLIENT_ADDRESS = "203.0.113.7"
UNWRITABLE = {"long": "x" * 7_000, "controls": "\x00\x01\t\x1b\r\n\x7f", "spaces": "   "}


@dataclass
class Play:
    """One exchange: its preconditions, and the values of its placeholders."""

    latchkey: TestApp
    until_played: ExitStack
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Create the account Ada."""
        self.ada, self.key = self.person("Ada")
        self.flow = Flow(self.latchkey, self.ada, self.names)
        typo = "a" if self.key.secret[-1] != "a" else "b"
        self.names |= {
            "key": self.key.secret,
            "hint": _in_json(self.key.key.hint),
            "unknown_key": secrets.mint("test"),
            "mistyped_key": self.key.secret[:-1] + typo,
        }

    def person(self, name: str) -> tuple[Account, Issued]:
        """Add an account and its key."""
        account = self.latchkey.account(email=f"{name.lower()}@example.com", name=name)
        issued = self.latchkey.key(account)
        self.names |= {
            name.lower(): account.id,
            f"{name.lower()}_key_id": issued.key.id,
            f"after_{name.lower()}": base64.urlsafe_b64encode(account.id.encode()).decode().rstrip("="),
        }
        return account, issued

    def given(self, fact: str) -> None:  # noqa: C901 - a table of words, one line each
        """Set up one `# given:` line."""
        match fact.split():
            case ["tier", tier]:
                self.ada.update(actions=[Account.tier.set(tier)])
            case ["admin"]:
                self.ada.update(actions=[Account.admin.set(True)])
            case ["suspended"]:
                self.ada.update(actions=[Account.status.set(states.SUSPENDED)])
            case ["scopes", *scopes]:
                self.key.key.update(actions=[Credential.scopes.set(set(scopes))])
            case ["expires", seconds]:
                self.key.key.update(actions=[Credential.expires_at.set(clock.now_ms() + int(seconds) * 1000)])
            case ["rotated", grace_s]:
                self.names["successor_id"] = rotate.rotate(
                    verify(self.key.secret), self.key.key.id, int(grace_s)
                ).key.id
            case ["revoked"]:
                self.key.key.update(actions=[Credential.revoked_at.set(clock.now_ms())])
            case ["other", name]:
                self.person(name)
            case ["used", count]:
                self.count(used=int(count))
            case ["burst", count]:
                self.count(burst=int(count))
            case ["seconds", seconds]:
                self.latchkey.clock.forward(float(seconds))
            case ["origin", origin]:
                chosen = replace(settings.current(), allowed_origin=origin)
                self.until_played.enter_context(settings.override(chosen))
            case ["fault"]:
                self.latchkey.gateway = gateway_with_fault()
            case ["outage"]:
                dynamodb.call("DeleteTable", {"TableName": settings.current().table("accounts")})
            case words:
                assert self.flow.given(words), f"unknown words: {fact}"

    def count(self, **counters: int) -> None:
        """Set counters as after so many requests."""
        for tier in tiers.OF_ACCOUNTS:
            self.latchkey.set_counters(self.ada.id, tier, **counters)
        self.latchkey.set_counters(f"ip_{CLIENT_ADDRESS}", tiers.ANONYMOUS, **counters)

    def request(self, text: str) -> Response:
        """Send the request of a file."""
        head, _, body = text.strip("\n").partition("\n\n")
        first, *lines = head.split("\n")
        method, target, _ = first.split(" ")
        headers = [(name, self.fill(value)) for name, _, value in (line.partition(": ") for line in lines)]
        target = self.fill(target)
        answer = self.latchkey.gateway.handle(method, target, headers, self.fill(body).encode(), ip=CLIENT_ADDRESS)
        conformance.check(self.latchkey.gateway, method, target, answer)
        return answer

    def fill(self, text: str) -> str:
        """Replace the placeholders by their values."""
        for name, value in (self.names | UNWRITABLE).items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    def shown(self, answer: Response) -> str:
        """Return a response in the format of the files."""
        names = self.names | {"request_id": answer.header("x-amzn-RequestId") or "none"} | new_names(answer)
        made = answer.json() if answer.status == HTTPStatus.CREATED else {}
        if "id" in made:
            names["new_id"] = made["id"]
            if "secret" in made:
                names |= {"new_key": made["secret"], "new_hint": _in_json(made["hint"])}
            else:
                names["new_ticket"] = made["set_password_url"].partition("=")[2]
        status = HTTPStatus(answer.status)
        headers = sorted(answer.headers, key=lambda header: header[0].lower())
        text = "\n".join((f"HTTP/1.1 {status} {status.phrase}", *map(": ".join, headers)))
        text += f"\n\n{answer.body.decode()}" if answer.body else ""
        for name, value in names.items():
            text = text.replace(value, f"{{{{{name}}}}}")
        return text


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _parts(text: str) -> tuple[list[str], str, str]:
    """Return the preconditions, the request and the response of a file."""
    facts = re.findall(r"^# given: (.+)\n", text, re.MULTILINE)
    exchange = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    request, answer = re.split(r"^(?=HTTP/1\.1 )", exchange, maxsplit=1, flags=re.MULTILINE)
    return facts, request, answer.removesuffix("\n")


@pytest.mark.parametrize("case", CASES)
def test_response_matches_the_file_to_the_byte(latchkey: TestApp, case: str) -> None:
    """The request of the file gets exactly the response of the file."""
    facts, request, answer = _parts((HERE / f"{case}.http").read_text())
    with ExitStack() as until_played:
        play = Play(latchkey, until_played)
        for fact in facts:
            play.given(fact)
        assert play.shown(play.request(request)) == answer


def test_no_file_contains_a_secret() -> None:
    """A secret scanner finds nothing in the exchanges: they have placeholders for secrets."""
    for case in CASES:
        assert not re.search(r"lk_[a-z]+_[0-9A-Za-z]{36}", (HERE / f"{case}.http").read_text()), case
