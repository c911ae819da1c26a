"""Find a stage's custom domain in API Gateway, record it for Chalice, and remove it without affecting other APIs.

The domain's name comes from the configuration, or from the file that Chalice wrote in this checkout; its mappings are
read from AWS. API Gateway doesn't delete an API while a domain is mapped to it.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import boto3

from infra.configuration import DOMAIN
from infra.deployed import Resource
from infra.failed import DeployError

ROOT = "(none)"
"""API Gateway's base path for a mapping of the whole domain."""
REMOVED_WITH = "latchkey-removed-with"
"""A tag whose value is a stage, on a domain that is about to be deleted with the stage's APIs.

If a domain has the tag and no other mappings, an interrupted command left it behind. Chalice removes the tag when it
deploys to the domain, like every tag that isn't in the configuration.
"""
MAPPING_ID = "apiMappingId"
"""The key of a mapping's id, which only API Gateway's V2 API returns."""


def found(name: str, apis: Collection[str]) -> Iterator[Resource]:
    """Yield a configured domain in Chalice's format, if it is mapped to one of a stage's APIs.

    The result doesn't include mappings to other APIs.
    """
    gateways = boto3.client("apigateway")
    own = [each["basePath"] for each in _mappings(gateways, name) if each["restApiId"] in apis]
    if own:
        yield from _describe(gateways, name, own)


def found_unused(name: str) -> Iterator[Resource]:
    """Yield a domain without mappings: a deployment may use it, but no command may delete it.

    A failed deployment may have left the domain, or it may have been created for another purpose.
    """
    gateways = boto3.client("apigateway")
    if not list(_mappings(gateways, name)):
        yield from _describe(gateways, name, [])


def found_alone(name: str, apis: Collection[str]) -> Iterator[Resource]:
    """Yield a domain that isn't configured any more, for Chalice to delete, if it is mapped only to the given APIs."""
    gateways = boto3.client("apigateway")
    mappings = list(_mappings(gateways, name))
    if mappings and all(each["restApiId"] in apis for each in mappings):
        yield from _describe(gateways, name, [each["basePath"] for each in mappings])


def check(configured: dict[str, str] | None, apis: Collection[str], *, region: str) -> None:
    """Raise DeployError if the configured domain and base path are mapped to another API.

    Its certificate must be in `region`: API Gateway accepts no other one.
    """
    if configured is None:
        return
    of_certificate = configured["certificate_arn"].split(":")[3]
    if of_certificate not in ("", region):  # "": a certificate of IAM, which has no region
        raise DeployError(
            f"The certificate of {configured['domain_name']} is in {of_certificate}, and API Gateway accepts one of"
            f" {region} only: request one there (ACM), and set its ARN in .chalice/config.json, {DOMAIN}."
        )
    name, taken = configured["domain_name"], api_at(configured)
    if taken and taken not in apis:
        raise DeployError(
            f"{name} is already mapped to another API ({taken}): choose another domain, or another url_prefix, in"
            f" .chalice/config.json, {DOMAIN}; or remove it: aws apigateway delete-base-path-mapping --domain-name"
            f" {name} --base-path '{_path(configured)}'"
        )


def api_at(configured: dict[str, str]) -> str:
    """Return the id of the API that a configured domain and base path are mapped to; "" if there is none."""
    mappings = _mappings(boto3.client("apigateway"), configured["domain_name"])
    return next((each["restApiId"] for each in mappings if each["basePath"] == _path(configured)), "")


def command_to_lead(configured: dict[str, str], api: str, gateway_stage: str, *, was: str) -> str:
    """Return the AWS CLI command that maps a configured domain to an API.

    `was` is the id of the API that the domain is mapped to now, or "".
    """
    at = f"--domain-name {configured['domain_name']} --base-path '{_path(configured)}'"
    if was:
        return f"aws apigateway update-base-path-mapping {at} --patch-operations op=replace,path=/restapiId,value={api}"
    return f"aws apigateway create-base-path-mapping {at} --rest-api-id {api} --stage {gateway_stage}"


def url(configured: dict[str, str]) -> str:
    """Return the URL of a stage at its configured domain."""
    path = _path(configured)
    return f"https://{configured['domain_name']}/" + ("" if path == ROOT else f"{path}/")


def target(configured: dict[str, str]) -> str:
    """Return the DNS target of a configured domain; "" if the domain doesn't exist."""
    gateways = boto3.client("apigateway")
    noted = next(_describe(gateways, configured["domain_name"], []), None)
    return "" if noted is None else str(noted["alias_domain_name"])


