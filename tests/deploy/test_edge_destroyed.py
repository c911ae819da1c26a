"""`make destroy` of a closed stage that fails: the API is never open while its functions believe the header."""

import urllib.request
from collections.abc import Iterator

import pytest

from tests.deploy.checkout import copied
from tests.deploy.cloud import Failure, serving
from tests.deploy.test_edge import EDGE, ORIGIN, SETTINGS, World, headers
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("edge")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stage that is set for an edge, and whose domain leads to CloudFront."""
    with serving() as cloud, pytest.MonkeyPatch.context() as patch:
        checkout = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
        made = World(cloud, checkout, headers(X_Amz_Cf_Id="1"))
        patch.setattr(urllib.request, "urlopen", made.answer)
        made.configure(**SETTINGS)
        yield made


@pytest.mark.parametrize("at", exhaustive.after(1, ["DELETE /restapis", "PUT /2015-03-31/functions"]))
def test_destroy_that_fails_leaves_no_open_api_that_believes_the_header(world: World, at: str) -> None:
    """Whichever call fails, and a rerun finishes."""
    world.checkout.succeeds("deploy", "dev", *EDGE)
    assert world.believes() == "x-viewer-address"
    world.cloud.fails = Failure(at, is_done=False)
    assert world.checkout.run("destroy", "dev").status == 1
    is_closed = ORIGIN in world.cloud.stacks()
    believing = [
        name
        for name, each in world.cloud.functions().items()
        if "LATCHKEY_CLIENT_IP_HEADER" in each["Environment"]["Variables"]
    ]
    assert world.cloud.apis()
    assert is_closed or not believing
    said = world.checkout.succeeds("status", "dev")
    assert ("is missing, and the API's own address is closed" in said) == is_closed
    world.checkout.succeeds("destroy", "dev")
    assert (world.cloud.apis(), world.cloud.functions()) == ([], {})
    assert set(world.cloud.stacks()) == {"latchkey-dev-data"}
