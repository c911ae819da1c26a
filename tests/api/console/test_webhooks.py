"""Settings > Webhooks: add, test, change, rotate, disable and delete webhooks, and send deliveries again."""

import re
from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.events import kinds
from chalicelib.webhooks import deliver, endpoints, fan_out
from chalicelib.webhooks.states import DISABLED, ENABLED
from chalicelib.webhooks.tables import Endpoint
from tests.api.console.places import create_failed_delivery
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.webhook_receiver import PUBLIC_URL, Receiver

PLACE = "/settings/webhooks"
NEW = f"{PLACE}/new"
URL = "https://hooks.example.com/latchkey"


@pytest.fixture
def ada(latchkey: TestApp) -> ConsoleClient:
    """A user who is logged in."""
    return log_in_as(latchkey, new_account())


def path_of(ada: ConsoleClient) -> str:
    """Return the path of the only webhook."""
    (path,) = {url for url in ada.open(PLACE).urls if f"{PLACE}/whk_" in url}
    return ada.local(path)


def test_secret_is_shown_once(ada: ConsoleClient) -> None:
    """The secret of a webhook is shown only on the page after adding it."""
    assert "No webhooks yet" in ada.open(PLACE).text
    created = ada.submit(NEW, name="Ledger", url=URL, types=["key.created", "key.revoked"])
    assert created.status == 200
    assert "whsec_" in created.html
    page = ada.open(path_of(ada))
    assert "whsec_" not in page.html
    assert ["key.created" in page.text, "key.renamed" in page.html, "2 types" in ada.open(PLACE).text] == [True] * 3


def test_event_types_are_grouped_by_subject(ada: ConsoleClient) -> None:
    """Each event type of an account is listed once under its subject, and a group with a selected type is open. Events
    of users, such as log-ins, go to no webhook.
    """
    page = ada.open(NEW)
    assert re.findall(r"<summary>(.*?)</summary>", page.html) == list(kinds.SUBJECTS)
    assert sorted(re.findall(r'name="types" value="(.*?)"', page.html)) == sorted(kinds.OF_ACCOUNT)
    assert kinds.LOGGED_IN not in page.html
    rejected = ada.submit(NEW, name="Ledger", url="no", types=["key.created", "quota.spent"]).html
    assert re.findall(r'<details class="types" open><summary>(.*?)</summary>', rejected) == ["API keys", "Quota"]


def test_form_sent_again_adds_no_second_webhook(ada: ConsoleClient) -> None:
    """Sending the form again adds no second webhook: the page says that the form was used, and a new form works."""
    form = ada.fill(ada.open(NEW), NEW, {"name": "Ledger", "url": URL})
    assert ada.send(NEW, form).status == 200
    again = ada.send(NEW, form)
    assert (again.status, again.problem) == (409, "This form was already submitted. Its webhook is in the list.")
    assert "whsec_" not in again.html
    assert len(ada.open(PLACE).rows) == 1 + 1
    assert ada.send(NEW, ada.fill(again, NEW, {})).status == 200
    assert len(ada.open(PLACE).rows) == 1 + 2


def test_rejected_form_keeps_its_values(ada: ConsoleClient) -> None:
    """The page after a rejected form shows the error, the values and the selection."""
    page = ada.submit(NEW, name="Ledger", url="http://example.com/", types=["key.created"])
    assert (page.status, page.problem) == (400, "URL must be an https URL, like https://example.com/hooks.")
    assert 'value="http://example.com/"' in page.html
    assert 'value="key.created" checked' in page.html


def test_test_message_shows_its_delivery(latchkey: TestApp, receiver: Receiver) -> None:
    """The page of a test message shows the request, the response and a button to send it again."""
    with settings.override(replace(settings.current(), public_url=PUBLIC_URL)):
        local = log_in_as(latchkey, new_account(), PUBLIC_URL)
        local.submit(NEW, name="Ledger", url=receiver.url)
        path = path_of(local)
        receiver.statuses, receiver.response_body = [500], b"<script>alert(1)</script>"
        gone = local.submit(f"{path}/test", on=path)
        shown = local.open(local.local(str(gone.location)))
        assert "The endpoint responded with 500." in shown.text
        assert "<script>alert(1)</script>" in shown.text
        assert "webhook.test" in shown.text
        receiver.statuses = [204]
        again = local.submit(f"{local.local(str(gone.location))}/resend", on=local.local(str(gone.location)))
        assert "Delivered" in local.open(local.local(str(again.location))).text
        assert len(set(receiver.ids)) == 1
        assert [row[0] for row in local.open(path).rows[1:]] == ["Test message"]