def is_to_be_made(configured: dict[str, str] | None) -> bool:
    """Return whether a configured domain doesn't exist, so that the next deployment creates and maps it."""
    return configured is not None and not target(configured)


def release(stage: str, named: str | None, apis: Collection[str], say: Callable[[str], None]) -> None:
    """Remove the mappings to a stage's APIs, except for a domain that Chalice will delete together with the APIs.

    Chalice deletes only the `named` domain, and only if it has no other mappings. Also delete a domain that an
    interrupted command has tagged for deletion.
    """
    gateways = boto3.client("apigateway")
    pages = gateways.get_paginator("get_domain_names").paginate()
    for domain in (each for page in pages for each in page.get("items", []) if not _is_private(each)):
        name, mappings = domain["domainName"], list(_mappings(gateways, domain["domainName"]))
        own = [each for each in mappings if each["restApiId"] in apis]
        if domain.get("tags", {}).get(REMOVED_WITH) == stage and len(own) == len(mappings):
            boto3.client("apigatewayv2").delete_domain_name(DomainName=name)
            say(f"Deleted the domain {name}, which an interrupted removal of {stage} had left.")
        elif not mappings and name == named:
            say(
                f"The domain {name} is kept, since it has no mappings and may belong to others. To delete it: aws"
                f" apigateway delete-domain-name --domain-name {name}"
            )
        elif own and name == named and len(own) == len(mappings):
            boto3.client("apigatewayv2").tag_resource(ResourceArn=_arn(name), Tags={REMOVED_WITH: stage})
        elif own:
            for each in own:
                _end(gateways, name, each)
            why = "is mapped to another API, too" if len(own) < len(mappings) else "isn't in .chalice/config.json"
            say(f"The domain {name} is no longer mapped to this stage. It is kept, since it {why}.")


def _path(configured: dict[str, str]) -> str:
    return configured.get("url_prefix", ROOT).strip("/") or ROOT


def _arn(name: str) -> str:
    session = boto3.session.Session()
    region = str(session.region_name)
    return f"arn:{session.get_partition_for_region(region)}:apigateway:{region}::/domainnames/{name}"


def _describe(gateways: Any, name: str, paths: list[str]) -> Iterator[Resource]:
    try:
        domain = gateways.get_domain_name(domainName=name)
    except gateways.exceptions.NotFoundException:
        return
    yield {
        "name": DOMAIN,
        "resource_type": "domain_name",
        "hosted_zone_id": domain.get("regionalHostedZoneId") or domain["distributionHostedZoneId"],
        "alias_domain_name": domain.get("regionalDomainName") or domain["distributionDomainName"],
        "certificate_arn": domain.get("regionalCertificateArn") or domain["certificateArn"],
        "security_policy": domain["securityPolicy"],
        "domain_name": name,
        "api_mapping": [{"key": "/" if path == ROOT else f"/{path}"} for path in paths],
    }


def _mappings(gateways: Any, name: str) -> Iterator[dict[str, str]]:
    """Yield the mappings of a domain; none if the domain doesn't exist.

    API Gateway's V1 API rejects a domain with a base path of several segments, which only its V2 API supports.
    """
    pages = gateways.get_paginator("get_base_path_mappings").paginate(domainName=name)
    try:
        yield from [each for page in pages for each in page.get("items", [])]
    except gateways.exceptions.NotFoundException:
        return
    except gateways.exceptions.BadRequestException:
        yield from _mappings_by_version_2(name)


def _mappings_by_version_2(name: str) -> Iterator[dict[str, str]]:
    gateways = boto3.client("apigatewayv2")
    more: dict[str, str] = {}
    while True:
        page = gateways.get_api_mappings(DomainName=name, **more)
        for each in page.get("Items", []):
            path = each.get("ApiMappingKey") or ROOT
            yield {"basePath": path, "restApiId": each["ApiId"], MAPPING_ID: each["ApiMappingId"]}
        if "NextToken" not in page:
            return
        more = {"NextToken": page["NextToken"]}


def _end(gateways: Any, name: str, mapping: dict[str, str]) -> None:
    if MAPPING_ID in mapping:
        boto3.client("apigatewayv2").delete_api_mapping(DomainName=name, ApiMappingId=mapping[MAPPING_ID])
    else:
        gateways.delete_base_path_mapping(domainName=name, basePath=mapping["basePath"])


def _is_private(domain: dict[str, Any]) -> bool:
    """Return whether a domain is private, so that it can be mapped only to private APIs."""
    return "PRIVATE" in domain.get("endpointConfiguration", {}).get("types", [])
