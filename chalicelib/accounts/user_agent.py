"""What a User-Agent header says in a few words, so that a person knows a session again. It proves nothing."""

LENGTH_MAX = 512
"""So much of a header is looked at."""
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
"""The first that is in it: many call themselves what came before them, too."""
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def in_words(header: str) -> str:
    """Return browser and system, like `Firefox on Linux`; "" for a header that names neither."""
    looked_at = header[:LENGTH_MAX]
    browser = next((name for part, name in _BROWSERS if part in looked_at), "")
    system = next((name for part, name in _SYSTEMS if part in looked_at), "")
    return " on ".join(name for name in (browser, system) if name)
