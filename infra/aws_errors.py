"""Errors of AWS calls as one sentence with the remedy, the same for every command."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from infra.aws_settings import ENDPOINT, HALF, NO_REGION, PROFILES, no_profile, no_region, profile
from infra.failed import one_line

REFUSED = (ClientError, BotoCoreError)
"""The exceptions of AWS calls that `in_words` explains."""
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
"""Phrases in messages of signature errors whose cause is the clock."""
MESSAGE_MAX = 300
"""The maximal length of a quoted AWS message."""


def in_words(error: Exception) -> str:
    """Return the explanation of an AWS error on one line, with the remedy if it is known.

    An error of our own says so itself.
    """
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        return refusal(code, f"{error.operation_name}, {code}: {told.get('Message', '')}") or one_line(str(error))
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return one_line(words(error))
    return one_line(str(error)) if isinstance(error, BotoCoreError) else str(error)


def refusal(code: str, told: str) -> str:
    """Return the cause of an AWS error and the remedy, "" for an error of the call itself."""
    # After the first line, AWS quotes a wrongly signed request, with its session token.
    told = one_line(told.partition("\n")[0][:MESSAGE_MAX])
    if code in SKEWED or (code in UNSIGNED and any(each in told for each in OF_CLOCK)):
        return f"AWS finds the clock of this machine wrong ({told}). Set it, then run this again."
    if code in EXPIRED:
        return f"The credentials have expired ({told}). Renew those of {_source()}, or choose others by AWS_PROFILE."
    if code in UNKNOWN:
        return f"AWS doesn't know the access key ({told}). Mend {_source()}, or choose others by AWS_PROFILE."
    if code in UNSIGNED:
        return f"The secret doesn't belong to the access key ({told}). Mend {_source()}: copy both anew."
    if code in DENIED:
        allowed = "make policy prints what is needed"
        return f"These credentials may not do this ({told}). Allow it, or choose others by AWS_PROFILE: {allowed}."
    if code in THROTTLED:
        return f"AWS has no room for this right now ({told}). Wait a minute, then run this again."
    return ""


def is_denied(error: ClientError) -> bool:
    """Return whether the credentials are valid but lack a permission."""
    return error.response.get("Error", {}).get("Code") in DENIED


def _source() -> str:
    """Return the source of the credentials, as far as the environment shows it."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        given = [name for name in names if os.environ.get(name)]
        return f"{', '.join(given[:-1])} and {given[-1]}" if len(given) > 1 else given[0]
    return profile()


def _no_credentials(_error: Any) -> str:
    if os.environ.get("AWS_SECRET_ACCESS_KEY") and not os.environ.get("AWS_ACCESS_KEY_ID"):
        return HALF.format(missing="AWS_ACCESS_KEY_ID", given="AWS_SECRET_ACCESS_KEY")
    return NO_CREDENTIALS


def _half(error: Any) -> str:
    missing = error.kwargs["cred_var"]
    if error.kwargs["provider"] == "env":
        return HALF.format(missing=missing, given="AWS_ACCESS_KEY_ID")
    return f"{missing} is missing in {profile()}. Add it there, or choose another one by AWS_PROFILE."


def _signed_out(error: Any) -> str:
    login = "login" if isinstance(error, exceptions.LoginError) else "sso login"
    named = next((f" --profile {os.environ[name]}" for name in PROFILES if os.environ.get(name)), "")
    return f"The session of {profile()} has ended, or was never begun ({error}). Begin one: aws {login}{named}"


def _unanswered(error: Any) -> str:
    url = urlsplit(str(error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url") or ""))
    where = f" at {url.scheme}://{url.netloc.rpartition('@')[2]}" if url.netloc else ""
    endpoint = f", {ENDPOINT}" if any(name.startswith(ENDPOINT) for name in os.environ) else ""
    why = "" if isinstance(error, exceptions.EndpointConnectionError) else f" ({error})"
    return f"AWS doesn't answer{where}{why}. Check the network{endpoint} and the region (AWS_DEFAULT_REGION)."


def _untrusted(error: Any) -> str:
    return f"The certificate of what answers for AWS isn't trusted ({error}). Check AWS_CA_BUNDLE, or the proxy."


_WORDS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (exceptions.NoCredentialsError, _no_credentials),
    (exceptions.PartialCredentialsError, _half),
    ((exceptions.SSOError, exceptions.LoginError, exceptions.TokenRetrievalError), _signed_out),
    (
        (exceptions.CredentialRetrievalError, exceptions.InvalidConfigError),
        lambda error: f"No credentials come from {profile()} ({error}). Mend it, or choose another one by AWS_PROFILE.",
    ),
    (exceptions.ProfileNotFound, lambda error: no_profile(error.kwargs["profile"], [])),
    (exceptions.NoRegionError, lambda _: NO_REGION),
    ((exceptions.InvalidRegionError, exceptions.UnknownRegionError), lambda error: no_region(_named(error))),
    (exceptions.SSLError, _untrusted),
    (
        exceptions.ProxyConnectionError,
        lambda error: f"The proxy doesn't answer ({error}). Check HTTPS_PROXY and HTTP_PROXY.",
    ),
    ((exceptions.ConnectionError, exceptions.HTTPClientError), _unanswered),
)


def _named(error: Any) -> str:
    return str(error.kwargs.get("region_name", ""))
