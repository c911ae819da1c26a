"""Explain errors of AWS calls in one sentence that names the remedy, in the same words for every command."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from infra.aws_settings import ENDPOINT, HALF, NO_REGION, PROFILES, no_profile, no_region, profile
from infra.failed import one_line

REFUSED = (ClientError, BotoCoreError)
"""The exceptions that AWS calls raise and that `in_words` explains."""
NO_CREDENTIALS = "No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
SKEWED = ("RequestTimeTooSkewed", "RequestTimeTooSkewedException", "RequestExpired", "RequestInTheFuture")
UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure")
UNSIGNED = (
    *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
)
DENIED = (
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "KMSAccessDeniedException"),
    "AuthorizationErrorException",
)
THROTTLED = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")
OF_CLOCK = ("Signature expired", "Signature not yet current")
"""Phrases in AWS's message if a signature is invalid because the clock of this machine is wrong."""
MESSAGE_MAX = 300
"""The maximum length of a message that is quoted from AWS."""


def in_words(error: Exception) -> str:
    """Return the explanation of an AWS error on one line, with the remedy if a remedy is known.

    For any other exception, return its own message.
    """
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        code = str(details.get("Code", ""))
        return refusal(code, f"{error.operation_name}, {code}: {details.get('Message', '')}") or one_line(str(error))
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return one_line(words(error))
    return one_line(str(error)) if isinstance(error, BotoCoreError) else str(error)


def refusal(code: str, message: str) -> str:
    """Return the cause of an AWS error and its remedy if credentials or throttling are the cause; otherwise ""."""
    # Quote only the first line: after it, AWS may quote the wrongly signed request, which contains the session token.
    quoted = one_line(message.partition("\n")[0][:MESSAGE_MAX])
    if code in SKEWED or (code in UNSIGNED and any(each in quoted for each in OF_CLOCK)):
        return f"The clock of this machine is wrong ({quoted}). Set it, then run this again."
    if code in EXPIRED:
        return f"The credentials have expired ({quoted}). Renew {_source()}, or choose another AWS_PROFILE."
    if code in UNKNOWN:
        return f"AWS doesn't know the access key ({quoted}). Correct {_source()}, or choose another AWS_PROFILE."
    if code in UNSIGNED:
        return f"The secret doesn't belong to the access key ({quoted}). Correct {_source()}: copy both values again."
    if code in DENIED:
        grant = "Grant it (make policy prints the policy)"
        return f"The credentials lack a permission ({quoted}). {grant}, or choose another AWS_PROFILE."
    if code in THROTTLED:
        return f"AWS is throttling requests ({quoted}). Wait a minute, then run this again."
    return ""


def is_denied(error: ClientError) -> bool:
    """Return whether the credentials are valid but lack a permission."""
    return error.response.get("Error", {}).get("Code") in DENIED


def _source() -> str:
    """Return the name of the setting that the credentials come from."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        given = [name for name in names if os.environ.get(name)]
        return f"{', '.join(given[:-1])} and {given[-1]}" if len(given) > 1 else given[0]
    return profile()


def _explain_no_credentials(_error: Any) -> str:
    if os.environ.get("AWS_SECRET_ACCESS_KEY") and not os.environ.get("AWS_ACCESS_KEY_ID"):
        return HALF.format(missing="AWS_ACCESS_KEY_ID", given="AWS_SECRET_ACCESS_KEY")
    return NO_CREDENTIALS


def _explain_incomplete_key(error: Any) -> str:
    missing = error.kwargs["cred_var"]
    if error.kwargs["provider"] == "env":
        return HALF.format(missing=missing, given="AWS_ACCESS_KEY_ID")
    return f"{missing} is missing in {profile()}. Add it, or choose another AWS_PROFILE."


def _explain_expired_session(error: Any) -> str:
    login = "login" if isinstance(error, exceptions.LoginError) else "sso login"
    named = next((f" --profile {os.environ[name]}" for name in PROFILES if os.environ.get(name)), "")
    return f"The session of {profile()} has expired or wasn't started ({error}). Start one: aws {login}{named}"


def _explain_no_response(error: Any) -> str:
    url = urlsplit(str(error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url") or ""))
    where = f" at {url.scheme}://{url.netloc.rpartition('@')[2]}" if url.netloc else ""
    endpoint = f", {ENDPOINT}" if any(name.startswith(ENDPOINT) for name in os.environ) else ""
    why = "" if isinstance(error, exceptions.EndpointConnectionError) else f" ({error})"
    return f"AWS doesn't respond{where}{why}. Check the network{endpoint} and the region (AWS_DEFAULT_REGION)."


def _explain_certificate(error: Any) -> str:
    return f"The certificate of AWS's endpoint isn't trusted ({error}). Check AWS_CA_BUNDLE, or the proxy."


_WORDS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (exceptions.NoCredentialsError, _explain_no_credentials),
    (exceptions.PartialCredentialsError, _explain_incomplete_key),
    ((exceptions.SSOError, exceptions.LoginError, exceptions.TokenRetrievalError), _explain_expired_session),
    (
        (exceptions.CredentialRetrievalError, exceptions.InvalidConfigError),
        lambda error: f"{profile()} provides no credentials ({error}). Correct it, or choose another AWS_PROFILE.",
    ),
    (exceptions.ProfileNotFound, lambda error: no_profile(error.kwargs["profile"], [])),
    (exceptions.NoRegionError, lambda _: NO_REGION),
    ((exceptions.InvalidRegionError, exceptions.UnknownRegionError), lambda error: no_region(_named(error))),
    (exceptions.SSLError, _explain_certificate),
    (
        exceptions.ProxyConnectionError,
        lambda error: f"The proxy doesn't respond ({error}). Check HTTPS_PROXY and HTTP_PROXY.",
    ),
    ((exceptions.ConnectionError, exceptions.HTTPClientError), _explain_no_response),
)


def _named(error: Any) -> str:
    return str(error.kwargs.get("region_name", ""))
