"""Redirect URIs: which can be registered, and which requested URI matches a registered one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import redirect_uris
from tests.support import exhaustive

_DENIED = """
    about android-app app-settings blob cap chrome chrome-extension chrome-untrusted cid content data devtools
    edge excel ext+app facetime feed file filesystem ftp ftps geo git gopher hcp help https imap info intent irc ircs
    itms-services jar javascript ldap ldaps livescript magnet mailto maps market mhtml mid mms mocha
    moz-extension ms-appinstaller ms-msdt ms-settings ms-word news nfs nntp onenote opera pop powerpoint prefs rdp
    redis resource rlogin rtsp safari-extension search search-ms sftp shell shortcuts sip sips smb sms smsto ssh steam
    svn tel telnet tftp turn urn vbscript view-source visio vnc web+app web+x webcal word ws wss wyciwyg xmpp
    x-apple.systempreferences z39.50 z39.50r iris.beep soap.beep soap.beeps xmlrpc.beep 1.com
"""
DENIED = _DENIED.split()
"""Schemes that browsers, operating systems, websites and protocols handle, and some whose owner is unknown."""
GOOD = [
    "https://app.example.com/cb",
    "https://app.example.com",
    "https://app.example.com:8443/cb?tenant=a%20b&x",
    "https://my_app.example.com/cb",
    "https://xn--pp-wia.example.com/cb",
    "https://192.0.2.1/cb",
    "https://[2001:db8::1]:8443/cb",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:49152/cb",
    "http://localhost:3000/cb",
    "http://[::1]/cb",
    "http://[::1]:49152",
    "com.example.app:/cb",
    "com.example.app://cb",
    "myapp:/cb",
    "myapp://cb",
    "yourapp:/cb",
    "com.example.app:///cb",
    "com.example.my-app+beta:/cb?x",
    "https://app.example.com/cb?",
    "http://localhost/cb?",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "vscode://vscode.github-authentication/did-authenticate",
    "vscode-insiders://publisher.extension/cb",
    "warp://mcp/oauth2callback",
    "windsurf://codeium.windsurf/cb",
    "claude://cb",
    "zed:/cb",
    "xn--p1ai.example.app:/cb",
    "io.github.someone.app:/cb",
]
BAD = [
    "",
    " ",
    "/cb",
    "app.example.com/cb",
    "//app.example.com/cb",
    # URIs with a fragment (RFC 6749 §3.1.2).
    "https://app.example.com/cb#x",
    "https://app.example.com/cb#",
    "com.example.app:/cb#x",
    # http URIs whose host isn't loopback.
    "http://app.example.com/cb",
    "http://192.0.2.1/cb",
    "http://10.0.0.1/cb",
    # Hosts that resemble a loopback host.
    "http://127.0.0.1.evil.com/cb",
    "http://localhost.evil.com/cb",
    "http://evil.com/127.0.0.1",
    "http://127.1/cb",
    "http://127.0.0.2/cb",
    "http://127.0.0.1./cb",
    "http://0.0.0.0/cb",
    "http://0x7f.0.0.1/cb",
    "http://2130706433/cb",
    "http://0177.0.0.1/cb",
    "http://[::]/cb",
    "http://[::ffff:127.0.0.1]/cb",
    "http://[0:0:0:0:0:0:0:1]/cb",
    "http://[::1%25eth0]/cb",
    "http://[::1]evil.com/cb",
    "http://evil.com[::1]/cb",
    "http://localhost@evil.com/cb",
    "http://127.0.0.1:80@evil.com/cb",
    "http://evil.com\\@127.0.0.1/cb",
    # URIs with credentials.
    "https://user@app.example.com/cb",
    "https://user:password@app.example.com/cb",
    "https://@app.example.com/cb",
    "com.example.app://user@cb",
    # Schemes that run code, read data, or are handled by other programs.
    "javascript:alert(1)",
    "javascript://app.example.com/%0aalert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example.com/x",
    "about:blank",
    "ftp://app.example.com/cb",
    "ws://127.0.0.1/cb",
    *(f"{scheme}:x" for scheme in DENIED),
    *(f"{scheme}://app.example.com/cb" for scheme in DENIED if scheme != "https"),
    "MAILTO:x",
    "View-Source:https://app.example.com/",
    "c:/cb",
    "1app:/cb",
    "-app:/cb",
    "my_app:/cb",
    # URIs without a scheme.
    "localhost:3000/cb",
    "app.example.com:8443/cb",
    "app.example.com:8443",
    "com.:/cb",
    ".com:/cb",
    "com..app:/cb",
    "urn:ietf:wg:oauth:2.0:oob",
    # Invalid hosts, and hosts that would inject into a response header.
    "https://",
    "https:///cb",
    "https:/app.example.com/cb",
    "https:app.example.com/cb",
    "https://*.example.com/cb",
    "https://*/cb",
    "https://a;sandbox/cb",
    "https://a,b/cb",
    "https://a'unsafe-inline'/cb",
    "https://app%2eexample.com/cb",
    "https://app.example.com:99999/cb",
    "https://app.example.com:/cb",
    "https://app.example.com:x/cb",
    "https://[::1/cb",
    "com.example.app://a;b/cb",
    # Characters that two parsers may interpret differently.
    "https://app.example.com/c b",
    "https://app.example.com/cb\n",
    "https://app.example.com/\tcb",
    "https://app.example.com\\cb",
    'https://app.example.com/"',
    "https://app.example.com/<x>",
    "https://äpp.example.com/cb",
    "https://app.example.com/\x00",
    "https://app.example.com/" + "x" * 2_000,
]


@pytest.mark.parametrize("uri", GOOD)
def test_valid_redirect_uri_can_be_registered(uri: str) -> None:
    """A redirect URI may use https, http on loopback, or a private-use scheme."""
    assert redirect_uris.validate(uri) == uri
    assert redirect_uris.matches(uri, uri)


@pytest.mark.parametrize("uri", BAD, ids=ascii)
def test_invalid_redirect_uri_cannot_be_registered(uri: str) -> None:
    """A rejected URI is quoted in the error in plain ASCII."""
    with pytest.raises(InvalidRequest) as raised:
        redirect_uris.validate(uri)
    assert raised.value.message.isascii()
    assert raised.value.message.isprintable()


@pytest.mark.parametrize("uri", GOOD)
def test_different_redirect_uris_do_not_match(uri: str) -> None:
    """RFC 9700 §2.1: redirect URIs are compared exactly. A valid URI matches no other URI of this module's lists,
    except a loopback URI that differs only in the port.
    """
    others = [other for other in (*GOOD, *BAD) if other != uri and redirect_uris.matches(other, uri)]
    loopback = {"http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"}
    assert set(others) | {uri} == (loopback if uri in loopback else {uri})


def test_only_the_port_of_a_loopback_address_may_differ() -> None:
    """RFC 8252 §7.3: a loopback URI may have another port, but 127.0.0.1, [::1] and localhost are different hosts."""
    assert redirect_uris.matches("http://127.0.0.1:1/cb", "http://127.0.0.1:49152/cb")
    for asked in ("http://localhost:1/cb", "http://[::1]:1/cb", "http://127.0.0.1:1/cb/", "http://127.0.0.1:1/cb?x"):
        assert not redirect_uris.matches(asked, "http://127.0.0.1/cb"), asked


LOOPBACK = ("http://127.0.0.1/cb", "http://localhost/cb", "http://[::1]/cb", "http://127.0.0.1/cb?", "http://127.0.0.1")
NOT_THE_SAME = {
    "http://127.0.0.1/cb": (
        "HTTP://127.0.0.1/cb",
        "Http://127.0.0.1:1/cb",
        "http://127.0.0.1/cb?",
        "http://127.0.0.1:1/cb?",
        "http://127.0.0.1/cb/",
        "http://127.0.0.1/CB",
        "http://127.0.0.1/%63b",
        "http://127.0.0.1//cb",
        "http://127.0.0.1/./cb",
        "http://127.0.0.1/cb;x",
        "http://127.0.0.1:08888/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:00/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:999999/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:+1/cb",
        "http://127.0.0.1:1 /cb",
        "http://127.0.0.1:١/cb",
        "http://127.0.0.1:1\\@evil.example/cb",
        "http://127.0.0.1\\/cb",
        "http:\\\\127.0.0.1/cb",
        "http:/127.0.0.1/cb",
        "http:127.0.0.1/cb",
        "http://user@127.0.0.1/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "http://127.0.0.1./cb",
        "http://127.0.0.1:1/cb#x",
        "http://127.0.0.1:1/cb\n",
        " http://127.0.0.1:1/cb",
        "https://127.0.0.1:1/cb",
    ),
    "http://localhost/cb": (
        "http://LOCALHOST/cb",
        "http://Localhost:1/cb",
        "http://localhost./cb",
        "http://localhost:01/cb",
    ),
    "http://[::1]/cb": ("http://[0:0:0:0:0:0:0:1]:1/cb", "http://[::01]/cb", "http://::1/cb"),
    "http://127.0.0.1": ("http://127.0.0.1/", "http://127.0.0.1:1/", "http://127.0.0.1?", "http://127.0.0.1:1?"),
    "http://127.0.0.1/cb?": ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1/cb?x"),
    "com.example.app:/cb": ("COM.example.app:/cb", "com.example.app:/cb?", "com.example.app://cb"),
    "cursor://anysphere.cursor-mcp/cb": ("cursor://anysphere.cursor-mcp:1/cb", "Cursor://anysphere.cursor-mcp/cb"),
    "https://app.example.com/cb": (
        "https://app.example.com:443/cb",
        "https://APP.example.com/cb",
        "https://app.example.com/cb?",
    ),
}


@pytest.mark.parametrize("registered", NOT_THE_SAME)
def test_redirect_uri_is_compared_exactly(registered: str) -> None:
    """Upper case, an empty query and a different notation of the port make a redirect URI differ."""
    same = [asked for asked in NOT_THE_SAME[registered] if redirect_uris.matches(asked, registered)]
    assert same == []


@pytest.mark.parametrize("registered", LOOPBACK)
def test_port_of_a_loopback_address_may_be_any_valid_one(registered: str) -> None:
    """A request may use any port from 1 to 65535 or no port, even if another port was registered."""
    host = registered.removeprefix("http://").partition("/")[0]
    for port in ("", ":1", ":8888", ":65535"):
        asked = registered.replace(host, host + port, 1)
        for was in ("", ":0", ":08888", ":49152"):
            assert redirect_uris.matches(asked, registered.replace(host, host + was, 1)), (asked, was)


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://app.example.com/cb?x", "https://app.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://127.0.0.1:49152/cb", "http://127.0.0.1:49152"),
        ("http://[::1]:49152/cb", "http://[::1]:49152"),
        ("com.example.app:/cb", "com.example.app:"),
        ("com.example.app://cb", "com.example.app:"),
    ],
)
def test_redirect_uri_is_shown_as_origin_or_scheme(uri: str, source: str) -> None:
    """The consent page shows the origin, or for a private-use scheme the scheme with its colon."""
    assert redirect_uris.origin(uri) == source


@pytest.mark.parametrize(
    ("uri", "recipient_of"),
    [
        ("https://app.example.com/cb?x", "https://app.example.com"),
        ("https://APP.example.com:8443", "https://app.example.com:8443"),
        ("http://127.0.0.1:49152/cb", "http://127.0.0.1"),
        ("http://[::1]:49152/cb", "http://::1"),
        ("com.example.app:/cb", "com.example.app:/cb"),
        ("com.example.app://cb", "com.example.app://cb"),
    ],
)
def test_recipient_is_the_origin_or_the_whole_uri(uri: str, recipient_of: str) -> None:
    """The recipient is the origin, without the port on loopback; for a private-use scheme it is the whole URI."""
    assert redirect_uris.recipient_of(uri) == recipient_of


def test_loopback_and_private_schemes_are_shared_with_other_apps() -> None:
    """Only an https address belongs to a single app (RFC 8252 §8.6)."""
    shared = [uri for uri in GOOD if redirect_uris.is_shared_with_other_apps(uri)]
    assert shared == [uri for uri in GOOD if not uri.startswith("https:")]


@settings(max_examples=exhaustive.examples(300), derandomize=True, deadline=None, database=None)
@given(
    uri=st.one_of(
        st.text(max_size=60),
        st.text("htps:/[]@.#?%1 7;,'*evil\\", max_size=40).map("http".__add__),
        st.text("[]@.:;,'*%1ab\\ ", max_size=30).map("https://{}/cb".format),
    )
)
def test_shown_origin_of_any_valid_uri_is_unambiguous(uri: str) -> None:
    """A valid redirect URI is never shown with spaces, quotes or markup."""
    try:
        source = redirect_uris.origin(redirect_uris.validate(uri))
    except InvalidRequest:
        return
    assert not set(source) & set(" ;,*'\"\\@#?\r\n")
    assert redirect_uris.matches(uri, uri)


@pytest.mark.parametrize("start", ["https://app.example.com/", "com.example.app:/"])
def test_redirect_uri_of_two_thousand_characters_is_the_longest(start: str) -> None:
    """A redirect URI has at most 2,000 characters, because longer ones don't fit into the headers of every browser."""
    longest = start.ljust(2_000, "x")
    assert redirect_uris.validate(longest) == longest
    assert redirect_uris.matches(longest, longest)
    with pytest.raises(InvalidRequest):
        redirect_uris.validate(longest + "x")
