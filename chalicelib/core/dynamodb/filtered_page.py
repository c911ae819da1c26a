"""Read a page of the items that match a filter, with as many queries as the page needs, up to a maximum.

DynamoDB applies the limit of a query before the filter, so one query may return fewer items than the page has room for,
although more items match.
"""

from itertools import islice
from typing import TypeVar

from pynamodb.expressions.condition import Condition

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models

QUERIES_MAX = 5
"""The maximum number of queries for one page. Each reads as many items as the page may contain, and one more."""

Item = TypeVar("Item", bound=models.Table)


def read(
    model: type[Item], hash_key: str, range_condition: Condition, item_filter: Condition, *, size: int
) -> tuple[list[Item], str]:
    """Return up to `size` items by range key, and the range key after which the next page starts ("" at the end).

    Before the end, a page may contain fewer items than `size`, even none, if few of the items match the filter.
    """
    # One item more than the page tells whether there is a next page.
    query = model.query(hash_key, range_condition, item_filter, consistent_read=True, page_size=size + 1)
    pages = query.page_iter
    # The name in the table, which may differ from that in the model.
    range_key = model.get_attributes()[str(model._range_keyname)].attr_name
    found: list[dynamodb.Json] = []
    for page in islice(pages, QUERIES_MAX):
        found += page["Items"]
        if len(found) > size:
            return [model.from_raw_data(each) for each in found[:size]], found[size - 1][range_key]["S"]
    end = pages.last_evaluated_key
    return [model.from_raw_data(each) for each in found], end[range_key]["S"] if end else ""
