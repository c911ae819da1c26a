"""The device page shows the user code in the same format as the device, so that users can compare both (RFC
8628 §5.4).
"""

import pytest

from tests.oauth.flow import App, User
from tests.support.harness import TestApp


@pytest.mark.parametrize("spelled", ["lower", "spaced", "plain", "as shown"])
def test_user_code_is_shown_in_the_format_of_the_device(latchkey: TestApp, ada: User, app: App, spelled: str) -> None:
    """The consent page and the confirmation show the user code with its hyphen."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    letters = user_code.replace("-", "")
    typed = {"lower": letters.lower(), "spaced": "%20".join(letters), "plain": letters, "as shown": user_code}[spelled]
    page = ada.open(f"/device?user_code={typed}")
    assert (page.status, user_code in page.text) == (200, True)
    assert page.value("/device", "user_code") == user_code
    done = ada.send("/device", ada.fill(page, "/device", {"decision": "allow"}))
    assert (done.status, user_code in done.text) == (200, True)


def test_unknown_user_code_stays_in_the_field(ada: User) -> None:
    """An unknown user code stays in the form field, so that a typing error can be corrected."""
    page = ada.open("/device?user_code=khrl-fbq1")
    assert (page.status, page.value("/device", "user_code")) == (404, "khrl-fbq1")
