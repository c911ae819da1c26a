"""A deployment prints the URLs at which callers can reach the stage, and the fix if they can't."""

import io
import json
import shlex
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.deploy import addresses
from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import Cloud, serving
from tests.deploy.edge import headers
from tests.deploy.test_domains import CERTIFICATE, DOMAIN, configure, leads_to
from tests.infra.commands import call_of

pytestmark = pytest.mark.xdist_group("others")
URL, ELSEWHERE = f"https://{DOMAIN}/", "https://elsewhere.example.com"
OF_GATEWAY = headers(x_amz_apigw_id="1")
SENTENCE = (
    f"LATCHKEY_PUBLIC_URL is {ELSEWHERE}, but no Latchkey answers there. Links in mails and OAuth's metadata lead"
)


@dataclass
class Internet:
    """Fake HTTP responses by host, each with status, headers and body."""

    hosts: dict[str, tuple[int, Any, bytes]] = field(default_factory=dict)

    def answer(self, url: str, *, timeout: float) -> Any:
        """Respond to a request for /health."""
        assert timeout
        assert url.endswith("/health")
        status, named, body = self.hosts.get(url.split("/")[2], (0, None, b""))
        if not status:
            raise urllib.error.URLError("Name or service not known")
        if status >= 400:
            raise urllib.error.HTTPError(url, status, "No", named, io.BytesIO(body))
        return urllib.response.addinfourl(io.BytesIO(body), named, url, status)


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    """Fake HTTP responses; at first no host responds."""
    made = Internet()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", made.answer)
        yield made


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """An account that all tests of this module share. Later tests depend on the changes of earlier ones."""
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def checkout(cloud: Cloud, internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that has deployed a stage without a domain."""
    assert internet
    made = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
    made.succeeds("deploy", "dev")
    return made


def own(cloud: Cloud) -> str:
    """Return the URL that API Gateway gives the API."""
    return f"https://{cloud.apis()[0]}.execute-api.us-east-1.amazonaws.com/api/"


def set_public_url(checkout: Checkout, url: str, *stages: str) -> None:
    """Set the public URL of the given stages, `dev` by default."""
    file = Path(checkout.path, ".chalice", "config.json")
    whole = json.loads(file.read_text())
    for stage in stages or ("dev",):
        whole["stages"][stage]["environment_variables"]["LATCHKEY_PUBLIC_URL"] = url
    file.write_text(json.dumps(whole))


@pytest.mark.parametrize("there", [None, (404, headers(), b""), (200, headers(), b"<html>"), (200, headers(), b"{}")])
def test_public_url_without_a_latchkey_is_reported(
    cloud: Cloud, checkout: Checkout, internet: Internet, there: Any
) -> None:
    """A deployment, a dry run and `make status` report a public URL at which no Latchkey responds.

    A deployment and a dry run also print the right URL.
    """
    set_public_url(checkout, ELSEWHERE)
    internet.hosts = {} if there is None else {"elsewhere.example.com": there}
    for more in ((), ("--dry-run",)):
        said = checkout.succeeds("deploy", "dev", *more)
        assert SENTENCE in said
        assert f"Set it to {own(cloud).rstrip('/')} in .chalice/config.json, stages.dev.environment_variables" in said
    assert f"\nremedy    {SENTENCE}" in checkout.succeeds("status", "dev")


def test_public_url_of_a_foreign_cdn_is_accepted(checkout: Checkout, internet: Internet) -> None:
    """A public URL whose domain is unknown to AWS is accepted if a Latchkey responds there."""
    internet.hosts = {"elsewhere.example.com": (200, headers(), b'{"status": "ok"}\n')}
    said = checkout.succeeds("deploy", "dev")
    assert "LATCHKEY_PUBLIC_URL" not in said
    assert f"then open {ELSEWHERE}/login" in said
    assert "LATCHKEY_PUBLIC_URL" not in checkout.succeeds("status", "dev")


def test_public_url_of_another_stage_is_reported(checkout: Checkout) -> None:
    """A deployment reports a public URL that another stage has in its configuration, too."""
    set_public_url(checkout, ELSEWHERE, "dev", "prod")
    said = checkout.succeeds("deploy", "dev", "--dry-run")
    assert f"LATCHKEY_PUBLIC_URL is {ELSEWHERE}, but that is the address of prod, too." in said
    set_public_url(checkout, "", "dev", "prod")
    assert "LATCHKEY_PUBLIC_URL" not in checkout.succeeds("deploy", "dev", "--dry-run")


def test_public_url_of_the_api_needs_its_gateway_stage(cloud: Cloud, checkout: Checkout) -> None:
    """The API's own URL is accepted only with the API Gateway stage in its path."""
    set_public_url(checkout, own(cloud).rstrip("/"))
    assert "LATCHKEY_PUBLIC_URL" not in checkout.succeeds("deploy", "dev", "--dry-run")
    set_public_url(checkout, own(cloud).removesuffix("/api/"))
    assert "LATCHKEY_PUBLIC_URL is" in checkout.succeeds("deploy", "dev", "--dry-run")
    set_public_url(checkout, "")


def test_public_url_of_a_domain_not_created_yet_is_accepted(checkout: Checkout) -> None:
    """A public URL is accepted if the next deployment creates its domain."""
    configure(checkout, domain_name=DOMAIN, certificate_arn=CERTIFICATE)
    set_public_url(checkout, URL.rstrip("/"))
    assert "LATCHKEY_PUBLIC_URL" not in checkout.succeeds("deploy", "dev", "--dry-run")
    said = checkout.succeeds("status", "dev")
    assert f"domain    {URL}: not made; the next deployment does\n" in said
    assert "LATCHKEY_PUBLIC_URL" not in said
    assert "aws apigateway" not in said
    set_public_url(checkout, "")


def test_domain_is_printed_once_dns_points_to_the_gateway(cloud: Cloud, checkout: Checkout, internet: Internet) -> None:
    """A deployment prints the domain as reachable only once its DNS points to API Gateway."""
    configure(checkout, domain_name=DOMAIN, certificate_arn=CERTIFICATE)
    internet.hosts = {DOMAIN: (200, headers(Server="another"), b"")}
    assert f"Latchkey runs at {own(cloud)}, and at {URL} once the domain's DNS leads to " in checkout.succeeds(
        "deploy", "dev"
    )
    internet.hosts = {DOMAIN: (403, OF_GATEWAY, b"")}
    said = checkout.succeeds("deploy", "dev")
    assert f"Latchkey runs at {URL} and at {own(cloud)}\n" in said
    assert f"then open {URL}login" in said
    assert f"\nreached   Latchkey runs at {URL} and at {own(cloud)}\n" in checkout.succeeds("status", "dev")


def test_public_url_without_the_base_path_is_reported(checkout: Checkout) -> None:
    """A deployment reports a public URL without the base path of its domain."""
    set_public_url(checkout, URL.rstrip("/"))
    assert "LATCHKEY_PUBLIC_URL" not in checkout.succeeds("deploy", "dev", "--dry-run")
    configure(checkout, domain_name=DOMAIN, certificate_arn=CERTIFICATE, url_prefix="keys")
    assert f"Set it to {URL}keys in" in checkout.succeeds("deploy", "dev")
    configure(checkout, domain_name=DOMAIN, certificate_arn=CERTIFICATE)
    set_public_url(checkout, "")
    checkout.succeeds("deploy", "dev")


def test_domain_mapped_to_another_api_is_reported_with_the_fix(cloud: Cloud, checkout: Checkout) -> None:
    """If the domain is mapped to another API, a deployment prints the command that maps it to the stage's API."""
    gateways = cloud.client("apigateway")
    twin = _twin(cloud)
    gateways.delete_base_path_mapping(domainName=DOMAIN, basePath="(none)")
    gateways.create_base_path_mapping(domainName=DOMAIN, basePath="(none)", restApiId=twin)
    said = checkout.succeeds("deploy", "dev")
    assert (
        f"{URL} leads to another API ({twin}) at API Gateway. To let it lead here: aws apigateway update-base" in said
    )
    assert f"Latchkey runs at {own(cloud)}, but" in said
    assert f"then open {own(cloud)}login" in said
    assert leads_to(cloud) == {"(none)": twin}
    assert f"\nreached   Latchkey runs at {own(cloud)}, but {URL} leads to another API" in checkout.succeeds(
        "status", "dev"
    )
    command = said.partition("To let it lead here: ")[2].splitlines()[0]
    call = call_of(shlex.split(command))
    assert call
    assert call.parameters["patchOperations"] == [{"op": "replace", "path": "/restapiId", "value": cloud.apis()[0]}]
    gateways.update_base_path_mapping(**call.parameters)
    assert leads_to(cloud) == {"(none)": cloud.apis()[0]}


def _twin(cloud: Cloud) -> str:
    """Create a second API that calls the stage's function, as an interrupted import does."""
    gateways = cloud.client("apigateway")
    api: str = gateways.create_rest_api(name="latchkey")["id"]
    (root,) = gateways.get_resources(restApiId=api)["items"]
    method = {"restApiId": api, "resourceId": root["id"], "httpMethod": "GET"}
    arn = cloud.functions()["latchkey-dev"]["FunctionArn"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    gateways.put_method(**method, authorizationType="NONE")
    gateways.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    return api


def test_disabled_execute_api_endpoint_is_not_printed(cloud: Cloud, checkout: Checkout, internet: Internet) -> None:
    """A deployment doesn't print the API's own URL if the execute-api endpoint is disabled."""
    off = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}]
    cloud.client("apigateway").update_rest_api(restApiId=cloud.apis()[0], patchOperations=off)
    assert f"Latchkey runs at {URL}\n" in checkout.succeeds("deploy", "dev")
    internet.hosts = {}
    said = checkout.succeeds("deploy", "dev")
    assert f"Latchkey runs at {URL} once the domain's DNS leads to " in said
    assert "(CNAME, or an alias record); nobody reaches it before\n" in said
    configure(checkout)
    said = checkout.succeeds("deploy", "dev")
    assert f"Nobody reaches dev: {own(cloud)} is switched off, and no domain leads there." in said
    assert "login" not in said


def test_wildcard_domain_is_printed_as_the_public_url(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a wildcard domain, which moto can't create, a deployment prints the public URL if it matches the domain."""
    monkeypatch.chdir(checkout.path)
    named = {"domain_name": "*.example.com", "url_prefix": "keys"}
    for public, url in ((f"{URL}keys", f"{URL}keys/"), ("https://other.org", "https://*.example.com/keys/")):
        set_public_url(checkout, public)
        assert addresses._url("dev", named) == url
