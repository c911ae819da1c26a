"""Determine the URLs at which callers can reach a stage.

Configured URLs aren't enough: a domain may have no mapping, and a closed API may have lost its CloudFront distribution.
"""

from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3

from infra import answers, configuration, domains
from infra.edge.front import Front
from infra.edge.looking import NotSeen

RECORD = "CNAME, or an alias record"
SETTING = "LATCHKEY_PUBLIC_URL"
NOBODY = "nobody reaches it before"
OWN_DOMAIN = 'docs/deploying.md, "Your own domain", gives it one'


class Reached(NamedTuple):
    """The URLs at which callers can reach a stage, now or after DNS is set up, and a sentence for the operator."""

    urls: list[str]
    """The preferred URL first; empty if no caller can reach the stage."""
    sentence: str
    already: str = ""
    """The URL that works already, if the preferred URL doesn't work yet."""

    def to_log_in(self, stage: str) -> str:
        """Return the URL at which the stage's console accepts log-ins; "" if the stage can't be reached.

        The console accepts forms only at the configured public URL.
        """
        public = configuration.setting(stage, SETTING).rstrip("/")
        return f"{public}/" if public and self.urls else self.already or next(iter(self.urls), "")


def of_closed(before_it: Front, gone: str) -> Reached:
    """Return the URLs of a stage whose API accepts only CloudFront.

    `gone` is the reason why the stage is unreachable, or "".
    """
    if gone:
        return Reached([], gone)
    try:
        domain = before_it.domain()
    except NotSeen as error:
        return Reached([], f"Latchkey runs, and answers CloudFront alone. {error}")
    url, target = f"https://{domain}/", before_it.target(domain)
    once = f" once the domain's DNS leads to {target} ({RECORD}); {NOBODY}" if target else ""
    return Reached([url], f"Latchkey runs at {url}{once}")


def of_open(stage: str, api: dict[str, str]) -> Reached:
    """Return the URLs of a stage at API Gateway: the API's default endpoint and its custom domain."""
    own = [] if is_disabled(api["rest_api_id"]) else [api["rest_api_url"]]
    named = configuration.domain(stage)
    if named is not None:
        return _of_domain(stage, named, api, own)
    if own:
        return Reached(own, f"Latchkey runs at {own[0]}")
    return Reached(
        [],
        f"Nobody reaches {stage}: {api['rest_api_url']} is switched off, and no domain leads there."
        f" {OWN_DOMAIN}; or switch it on: aws apigateway update-rest-api --rest-api-id {api['rest_api_id']}"
        " --patch-operations op=replace,path=/disableExecuteApiEndpoint,value=false, then deploy again.",
    )


def _of_domain(stage: str, named: dict[str, str], api: dict[str, str], own: list[str]) -> Reached:
    led_to, url = domains.api_at(named), _url(stage, named)
    if led_to != api["rest_api_id"]:
        to = f"to another API ({led_to})" if led_to else "nowhere"
        runs = f"Latchkey runs at {own[0]}, but" if own else "Nobody reaches it:"
        command = domains.command_to_lead(named, api["rest_api_id"], configuration.gateway_stage(stage), was=led_to)
        return Reached(own, f"{runs} {url} leads {to} at API Gateway. To let it lead here: {command}")
    if "*" not in url and answers.is_gateway(url):
        return Reached([url, *own], " and at ".join([f"Latchkey runs at {url}", *own]))
    once = f"{url} once the domain's DNS leads to {domains.target(named)} ({RECORD})"
    if own:
        return Reached([url, *own], f"Latchkey runs at {own[0]}, and at {once}", own[0])
    return Reached([url], f"Latchkey runs at {once}; {NOBODY}")


def wrong_links(stage: str, urls: list[str], before_it: Front) -> str:
    """Return a warning if links in emails don't open this stage at one of its URLs; "" if they do.

    Don't warn about any other URL at which a Latchkey responds: it may be the operator's own CDN in front of the stage.
    """
    public = configuration.setting(stage, SETTING).rstrip("/")
    if not public or not urls or public in [each.rstrip("/") for each in urls]:
        return ""
    if public == f"https://{_domain(before_it)}":
        return ""  # no warning: only DNS is missing, and the deployment prints the DNS record
    others = _of_others(stage, public)
    if not others and answers.is_latchkey(public):
        return ""
    why = f"that is the address of {', '.join(others)}, too" if others else "no Latchkey answers there"
    return (
        f"{SETTING} is {public}, but {why}. Links in mails and OAuth's metadata lead there, and the console takes no"
        f" log-in at any other address. Set it to {urls[0].rstrip('/')} in {configuration.FILE},"
        f" stages.{stage}.environment_variables, and deploy again; or have {public} lead to {urls[0]}"
    )


def _domain(before_it: Front) -> str:
    try:
        return before_it.domain()
    except NotSeen:
        return ""


def _of_others(stage: str, public: str) -> list[str]:
    """Return the other stages that are configured with the same public URL."""
    whole: dict[str, Any] = configuration.of_stage(stage)
    own = {
        name: each.get("environment_variables", {}).get(SETTING)
        for name, each in whole["stages"].items()
        if isinstance(each, dict) and name != stage
    }
    return [name for name, value in own.items() if str(value).rstrip("/") == public]


def _url(stage: str, named: dict[str, str]) -> str:
    """Return a stage's URL at its domain. For a wildcard domain, the host name comes from the stage's public URL."""
    public = urlsplit(configuration.setting(stage, SETTING))
    url = domains.url(named)
    if "*" in url and fnmatchcase(str(public.hostname), named["domain_name"]):
        return url.replace(named["domain_name"], str(public.hostname))
    return url


def is_disabled(api_id: str) -> bool:
    """Return whether API Gateway's default endpoint of an API is disabled."""
    found = boto3.client("apigateway").get_rest_api(restApiId=api_id)
    return bool(found.get("disableExecuteApiEndpoint"))
