"""The one secret that is kept: a refresh's last answer, which opens with the token that was presented and no other."""

from chalicelib.core import secrets
from chalicelib.oauth import refresh_replay
from chalicelib.oauth.tables import OneTimeToken
from tests.oauth.flow import App, Person, registered
from tests.support.harness import TestApp

ANSWER: dict[str, object] = {"access_token": "an access token", "expires_in": 3600, "refresh_token": "a refresh token"}


def test_box_opens_with_the_secret_it_was_sealed_with(latchkey: TestApp) -> None:
    """And gives back what was put in."""
    secret = secrets.mint("rt")
    assert refresh_replay.unseal(refresh_replay.seal(ANSWER, secret), secret) == ANSWER


def test_box_opens_with_nothing_else(latchkey: TestApp) -> None:
    """Another token, the digest that stands beside it, a part, nothing."""
    secret = secrets.mint("rt")
    box = refresh_replay.seal(ANSWER, secret)
    for other in (secrets.mint("rt"), secrets.digest(secret), secret[:-1], secret.lower(), ""):
        assert refresh_replay.unseal(box, other) is None


def test_box_that_was_changed_doesnt_open(latchkey: TestApp) -> None:
    """Not by a bit, wherever it is; nor when something is missing."""
    secret = secrets.mint("rt")
    box = refresh_replay.seal(ANSWER, secret)
    for at in (0, 11, 12, len(box) // 2, len(box) - 1):
        changed = bytearray(box)
        changed[at] ^= 1
        assert refresh_replay.unseal(bytes(changed), secret) is None
    for cut in (box[:-1], box[1:], box[:12]):
        assert refresh_replay.unseal(cut, secret) is None


def test_two_boxes_of_one_answer_differ(latchkey: TestApp) -> None:
    """A nonce is never used twice with one key."""
    secret = secrets.mint("rt")
    assert refresh_replay.seal(ANSWER, secret) != refresh_replay.seal(ANSWER, secret)


def test_table_holds_a_closed_box(latchkey: TestApp, ada: Person, app: App) -> None:
    """It shows neither token, and opens with the presented one: for public clients as for confidential ones."""
    for client in (app, registered(latchkey, public=True)):
        _, presented = ada.grant(client)
        answer = client.refresh(presented).json()
        ticket = OneTimeToken.get(secrets.digest(presented))
        assert refresh_replay.unseal(ticket.sealed, presented) == answer | {"resources": []}
        for token in (answer["access_token"], answer["refresh_token"]):
            assert token.encode() not in ticket.sealed
            assert token not in repr(ticket.serialize())
        assert refresh_replay.unseal(ticket.sealed, ticket.digest) is None
