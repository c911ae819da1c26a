"""Caches for moto, whose repeated work in each call would take most of the tests' CPU time.

Results are the same. Expressions are parsed once; a transaction doesn't copy all items of its tables for a rollback,
but an update changes a copy of its item; a query reads one partition; the size of an item is checked only near the
limit; the class of a node is cached.
"""

import copy
import functools
import pickle
import threading
from typing import Any, cast

from moto import backends
from moto.apigateway.models import Resource
from moto.core import responses, utils
from moto.dynamodb.comparisons import ConditionExpressionParser, OpDefault
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import bytesize
from moto.dynamodb.parsing import ast_nodes, expressions, validators
from moto.utilities import aws_headers

_nodes, _parsers = cast(Any, ast_nodes), cast(Any, expressions)  # moto declares no types for these modules.
REQUEST_ID = "A" * 52
ITEM_BYTES_MAX = 405_000
_parse, _update = _parsers.UpdateExpressionParser.make, DynamoDBBackend.update_item
MODULES = frozenset(backends.list_of_moto_modules())
_work_out_path = Resource.get_path
_parse_condition, _query = ConditionExpressionParser.parse, Table.query
OF_FORM = (
    validators.ActionCountValidator,
    validators.EmptyStringKeyValueValidator,
    validators.OverlappingPathsValidator,
    validators.TypeMismatchValidator,
    validators.UpdateHashRangeKeyValidator,
)
_passed: set[tuple[Any, ...]] = set()
_of_thread = threading.local()


def install() -> None:
    """Patch moto in this process; repeating it changes nothing."""
    instead: tuple[tuple[Any, str, Any], ...] = (
        (responses, "method_names_from_class", _method_names),
        (aws_headers, "gen_amzn_requestid_long", _request_id),
        (_parsers.UpdateExpressionParser, "make", lambda expression: pickle.loads(_parsed(expression))),  # noqa: S301 - our own
        (validators.UpdateExpressionValidator, "validate", _validated),
        (ConditionExpressionParser, "parse", _condition),
        (_nodes.Node, "__deepcopy__", lambda node, _: pickle.loads(pickle.dumps(node))),  # noqa: S301 - our own
        (_nodes.Node, "find_clauses", _find_clauses),
        (_nodes.DepthFirstTraverser, "traverse_node_recursively", _traverse),
        (LimitedSizeDict, "__setitem__", _set),
        (DynamoType, "__deepcopy__", lambda value, _: _copied(value)),
        (Item, "__deepcopy__", lambda item, _: _copied_item(item)),
        (Table, "__deepcopy__", lambda table, _: _with_the_same_items(table)),
        (Table, "query", _query_partition),
        (DynamoDBBackend, "update_item", _update_a_copy),
        (backends, "list_of_moto_modules", lambda: MODULES),
        (Resource, "get_path", _path),
    )
    for owner, name, made in instead:
        setattr(owner, name, made)


_method_names = functools.cache(utils.method_names_from_class)


def _request_id(headers: dict[str, Any] | None = None) -> str:
    if isinstance(headers, dict):
        headers["x-amzn-requestid"] = REQUEST_ID
    return REQUEST_ID


def _validated(validator: Any) -> Any:
    """Return a validated update with the values of the call.

    Validators that depend only on the expression and the types of values run once for each combination.
    """
    values = (validator.expression_attribute_values or {}).items()
    form = (
        validator.node_to_validate.said,
        tuple((validator.expression_attribute_names or {}).items()),
        tuple((name, *((kind, held == "") for kind, held in value.items())) for name, value in values),
        validator.table.name,
        *validator.table.table_key_attrs,
    )
    node = validator.node_to_validate
    for processor in validator.processors:
        if form not in _passed or not isinstance(processor, OF_FORM):
            node = processor.traverse(node)
    _passed.add(form)
    return node


@functools.lru_cache(maxsize=4096)
def _parsed(expression: str) -> bytes:
    made = _parse(expression)
    made.said = expression
    return pickle.dumps(made)


class _Noting(ConditionExpressionParser):
    """A parser that records the operands whose value comes from the call."""

    held: list[tuple[Any, str]]

    def _make_operand(self, node: Any) -> Any:
        operand = super()._make_operand(node)
        if node.kind == self.Kind.EXPRESSION_ATTRIBUTE_VALUE:
            self.held.append((operand, node.text))
        return operand


def _condition(parser: ConditionExpressionParser) -> Any:
    """Return a parsed condition. A cached condition gets the values of the call, so each thread has its own cache."""
    expression, names = parser.condition_expression, parser.expression_attribute_names or {}
    values = parser.expression_attribute_values or {}
    if not expression:
        return cast(Any, OpDefault)(None, None)
    known = vars(_of_thread).setdefault("conditions", {})
    key = expression, tuple(names.items()), frozenset(values)
    if key not in known:
        first = _Noting(expression, names, values)
        first.held = []
        known[key] = _parse_condition(first), first
    condition, first = known[key]
    for operand, name in first.held:
        ((operand.type, operand.value),) = values[name].items()
    parser.expr_attr_names_found += first.expr_attr_names_found
    parser.expr_attr_values_found += first.expr_attr_values_found
    return condition


