"""The user code on the device page has the format of the device, so that both can be compared (RFC 8628 §5.4)."""

import pytest

from tests.oauth.flow import App, User
from tests.support.harness import TestApp


@pytest.mark.parametrize("spelled", ["lower", "spaced", "plain", "as shown"])
def test_user_code_is_shown_in_the_format_of_the_device(latchkey: TestApp, ada: User, app: App, spelled: str) -> None:
    """On the consent page and on the confirmation."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    letters = user_code.replace("-", "")
    typed = {"lower": letters.lower(), "spaced": "%20".join(letters), "plain": letters, "as shown": user_code}[spelled]
    page = ada.open(f"/device?user_code={typed}")
    assert (page.status, user_code in page.text) == (200, True)
    assert page.value("/device", "user_code") == user_code
    done = ada.send("/device", ada.filled(page, "/device", {"decision": "allow"}))
    assert (done.status, user_code in done.text) == (200, True)


def test_unknown_user_code_stays_in_the_field(ada: User) -> None:
    """So that a typing error can be corrected."""
    page = ada.open("/device?user_code=khrl-fbq1")
    assert (page.status, page.value("/device", "user_code")) == (404, "khrl-fbq1")
