"""Validate `.chalice/config.json` before a command changes anything.

Otherwise Chalice or AWS would reject an invalid value only after the command has made some of its changes.
"""

import json
import re
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from infra.failed import DeployError
from infra.takes import Takes, matching

FILE = Path(".chalice", "config.json")
"""The configuration file, relative to the current folder, which must be the checkout to deploy."""
APP = "latchkey"
"""The prefix of the names of all resources in AWS."""
DOMAIN = "api_gateway_custom_domain"
"""Chalice's key for the custom domain in a stage's configuration."""
OURS = ("api_handler", "authorizer", "stream", "job", "minute", "hour")
"""Chalice's names of Latchkey's functions. An operator may add further functions."""
BACK = "Fix it, or restore what was committed: git checkout .chalice/config.json"
Configuration = dict[str, Any]


def of_stage(stage: str) -> Configuration:
    """Return the whole file's content. Raises DeployError if the file or its part for the stage is invalid."""
    whole = _loaded()
    _check(
        whole, "app_name", Takes(f'"{APP}", since the commands find a stage in AWS by it', lambda given: given == APP)
    )
    _check(whole, "version", Takes('"2.0"', lambda given: given == "2.0"))
    _check(whole, "stages", OBJECT, is_needed=True)
    _check(whole["stages"], stage, OBJECT, "stages.", is_needed=True)
    chosen = whole["stages"][stage]
    _check(whole | chosen, "api_gateway_stage", STAGE_NAME, f"stages.{stage}.", is_needed=True)
    _refuse_unknown(whole, "", {*OF_LEVEL, *OF_WHOLE})
    _refuse_unknown(chosen, f"stages.{stage}.", set(OF_LEVEL))
    for place, level in (("", whole), (f"stages.{stage}.", chosen)):
        for key, takes in OF_LEVEL.items():
            _check(level, key, takes, place)
        _check_variables(level, place)
        for name, function in level.get("lambda_functions", {}).items():
            _check(level["lambda_functions"], name, OBJECT, f"{place}lambda_functions.")
            _check_function(name, function, f"{place}lambda_functions.{name}")
        if level.get(DOMAIN) is not None:
            _refuse_unknown(level[DOMAIN], f"{place}{DOMAIN}.", set(OF_DOMAIN))
            for key, takes in OF_DOMAIN.items():
                _check(level[DOMAIN], key, takes, f"{place}{DOMAIN}.", is_needed=key in NEEDED_OF_DOMAIN)
    if (whole | chosen).get("api_gateway_endpoint_type") == "PRIVATE" and not (whole | chosen).keys() & OF_PRIVATE:
        raise DeployError(f"{FILE}: a PRIVATE endpoint needs {' or '.join(OF_PRIVATE)}, which say who may call it.")
    for key in ("manage_iam_role", "iam_role_arn"):  # without them, Chalice creates other roles, or its dry run fails
        _check(whole | chosen, key, OF_LEVEL[key], is_needed=True)
    return whole


def gateway_stage(stage: str) -> str:
    """Return the name of the stage in API Gateway: the first path segment at the API's default endpoint."""
    whole = of_stage(stage)
    name: str = (whole | whole["stages"][stage])["api_gateway_stage"]
    return name


def setting(stage: str, name: str) -> str:
    """Return the configured value of an environment variable of a stage's functions; "" if no value is configured."""
    whole = of_stage(stage)
    for each in (whole["stages"][stage], whole):
        if name in each.get("environment_variables", {}):
            return str(each["environment_variables"][name])
    return ""


def domain(stage: str) -> dict[str, str] | None:
    """Return the configuration of a stage's custom domain; None if the stage has no domain."""
    whole = of_stage(stage)
    configured: dict[str, str] | None = (whole | whole["stages"][stage]).get(DOMAIN)
    return configured


def certificate_region(stage: str, region: str) -> str:
    """Return the region that a domain's certificate must be in, for a stage that is deployed into `region`."""
    whole = of_stage(stage)
    return "us-east-1" if (whole | whole["stages"][stage]).get("api_gateway_endpoint_type") == "EDGE" else region


