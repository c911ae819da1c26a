"""Forms: read, and refused where another site sent one. CSRF is kept out by the Origin and a token of the browser's."""

import hmac
from urllib.parse import parse_qsl, urlsplit

from chalicelib.api import client_address
from chalicelib.api.console import cookies
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors

FORM_BYTES_MAX = 64 * 1024
REPEATED_BYTES_MAX = 4 * FORM_BYTES_MAX
"""What was typed into a form that is too long is shown again up to here."""
FIELDS_MAX = 100


class Forged(errors.LatchkeyError):
    """A form that wasn't filled in on our page, or on one that is too old."""

    status, error = 403, "forged"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("This form is out of date, or came from elsewhere. Open the page again and repeat it.")


class Outdated(Forged):
    """A form of our own page that is too old: its page is shown again, with what was typed into it."""

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__()
        self.message = "This page was open for too long. Check what you typed, and send it again."


class TooLong(errors.LatchkeyError):
    """A form that holds more than any page here asks for."""

    status, error = 413, "too_long"

    def __init__(self) -> None:
        """Say how to go on."""
        most = f"{FORM_BYTES_MAX // 1024} KB"
        super().__init__(f"This form is too long: it may hold {most}. Shorten what you typed, and send it again.")


def read_form(request: PageRequest) -> None:
    """Read the form, and refuse one that another site sent: its Origin differs, or it lacks this browser's token."""
    sent = request.exchange.request
    origin = client_address.only(sent, "origin")
    own = urlsplit(request.base_url)
    raw = sent.raw_body
    if origin != f"{own.scheme}://{own.netloc}":
        raise Forged
    if len(raw) <= REPEATED_BYTES_MAX:
        for name, value in _pairs(raw):
            request.form.setdefault(name, []).append(value)
    if len(raw) > FORM_BYTES_MAX:
        raise TooLong
    bound_to = request.cookie(cookies.SESSION) or request.cookie(cookies.VISIT)
    if not bound_to or not hmac.compare_digest(request.text("csrf").encode(), request.csrf().encode()):
        raise Outdated


def _pairs(raw: bytes | str) -> list[tuple[str, str]]:
    """Return the fields of a form; raise InvalidRequest when it can't be read."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except UnicodeError:
        raise errors.InvalidRequest("The form can't be read: it must be UTF-8.") from None
    except ValueError:
        raise errors.InvalidRequest(
            f"The form has more than {FIELDS_MAX} fields, which no page here asks for."
        ) from None
