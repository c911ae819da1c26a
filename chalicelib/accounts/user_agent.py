"""Parse the browser and operating system from a User-Agent header, so that users can recognise their sessions.

A client can send any value, so nothing else may depend on it.
"""

LENGTH_MAX = 512
"""The number of characters of the header that are parsed; the rest is ignored."""
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Browsers by their product token. The first match is used, because most browsers also send the tokens of older ones.
"""
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_and_system(header: str) -> str:
    """Return the browser and the operating system, such as `Firefox on Linux`; "" if the header contains neither."""
    beginning = header[:LENGTH_MAX]
    browser = next((name for part, name in _BROWSERS if part in beginning), "")
    system = next((name for part, name in _SYSTEMS if part in beginning), "")
    return " on ".join(name for name in (browser, system) if name)
