"""A stage's domain in API Gateway, with moto's server: any checkout adopts it, and only its own stage deletes it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import configuration, deployed
from infra import domains as deployed_domains
from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import Cloud, Failure, serving

pytestmark = pytest.mark.xdist_group("domains")
DOMAIN, OTHER, NEW = "api.example.com", "old.example.com", "new.example.com"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
MAPPED = f"POST /domainnames/{DOMAIN}/basepathmappings"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """An account that all tests of this module share. Later tests depend on the changes of earlier ones."""
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def checkout(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose configuration has a domain."""
    made = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
    configure(made, domain_name=DOMAIN, certificate_arn=CERTIFICATE)
    return made


def configure(checkout: Checkout, **domain: str) -> None:
    """Set or remove the domain of the stage in the configuration."""
    file = Path(checkout.path, ".chalice", "config.json")
    whole = json.loads(file.read_text())
    whole["stages"]["dev"].pop(configuration.DOMAIN, None)
    if domain:
        whole["stages"]["dev"][configuration.DOMAIN] = domain
    file.write_text(json.dumps(whole))


def forget(checkout: Checkout) -> None:
    """Delete Chalice's record, so that this checkout behaves like a new checkout with the same configuration."""
    shutil.rmtree(checkout.path / ".chalice" / "deployed", ignore_errors=True)


def leads_to(cloud: Cloud, domain: str = DOMAIN) -> dict[str, str]:
    """Return the API of each base path of a domain."""
    mappings = cloud.client("apigateway").get_base_path_mappings(domainName=domain).get("items", [])
    return {each["basePath"]: each["restApiId"] for each in mappings}


def domains(cloud: Cloud) -> list[str]:
    """Return the names of all domains."""
    return [each["domainName"] for each in cloud.client("apigateway").get_domain_names()["items"]]


def make(cloud: Cloud, domain: str) -> None:
    """Create a domain that doesn't belong to the stage."""
    cloud.client("apigateway").create_domain_name(
        domainName=domain, regionalCertificateArn=CERTIFICATE, securityPolicy="TLS_1_2"
    )


def other_api(cloud: Cloud, domain: str, path: str) -> str:
    """Create an API that doesn't belong to the stage, map a base path of a domain to it, and return its id."""
    gateways = cloud.client("apigateway")
    api: str = gateways.create_rest_api(name="another")["id"]
    gateways.create_base_path_mapping(domainName=domain, basePath=path, restApiId=api)
    return api


@pytest.mark.parametrize("lost", ["POST /domainnames", MAPPED])
def test_domain_with_a_lost_response_is_adopted(cloud: Cloud, checkout: Checkout, lost: str) -> None:
    """If the response to the creation of a domain or mapping was lost, the next deployment adopts it."""
    cloud.fails = Failure(lost, is_done=True)
    assert checkout.run("deploy", "dev").status == 1
    assert cloud.fails is None
    forget(checkout)
    checkout.succeeds("deploy", "dev")
    assert leads_to(cloud) == {"(none)": cloud.apis()[0]}
    if lost != MAPPED:
        checkout.succeeds("destroy", "dev")
        assert (cloud.apis(), domains(cloud)) == ([], [])


