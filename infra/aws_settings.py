"""Check AWS variables and files, and explain an invalid one in a sentence that names the setting and the remedy.

botocore reports an invalid setting with a traceback or without the variable's name, and sometimes only during a call.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.exceptions import BotoCoreError

from infra.failed import Mistake, quoted
from infra.takes import Takes, one_of

FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
"""The variables that select the profile; the first one that is set applies."""
ENDPOINT = "AWS_ENDPOINT_URL"
NO_REGION = (
    "No AWS region is set: set AWS_DEFAULT_REGION (boto3 doesn't read AWS_REGION), or a region in the profile that"
    " AWS_PROFILE names."
)
HALF = "{given} is set but {missing} isn't: set both, or AWS_PROFILE instead."


def check() -> None:
    """Raise Mistake for an invalid file, profile, setting or region, or an incomplete access key."""
    from botocore.session import Session

    for variable, default in FILES.items():
        _check_file(variable, os.environ.get(variable), default)
    session = Session()
    chosen = session.get_config_variable("profile")
    if chosen is not None and chosen not in session.available_profiles:
        raise Mistake(no_profile(chosen, session.available_profiles))
    for name, value, takes in _settings(session):
        if not takes.fits(value):
            raise Mistake(f"{name}={quoted(value)} can't be used: it takes {takes.words}. Correct it, or unset it.")
    region = session.get_config_variable("region")
    if not region:
        raise Mistake(NO_REGION)
    try:
        session.get_partition_for_region(region)
    except BotoCoreError as error:
        raise Mistake(no_region(region)) from error
    key_id, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    if os.environ.get(key_id) and not os.environ.get(secret):
        raise Mistake(HALF.format(missing=secret, given=key_id))


def profile() -> str:
    """Return a description of the profile and of the variable that selects it."""
    named = next((name for name in PROFILES if name in os.environ), "")
    return f"the profile {os.environ[named]} (which {named} names)" if named else "the profile default"


def no_profile(name: str, known: list[str]) -> str:
    """Return the error message for an unknown profile, which lists the existing profiles."""
    variable = next((each for each in PROFILES if os.environ.get(each) == name), PROFILES[-1])
    there = f"the profiles are {', '.join(sorted(known))}" if known else "they define no profiles"
    files = " and ".join(os.environ.get(each) or default for each, default in FILES.items())
    return f"{variable}={quoted(name)} can't be used: {files} don't define it; {there}. Choose another one."


def no_region(region: str) -> str:
    """Return the error message for an unknown region, which says where the region is set."""
    name = "AWS_DEFAULT_REGION" if os.environ.get("AWS_DEFAULT_REGION") else f"region of {profile()}"
    return f"{name}={quoted(region)} can't be used: AWS has no such region. Set one like eu-central-1."


def _check_file(variable: str, given: str | None, default: str) -> None:
    from botocore.configloader import load_config

    file = Path(os.path.expandvars(given or default)).expanduser()
    name = f"{variable}={quoted(str(file))}" if given else str(file)
    remedy = f"Correct it, or set {variable} to another file."
    try:
        if file.is_dir():
            raise Mistake(f"{name} can't be used: it is a folder. {remedy}")
        if file.exists():
            file.open("rb").close()
            load_config(str(file))
    except exceptions.ConfigNotFound:
        return  # accept a path that isn't a file, such as /dev/null, because botocore ignores it
    except (exceptions.ConfigParseError, ValueError) as error:
        raise Mistake(f"{name} can't be used: it isn't a file of profiles, like [default]. {remedy}") from error
    except OSError as error:
        raise Mistake(f"{name} can't be read: {error.strerror}. {remedy}") from error


def _settings(session: Any) -> Iterator[tuple[str, str, Takes]]:
    """Yield the name, the value and the rule of each AWS setting. The environment takes precedence over the profile."""
    configured = session.get_scoped_config()
    where = f" of {profile()}"
    for key, takes in SETTINGS.items():
        variable = f"AWS_{key.upper()}"
        if variable in os.environ:
            yield variable, os.environ[variable], takes
        elif isinstance(configured.get(key), str):
            yield f"{key}{where}", configured[key], takes
    for name, value in os.environ.items():
        if name == ENDPOINT or name.startswith(f"{ENDPOINT}_"):
            yield name, value, _URL
    if os.environ.get("REQUESTS_CA_BUNDLE") and not os.environ.get("AWS_CA_BUNDLE"):
        yield "REQUESTS_CA_BUNDLE", os.environ["REQUESTS_CA_BUNDLE"], SETTINGS["ca_bundle"]
    if isinstance(configured.get("endpoint_url"), str):
        yield f"endpoint_url{where}", configured["endpoint_url"], _URL
    services = session.full_config.get("services", {}).get(configured.get("services"), {})
    for service, own in services.items():
        if isinstance(own, dict) and isinstance(own.get("endpoint_url"), str):
            yield (
                f"endpoint_url of {service}, services {configured['services']}",
                own["endpoint_url"],
                _URL,
            )


def _is_number(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdigit()


def _is_url(text: str) -> bool:
    """Return whether a value is a URL or empty; if it is empty, botocore uses AWS's endpoint."""
    try:
        parts = urlsplit(text)
        return not text or (parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0)
    except ValueError:
        return False


def _is_bundle(text: str) -> bool:
    if not text:
        return True
    try:
        ssl.create_default_context(cafile=os.path.expanduser(text))  # noqa: PTH111 - a Path of "" would be the folder
    except (OSError, ValueError):
        return False
    return True


_URL = Takes("an address, like http://127.0.0.1:8001", _is_url)
_COUNT = Takes("a number from 1", lambda given: _is_number(given) and int(given) > 0)
SETTINGS = {
    "ca_bundle": Takes("the name of a file with certificates (PEM)", _is_bundle),
    "max_attempts": _COUNT,
    "retry_mode": one_of("legacy", "standard", "adaptive"),
    "defaults_mode": one_of("legacy", "auto", "standard", "in-region", "cross-region", "mobile"),
    "sts_regional_endpoints": one_of("legacy", "regional"),
    "metadata_service_timeout": _COUNT,
    "metadata_service_num_attempts": _COUNT,
    "request_checksum_calculation": one_of("when_supported", "when_required"),
    "response_checksum_validation": one_of("when_supported", "when_required"),
    "account_id_endpoint_mode": one_of("preferred", "required", "disabled"),
}
"""The rules for settings whose invalid values make botocore raise a traceback, by the name that a profile uses."""
