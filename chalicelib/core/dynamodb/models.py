"""The base of every pynamodb model. Table names include the stage, and calls are made by `core.dynamodb.client`.

The file `tables.py` of each feature declares what is stored. The conditions of a write are in the module that writes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import zip_longest
from typing import Any, Self, TypeGuard

from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute
from pynamodb.constants import NULL, NUMBER
from pynamodb.exceptions import CancellationReason, PynamoDBException, TransactWriteError

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.core.dynamodb.pynamodb_base import Connection, Model, TableConnection, TransactWrite

HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX = 2_048, 1_024
"""The maximum lengths of a partition key and of a sort key in DynamoDB."""


class _NamedByStage(type):
    @property
    def table_name(cls) -> str:
        return settings.current().table(cls.table)  # type: ignore[attr-defined]  # each model's Meta names its table


class Meta(metaclass=_NamedByStage):
    """The base of each model's class `Meta`, which sets `table` to the table's name without the stage."""

    region = "unused"
    billing_mode = "PAY_PER_REQUEST"


class Integer(Attribute[int]):
    """An integer attribute. pynamodb's own number attribute also accepts fractions."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        """Return the number in DynamoDB's format."""
        return str(int(value))

    def deserialize(self, value: str) -> int:
        """Return the number."""
        return int(value)


class DeleteAt(Integer):
    """The epoch second after which DynamoDB may delete an item. Deletion can be late, so code must compare the time."""


class Table(Model):
    """A model whose calls use `core.dynamodb.client`."""

    @classmethod
    def _get_connection(cls) -> TableConnection:
        connection = super()._get_connection()
        connection.connection._client = _CLIENT  # type: ignore[assignment]  # pynamodb uses only the two names below
        return connection

    @classmethod
    def from_raw_data(cls, data: dynamodb.Json) -> Self:
        """Return the model of an item. Unlike pynamodb's method, this doesn't visit attributes that the item lacks."""
        model = cls.__new__(cls)
        model.attribute_values = {}
        for name, default in _defaults(cls).items():
            setattr(model, name, default())
        attributes = cls.get_attributes()
        for stored_name, value in data.items():
            attribute = attributes.get(name := cls._dynamo_to_python_attr(stored_name))
            if attribute is None or NULL in value:
                continue
            found = attribute.deserialize(attribute.get_value(value))
            if isinstance(found, dict):
                setattr(model, name, found)  # pynamodb converts the value to its map type
            else:
                model.attribute_values[name] = found
        return model

    @classmethod
    def item(cls, **values: Any) -> dynamodb.Json:
        """Return an item of this table in DynamoDB's JSON, without None and empty sets, which DynamoDB rejects.

        Only for a few frequent writes, for which creating a model would cost more than sending the request.
        """
        attributes = _serializers(cls)
        item = {}
        for name, value in values.items():
            stored_name, kind, serialize = attributes[name]
            if value is not None and value != set():
                item[stored_name] = {kind: serialize(value)}
        return item

    def key(self) -> dynamodb.Json:
        """Return the item's key in DynamoDB's JSON."""
        attributes = self.get_attributes().values()
        names = {each.attr_name for each in attributes if each.is_hash_key or each.is_range_key}
        return {name: value for name, value in self.serialize(null_check=False).items() if name in names}

    @classmethod
    def found(cls, hash_key: Any, range_key: Any = None) -> Self | None:
        """Return the item with this key by a consistent read, or None if no item has it or the key is invalid."""
        if not (can_be_hash_key(hash_key) and can_be_range_key(range_key)):
            return None
        try:
            return cls.get(hash_key, range_key, consistent_read=True)
        except cls.DoesNotExist:
            return None


def find_in_one_call(keys: Mapping[type[Table], dynamodb.Json]) -> dict[type[Table], Any]:
    """Read one item from each of several tables with one consistent read; return those that exist, by model.

    Invalid keys are skipped, because DynamoDB would reject the whole call.
    """
    found = dynamodb.batch_get({model.Meta.table_name: key for model, key in keys.items() if _can_be(model, key)})
    return {model: model.from_raw_data(found[name]) for model in keys if (name := model.Meta.table_name) in found}


def can_be_hash_key(value: object) -> bool:
    """Return whether a partition key is valid. Untrusted text may be empty, too long, or contain a lone surrogate."""
    return not isinstance(value, str) or _fits(value, HASH_KEY_BYTES_MAX)


def can_be_range_key(value: object) -> bool:
    """Return whether a sort key is valid."""
    return not isinstance(value, str) or _fits(value, RANGE_KEY_BYTES_MAX)


def _can_be(model: type[Table], key: dynamodb.Json) -> bool:
    hash_key, range_key = key[str(model._hash_keyname)], key.get(model._range_keyname or "", {})
    return can_be_hash_key(hash_key.get("S")) and can_be_range_key(range_key.get("S"))


def _fits(text: str, bytes_max: int) -> bool:
    # Check the number of characters first, so that a megabyte of text isn't encoded.
    try:
        return 0 < len(text) <= bytes_max and len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


@cache
def _serializers(model: type[Table]) -> dict[str, tuple[str, str, Callable[[Any], Any]]]:
    return {name: (each.attr_name, each.attr_type, each.serialize) for name, each in model.get_attributes().items()}


@cache
def _defaults(model: type[Table]) -> dict[str, Callable[[], Any]]:
    """Return functions that create a model's default values, by attribute."""
    defaults = {name: attribute.default for name, attribute in model.get_attributes().items()}
    return {
        name: default if callable(default) else _always(default)
        for name, default in defaults.items()
        if default is not None
    }


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