def test_found_domain_equals_chalices_record(cloud: Cloud, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain found in AWS is written exactly as Chalice records it, because Chalice reads the found domain instead of
    its own record.
    """
    noted = json.loads((checkout.path / ".chalice" / "deployed" / "dev.json").read_text())["resources"]
    forget(checkout)
    monkeypatch.chdir(checkout.path)
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    (found,) = (each for each in deployed.found("dev") if each["resource_type"] == "domain_name")
    assert found == next(each for each in noted if each["resource_type"] == "domain_name")


def test_another_checkout_adopts_the_domain(cloud: Cloud, checkout: Checkout) -> None:
    """A deployment from another checkout keeps the domain's mapping and updates the domain's certificate."""
    forget(checkout)
    configure(checkout, domain_name=DOMAIN, certificate_arn=f"{CERTIFICATE}2")
    before = leads_to(cloud)
    checkout.succeeds("deploy", "dev")
    assert leads_to(cloud) == before
    assert cloud.client("apigateway").get_domain_name(domainName=DOMAIN)["regionalCertificateArn"] == f"{CERTIFICATE}2"


def test_destroy_keeps_shared_and_unconfigured_domains(cloud: Cloud, checkout: Checkout) -> None:
    """`make destroy` deletes only the stage's mapping of a domain that has other mappings or isn't configured."""
    (api,) = cloud.apis()
    another = other_api(cloud, DOMAIN, "another")
    make(cloud, OTHER)
    cloud.client("apigateway").create_base_path_mapping(domainName=OTHER, basePath="(none)", restApiId=api)
    said = checkout.succeeds("destroy", "dev")
    assert f"{DOMAIN} is no longer mapped to this stage. It is kept, since it is mapped to another API, too." in said
    assert f"{OTHER} is no longer mapped to this stage. It is kept, since it isn't in .chalice/config.json." in said
    assert (leads_to(cloud), leads_to(cloud, OTHER)) == ({"another": another}, {})
    assert cloud.apis() == [another]


def test_domain_of_another_api_is_rejected_before_any_change(cloud: Cloud, checkout: Checkout) -> None:
    """A deployment and its dry run reject a base path that is mapped to another API; other base paths are allowed."""
    (another,) = cloud.apis()
    configure(checkout, domain_name=DOMAIN, certificate_arn=CERTIFICATE, url_prefix="another")
    cloud.changes.clear()
    for more in ((), ("--dry-run",)):
        done = checkout.run("deploy", "dev", *more)
        assert (done.status, done.error.count("\n")) == (1, 1)
        assert done.error.startswith(f"{DOMAIN} is already mapped to another API ({another})")
    assert cloud.changes == []
    configure(checkout, domain_name=DOMAIN, certificate_arn=CERTIFICATE, url_prefix="keys")
    checkout.succeeds("deploy", "dev")
    forget(checkout)
    checkout.succeeds("deploy", "dev")
    (api,) = set(cloud.apis()) - {another}
    assert leads_to(cloud) == {"another": another, "keys": api}


def test_shared_domain_is_kept_when_unconfigured(cloud: Cloud, checkout: Checkout) -> None:
    """A domain that has other mappings is kept when it is removed from the configuration.

    Chalice itself would delete the domain.
    """
    before = leads_to(cloud)
    configure(checkout)
    checkout.succeeds("deploy", "dev")
    assert leads_to(cloud) == before


def test_previous_domain_keeps_its_mapping(cloud: Cloud, checkout: Checkout) -> None:
    """After a deployment with another domain, the previous domain keeps its mapping, so callers can still use it."""
    before = leads_to(cloud)
    configure(checkout, domain_name=NEW, certificate_arn=CERTIFICATE)
    checkout.succeeds("deploy", "dev")
    assert leads_to(cloud) == before
    assert leads_to(cloud, NEW) == {"(none)": before["keys"]}


def test_destroy_from_another_checkout_removes_the_domain(cloud: Cloud, checkout: Checkout) -> None:
    """`make destroy` from another checkout deletes the configured domain, and the stage's mappings of other domains."""
    forget(checkout)
    checkout.succeeds("destroy", "dev")
    assert domains(cloud) == [DOMAIN, OTHER]
    assert leads_to(cloud).keys() == {"another"}
    assert len(cloud.apis()) == 1


def test_destroy_unmaps_domains_with_nested_base_paths(cloud: Cloud, checkout: Checkout) -> None:
    """`make destroy` deletes the stage's mapping of a domain with nested base paths.

    Version 1 of API Gateway's API rejects such a domain.
    """
    checkout.succeeds("deploy", "dev")
    (api,) = (each for each in cloud.apis() if each not in leads_to(cloud).values())
    another = leads_to(cloud)["another"]
    newer = cloud.client("apigatewayv2")
    for path, target in (("orders/v1", another), ("keys/v1", api)):
        newer.create_api_mapping(DomainName=OTHER, ApiMappingKey=path, ApiId=target, Stage="api")
    checkout.succeeds("destroy", "dev")
    left = newer.get_api_mappings(DomainName=OTHER)["Items"]
    assert [(each["ApiMappingKey"], each["ApiId"]) for each in left] == [("orders/v1", another)]
    assert cloud.apis() == [another]


def test_interrupted_destroy_deletes_the_domain_on_rerun(cloud: Cloud, checkout: Checkout) -> None:
    """A repeated `make destroy` deletes the domain that the interrupted run has marked, and no other."""
    for leads_on in (True, False):
        configure(checkout, domain_name=NEW, certificate_arn=CERTIFICATE)
        checkout.succeeds("deploy", "dev")
        cloud.fails = Failure(f"DELETE /v2/domainnames/{NEW}", is_done=False)
        assert checkout.run("destroy", "dev").status == 1
        assert NEW in domains(cloud)
        forget(checkout)
        if leads_on:
            configure(checkout)
        else:
            cloud.client("apigateway").delete_base_path_mapping(domainName=NEW, basePath="(none)")
        assert f"Deleted the domain {NEW}, which" in checkout.succeeds("destroy", "dev")
        assert NEW not in domains(cloud)
    make(cloud, NEW)
    assert f"The domain {NEW} is kept, since it has no mappings" in checkout.succeeds("destroy", "dev")
    assert NEW in domains(cloud)


def test_deployment_clears_the_removal_mark_of_a_domain(cloud: Cloud, checkout: Checkout) -> None:
    """A deployment removes the tag with which an interrupted `make destroy` has marked the domain for deletion."""
    checkout.succeeds("deploy", "dev")
    cloud.fails = Failure(f"DELETE /v2/domainnames/{NEW}", is_done=False)
    assert checkout.run("destroy", "dev").status == 1
    assert cloud.client("apigateway").get_domain_name(domainName=NEW)["tags"] == {deployed_domains.REMOVED_WITH: "dev"}
    checkout.succeeds("deploy", "dev")
    assert cloud.client("apigateway").get_domain_name(domainName=NEW).get("tags", {}) == {}


def test_certificate_of_another_region_is_rejected_before_any_change(cloud: Cloud, checkout: Checkout) -> None:
    """A certificate must be in the API's region, or in us-east-1 for an EDGE endpoint: the error names the region."""
    certificate = CERTIFICATE.replace("us-east-1", "eu-west-1")
    configure(checkout, domain_name=DOMAIN, certificate_arn=certificate)
    cloud.changes.clear()
    done = checkout.run("deploy", "dev")
    assert (done.status, cloud.changes) == (1, [])
    assert f"The certificate of {DOMAIN} is in eu-west-1, and API Gateway accepts one of us-east-1 only" in done.error
