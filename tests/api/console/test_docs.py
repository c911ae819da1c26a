"""/docs shows people what /openapi.json tells programs, and lets them try it."""

from app import app
from chalicelib.api.reference.document import document
from tests.support.console_client import ConsoleClient, logged_in, person
from tests.support.harness import TestApp


def test_page_tells_everything_that_the_document_does(latchkey: TestApp) -> None:
    """Each request, parameter and field, shape, code, event type, scope and header."""
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


def test_every_link_within_the_page_leads_somewhere(latchkey: TestApp) -> None:
    """What is named in the contents, and every shape and status that is referred to."""
    page = ConsoleClient(latchkey).open("/docs")
    wanted = {url for url in page.urls if url.startswith("#")}
    assert len(wanted) > 60
    assert {url for url in wanted if f' id="{url[1:]}"' not in page.html} == set()


def test_script_may_ask_this_api_and_nothing_else(latchkey: TestApp) -> None:
    """The one page whose policy lets a script send requests; all others send none."""
    page = ConsoleClient(latchkey).open("/docs")
    policy = page.answer.header("Content-Security-Policy") or ""
    assert "connect-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in (ConsoleClient(latchkey).open("/").answer.header("Content-Security-Policy") or "")


def test_key_can_not_reach_a_url(latchkey: TestApp) -> None:
    """Its field has no name and stands in no form, so nothing a browser does by itself sends it."""
    html = ConsoleClient(latchkey).open("/docs").html
    field = html[html.index('<input id="api-key"') :].partition(">")[0]
    assert "name=" not in field
    before = html[: html.index('<input id="api-key"')]
    assert before.count("<form") == before.count("</form")
    assert 'autocomplete="off"' in field


def test_only_what_a_key_is_enough_for_can_be_tried(latchkey: TestApp) -> None:
    """What has to be signed, and what OAuth's clients send, can't be sent from a page."""
    page = ConsoleClient(latchkey).open("/docs")
    tried = [form.action for form in page.read.forms]
    assert 'data-path="/v1/keys"' in page.html
    assert 'data-path="/v1/leaks"' not in page.html
    assert 'data-path="/oauth/token"' not in page.html
    assert "Authentication: a signature of the body" in page.text
    assert "Latchkey-Signature: v1=$SIGNATURE" in page.text
    assert "every request below can be sent" not in page.text
    assert set(tried) == {""}


def test_page_is_the_same_for_members(latchkey: TestApp) -> None:
    """Who is logged in reads the same, and is led there from the console."""
    member = logged_in(latchkey, person())
    assert "/docs" in member.open("/settings/keys").urls
    assert member.open("/docs").heading == "API reference"
