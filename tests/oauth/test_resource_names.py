"""Resource indicators: which URLs denote this API, and which denote another configured API."""

from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.oauth import resources
from chalicelib.oauth.errors import OAuthError
from tests.oauth.flow import ISSUER
from tests.support.harness import TestApp

FILES = "https://files.example.com"


@pytest.mark.parametrize(
    ("resource", "is_ours"),
    [
        *((ISSUER, True), (f"{ISSUER}/", True), (f"{ISSUER}/v1", True), (f"{ISSUER}/v1?x=1", True)),
        *((f"{ISSUER}#x", False), (f"{ISSUER}/v1#x", False), (f"{ISSUER}.evil.example", False), ("", False)),
        *((f"{ISSUER}x", False), (FILES, False), (ISSUER.upper(), False)),
    ],
)
def test_resource_is_this_api_or_one_of_its_paths(resource: str, is_ours: bool) -> None:
    """RFC 8707 §2: a resource of this API is its URL or a path below it, without a fragment."""
    assert resources.is_this_api(resource, ISSUER) == is_ours


@pytest.mark.parametrize(
    ("named", "serves"), [([], True), ([FILES], False), ([ISSUER], True), ([FILES, f"{ISSUER}/v1"], True)]
)
def test_token_is_valid_here_if_it_names_this_api_or_nothing(named: list[str], serves: bool) -> None:
    """A token isn't valid here if each of its resources is another API."""
    assert resources.serves_this_api(iter(named), ISSUER) == serves


def test_unknown_resource_is_invalid_target(latchkey: TestApp) -> None:
    """A list that contains an unknown resource gets invalid_target, even if all other resources are known."""
    with settings.override(replace(settings.current(), resources=FILES)):
        assert resources.validate([FILES, f"{ISSUER}/v1", FILES], ISSUER) == {FILES, f"{ISSUER}/v1"}
        assert resources.validate([], ISSUER) == set()
        for wrong in (f"{FILES}/", "https://evil.example", f"{ISSUER}#x"):
            with pytest.raises(OAuthError) as raised:
                resources.validate([FILES, wrong], ISSUER)
            assert (raised.value.error, raised.value.status) == ("invalid_target", 400)
