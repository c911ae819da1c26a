"""Models raise the error that the caller chose for a failed condition, and read items that may be missing."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from pynamodb.exceptions import GetError, PutError, PynamoDBException, TransactWriteError

from chalicelib.accounts.tables import Invitation
from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.core.dynamodb.errors import Unreachable, is_outage
from chalicelib.oauth.tables import Consent, OneTimeToken
from tests.support.harness import TestApp

MINE = errors.Conflict("mine")


def ticket(digest: str = "there") -> OneTimeToken:
    """Return a one-time token that isn't stored."""
    return OneTimeToken(digest, kind="device", client_id="app_1", expires_at=1)


def save_if_new() -> None:
    """Store a one-time token that must not exist yet."""
    ticket().save(condition=OneTimeToken.digest.does_not_exist())


def save_two_if_new() -> None:
    """Store two one-time tokens in one transaction; the second must not exist yet."""
    with models.transaction() as write:
        write.save(ticket("other"))
        write.save(ticket(), condition=OneTimeToken.digest.does_not_exist())


@pytest.fixture
def without_table(latchkey: TestApp) -> TestApp:
    """The test app without the table of one-time tokens."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("tickets")})
    return latchkey


@pytest.mark.parametrize("save", [save_if_new, save_two_if_new])
def test_failed_condition_raises_the_callers_error(latchkey: TestApp, save: Any) -> None:
    """A failed condition of a write or a transaction raises the error that the caller chose."""
    with models.raise_on_condition_failure(MINE):
        save()
    assert OneTimeToken.found("there") is not None
    with pytest.raises(errors.Conflict) as raised, models.raise_on_condition_failure(MINE):
        save()
    assert raised.value is MINE
    assert raised.value.__cause__ is None
    with models.ignore_condition_failure():
        save()


@pytest.mark.parametrize("save", [save_if_new, save_two_if_new])
def test_other_failure_is_not_a_failed_condition(without_table: TestApp, save: Any) -> None:
    """A failure other than a failed condition is raised unchanged."""
    with pytest.raises((PutError, TransactWriteError)) as failed, models.raise_on_condition_failure(MINE):
        save()
    assert not models.is_condition_failure(failed.value)
    with pytest.raises((PutError, TransactWriteError)), models.ignore_condition_failure():
        save()


def test_unrelated_exception_passes_through() -> None:
    """`raise_on_condition_failure` and `ignore_condition_failure` pass on an unrelated exception unchanged."""
    for block in (models.raise_on_condition_failure(MINE), models.ignore_condition_failure()):
        with pytest.raises(ValueError, match="fault"), block:
            raise ValueError("fault")


def test_client_error_reaches_pynamodb_in_botocores_form(without_table: TestApp) -> None:
    """Pynamodb gets errors of the client in botocore's form."""
    with pytest.raises(GetError) as failed:
        OneTimeToken.get("there")
    assert isinstance(failed.value.cause, ClientError)
    assert failed.value.cause_response_code == "ResourceNotFoundException"

    def unreachable(_operation: str, _body: dynamodb.Json) -> dynamodb.Json:
        raise Unreachable("NoAnswer", "no connection", {})

    with (
        dynamodb.use_sender(unreachable),
        clock.use_sleep(lambda _seconds: None),
        pytest.raises(PynamoDBException) as unsent,
    ):
        OneTimeToken.get("there")
    assert unsent.value.cause_response_code == "NoAnswer"
    assert unsent.value.cause_response_message == "NoAnswer: no connection"
    assert is_outage(unsent.value)
    assert not is_outage(failed.value)


def test_found_reads_consistently_by_both_keys(latchkey: TestApp) -> None:
    """`found` reads the current item consistently by partition and sort key."""
    Consent("usr_1", "acc_1#app_1", client_id="app_1", allowed={"a"}, given_at=1).save()
    requests: list[dynamodb.Json] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        requests.append(body)
        return through(operation, body)

    with dynamodb.use_sender(send):
        found = Consent.found("usr_1", "acc_1#app_1")
        assert found is not None
        assert found.allowed == {"a"}
        assert Consent.found("usr_1", "acc_1#app_2") is None
        assert OneTimeToken.found("nothing") is None
    assert [body["ConsistentRead"] for body in requests] == [True] * 3
    assert found.key() == {"user_id": {"S": "usr_1"}, "grantee": {"S": "acc_1#app_1"}}
    assert Invitation("acc_1", "inv_1").key() == {"account_id": {"S": "acc_1"}, "user_id": {"S": "inv_1"}}
    assert ticket().key() == {"digest": {"S": "there"}}


def test_found_at_once_reads_several_tables_in_one_call(latchkey: TestApp) -> None:
    """`found_at_once` reads several tables in one call; an empty request makes no call."""
    ticket().save()
    keys: dict[type[models.Table], dynamodb.Json] = {
        OneTimeToken: ticket().key(),
        Consent: Consent("usr_1", "acc_1#app_1").key(),
    }
    found = models.find_in_one_call(keys)
    assert list(found) == [OneTimeToken]
    assert isinstance(found[OneTimeToken], OneTimeToken)
    assert found[OneTimeToken].client_id == "app_1"
    assert models.find_in_one_call({}) == {}


@pytest.mark.parametrize("user_id", ["usr_1", ""])
def test_impossible_key_is_left_out_of_a_batch(user_id: str) -> None:
    """A batch omits keys whose partition key or sort key is invalid."""
    requests: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        requests.append(body["RequestItems"])
        return {"Responses": {}}

    impossible = {"user_id": {"S": user_id}, "grantee": {"S": "" if user_id else "acc_1#app_1"}}
    with dynamodb.use_sender(send):
        assert models.find_in_one_call({Consent: impossible, OneTimeToken: {"digest": {"S": "there"}}}) == {}
    assert [list(each) for each in requests] == [[OneTimeToken.Meta.table_name]]


@pytest.mark.parametrize(
    ("value", "can_be"),
    [("a", True), ("", False), ("é" * 512, True), ("é" * 513, False), ("a\udfff", False), (None, True), (7, True)],
)
def test_sort_key_has_1_to_1024_bytes(value: object, can_be: bool) -> None:
    """A sort key has 1 to 1,024 bytes, and a partition key up to 2,048; every number is valid."""
    assert models.can_be_range_key(value) is can_be
    assert models.can_be_hash_key(value) is (can_be or value == "é" * 513)


def test_key_of_ascii_has_as_many_bytes_as_characters() -> None:
    """A key of the maximum length in bytes is valid, and a key with one byte more is not."""
    assert [models.can_be_hash_key("e" * count) for count in (2_048, 2_049)] == [True, False]
    assert [models.can_be_range_key("e" * count) for count in (1_024, 1_025)] == [True, False]


def test_integer_is_stored_without_a_fraction() -> None:
    """An integer is stored without a fraction and read as an integer."""
    whole = models.Integer()
    assert (whole.serialize(7), whole.serialize(True), whole.deserialize("7")) == ("7", "1", 7)
