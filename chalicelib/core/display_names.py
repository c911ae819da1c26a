"""Which text can be shown as a name: of a person, a key, an application, a webhook. One rule, for people and programs.

It is on one line, can't turn the text around it, and something of it can be seen. Everything else is allowed: joined
emoji, no-break spaces, marks of direction. The sets are ranges as a regular expression's class has them, the same for
Python and ECMA-262, so that the API's schema can say the rule too.
"""

import re

CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
"""Control characters, line and paragraph separators: a name is one line."""
OVERRIDE = r"\u202a-\u202e\u2066-\u2069"
"""Embeddings, overrides and isolates of direction, and what ends them: they reorder the text that follows a name."""
BLANK = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""Spaces; around a name they are dropped."""
INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u206a-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
"""What shows nothing by itself: Unicode's Default_Ignorable_Code_Point, interlinear annotations, the Braille blank."""
INVISIBLE_BEYOND = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
"""The same beyond the first plane. No schema has them: without the flag `u` ECMA-262 can't read them as ranges."""

SEEN = f"[^{CONTROL}{OVERRIDE}{BLANK}{INVISIBLE}]"
ALLOWED = f"[^{CONTROL}{OVERRIDE}]"
UNSEEN = f"[{BLANK}{INVISIBLE}]"

_LINE = re.compile(f"[^{CONTROL}\ud800-\udfff]*")
_TURNED = re.compile(f"[{OVERRIDE}]")
_SEEN = re.compile(f"[^{CONTROL}{OVERRIDE}{BLANK}{INVISIBLE}{INVISIBLE_BEYOND}]")


def problem(text: str) -> str | None:
    """Return why `text` can't be shown as a name, to go behind what it is called; None when it can."""
    if not is_on_one_line(text):
        return "must be on one line, without control characters"
    if _TURNED.search(text):
        return "must be without characters that change the direction of text"
    return None if _SEEN.search(text) else "must have a character that can be seen"


def is_on_one_line(text: str) -> bool:
    """Return whether `text` is without control characters, line breaks and half surrogate pairs.

    Those are what no UTF-8 can carry and no schema can speak of.
    """
    return _LINE.fullmatch(text) is not None
