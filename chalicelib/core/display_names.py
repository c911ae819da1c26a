"""The rule for the display names of users, API keys, applications and webhooks. The console and the API share it.

A name is on one line, can't reorder the surrounding text, and contains a visible character. Everything else is allowed,
such as joined emoji, no-break spaces and directional marks. The sets below are ranges for a character class, valid in
both Python and ECMA-262, so that the API's schema can state the rule too.
"""

import re

CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
"""Control characters, and line and paragraph separators. They aren't allowed, because a name is on one line."""
OVERRIDE = r"\u202a-\u202e\u2066-\u2069"
"""Directional embeddings, overrides, isolates and their terminators. They aren't allowed, because they reorder the text
after them.
"""
BLANK = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""Spaces. They are removed at the beginning and the end of a name."""
INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u206a-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
"""Invisible characters: Unicode's Default_Ignorable_Code_Point, interlinear annotations, the Braille blank."""
INVISIBLE_BEYOND = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
"""Invisible characters outside the Basic Multilingual Plane.

Schemas omit them, because ECMA-262 can't use them in ranges without the flag `u`.
"""

SEEN = f"[^{CONTROL}{OVERRIDE}{BLANK}{INVISIBLE}]"
ALLOWED = f"[^{CONTROL}{OVERRIDE}]"
UNSEEN = f"[{BLANK}{INVISIBLE}]"

_LINE = re.compile(f"[^{CONTROL}\ud800-\udfff]*")
_TURNED = re.compile(f"[{OVERRIDE}]")
_SEEN = re.compile(f"[^{CONTROL}{OVERRIDE}{BLANK}{INVISIBLE}{INVISIBLE_BEYOND}]")


def find_problem(text: str) -> str | None:
    """Return what is wrong with `text` as a display name, such as "must be on one line", or None if it is valid."""
    if not is_on_one_line(text):
        return "must be on one line, without control characters"
    if _TURNED.search(text):
        return "must be without characters that change the direction of text"
    return None if _SEEN.search(text) else "must have a visible character"


def is_on_one_line(text: str) -> bool:
    """Return whether `text` has no control characters, line breaks or lone surrogates.

    Lone surrogates can't be encoded in UTF-8 or excluded by a schema.
    """
    return _LINE.fullmatch(text) is not None
