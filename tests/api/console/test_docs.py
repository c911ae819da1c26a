"""The page /docs shows the content of /openapi.json and lets users try requests."""

from app import app
from chalicelib.api.openapi.document import document
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp


def test_page_has_everything_in_the_document(latchkey: TestApp) -> None:
    """Every operation, parameter, field, schema, error code, event type, scope and header is on the page."""
    whole, page = document(app.routes, "https://api.example.com"), ConsoleClient(latchkey).open("/docs")
    assert page.status == 200
    named = {
        *(f"{method.upper()} {path}" for path, operations in whole["paths"].items() for method in operations),
        *whole["components"]["schemas"],
        *whole["components"]["headers"],
        *(row["error"] for row in whole["x-errors"]),
        *(row["type"] for row in whole["x-event-types"]),
        *(row["scope"] for row in whole["x-scopes"]),
        *(name for shape in whole["components"]["schemas"].values() for name in shape["properties"]),
    }
    assert {name for name in named if name not in page.text} == set()


def test_every_link_within_the_page_has_a_target(latchkey: TestApp) -> None:
    """Every link within the page has a target on the page."""
    page = ConsoleClient(latchkey).open("/docs")
    wanted = {url for url in page.urls if url.startswith("#")}
    assert len(wanted) > 60
    assert {url for url in wanted if f' id="{url[1:]}"' not in page.html} == set()


def test_scripts_can_only_send_requests_to_this_api(latchkey: TestApp) -> None:
    """The Content-Security-Policy of /docs allows its script to send requests to this API only. Other pages allow no
    requests.
    """
    page = ConsoleClient(latchkey).open("/docs")
    policy = page.answer.header("Content-Security-Policy") or ""
    assert "connect-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in (ConsoleClient(latchkey).open("/").answer.header("Content-Security-Policy") or "")


def test_key_is_never_part_of_a_url(latchkey: TestApp) -> None:
    """The field for the key has no name and is in no form, so browsers never submit the key in a URL."""
    html = ConsoleClient(latchkey).open("/docs").html
    field = html[html.index('<input id="api-key"') :].partition(">")[0]
    assert "name=" not in field
    before = html[: html.index('<input id="api-key"')]
    assert before.count("<form") == before.count("</form")
    assert 'autocomplete="off"' in field


def test_only_requests_with_an_api_key_can_be_tried(latchkey: TestApp) -> None:
    """Only operations that accept an API key can be tried. Operations that require a signature or an OAuth client can't
    be tried.
    """
    page = ConsoleClient(latchkey).open("/docs")
    tried = [form.action for form in page.content.forms]
    assert 'data-path="/v1/keys"' in page.html
    assert 'data-path="/v1/leaks"' not in page.html
    assert 'data-path="/oauth/token"' not in page.html
    assert "Authentication: a signature of the body" in page.text
    assert "Latchkey-Signature: v1=$SIGNATURE" in page.text
    assert "send the requests below that have" in page.text
    assert set(tried) == {""}


def test_page_is_the_same_for_logged_in_users(latchkey: TestApp) -> None:
    """Logged-in users get the same page, and the console links to it."""
    member = log_in_as(latchkey, new_account())
    assert "/docs" in member.open("/settings/keys").urls
    assert member.open("/docs").heading == "API reference"
