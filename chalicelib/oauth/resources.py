"""Resources (RFC 8707): what an access token is for. This API, or another that the owner names in the settings."""

from collections.abc import Iterable

from chalicelib.core import settings
from chalicelib.oauth.errors import invalid_target


def checked(asked: Iterable[str], base_url: str) -> set[str]:
    """Return the resources asked for; raise invalid_target for one that isn't ours."""
    resources = set(asked)
    for resource in resources:
        if not is_this_api(resource, base_url) and resource not in settings.current().other_resources:
            raise invalid_target()
    return resources


def narrowed(asked: Iterable[str], granted: set[str], base_url: str) -> set[str]:
    """Return the resources of an access token: all that were granted, or those asked for (RFC 8707 §2.2).

    Raises invalid_target for any that is not ours, or was not granted.
    """
    wanted = checked(asked, base_url)
    # Consent to no resource by name was consent to this API, not to the owner's others.
    within = wanted <= granted if granted else all(is_this_api(each, base_url) for each in wanted)
    if not within:
        raise invalid_target("The resource was not granted.")
    return wanted or granted


def is_this_api(resource: str, base_url: str) -> bool:
    """Tell whether a resource is this API, or a path of it."""
    return "#" not in resource and (resource == base_url or resource.startswith(f"{base_url}/"))


def serves_this_api(resources: Iterable[str], base_url: str) -> bool:
    """Tell whether a token with these resources may call this API; one that names none may."""
    named = list(resources)
    return not named or any(is_this_api(resource, base_url) for resource in named)
