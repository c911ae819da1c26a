"""Malformed input for every string that a request may contain: text that breaks parsers, keys or encodings."""

MALFORMED = {
    "nothing": "",
    "no URL": "//[",
    "no https URL": "https://[",
    "no port": "https://x.example:x/y",
    "over-long": "x" * 3_000,
    "over-long URL": "https://x.example/" + "x" * 3_000,
    "over-long in bytes": "https://x.example/" + "€" * 681,
    "an id of many": "app_" + "€" * 20,
    "not ASCII": "é@ü.exämple🗝",
    "signs of direction": "\u202eabc",
    "nul": "\x00",
    "a line's end": "a\r\nb: c",
    "half a surrogate pair": "\ud800",
}

WRONG_TYPES: tuple[object, ...] = (None, True, -1, 2.5, 10**400, [], ["x", ["x"]], {}, {"x": {"x": None}})
"""JSON values of wrong types, for fields that expect a string, a number or a list."""
