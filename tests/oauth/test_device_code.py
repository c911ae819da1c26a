"""The user code on the device page has the format of the device, so that both can be compared (RFC 8628 §5.4)."""

import pytest

from tests.oauth.flow import App, User
from tests.support.harness import TestApp


@pytest.mark.parametrize("spelled", ["lower", "spaced", "plain", "as shown"])
def test_user_code_is_shown_in_the_format_of_the_device(latchkey: TestApp, ada: User, app: App, spelled: str) -> None:
    """On the consent page and on the confirmation."""
    shown = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    letters = shown.replace("-", "")
    typed = {"lower": letters.lower(), "spaced": "%20".join(letters), "plain": letters, "as shown": shown}[spelled]
    page = ada.open(f"/device?user_code={typed}")
    assert (page.status, shown in page.text) == (200, True)
    assert page.value("/device", "user_code") == shown
    done = ada.send("/device", ada.filled(page, "/device", {"decision": "allow"}))
    assert (done.status, shown in done.text) == (200, True)


def test_unknown_user_code_stays_in_the_field(ada: User) -> None:
    """So that a typing error can be corrected."""
    page = ada.open("/device?user_code=khrl-fbq1")
    assert (page.status, page.value("/device", "user_code")) == (404, "khrl-fbq1")
