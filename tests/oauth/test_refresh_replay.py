"""The sealed refresh response, which only the presented refresh token can decrypt."""

from chalicelib.core import secrets
from chalicelib.oauth import refresh_replay
from chalicelib.oauth.tables import OneTimeToken
from tests.oauth.flow import App, User, register_client
from tests.support.harness import TestApp

ANSWER: dict[str, object] = {"access_token": "an access token", "expires_in": 3600, "refresh_token": "a refresh token"}


def test_sealed_response_opens_with_its_secret(latchkey: TestApp) -> None:
    """A sealed response is returned unchanged if opened with the secret it was sealed with."""
    secret = secrets.mint("rt")
    assert refresh_replay.unseal(refresh_replay.seal(ANSWER, secret), secret) == ANSWER


def test_sealed_response_opens_with_no_other_secret(latchkey: TestApp) -> None:
    """Another token, the stored digest, a part of the token and an empty text don't open the response."""
    secret = secrets.mint("rt")
    sealed = refresh_replay.seal(ANSWER, secret)
    for other in (secrets.mint("rt"), secrets.digest(secret), secret[:-1], secret.lower(), ""):
        assert refresh_replay.unseal(sealed, other) is None


def test_modified_sealed_response_does_not_open(latchkey: TestApp) -> None:
    """A sealed response with a flipped bit or a missing byte doesn't open."""
    secret = secrets.mint("rt")
    sealed = refresh_replay.seal(ANSWER, secret)
    for at in (0, 11, 12, len(sealed) // 2, len(sealed) - 1):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert refresh_replay.unseal(bytes(changed), secret) is None
    for cut in (sealed[:-1], sealed[1:], sealed[:12]):
        assert refresh_replay.unseal(cut, secret) is None


def test_sealing_twice_gives_different_results(latchkey: TestApp) -> None:
    """Each sealing uses a new nonce, because a nonce must not be used twice with one key."""
    secret = secrets.mint("rt")
    assert refresh_replay.seal(ANSWER, secret) != refresh_replay.seal(ANSWER, secret)


def test_table_contains_the_sealed_response(latchkey: TestApp, ada: User, app: App) -> None:
    """The stored response contains no token in plain text, and the presented refresh token opens it."""
    for client in (app, register_client(latchkey, public=True)):
        _, presented = ada.grant(client)
        response = client.refresh(presented).json()
        item = OneTimeToken.get(secrets.digest(presented))
        assert refresh_replay.unseal(item.sealed, presented) == response | {"resources": []}
        for token in (response["access_token"], response["refresh_token"]):
            assert token.encode() not in item.sealed
            assert token not in repr(item.serialize())
        assert refresh_replay.unseal(item.sealed, item.digest) is None
