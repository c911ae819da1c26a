"""Browser and system of a User-Agent header, so that users recognise their sessions. The header is not trustworthy."""

LENGTH_MAX = 512
"""The number of characters of the header that are parsed."""
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
"""Browsers by their product token. The first match counts, because most browsers also send the tokens of older ones."""
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
    """Return browser and system, such as `Firefox on Linux`; "" if the header names neither."""
    beginning = header[:LENGTH_MAX]
    browser = next((name for part, name in _BROWSERS if part in beginning), "")
    system = next((name for part, name in _SYSTEMS if part in beginning), "")
    return " on ".join(name for name in (browser, system) if name)
