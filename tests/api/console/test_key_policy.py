"""Settings > API Keys: the response to unusual activity of a key, and its alerts."""

from chalicelib.credentials import revoke
from chalicelib.detection import leak_policy, leaks
from tests.oauth.flow import new_user
from tests.support.harness import TestApp

KEYS, ACCOUNT = "/settings/keys", "/settings/account"


def test_policy_is_chosen_on_the_page_of_the_key(latchkey: TestApp) -> None:
    """A policy can be selected on the key's page, and the page and the API then show it."""
    ada = new_user(latchkey)
    issued = latchkey.key(ada.account)
    path = f"{KEYS}/{issued.key.id}"
    assert 'value="tell" checked' in ada.open(path).html
    for chosen in ("narrow", "revoke", "tell"):
        page = ada.follow(ada.submit(f"{path}/policy", on=path, on_anomaly=chosen))
        assert "Saved." in page.text
        assert f'value="{chosen}" checked' in page.html
        assert latchkey.call("GET", f"/v1/keys/{issued.key.id}", issued.secret).json()["on_anomaly"] == chosen


def test_invalid_policy_is_rejected(latchkey: TestApp) -> None:
    """An unknown policy is rejected, and so is a policy for a key that is inactive or of another account."""
    ada, eve = new_user(latchkey), new_user(latchkey, "Eve")
    issued = latchkey.key(ada.account)
    path = f"{KEYS}/{issued.key.id}"
    assert ada.submit(f"{path}/policy", on=path, on_anomaly="ignore").status == 400
    theirs = {**eve.token_fields(), "on_anomaly": "revoke"}
    assert eve.send(f"{path}/policy", theirs).status == 404
    revoke.revoke(ada.account.id, issued.key.id)
    assert "/policy" not in ada.open(path).html
    late = {**ada.token_fields(), "on_anomaly": "revoke"}
    assert ada.send(f"{path}/policy", late).status == 409


def test_alert_is_shown_in_the_list_and_on_the_page(latchkey: TestApp) -> None:
    """An alert is shown as text with its date in the list and on the key's page, for seven days."""
    ada = new_user(latchkey)
    issued = latchkey.key(ada.account)
    leak_policy.act(ada.account.id, issued.key.id, why="requests from a <new> network")
    for path in (KEYS, f"{KEYS}/{issued.key.id}"):
        assert "Unusual: requests from a <new> network on 2021-12-20" in ada.open(path).text
    latchkey.clock.forward(7 * 86_400)
    ada.log_in_again()
    assert "Unusual" not in ada.open(KEYS).text


def test_page_of_a_leaked_key_has_a_warning(latchkey: TestApp) -> None:
    """The page of a leaked key shows a warning, even if the key is already revoked."""
    ada = new_user(latchkey)
    issued = latchkey.key(ada.account)
    path = f"{KEYS}/{issued.key.id}"
    leaks.follow_up([leaks.Alert(issued.secret, "key", public=False)])
    assert "Replace it now" in ada.open(path).text
    leaks.follow_up([leaks.Alert(issued.secret, "key")])
    page = ada.open(path).text
    assert "This key has leaked" in page
    assert "Replace it now" not in page
