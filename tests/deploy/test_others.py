"""Resources of other owners in the same account are neither changed nor deleted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra import configuration
from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import ACCOUNT, Cloud, serving
from tests.deploy.cloud_requests import REGION
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("others")
SHOP, CERTIFICATE = "shop.example.com", f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"


@dataclass(frozen=True)
class Account:
    """An account with a checkout, and with another owner's domain that isn't mapped to an API yet."""

    cloud: Cloud
    checkout: Checkout

    def domains(self) -> list[str]:
        """Return the names of all domains."""
        return [each["domainName"] for each in self.cloud.client("apigateway").get_domain_names()["items"]]

    @property
    def noted(self) -> Path:
        """Return the path of Chalice's record in the checkout."""
        return self.checkout.path / ".chalice" / "deployed" / "dev.json"


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """An account in which nothing is deployed yet."""
    with serving() as cloud:
        cloud.client("apigateway").create_domain_name(
            domainName=SHOP, regionalCertificateArn=CERTIFICATE, securityPolicy="TLS_1_2"
        )
        yield Account(cloud, copied(tmp_path, is_light=True, **cloud.environment))


def configure(checkout: Checkout, domain: str) -> None:
    """Set the domain of the stage in the configuration."""
    file = checkout.path / configuration.FILE
    whole = json.loads(file.read_text())
    whole["stages"]["dev"][configuration.DOMAIN] = {"domain_name": domain, "certificate_arn": CERTIFICATE}
    file.write_text(json.dumps(whole))


def api_of_somebody(cloud: Cloud, name: str, function: str) -> str:
    """Create an API whose root calls a function, and return its id."""
    gateways = cloud.client("apigateway")
    api: str = gateways.create_rest_api(name=name)["id"]
    (root,) = gateways.get_resources(restApiId=api)["items"]
    asked = {"restApiId": api, "resourceId": root["id"], "httpMethod": "GET"}
    gateways.put_method(**asked, authorizationType="NONE")
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    gateways.put_integration(**asked, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    return api


def test_destroy_keeps_an_unmapped_domain(account: Account) -> None:
    """`make destroy` keeps a configured domain that was never mapped to the stage; a deployment adopts the domain."""
    configure(account.checkout, SHOP)
    said = account.checkout.succeeds("destroy", "dev")
    assert f"The domain {SHOP} is kept, since it has no mappings and may belong to others." in said
    assert account.domains() == [SHOP]
    account.checkout.succeeds("deploy", "dev")
    account.checkout.succeeds("destroy", "dev")
    assert account.domains() == []


def test_domain_in_a_foreign_chalice_record_is_kept(account: Account) -> None:
    """A domain that only an old Chalice record contains is kept."""
    configure(account.checkout, SHOP)
    account.checkout.succeeds("deploy", "dev")
    old = account.noted.read_text()
    account.checkout.succeeds("destroy", "dev")
    account.cloud.client("apigateway").create_domain_name(
        domainName=SHOP, regionalCertificateArn=CERTIFICATE, securityPolicy="TLS_1_2"
    )
    file = account.checkout.path / configuration.FILE
    whole = json.loads(file.read_text())
    del whole["stages"]["dev"][configuration.DOMAIN]
    file.write_text(json.dumps(whole))
    for command in ("deploy", "destroy"):
        account.noted.write_text(old)
        account.checkout.succeeds(command, "dev")
        assert account.domains() == [SHOP]


@pytest.mark.parametrize(
    "noted", exhaustive.after(2, ["", '{"resources": [{"na', "[]", '{"resources": null}', '{"resources": [1]}'])
)
def test_truncated_chalice_record_is_rewritten(account: Account, noted: str) -> None:
    """`make deploy` and `make destroy` work despite a truncated Chalice record, and replace it."""
    account.noted.parent.mkdir(exist_ok=True)
    account.noted.write_text(noted)
    account.checkout.succeeds("deploy", "dev")
    account.noted.write_text(noted)
    account.checkout.succeeds("destroy", "dev")
    assert account.cloud.apis() == []


def test_api_with_another_name_is_left_alone(account: Account) -> None:
    """An API with another name doesn't belong to the stage, even if it calls the stage's function."""
    account.checkout.succeeds("deploy", "dev")
    account.checkout.succeeds("destroy", "dev")
    partner = api_of_somebody(account.cloud, "partner", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:latchkey-dev")
    account.checkout.succeeds("deploy", "dev")
    account.cloud.client("lambda").add_permission(
        FunctionName="latchkey-dev",
        StatementId="partner",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{partner}/*",
    )
    assert partner not in account.checkout.succeeds("status", "dev")
    account.checkout.succeeds("deploy", "dev")
    assert account.cloud.client("apigateway").get_rest_api(restApiId=partner)["name"] == "partner"
    account.checkout.succeeds("destroy", "dev")
    assert account.cloud.apis() == [partner]


@pytest.mark.parametrize("where", exhaustive.after(1, [f"{REGION}:999999999999", f"eu-west-1:{ACCOUNT}"]))
def test_api_of_another_account_or_region_is_left_alone(account: Account, where: str) -> None:
    """An API that calls a function of another account or region doesn't belong to the stage."""
    theirs = api_of_somebody(account.cloud, "latchkey", f"arn:aws:lambda:{where}:function:latchkey-dev")
    account.checkout.succeeds("deploy", "dev")
    assert len(account.cloud.apis()) == 2
    account.checkout.succeeds("destroy", "dev")
    assert account.cloud.apis() == [theirs]
