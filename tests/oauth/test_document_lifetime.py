"""The freshness lifetime of a client metadata document: its bounds, and malformed headers."""

import pytest

from chalicelib.oauth.document_lifetime import freshness_s
from tests.support.harness import TestApp

DAY_S = 86_400
DATE = "Mon, 20 Dec 2021 %s GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "max-age=299"}, 300),
        ({"cache-control": "max-age=301"}, 301),
        ({"cache-control": "max-age=86399"}, DAY_S - 1),
        ({"cache-control": "max-age=86401"}, DAY_S),
        ({"cache-control": "s-maxage=3600"}, 3_600),
        ({"cache-control": "s-maxage=3600, max-age=7200"}, 3_600),
        ({"cache-control": "no-store, max-age=3600"}, 300),
        ({"cache-control": "no-cache, max-age=3600"}, 300),
        ({"cache-control": "no-store", "expires": DATE % "11:00:00"}, 300),
        ({"cache-control": "max-age=3600", "age": "soon"}, 3_600),
        ({"cache-control": "max-age=3600", "age": "²"}, 3_600),
        ({"cache-control": "max-age=²"}, 300),
        ({"cache-control": "max-age=9999999999", "age": "86400"}, DAY_S),
        ({"cache-control": "max-age=3600", "age": "9" * 5_000}, 300),
        ({"cache-control": ' MAX-AGE = "400" '}, 400),
        ({"expires": DATE % "11:00:00"}, 3_600),
        ({"expires": DATE % "11:00:00", "date": DATE % "10:00:01"}, 3_599),
        ({"expires": f"Mon, 20 Dec 2021 11:00:00 +{'9' * 20}"}, 300),
        ({"expires": f"Mon, 20 Dec {'9' * 20} 11:00:00 GMT"}, 300),
    ],
)
def test_freshness_is_between_five_minutes_and_a_day(latchkey: TestApp, headers: dict[str, str], seconds: int) -> None:
    """A document is fresh for 5 minutes to 24 hours, whatever its headers say. A malformed value counts as zero."""
    assert freshness_s(headers) == seconds
