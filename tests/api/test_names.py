"""One rule for names applies to the API, the console, client registration and client metadata documents."""

import json
from collections.abc import Callable, Iterator

import pytest

from infra.local_gateway.response import Response
from tests.oauth.flow import CALLBACK, User, new_user, register_client
from tests.oauth.test_client_documents import DOCUMENT, found, publish
from tests.support.fake_internet import Internet, replace_internet
from tests.support.harness import TestApp

GOOD = ("👩\u200d💻", "10\u00a0km", "\u200fדוד", "山田\u3000太郎", "می\u200cخواهم", "Ada")
BAD = ("\u200b", "\u2800", "\U000e0041", "a\u202eb", "a\u2066b", "a\x07b", "a\x9bb", "a\u2028b")


@pytest.fixture
def internet() -> Iterator[Internet]:
    """A fake internet without any host."""
    with replace_internet() as made:
        yield made


def send_to_api(method: str, path: str, *scopes: str, **others: object) -> Callable[[TestApp, User, str], bool]:
    """Return a function that sends a name to the API and returns whether it was accepted."""

    def give(latchkey: TestApp, ada: User, name: str) -> bool:
        secret = latchkey.key(ada.account, *scopes).secret
        return is_accepted(latchkey.call(method, path, secret, json_body={"name": name, **others}))

    return give


def submit_in_console(action: str, page: str, **others: str | list[str]) -> Callable[[TestApp, User, str], bool]:
    """Return a function that submits a name in the console and returns whether it was accepted."""

    def give(_home: TestApp, ada: User, name: str) -> bool:
        return is_accepted(ada.submit(action, on=page, name=name, **others).answer)

    return give


def rename_application(latchkey: TestApp, ada: User, name: str) -> bool:
    """Rename an application in the console; return whether the name was accepted."""
    path = f"/settings/applications/{register_client(latchkey, owner=ada.account).id}"
    return is_accepted(ada.submit(f"{path}/change", on=path, name=name, redirect_uris=CALLBACK).answer)


def register(latchkey: TestApp, _ada: User, name: str) -> bool:
    """Register a client; return whether its name was accepted."""
    body = {"client_name": name, "redirect_uris": [CALLBACK]}
    return is_accepted(latchkey.call("POST", "/oauth/register", json_body=body))


def is_accepted(response: Response) -> bool:
    """Return whether a name was accepted; any other response must be a 400."""
    assert response.status in (200, 201, 303, 400), response.body
    return response.status != 400


ENTRIES = {
    "own account": send_to_api("PATCH", "/v1/users/me", "write"),
    "key": send_to_api("POST", "/v1/keys", "keys", scopes=["keys"]),
    "webhook": send_to_api("POST", "/v1/webhooks", "webhooks", url="https://hooks.example.com/"),
    "own account in the console": submit_in_console("/settings/account/name", "/settings/account"),
    "key in the console": submit_in_console("/settings/keys/new", "/settings/keys/new", scopes=["read"]),
    "application in the console": submit_in_console(
        "/settings/applications/new",
        "/settings/applications/new",
        kind="public",
        redirect_uris=CALLBACK,
        scopes=["read"],
    ),
    "application's change in the console": rename_application,
    "webhook in the console": submit_in_console(
        "/settings/webhooks/new", "/settings/webhooks/new", url="https://hooks.example.com/"
    ),
    "registration": register,
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_name_rule_is_the_same_everywhere(latchkey: TestApp, entry: Callable[[TestApp, User, str], bool]) -> None:
    """Joined emoji, special spaces and direction marks are accepted; invisible and bidi override characters aren't."""
    ada, judged = new_user(latchkey), {}
    for name in (*GOOD, *BAD):
        latchkey.clock.forward(1)
        judged[name] = entry(latchkey, ada, name)
    assert judged == dict.fromkeys(GOOD, True) | dict.fromkeys(BAD, False)


@pytest.mark.parametrize("name", [*GOOD, *BAD], ids=ascii)
def test_invalid_name_in_a_document_is_replaced_by_the_host(latchkey: TestApp, internet: Internet, name: str) -> None:
    """If a client metadata document has an invalid name, the client is shown by its host."""
    publish(internet, json.dumps(DOCUMENT | {"client_name": name}).encode())
    client = found(internet)
    assert client
    assert client.name == (name if name in GOOD else "client.example")
