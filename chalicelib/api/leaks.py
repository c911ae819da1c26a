"""/v1/leaks: secret scanners, such as GitHub's secret scanning, report leaked secrets.

The route is public because the sender has no key. Instead, the sender signs the body.
"""

import json
from typing import Any

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import FormList
from chalicelib.api.schema.description import described
from chalicelib.api.schema.fields import Enum
from chalicelib.api.schema.shapes import Boolean, ListOf, Shape, String
from chalicelib.core import secrets
from chalicelib.core.errors import InvalidRequest
from chalicelib.detection import github_signature, hmac_signature, leaks

BODY_BYTES_MAX = 1024 * 1024
ALERTS_MAX = 1_000

ALERTS = FormList(
    {
        "token": String("The secret that was found."),
        "type": String("The sender's name for this type of secret.", "latchkey_api_key"),
    },
    {
        "url": String("The URL where it was found.", "https://github.com/octocat/Hello-World/blob/main/settings.py"),
        "source": String("The kind of place, like a commit.", "commit"),
        "public": Boolean("Whether the place is public; true by default, and always for GitHub's reports."),
    },
)
SIGNATURE_HEADERS = {
    "Github-Public-Key-Identifier": String("The id of GitHub's signing key."),
    "Github-Public-Key-Signature": String(
        "GitHub's signature over the body: ECDSA on P-256 with SHA-256, in DER and base64."
    ),
    "Latchkey-Timestamp": String("When another sender signed the body, in epoch seconds.", "1640000000"),
    "Latchkey-Signature": String(
        "Its signature: `v1=` and the hex HMAC-SHA-256 over the timestamp, a dot and the raw body."
    ),
}
RESULT = Shape(
    "JudgedLeak",
    "The result for a reported secret.",
    {
        "token_hash": String("The hex SHA-256 of the reported secret."),
        "token_type": String("Its type, as reported.", "latchkey_api_key"),
        "label": Enum(("true_positive", "false_positive"), description="Whether it is, or was, a secret of this API."),
    },
)


@described(
    {200: ListOf(RESULT, "One result per secret.")},
    body=ALERTS,
    headers=SIGNATURE_HEADERS,
    security=("github", "sender"),
)
def report_leaks(context: RequestContext) -> list[dict[str, str]]:
    """Report leaked secrets.

    The body must be signed, either by GitHub (`Github-Public-Key-Identifier`, `Github-Public-Key-Signature`) or by a
    sender that shares a secret with this API (`Latchkey-Timestamp`, `Latchkey-Signature`). A key that was found in
    public is revoked immediately.
    """
    body = context.request.raw_body
    raw = body if isinstance(body, bytes) else body.encode()
    from_github = _signed_by_github(context, raw)
    alerts = [leaks.Alert(**each | ({"public": True} if from_github else {})) for each in _alerts(raw)]
    results = leaks.follow_up(alerts)
    context.counted["LeakedSecrets"] = sum(label == leaks.TRUE_POSITIVE for _, label in results)
    return [
        {"token_hash": secrets.digest(alert.token), "token_type": alert.type, "label": label}
        for alert, label in results
        if label is not None
    ]


def _signed_by_github(context: RequestContext, raw: bytes) -> bool:
    """Return whether GitHub signed the body; if not, another sender did. Raises InvalidRequest if the body isn't
    signed.
    """
    if len(raw) > BODY_BYTES_MAX:
        raise InvalidRequest(f"The body may have at most {BODY_BYTES_MAX} bytes.")
    headers = context.request.headers

    def sent(name: str) -> str:
        return client_address.only(context.request, name.lower())

    if github_signature.SIGNATURE in headers:
        github_signature.check(
            raw, identifier=sent(github_signature.IDENTIFIER), signature=sent(github_signature.SIGNATURE)
        )
        return True
    if hmac_signature.SIGNATURE in headers:
        hmac_signature.check(raw, timestamp=sent(hmac_signature.TIMESTAMP), signature=sent(hmac_signature.SIGNATURE))
        return False
    raise InvalidRequest(
        f"The body must be signed: with {github_signature.IDENTIFIER} and {github_signature.SIGNATURE}, or with"
        f" {hmac_signature.TIMESTAMP} and {hmac_signature.SIGNATURE}."
    )


def _alerts(raw: bytes) -> list[dict[str, Any]]:
    """Parse the alerts and return the known fields of each. Error messages never contain a reported secret."""
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body must be a JSON list.") from None
    if not isinstance(parsed, list) or not 1 <= len(parsed) <= ALERTS_MAX:
        raise InvalidRequest(f"The body must be a JSON list of 1 to {ALERTS_MAX} alerts.")
    return [_alert(place, each) for place, each in enumerate(parsed)]


def _alert(place: int, alert: object) -> dict[str, Any]:
    if not isinstance(alert, dict):
        raise InvalidRequest(f"Alert {place} must be an object with token and type.")
    public = alert.get("public", True)
    if not isinstance(public, bool):
        raise InvalidRequest(f"public of alert {place} must be true or false.")
    return {
        "token": _required_text(place, alert, "token"),
        "type": _required_text(place, alert, "type"),
        "url": _optional_text(place, alert, "url"),
        "source": _optional_text(place, alert, "source"),
        "public": public,
    }


def _required_text(place: int, alert: dict[str, Any], name: str) -> str:
    """Return a required text of any length. A text that is too long to be a secret is accepted, because an error would
    also reject the other alerts.
    """
    text = alert.get(name)
    if not isinstance(text, str) or not text or not _is_encodable(text):
        raise InvalidRequest(f"{name} of alert {place} must be a text that isn't empty.")
    return text


def _optional_text(place: int, alert: dict[str, Any], name: str) -> str:
    """Return an optional text of any length; "" if it is absent or can't be encoded. Such a text is only informational,
    and an error would prevent the revocation of leaked keys.
    """
    text = alert.get(name) or ""
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} of alert {place} must be a text.")
    return text if _is_encodable(text) else ""


def _is_encodable(text: str) -> bool:
    """Return whether text can be encoded in UTF-8. Text with a lone surrogate can't be."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
