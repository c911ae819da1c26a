"""The HTTP contract as data: each `<topic>/<case>.http` has one request and its complete response, to the byte.

Lines of `# given:` before the request set up its state, in order. By default the time is 2021-12-20T10:00:00Z, and one
Free account exists, Ada's: `{{ada}}` is its id, `{{ada_user}}` the id of its only user, `{{key}}` a key with the scopes
read, write and keys, `{{ada_key_id}}` the id of that key and `{{hint}}` its preview. The other lines are:

    tier NAME         change the tier of Ada's account
    admin             make Ada's user an admin
    suspended         suspend Ada's account
    scopes NAME …     replace the scopes of the key
    expires N         let the key expire in N seconds
    rotated N         rotate the key with a grace period of N seconds; `{{successor_id}}` is its successor
    revoked           revoke the key
    other NAME        create another account, whose id is `{{name}}`, with the user `{{name_user}}` and the key
                      `{{name_key_id}}`
    member NAME ROLE  add a user to Ada's account with this role: `{{name_user}}`
    used N            count N requests in this hour, for Ada's account and for the client address
    burst N           count N requests in this second, for Ada's account and for the client address
    seconds N         move the clock forward by N seconds
    origin ORIGIN     allow only this origin
    fault             add a route whose view fails, GET /v1/fault
    outage            delete the table of accounts

In requests, `{{unknown_key}}` and `{{mistyped_key}}` are keys that are not stored, `{{long}}` is 7 KB, `{{controls}}`
are control characters, `{{spaces}}` are three spaces, and `{{after_ada}}` is the cursor after Ada's user. In responses,
`{{request_id}}` is the gateway's request id, and `{{new_id}}`, `{{new_key}}`, `{{new_hint}}`, `{{new_owner}}` and
`{{new_ticket}}` are values that a 201 creates; headers are sorted by name. `flows` has the lines for OAuth.
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
from chalicelib.accounts.tables import Account, User
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
from tests.support.harness import AccountOfTest, TestApp

HERE = Path(__file__).parent
CASES = sorted(str(path.relative_to(HERE).with_suffix("")) for path in HERE.glob("*/*.http"))
CLIENT_ADDRESS = "203.0.113.7"
UNWRITABLE = {"long": "x" * 7_000, "controls": "\x00\x01\t\x1b\r\n\x7f", "spaces": "   "}


@dataclass
class Exchange:
    """One exchange: its state, and the values of its placeholders."""

    latchkey: TestApp
    on_exit: ExitStack
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Create Ada's account."""
        self.ada, self.key = self.add_account("Ada")
        self.flow = Flow(self.latchkey, self.ada, self.names)
        typo = "a" if self.key.secret[-1] != "a" else "b"
        self.names |= {
            "key": self.key.secret,
            "hint": _in_json(self.key.key.hint),
            "unknown_key": secrets.mint("test"),
            "mistyped_key": self.key.secret[:-1] + typo,
        }

    def add_account(self, name: str) -> tuple[AccountOfTest, Issued]:
        """Create an account and its key."""
        account = self.latchkey.account(email=f"{name.lower()}@example.com", name=name)
        issued = self.latchkey.key(account)
        self.names |= {name.lower(): account.id, f"{name.lower()}_key_id": issued.key.id}
        self.add_user(account, name)
        return account, issued

    def add_user(self, account: AccountOfTest, name: str) -> None:
        """Define the placeholders of a user."""
        cursor = base64.urlsafe_b64encode(account.user_id.encode()).decode().rstrip("=")
        self.names |= {f"{name.lower()}_user": account.user_id, f"after_{name.lower()}": cursor}

    def set_up(self, line: str) -> None:  # noqa: C901 - a table with one row for each kind of line
        """Set up the state of one `# given:` line."""
        match line.split():
            case ["tier", tier]:
                self.ada.account.update(actions=[Account.tier.set(tier)])
            case ["admin"]:
                self.ada.user.update(actions=[User.admin.set(True)])
            case ["suspended"]:
                self.ada.account.update(actions=[Account.status.set(states.SUSPENDED)])
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
                self.add_account(name)
            case ["member", name, role]:
                self.add_user(self.latchkey.member(self.ada, role, name=name), name)
            case ["used", count]:
                self.count(used=int(count))
            case ["burst", count]:
                self.count(burst=int(count))
            case ["seconds", seconds]:
                self.latchkey.clock.forward(float(seconds))
            case ["origin", origin]:
                chosen = replace(settings.current(), allowed_origin=origin)
                self.on_exit.enter_context(settings.override(chosen))
            case ["fault"]:
                self.latchkey.gateway = gateway_with_fault()
            case ["outage"]:
                dynamodb.call("DeleteTable", {"TableName": settings.current().table("accounts")})
            case words:
                assert self.flow.set_up(words), f"unknown line: {line}"

    def count(self, **counters: int) -> None:
        """Set the counters of Ada's account and of the client address."""
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
        response = self.latchkey.gateway.handle(method, target, headers, self.fill(body).encode(), ip=CLIENT_ADDRESS)
        conformance.check(self.latchkey.gateway, method, target, response)
        return response

    def fill(self, text: str) -> str:
        """Replace the placeholders by their values."""
        for name, value in (self.names | UNWRITABLE).items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    def render(self, response: Response) -> str:
        """Return a response in the format of the files."""
        names = self.names | {"request_id": response.header("x-amzn-RequestId") or "none"} | new_names(response)
        made = response.json() if response.status == HTTPStatus.CREATED else {}
        if "id" in made:
            names["new_id"] = made["id"]
            if "secret" in made:
                names |= {"new_key": made["secret"], "new_hint": _in_json(made["hint"])}
            else:
                names |= {
                    "new_owner": made["owner_id"],
                    "new_ticket": made["set_password_url"].partition("=")[2],
                }
        status = HTTPStatus(response.status)
        headers = sorted(response.headers, key=lambda header: header[0].lower())
        text = "\n".join((f"HTTP/1.1 {status} {status.phrase}", *map(": ".join, headers)))
        text += f"\n\n{response.body.decode()}" if response.body else ""
        for name, value in names.items():
            text = text.replace(value, f"{{{{{name}}}}}")
        return text


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _parse(text: str) -> tuple[list[str], str, str]:
    """Return the `# given:` lines, the request and the response of a file."""
    lines = re.findall(r"^# given: (.+)\n", text, re.MULTILINE)
    exchange = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    request, response = re.split(r"^(?=HTTP/1\.1 )", exchange, maxsplit=1, flags=re.MULTILINE)
    return lines, request, response.removesuffix("\n")


@pytest.mark.parametrize("case", CASES)
def test_response_matches_the_file_to_the_byte(latchkey: TestApp, case: str) -> None:
    """The request of a file gets exactly the response of that file."""
    lines, request, response = _parse((HERE / f"{case}.http").read_text())
    with ExitStack() as on_exit:
        played = Exchange(latchkey, on_exit)
        for line in lines:
            played.set_up(line)
        assert played.render(played.request(request)) == response


def test_no_file_contains_a_secret() -> None:
    """The exchanges have placeholders for secrets, so a secret scanner finds no secret in them."""
    for case in CASES:
        assert not re.search(r"lk_[a-z]+_[0-9A-Za-z]{36}", (HERE / f"{case}.http").read_text()), case
