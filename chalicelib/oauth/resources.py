"""Resource indicators (RFC 8707). An access token is valid for this API, or for other resources that the operator
configured.
"""

from collections.abc import Iterable

from chalicelib.core import settings
from chalicelib.oauth.errors import invalid_target


def validate(requested: Iterable[str], base_url: str) -> set[str]:
    """Return the requested resources; raise invalid_target for an unknown one."""
    resources = set(requested)
    for resource in resources:
        if not is_this_api(resource, base_url) and resource not in settings.current().other_resources:
            raise invalid_target()
    return resources


def select_granted(requested: Iterable[str], granted: set[str], base_url: str) -> set[str]:
    """Return the resources of an access token: the requested ones, by default all granted ones (RFC 8707 §2.2).

    Raises invalid_target for a resource that is unknown or was not granted.
    """
    wanted = validate(requested, base_url)
    # If the resource owner consented without naming a resource, the grant covers only this API.
    within = wanted <= granted if granted else all(is_this_api(each, base_url) for each in wanted)
    if not within:
        raise invalid_target("The resource was not granted.")
    return wanted or granted


def is_this_api(resource: str, base_url: str) -> bool:
    """Return whether a resource is this API or one of its paths."""
    return "#" not in resource and (resource == base_url or resource.startswith(f"{base_url}/"))


def serves_this_api(resources: Iterable[str], base_url: str) -> bool:
    """Return whether a token with these resources may call this API. A token without resources may call it."""
    named = list(resources)
    return not named or any(is_this_api(resource, base_url) for resource in named)