def _loaded() -> Configuration:
    try:
        whole = json.loads(FILE.read_text(encoding="utf-8"), object_pairs_hook=_reject_duplicates)
    except OSError as error:
        raise DeployError(f"{FILE} can't be read ({error.strerror}). {BACK}") from error
    except UnicodeDecodeError as error:
        raise DeployError(f"{FILE} is not UTF-8: {error.reason} at byte {error.start}. {BACK}") from error
    except RecursionError as error:
        raise DeployError(f"{FILE} has brackets in brackets without end. {BACK}") from error
    except ValueError as error:
        raise DeployError(f"{FILE} is not JSON: {error}. {BACK}") from error
    if not isinstance(whole, dict):
        raise DeployError(f"{FILE} takes an object with stages. {BACK}")
    return whole


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object. Raises DeployError for a duplicate key, since Python would silently use the last value."""
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise DeployError(f'{FILE}: "{name}" is twice in one object, and only the last one counts. Remove one.')
    return dict(pairs)


def _check_function(name: str, function: Configuration, place: str) -> None:
    _refuse_unknown(function, f"{place}.", set(OF_FUNCTION))
    if bool(function.get("subnet_ids")) != bool(function.get("security_group_ids")):
        raise DeployError(f"{FILE}: {place}.subnet_ids and security_group_ids belong together.")
    for key, takes in OF_FUNCTION.items():
        refused = OF_OWN_ONLY.get(key) if name in OURS else None
        _check(function, key, refused or takes, f"{place}.")
    _check_variables(function, f"{place}.")


def _check_variables(level: Configuration, place: str) -> None:
    """Raise DeployError for an environment variable whose name or value Lambda rejects."""
    for name in level.get("environment_variables", {}):
        if RESERVED.fullmatch(name) or not VARIABLE.fullmatch(name):
            why = "sets that itself" if RESERVED.fullmatch(name) else "takes a letter, then letters, digits and _"
            raise DeployError(
                f"{FILE}: {place}environment_variables has {name!r}, but Lambda {why}. Rename or remove it."
            )


def _check(level: Configuration, key: str, takes: Takes, place: str = "", *, is_needed: bool = False) -> None:
    if key not in level:
        if is_needed:
            raise DeployError(f"{FILE}: {place}{key} is missing; it takes {takes.words}.")
    elif not takes.fits(level[key]):
        raise DeployError(f"{FILE}, {place}{key} takes {takes.words}, not {json.dumps(level[key])[:100]}.")


def _refuse_unknown(level: Configuration, place: str, known: set[str]) -> None:
    """Raise DeployError for an unknown key, since a misspelt key would silently have no effect."""
    unknown = sorted(level.keys() - known)
    if unknown:
        nearest = get_close_matches(unknown[0], known, n=1)
        meant = f" Did you mean {nearest[0]}?" if nearest else ""
        raise DeployError(f"{FILE}: nothing reads {place}{unknown[0]}.{meant} Rename or remove it.")


def _are_vpces(given: Any) -> bool:
    ids = given if isinstance(given, list) else [given]
    return bool(ids) and all(isinstance(each, str) and each.startswith("vpce-") for each in ids)


def _number(least: int, most: int) -> Takes:
    return Takes(
        f"a number from {least:,} to {most:,}, without quotes",
        lambda given: isinstance(given, int) and not isinstance(given, bool) and least <= given <= most,
    )


def _only_false(why: str) -> Takes:
    return Takes(f"false, since {why}", lambda given: given is False)


OBJECT = Takes("an object", lambda given: isinstance(given, dict))
TEXT = Takes("a text", lambda given: isinstance(given, str) and given != "")
TEXTS = Takes("a list of texts", lambda given: isinstance(given, list) and all(isinstance(each, str) for each in given))
LAYER = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+")
LAYERS = Takes(
    "a list of up to 5 ARNs of layer versions, like arn:aws:lambda:us-east-1:123456789012:layer:name:1",
    lambda given: TEXTS.fits(given) and len(given) <= 5 and all(LAYER.fullmatch(each) for each in given),
)
TAGS = Takes(
    'an object whose values are text, of names that don\'t begin with "aws:"',
    lambda given: (
        isinstance(given, dict)
        and all(isinstance(each, str) and not name.lower().startswith("aws:") for name, each in given.items())
    ),
)
OF_VPC = ("subnet_ids", "security_group_ids")
NO_VPC = Takes("no value here, since the roles of Latchkey's functions have no rights in a VPC", lambda _: False)
NO_ROLE = Takes("no value here, since the data stack has a role for it", lambda _: False)
VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
RESERVED = re.compile(
    "_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|AWS_(DEFAULT_REGION|REGION|EXECUTION_ENV|ACCESS_KEY|"
    "ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|LAMBDA_(FUNCTION_NAME|FUNCTION_MEMORY_SIZE|FUNCTION_VERSION|"
    "INITIALIZATION_TYPE|LOG_GROUP_NAME|LOG_STREAM_NAME|RUNTIME_API))"
)
"""Matches the names of environment variables that Lambda reserves."""
STAGE_NAME = matching('a name of letters, digits, - and _, like "api"', r"[A-Za-z0-9_-]{1,128}")
POLICIES_SAY = "infra/policies/ says what each function may do"
OF_FUNCTION = {
    "environment_variables": OBJECT,
    "lambda_memory_size": _number(128, 10_240),
    "lambda_timeout": _number(1, 900),
    "reserved_concurrency": _number(1, 1_000_000),
    "manage_iam_role": _only_false("the data stack has a role for each function"),
    "iam_role_arn": TEXT,
    "autogen_policy": _only_false(POLICIES_SAY),
    "iam_policy_file": Takes(f"no value here, since {POLICIES_SAY}", lambda _: False),
    "log_retention_in_days": Takes("no value here: make deploy LOG_DAYS=90", lambda _: False),
    "layers": LAYERS,
    "subnet_ids": TEXTS,
    "security_group_ids": TEXTS,
    "tags": TAGS,
    "xray": Takes("true or false", lambda given: isinstance(given, bool)),
}
OF_OWN_ONLY = {"iam_role_arn": NO_ROLE, **dict.fromkeys(OF_VPC, NO_VPC)}
"""The keys that only the operator's own functions may have."""
OF_LEVEL = OF_FUNCTION | {
    **dict.fromkeys(OF_VPC, NO_VPC),
    "lambda_functions": OBJECT,
    "api_gateway_stage": STAGE_NAME,
    "lambda_architecture": matching('"arm64" or "x86_64"', "arm64|x86_64"),
    "api_gateway_endpoint_type": matching('"REGIONAL", "EDGE" or "PRIVATE"', "REGIONAL|EDGE|PRIVATE"),
    "api_gateway_policy_file": Takes(
        "the name of a file beside it", lambda given: isinstance(given, str) and FILE.with_name(given).is_file()
    ),
    "minimum_compression_size": _number(0, 10_485_760),
    "websocket_api_custom_domain": Takes("no value here, since WebSocket APIs aren't deployed", lambda _: False),
    "automatic_layer": _only_false("the package is checked and uploaded whole"),
    "api_gateway_endpoint_vpce": Takes(
        'the id of a VPC endpoint, like "vpce-0123456789abcdef0", or a list of them', lambda given: _are_vpces(given)
    ),
    DOMAIN: Takes(
        "an object with domain_name and certificate_arn", lambda given: given is None or isinstance(given, dict)
    ),
}
OF_WHOLE = ("app_name", "stages", "version")
OF_PRIVATE = ("api_gateway_endpoint_vpce", "api_gateway_policy_file")
OF_DOMAIN = {
    "domain_name": matching(
        'a name like "api.example.com"', r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]"
    ),
    "certificate_arn": matching(
        "the ARN of its certificate, like arn:aws:acm:us-east-1:123456789012:certificate/1234",
        r"arn:[a-z-]+:(acm:[a-z0-9-]+:[0-9]{12}:certificate|iam::[0-9]{12}:server-certificate)/[!-~]{1,200}",
    ),
    # Chalice creates the mapping with API Gateway's V1 API, which allows only one path segment.
    "url_prefix": matching('one part of a path without slashes, like "v1", or "/"', r"/|[A-Za-z0-9$_.+!*'()-]{1,300}"),
    "tls_version": matching('"TLS_1_2"', "TLS_1_2"),
    "tags": TAGS,
}
NEEDED_OF_DOMAIN = ("domain_name", "certificate_arn")
