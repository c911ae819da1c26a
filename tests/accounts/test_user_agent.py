"""What a User-Agent header says in a few words."""

import pytest

from chalicelib.accounts.user_agent import in_words

MOZILLA = "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("Chrome/131.0 Safari/537.36 Edg/131.0", "Edge"),
        ("Chrome/131.0 Safari/537.36 OPR/116.0", "Opera"),
        ("SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36", "Samsung Internet"),
        ("Gecko/20100101 Firefox/133.0", "Firefox"),
        ("FxiOS/133.0 Mobile/15E148 Safari/605.1.15", "Firefox"),
        ("CriOS/131.0 Mobile/15E148 Safari/604.1", "Chrome"),
        ("Chrome/131.0 Safari/537.36", "Chrome"),
        ("Version/18.1 Safari/605.1.15", "Safari"),
        ("SomethingElse/1.0", ""),
    ],
)
def test_browser_is_named_whatever_else_it_claims_to_be(names: str, said: str) -> None:
    """Most claim to be the browsers that came before them, too."""
    assert in_words(MOZILLA.format(system="") + names) == said


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("iPhone; CPU iPhone OS 18_1 like Mac OS X", "iPhone"),
        ("iPad; CPU OS 18_1 like Mac OS X", "iPad"),
        ("Linux; Android 14; Pixel 8", "Android"),
        ("Windows NT 10.0; Win64; x64", "Windows"),
        ("X11; CrOS x86_64 14541.0.0", "ChromeOS"),
        ("Macintosh; Intel Mac OS X 10_15_7", "macOS"),
        ("X11; Linux x86_64", "Linux"),
    ],
)
def test_system_is_named_by_its_narrowest_name(system: str, said: str) -> None:
    """An Android says that it is a Linux, an iPhone that it is like a Mac; each is named beside the browser."""
    assert in_words(MOZILLA.format(system=system)) == said
    assert in_words(MOZILLA.format(system=system) + "Firefox/133.0") == f"Firefox on {said}"


def test_no_more_than_the_first_512_characters_of_a_header_are_read() -> None:
    """What begins behind them, or ends there, is not found."""
    assert in_words("x" * 504 + "Firefox/") == "Firefox"
    assert in_words("x" * 505 + "Firefox/") == ""
