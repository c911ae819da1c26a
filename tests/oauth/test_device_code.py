"""The page for a device's code shows the code as the device does, so that both can be compared (RFC 8628 §5.4)."""

import pytest

from tests.oauth.flow import App, Person
from tests.support.harness import TestApp


@pytest.mark.parametrize("spelled", ["lower", "spaced", "plain", "as shown"])
def test_code_is_shown_in_the_devices_form_however_it_was_typed(
    latchkey: TestApp, ada: Person, app: App, spelled: str
) -> None:
    """On the page that asks, and on the one that says what was decided."""
    shown = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    letters = shown.replace("-", "")
    typed = {"lower": letters.lower(), "spaced": "%20".join(letters), "plain": letters, "as shown": shown}[spelled]
    page = ada.open(f"/device?user_code={typed}")
    assert (page.status, shown in page.text) == (200, True)
    assert page.value("/device", "user_code") == shown
    done = ada.send("/device", ada.fill(page, "/device", {"decision": "allow"}))
    assert (done.status, shown in done.text) == (200, True)


def test_code_that_is_none_is_kept_as_it_was_typed(ada: Person) -> None:
    """The field holds what was typed, so that a slip can be mended."""
    page = ada.open("/device?user_code=khrl-fbq1")
    assert (page.status, page.value("/device", "user_code")) == (404, "khrl-fbq1")