def test_webhook_is_changed_rotated_disabled_enabled_and_deleted(ada: ConsoleClient) -> None:
    """Changing, rotating, disabling, enabling and deleting a webhook each show a notice."""
    ada.submit(NEW, name="Ledger", url=URL, types=["key.created"])
    path = path_of(ada)
    endpoint_id = path.rpartition("/")[2]
    assert ada.submit(f"{path}/change", on=path, name="Audit", url=f"{URL}/2", types=[]).status == 303
    page = ada.open(path)
    assert ["Audit" in page.text, f"{URL}/2" in page.text] == [True, True]
    first = ada.submit(f"{path}/secret", on=path)
    assert "whsec_" in first.html
    assert ada.submit(f"{path}/secret", on=path).status == 409
    assert ada.submit(f"{path}/status", on=path).status == 303
    account = Endpoint.scan()
    (stands,) = [each for each in account if each.id == endpoint_id]
    assert [stands.status, stands.types] == [DISABLED, None]
    assert "You disabled this webhook." in ada.open(path).text
    assert ada.submit(f"{path}/status", on=path).status == 303
    assert endpoints.find_owned(stands.account_id, endpoint_id).status == ENABLED
    assert ada.submit(f"{path}/delete", on=path).status == 303
    assert "No webhooks yet" in ada.open(PLACE).text


def test_rejected_change_shows_its_error(ada: ConsoleClient) -> None:
    """A rejected change shows its error, keeps the values, and changes nothing."""
    ada.submit(NEW, name="Ledger", url=URL)
    path = path_of(ada)
    page = ada.submit(f"{path}/change", on=path, name=" ", url=f"{URL}/2", types=["key.created"])
    assert (page.status, page.problem) == (400, "Name must be a text of 1 to 64 characters on one line.")
    assert page.value(f"{path}/change", "url") == f"{URL}/2"
    assert page.value(f"{path}/change", "types") == "key.created"
    stands = ada.open(path)
    assert (stands.heading, stands.value(f"{path}/change", "url")) == ("Ledger", URL)


def test_delivery_in_progress_cannot_be_sent_again(latchkey: TestApp) -> None:
    """A delivery in progress can't be sent again, and its page shows the error."""
    account = new_account()
    ada = log_in_as(latchkey, account)
    sent = create_failed_delivery(account)
    place = f"{PLACE}/{sent.endpoint_id}/deliveries/{sent.id}"
    latchkey.clock.forward(70)
    assert deliver._claim(endpoints.find_owned(account.id, sent.endpoint_id), sent.id) is not None
    page = ada.submit(f"{place}/resend", on=place)
    assert page.status == 409
    assert "being sent" in str(page.problem)


def test_webhook_of_another_account_is_not_found(latchkey: TestApp, ada: ConsoleClient) -> None:
    """A webhook of another account is not found, like an unknown webhook."""
    sent = create_failed_delivery(new_account(name="Bob"))
    assert ada.open(f"{PLACE}/{sent.endpoint_id}").status == 404
    assert ada.open(f"{PLACE}/{sent.endpoint_id}/deliveries/{sent.id}").status == 404


def test_deliveries_have_pages(latchkey: TestApp) -> None:
    """The list shows 25 deliveries a page."""
    account = new_account()
    ada = log_in_as(latchkey, account)
    sent = create_failed_delivery(account)
    endpoint = endpoints.find_owned(account.id, sent.endpoint_id)
    for number in range(30):
        fan_out.new_delivery(endpoint, f"evt_{number:020}", "key.created", "{}", due_at=0).save()
    path = f"{PLACE}/{endpoint.id}"
    first = ada.open(path)
    assert len(first.rows) == 1 + 25
    (older,) = [url for url in first.urls if "before=" in url]
    assert len(ada.open(ada.local(older)).rows) == 1 + 6


def test_failing_webhook_is_not_shown_as_enabled(ada: ConsoleClient) -> None:
    """An enabled webhook whose attempts fail has the state Failing, in the list and on its page."""
    ada.submit(NEW, name="Ledger", url=URL, types=[])
    path = path_of(ada)
    assert ">Enabled<" in ada.open(PLACE).html
    (endpoint,) = (each for each in Endpoint.scan() if path.endswith(each.id))
    endpoint.update(actions=[Endpoint.failing_since.set(5)])
    for page in (PLACE, path):
        html = ada.open(page).html
        assert ('retiring">Failing<' in html, ">Enabled<" in html) == (True, False)