@functools.cache
def _has_clauses(kind: Any) -> bool:
    return issubclass(kind, (_nodes.Expression, _nodes.UpdateExpressionFunction))


def _find_clauses(node: Any, kinds: list[type]) -> list[Any]:
    found: list[Any] = []
    for child in node.children or ():
        if type(child) in kinds:
            found.append(child)
        elif _has_clauses(child.__class__):
            found += _find_clauses(child, kinds)
    return found


@functools.cache
def _is_node(kind: Any) -> bool:
    return issubclass(kind, _nodes.Node)


@functools.cache
def _taken_as(processor: Any, kinds: tuple[Any, ...], kind: Any) -> Any:
    """Return the first class by which a processor handles a node, as moto does."""
    return next((each for each in kinds if issubclass(kind, each)), None)


def _traverse(processor: Any, root: Any, at: int = -1) -> Any:
    processing = processor._processing_map()
    kinds, made = tuple(processing), processor.__class__
    is_told = made.pre_processing_of_child is not _nodes.DepthFirstTraverser.pre_processing_of_child

    def walk(node: Any, child_id: int) -> Any:
        parent, children = node.parent, node.children
        if children:
            for number, child in enumerate(children):
                if is_told:
                    processor.pre_processing_of_child(node, number)
                if _is_node(child.__class__):
                    walk(child, number)
        kind = _taken_as(made, kinds, node.__class__)
        if kind is None:
            return node
        node = processing[kind](node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
        return node

    return walk(root, at) if _is_node(root.__class__) else root


def _size(key: str, value: Any) -> int:
    whole = value.size() if type(value) is DynamoType else bytesize(str(value))
    return bytesize(key) + int(whole)


def _set(attributes: LimitedSizeDict, key: str, value: Any) -> None:
    """Set an attribute, and check the item's size only if its attributes are many or long enough to exceed the
    limit.
    """
    added = _size(key, value)
    if added + len(attributes) > ITEM_BYTES_MAX // 100:
        whole = sum(_size(name, each) for name, each in attributes.items())
        if whole + added > ITEM_BYTES_MAX:
            raise ItemSizeTooLarge
    dict.__setitem__(attributes, key, value)


def _copied(value: Any) -> Any:
    if type(value) is not DynamoType:
        return copy.deepcopy(value)
    made = DynamoType.__new__(DynamoType)
    made.type, held = value.type, value.value
    if isinstance(held, list):
        held = [_copied(each) for each in held]
    elif isinstance(held, dict):
        held = {name: _copied(each) for name, each in held.items()}
    made.value = held
    return made


def _copied_item(item: Any) -> Any:
    made: Any = Item.__new__(Item)
    made.hash_key, made.range_key = item.hash_key, item.range_key
    made.attrs = LimitedSizeDict()
    for name, value in item.attrs.items():
        dict.__setitem__(made.attrs, name, _copied(value))
    return made


def _with_the_same_items(table: Any) -> Any:
    made = copy.copy(table)
    made.items = copy.copy(table.items)
    if table.has_range_key:
        made.items.update({key: copy.copy(found) for key, found in table.items.items()})
    return made


def _query_partition(table: Any, hash_key: DynamoType | None, *given: Any, **named: Any) -> Any:
    """Query a copy of the table that has only the matching partition, because moto sorts all items."""
    few, index_name = copy.copy(table), given[6]
    if index_name:
        few.items = _matching(table, named["hash_key_conditions"])
    else:
        few.items = {hash_key: table.items[hash_key]} if hash_key in table.items else {}
    return _query(few, hash_key, *given, **named)


def _matching(table: Any, conditions: list[tuple[str, DynamoType]]) -> dict[Any, Any]:
    def fits(item: Item) -> bool:
        attributes = item.attrs
        return all(name in attributes and attributes[name] == value for name, value in conditions)

    if not table.has_range_key:
        return {key: item for key, item in table.items.items() if fits(item)}
    return {key: {at: item for at, item in partition.items() if fits(item)} for key, partition in table.items.items()}


def _path(resource: Any) -> str:
    """Return the cached path of an API Gateway resource, which never changes, but which moto computes at each
    lookup.
    """
    if "path" not in vars(resource):
        vars(resource)["path"] = _work_out_path(resource)
    return str(vars(resource)["path"])


def _update_a_copy(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *given: Any, **named: Any) -> Any:
    table: Any = backend.tables.get(table_name)
    if table is not None and key.keys() >= set(table.table_key_attrs):
        hash_value, range_value = backend.get_keys_value(table, key)
        item = table.get_item(hash_value, range_value)
        if item is not None:
            partition = table.items[hash_value] if range_value else table.items
            partition[range_value or hash_value] = _copied_item(item)
    return _update(backend, table_name, key, *given, **named)
