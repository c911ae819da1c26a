"""URLs as client ids: which are valid, and the reason shown for an invalid one."""

import pytest

from chalicelib.oauth import client_documents, document_fetches
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CALLBACK, App, User
from tests.support.fake_internet import NAME
from tests.support.harness import TestApp

HOST = "a client_id URL must have a host and no user information"
ENCODING = "a client_id URL must not contain control characters or an invalid percent-encoding"
PLAIN = "a client_id URL must have a path, and no fragment, dot segments or special characters"
NO_URL = "client_id is not a valid URL"


PLACES = (
    "",
    ":443",
    "a..b",
    ".",
    "a%2eb",
    "a%00",
    "::1",
    "a b",
    "a,b",
    "\u00fc",
    "[",
    "[::1",
    "[::1]x",
    "[v1.x]",
    "a" * 254,
)
USERS = (f"u@{NAME}", f"u:p@{NAME}", f"@{NAME}")
PORTS = ("0", "00", "", "65536", "-1", "+443", "x")


@pytest.mark.parametrize("place", [NAME, f"{NAME}:8443", f"{NAME}.", "192.0.2.1", "[2001:db8::1]:1", "A-b_c"])
@pytest.mark.parametrize("path", ["%20", "%c3%bc", "a;b=c", "c?v=1&w=%2F", "%E0", "a~b!c", "%252", "%25a0"])
def test_valid_url_can_be_a_client_id(place: str, path: str) -> None:
    """A client id URL may have any host, path and percent-encoded text."""
    client_documents.check_url(f"https://{place}/{path}")


@pytest.mark.parametrize(
    "place", [*PLACES, *(f"{NAME}:{port}" for port in PORTS), f"u@{NAME}", f"u:p@{NAME}", f"@{NAME}"]
)
def test_client_id_url_with_a_bad_host_is_rejected(place: str) -> None:
    """A missing or bad host, a bad port, or credentials in the URL are rejected, whether or not urlsplit
    detects them.
    """
    with pytest.raises(client_documents.BadDocument) as raised:
        client_documents.check_url(f"https://{place}/c")
    assert str(raised.value) in (HOST, NO_URL)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        *(
            (f"/c{end}", ENCODING)
            for end in ("%00", "%0d%0a", "%1F", "%7f", "%2500", "%25250A", "?x=%00", "[1]", "?[1]")
        ),
        *((f"/c{end}", ENCODING) for end in ("%", "%0", "%zz", "%%20", "?[1]")),
        *((path, PLAIN) for path in ("", "/", "/a/../b", "/%2e", "/a#b", "/a b", "/\u00fc", "/a\\b")),
    ],
)
def test_client_id_url_with_a_bad_path_is_rejected(path: str, why: str) -> None:
    """Encoded control characters, bad percent-encoding, dot segments and a fragment are rejected."""
    with pytest.raises(client_documents.BadDocument) as raised:
        client_documents.check_url(f"https://{NAME}{path}")
    assert str(raised.value) == why


@pytest.mark.parametrize(
    ("client_id", "why"),
    [("https:///c", HOST), (f"https://{NAME}/c%00", ENCODING), (f"https://{NAME}/", PLAIN), (f"https://{NAME}/c", "")],
)
def test_error_page_shows_why_a_client_id_is_invalid(latchkey: TestApp, ada: User, client_id: str, why: str) -> None:
    """The error page shows why a client id is invalid, so that the user can report it to the developer. If the document
    can't be fetched, the page only says that the client is unknown.
    """
    document_fetches.record_failure(client_id)
    page = ada.open(App(latchkey, Client(client_id), None, CALLBACK).authorization_path())
    assert f"Contact its developer ({why or 'unknown client_id'})." in page.text
