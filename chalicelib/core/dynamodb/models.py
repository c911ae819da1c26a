"""The base of every pynamodb model: table names by stage, and every call through `core.dynamodb.client`.

A feature's `tables.py` declares what is stored; which write is allowed stands in the file that decides it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import chain, zip_longest
from typing import Any, Self, TypeGuard

from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute
from pynamodb.constants import NULL, NUMBER
from pynamodb.exceptions import CancellationReason, PynamoDBException, TransactWriteError

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.core.dynamodb.pynamodb_base import Connection, Model, TableConnection, TransactWrite

HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX = 2_048, 1_024
"""As long as the text of a partition key, and that of a sort key, can be in DynamoDB."""


class _NamedByStage(type):
    @property
    def table_name(cls) -> str:
        return settings.current().table(cls.table)  # type: ignore[attr-defined]  # each model's Meta names its table


class Meta(metaclass=_NamedByStage):
    """What a model's own Meta inherits; it adds `table`, the name without stage."""

    region = "unused"
    billing_mode = "PAY_PER_REQUEST"


class Integer(Attribute[int]):
    """A whole number: times, counts and limits are never fractions."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        """Return the wire's form."""
        return str(int(value))

    def deserialize(self, value: str) -> int:
        """Return the number."""
        return int(value)


class DiesAt(Integer):
    """The epoch second after which DynamoDB may delete an item. It does so late: code compares times itself."""


class Table(Model):
    """A model whose calls go through the wire."""

    @classmethod
    def _get_connection(cls) -> TableConnection:
        connection = super()._get_connection()
        connection.connection._client = _WIRE  # type: ignore[assignment]  # pynamodb asks only the two names below of it
        return connection

    @classmethod
    def from_raw_data(cls, data: dynamodb.Json) -> Self:
        """Return the model of an item: pynamodb's own, without asking for attributes that an item doesn't have."""
        model = cls.__new__(cls)
        model.attribute_values = {}
        for name, default in _defaults(cls).items():
            setattr(model, name, default())
        attributes = cls.get_attributes()
        for name, value in data.items():
            attribute = attributes.get(name)
            if attribute is None or NULL in value:
                continue
            found = attribute.deserialize(attribute.get_value(value))
            if isinstance(found, dict):
                setattr(model, name, found)  # which makes pynamodb's own kind of map of it
            else:
                model.attribute_values[name] = found
        return model

    @classmethod
    def item(cls, **values: Any) -> dynamodb.Json:
        """Return an item of this table in the wire's own form; what is None is absent, as DynamoDB wants empty sets.

        For the few writes that happen so often that building a model would cost more than sending it.
        """
        attributes = _serializers(cls)
        item = {}
        for name, value in values.items():
            kind, serialize = attributes[name]
            if value is not None and value != set():
                item[name] = {kind: serialize(value)}
        return item

    def key(self) -> dynamodb.Json:
        """Return what names its item, in the wire's own form."""
        return {
            name: value
            for name, value in self.serialize(null_check=False).items()
            if name in (self._hash_keyname, self._range_keyname)
        }

    @classmethod
    def found(cls, hash_key: Any, range_key: Any = None) -> Self | None:
        """Return the item of a key as it is at this moment, or None when there is none, or can be none."""
        if not (can_be_hash_key(hash_key) and can_be_range_key(range_key)):
            return None
        try:
            return cls.get(hash_key, range_key, consistent_read=True)
        except cls.DoesNotExist:
            return None


def found_at_once(keys: Mapping[type[Table], dynamodb.Json]) -> dict[type[Table], Any]:
    """Return the item of each table by its key, as it is at this moment, in one call; what isn't there is absent.

    So is what can't be there: DynamoDB refuses the whole call for one such key.
    """
    found = dynamodb.batch_get({model.Meta.table_name: key for model, key in keys.items() if _can_be(model, key)})
    return {model: model.from_raw_data(found[name]) for model in keys if (name := model.Meta.table_name) in found}


