"""A failed `make destroy` of a closed stage never leaves an open API whose functions trust the header."""

import pytest

from tests.deploy.cloud import Failure
from tests.deploy.edge import EDGE, ORIGIN, World
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("edge")


@pytest.mark.parametrize("at", exhaustive.after(1, ["DELETE /restapis", "PUT /2015-03-31/functions"]))
def test_failed_destroy_leaves_no_open_api_that_trusts_the_header(world: World, at: str) -> None:
    """Whichever call fails, the API is closed or trusts no header, and a repeated run deletes the rest."""
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
    assert ("edge      dev is unreachable: its API accepts only CloudFront" in said) == is_closed
    world.checkout.succeeds("destroy", "dev")
    assert (world.cloud.apis(), world.cloud.functions()) == ([], {})
    assert set(world.cloud.stacks()) == {"latchkey-dev-data"}
