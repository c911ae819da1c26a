"""A form that is sent again by reloading its response creates nothing a second time."""

import pytest

from chalicelib.oauth import clients
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp

PLACE, NEW = "/settings/applications", "/settings/applications/new"
APPLICATION = {
    "name": "Photos",
    "redirect_uris": "https://app.example.com/cb",
    "kind": "confidential",
    "scopes": "read",
}


@pytest.fixture
def ada(latchkey: TestApp) -> ConsoleClient:
    """A user who is logged in."""
    return log_in_as(latchkey, new_account())


def test_form_sent_again_registers_no_second_application(ada: ConsoleClient) -> None:
    """Sending the form again registers no second application, and the page says that the form was used."""
    form = ada.fill(ada.open(NEW), NEW, APPLICATION)
    assert ada.send(NEW, form).status == 200
    again = ada.send(NEW, form)
    assert (again.status, again.problem) == (409, "This form was already submitted. Its application is in the list.")
    assert "lk_cs_" not in again.html
    assert len(ada.open(PLACE).rows) == 1 + 1
    assert ada.send(NEW, ada.fill(again, NEW, APPLICATION)).status == 200
    assert len(ada.open(PLACE).rows) == 1 + 2


def test_reload_of_a_new_secret_does_not_replace_it(latchkey: TestApp) -> None:
    """Reloading the page with a new client secret doesn't rotate the secret again."""
    account = new_account()
    ada = log_in_as(latchkey, account)
    ada.submit(NEW, **APPLICATION)
    (client,) = clients.list_of_account(account.id)
    path = f"{PLACE}/{client.client_id}"
    form = ada.fill(ada.open(f"{path}/secret"), f"{path}/secret", {})
    assert ada.send(f"{path}/secret", form).status == 200
    kept = clients.get_of_account(account.id, client.client_id).secret_digest
    again = ada.send(f"{path}/secret", form)
    assert (again.status, again.problem) == (
        409,
        "The secret has already been rotated. Rotate it again only if you lost the new one.",
    )
    assert clients.get_of_account(account.id, client.client_id).secret_digest == kept
    assert ada.submit(f"{path}/secret", on=path).status == 200
    assert clients.get_of_account(account.id, client.client_id).secret_digest != kept