class _Client:
    """An object that pynamodb uses in place of botocore's client."""

    _request_signer = None

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return dynamodb.call(operation, request)
        except DynamoDBError as error:
            response = error.response or {"Error": {"Code": error.code, "Message": str(error)}}
            raise ClientError(response, operation) from error


_CLIENT = _Client()


class Transaction(TransactWrite):
    """A transaction that stores its writes with an error, so that `find_failed_write` can find the one that failed."""

    def _commit(self) -> Any:
        # pynamodb sends the writes in this order, and DynamoDB lists the cancellation reasons in the same order.
        writes = [*self._condition_check_items, *self._delete_items, *self._put_items, *self._update_items]
        if not writes:
            return None  # DynamoDB rejects an empty transaction
        try:
            return super()._commit()
        except TransactWriteError as error:
            error.writes = writes  # type: ignore[attr-defined]  # the error lacks this attribute
            raise


def transaction() -> Transaction:
    """Return a transaction for a `with` block."""
    connection = Connection(region=Meta.region)
    connection._client = _CLIENT  # type: ignore[assignment]  # as above
    return Transaction(connection=connection)


def is_condition_failure(error: PynamoDBException) -> bool:
    """Return whether an error means that the condition of a write, or of a transaction's write, failed."""
    return error.cause_response_code == "ConditionalCheckFailedException" or any(
        map(_is_failed_condition, getattr(error, "cancellation_reasons", ()))
    )


def find_failed_write(error: TransactWriteError, model: Table) -> dynamodb.Json | None:
    """Return the item that failed the condition of a transaction's write of `model`, or None if that write didn't fail.

    {} means that there was no item, or that the write didn't set `return_values="ALL_OLD"`. Raises ValueError when the
    transaction has no write with the key of `model`.
    """
    key = model.key().items()
    for write, reason in zip_longest(error.writes, error.cancellation_reasons):  # type: ignore[attr-defined]  # as above
        if write["TableName"] == model.Meta.table_name and key <= write.get("Key", write.get("Item")).items():
            return (reason.raw_item or {}) if _is_failed_condition(reason) else None
    raise ValueError("The transaction has no write with this key.")


def _is_failed_condition(reason: CancellationReason | None) -> TypeGuard[CancellationReason]:
    return reason is not None and reason.code == "ConditionalCheckFailed"


@contextmanager
def raise_on_condition_failure(error_to_raise: Exception) -> Iterator[None]:
    """Raise `error_to_raise` if a write or a transaction in the `with` block fails its condition."""
    try:
        yield
    except PynamoDBException as error:
        if not is_condition_failure(error):
            raise
        raise error_to_raise from None


@contextmanager
def ignore_condition_failure() -> Iterator[None]:
    """Ignore a failed condition in the `with` block, because the write was already made or must not be made."""
    try:
        yield
    except PynamoDBException as error:
        if not is_condition_failure(error):
            raise
