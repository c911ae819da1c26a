"""Parse forms, and reject forms that another site sent. A form is accepted only with the Origin of this site and with
the CSRF token of this browser and of the account that the form names.
"""

import hmac
from urllib.parse import parse_qsl, urlsplit

from chalicelib.api import client_address
from chalicelib.api.console import cookies
from chalicelib.api.console.page_request import ACCOUNT_FIELD, PageRequest
from chalicelib.core import errors

FORM_BYTES_MAX = 64 * 1024
REPEATED_BYTES_MAX = 4 * FORM_BYTES_MAX
"""The maximum length of a form that is shown again, with its values, when it is rejected."""
FIELDS_MAX = 100


class Forged(errors.LatchkeyError):
    """A form that wasn't sent from this site."""

    status, error = 403, "forged"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This form has expired or was sent from another site. Open the page again and retry.")


class Outdated(Forged):
    """A form without the current CSRF token of this browser, because its page is outdated. The page is shown again with
    the submitted values.
    """

    def __init__(self) -> None:
        """Set the message."""
        super().__init__()
        self.message = "This page has expired. Check your input and send the form again."


class TooLong(errors.LatchkeyError):
    """A form that is longer than any page needs."""

    status, error = 413, "too_long"

    def __init__(self) -> None:
        """Set the message."""
        most = f"{FORM_BYTES_MAX // 1024} KB"
        super().__init__(f"This form is too long: the maximum is {most}. Shorten your input and send the form again.")


def read_form(request: PageRequest) -> None:
    """Parse the form. Raises Forged for another Origin, TooLong for a form that is too long, Outdated for a missing or
    wrong CSRF token.
    """
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
    bound_to = request.cookie(cookies.SESSION) or request.cookie(cookies.BROWSER)
    expected = request.csrf(request.text(ACCOUNT_FIELD))
    if not bound_to or not hmac.compare_digest(request.text("csrf").encode(), expected.encode()):
        raise Outdated


def _pairs(raw: bytes | str) -> list[tuple[str, str]]:
    """Return the fields of a form; raise InvalidRequest when it can't be parsed."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except UnicodeError:
        raise errors.InvalidRequest("The form must be encoded in UTF-8.") from None
    except ValueError:
        raise errors.InvalidRequest(f"The form must have at most {FIELDS_MAX} fields.") from None