def can_be_hash_key(value: object) -> bool:
    """Return whether DynamoDB can have an item under a partition key: for any other it answers with an error.

    Strangers send texts that are empty, longer than a key, or hold half of a surrogate pair: nothing has such a name.
    """
    return not isinstance(value, str) or _fits(value, HASH_KEY_BYTES_MAX)


def can_be_range_key(value: object) -> bool:
    """Return the same of a sort key."""
    return not isinstance(value, str) or _fits(value, RANGE_KEY_BYTES_MAX)


def _can_be(model: type[Table], key: dynamodb.Json) -> bool:
    hash_key, range_key = key[str(model._hash_keyname)], key.get(model._range_keyname or "", {})
    return can_be_hash_key(hash_key.get("S")) and can_be_range_key(range_key.get("S"))


def _fits(text: str, bytes_max: int) -> bool:
    # Measured in characters first, so that nobody makes us encode a megabyte.
    try:
        return 0 < len(text) <= bytes_max and len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


@cache
def _serializers(model: type[Table]) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    return {name: (attribute.attr_type, attribute.serialize) for name, attribute in model.get_attributes().items()}


@cache
def _defaults(model: type[Table]) -> dict[str, Callable[[], Any]]:
    """Return what makes the values that a model has where its item has none."""
    defaults = {name: attribute.default for name, attribute in model.get_attributes().items()}
    return {
        name: default if callable(default) else _always(default)
        for name, default in defaults.items()
        if default is not None
    }


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


class _Wire:
    """What pynamodb takes for its botocore client."""

    _request_signer = None

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return dynamodb.call(operation, request)
        except WireError as error:
            response = error.response or {"Error": {"Code": error.code, "Message": str(error)}}
            raise ClientError(response, operation) from error


_WIRE = _Wire()


class Transaction(TransactWrite):
    """Writes that all happen, or none; where one is refused, `refused_write` tells which."""

    def _commit(self) -> Any:
        try:
            return super()._commit()
        except TransactWriteError as error:
            # In the order in which pynamodb sends them, and DynamoDB gives its reasons.
            kinds = (self._condition_check_items, self._delete_items, self._put_items, self._update_items)
            error.writes = list(chain(*kinds))  # type: ignore[attr-defined]  # the error itself doesn't know them
            raise


def transaction() -> Transaction:
    """Return a transaction for a `with` block: all of its writes happen, or none."""
    connection = Connection(region=Meta.region)
    connection._client = _WIRE  # type: ignore[assignment]  # as above
    return Transaction(connection=connection)


def refused(error: PynamoDBException) -> bool:
    """Tell whether its condition refused a write, or one of a transaction's; else it failed for another reason."""
    return error.cause_response_code == "ConditionalCheckFailedException" or any(
        map(_is_refusal, getattr(error, "cancellation_reasons", ()))
    )


def refused_write(error: TransactWriteError, model: Table) -> dynamodb.Json | None:
    """Return the item for which a transaction's write of `model`, known by its keys, was refused; None if it wasn't.

    {} where no item stands there, or the write didn't ask for it (`return_values="ALL_OLD"`). Raises ValueError when
    the transaction was to write no such item.
    """
    key = model.key().items()
    for write, reason in zip_longest(error.writes, error.cancellation_reasons):  # type: ignore[attr-defined]  # as above
        if write["TableName"] == model.Meta.table_name and key <= write.get("Key", write.get("Item")).items():
            return (reason.raw_item or {}) if _is_refusal(reason) else None
    raise ValueError("The transaction writes no such item.")


def _is_refusal(reason: CancellationReason | None) -> TypeGuard[CancellationReason]:
    return reason is not None and reason.code == "ConditionalCheckFailed"


@contextmanager
def refused_as(answer: Exception) -> Iterator[None]:
    """Raise `answer` in place of a write, or a transaction, that its conditions refused."""
    try:
        yield
    except PynamoDBException as error:
        if not refused(error):
            raise
        raise answer from None


@contextmanager
def may_be_refused() -> Iterator[None]:
    """Go on after a write that its condition refused: what it was for is done already, or must not be."""
    try:
        yield
    except PynamoDBException as error:
        if not refused(error):
            raise
