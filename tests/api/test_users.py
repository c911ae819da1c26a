"""/v1/users, as a consumer meets it."""

from tests.house import House


def test_own_record_is_whole(home: House) -> None:
    """A caller sees email and tier of its own account."""
    account = home.account(email="ada@example.com")
    answer = home.call("GET", "/v1/users/me", home.key(account).secret)
    assert answer.status == 200
    assert answer.json() == {
        "id": account.id,
        "name": "Ada",
        "created_at": "2021-12-20T10:00:00Z",
        "email": "ada@example.com",
        "tier": "free",
        "status": "active",
    }
