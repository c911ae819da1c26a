"""Browser and operating system of a User-Agent header."""

import pytest

from chalicelib.accounts.user_agent import browser_and_system

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
def test_browser_is_named_despite_other_names_in_the_header(names: str, said: str) -> None:
    """The browser is identified even if the header also names older browsers."""
    assert browser_and_system(MOZILLA.format(system="") + names) == said


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
def test_system_has_its_most_specific_name(system: str, said: str) -> None:
    """The most specific operating system is named: Android instead of Linux, and iPhone instead of Mac OS X."""
    assert browser_and_system(MOZILLA.format(system=system)) == said
    assert browser_and_system(MOZILLA.format(system=system) + "Firefox/133.0") == f"Firefox on {said}"


def test_only_the_first_512_characters_of_a_header_are_parsed() -> None:
    """Only the first 512 characters of a header are parsed; a name that ends after them is not found."""
    assert browser_and_system("x" * 504 + "Firefox/") == "Firefox"
    assert browser_and_system("x" * 505 + "Firefox/") == ""
