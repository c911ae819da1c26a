"""Events of applications and grants, recorded for the account of the application or of the grant."""

from chalicelib.accounts import tables
from chalicelib.core import clock
from chalicelib.events import kinds, record
from chalicelib.oauth import clients, consent, delete_client
from tests.oauth.flow import App, User
from tests.support.harness import TestApp


def events_of(account_id: str) -> list[tuple[str, str]]:
    """Return type and actor of each OAuth event of an account, oldest first."""
    events = record.newest_first(account_id, 100)
    return [(e.type, e.actor) for e in events if e.type.startswith(("grant.", "application."))][::-1]


def test_grant_and_its_revocation_are_recorded_for_the_account(latchkey: TestApp, ada: User, app: App) -> None:
    """When a client revokes a grant, the actor of the event is the client."""
    _, refresh = ada.grant(app)
    latchkey.clock.forward(1)
    assert app.post("/oauth/revoke", token=refresh).status == 200
    (granted, by), revoked = events_of(ada.account.id)
    assert (granted, by[:4]) == (kinds.GRANT_CREATED, "ses_")
    assert revoked == (kinds.GRANT_REVOKED, app.id)
    newest = record.newest_first(ada.account.id, 1)[0]
    assert newest.changed.as_dict()["application"] == app.id


def test_reuse_is_recorded_once(latchkey: TestApp, ada: User, app: App) -> None:
    """A token that is reused several times is recorded as one event."""
    _, refresh = ada.grant(app)
    app.refresh(refresh)
    latchkey.clock.forward(60)
    for _ in range(3):
        assert app.refresh(refresh).status == 400
    assert [kind for kind, _ in events_of(ada.account.id)] == [kinds.GRANT_CREATED, kinds.REUSE_DETECTED]


def test_changes_of_an_application_are_recorded_for_its_account(latchkey: TestApp, ada: User) -> None:
    """Registering, changing and deleting an application is recorded without its secrets."""
    new = clients.register(
        name="Reader",
        uris=["https://reader.example/cb"],
        auth_method="client_secret_basic",
        grant_types={clients.CODE},
        wanted=set(),
        registered_by="account",
        account_id=ada.account.id,
    )
    latchkey.clock.forward(1)
    clients.update(new.client, name="Reader 2", uris=["https://reader.example/cb"])
    latchkey.clock.forward(1)
    secret = clients.rotate_secret(new.client)
    latchkey.clock.forward(1)
    delete_client.delete(new.client)
    assert [kind for kind, _ in events_of(ada.account.id)] == [
        kinds.APPLICATION_CREATED,
        kinds.APPLICATION_CHANGED,
        kinds.APPLICATION_SECRET_ROTATED,
        kinds.APPLICATION_DELETED,
    ]
    everything = str([event.serialize() for event in record.newest_first(ada.account.id, 100)])
    assert secret not in everything
    assert str(new.secret) not in everything
    assert "Reader 2" in everything


def test_consent_events_name_application_and_scopes(latchkey: TestApp, ada: User, app: App) -> None:
    """Every consent event contains the application and the scopes, whether the consent is new, replaces an invalid one
    or is extended.
    """
    for scopes, told_scopes in (({"read"}, "read"), ({"read", "write"}, "read write")):
        latchkey.clock.forward(1)
        consent.remember(ada.account.membership, app.id, consent.entries("https://app.example/", scopes, []))
        (event,) = record.newest_first(ada.account.id, 1)
        assert event.type == kinds.CONSENT_REMEMBERED
        assert event.changed.as_dict() == {"application": app.id, "scopes": told_scopes}
    latchkey.clock.forward(60)
    tables.User(ada.account.user_id).update(actions=[tables.User.credentials_since.set(clock.now_ms())])
    latchkey.clock.forward(1)
    consent.remember(ada.account.membership, app.id, consent.entries("https://app.example/", ["write"], []))
    (event,) = record.newest_first(ada.account.id, 1)
    assert event.changed.as_dict() == {"application": app.id, "scopes": "write"}
    latchkey.clock.forward(1)
    consent.withdraw(ada.account.user_id, ada.account.id, app.id)
    (event,) = record.newest_first(ada.account.id, 1)
    assert (event.type, event.changed.as_dict()) == (kinds.CONSENT_WITHDRAWN, {"application": app.id})
