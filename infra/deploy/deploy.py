"""`make deploy` and `make rotate-edge`: CloudFormation deploys the data and CloudFront, Chalice deploys the service.

Each step prints a line, can be repeated, and doesn't affect the running service if it fails.
"""

from collections.abc import Mapping

import boto3

from infra import chalice_cli, configuration, deployed, domains, lock, stage_key, template
from infra.data_stack import remaking
from infra.data_stack.parameters import NOTHING
from infra.data_stack.stack import DataStack
from infra.deploy import addresses, alarm_mail, app_check, checks, drift, gateway_stage, settings
from infra.deploy.chalice_commands import chalice, environment
from infra.deploy.output import say
from infra.edge import front, viewer_address
from infra.failed import DeployError


def deploy(stage: str, *, chosen: Mapping[str, str] = NOTHING, edge: tuple[str, str] | None = None) -> None:
    """Create or update a stage: its data, its service and, if a domain and its certificate are given, CloudFront.

    `chosen` are parameters of the data stack; all other parameters keep their values.
    """
    _check_checkout(stage)
    apis, before_it = deployed.api_ids(stage), front.Front(stage, say)
    is_trusted = _check(stage, before_it, edge, apis)
    say(f"Deploying {stage} into {checks.where()}.")
    _warn(before_it.gone(next(iter(apis), None), made_again="It is made again now." if edge else ""))
    with lock.on(stage) as acquire:
        checks.check_running(stage)
        look = DataStack(stage, say).put(template.composed(settings.mail_from(stage)), chosen)
        acquire()
        if stage_key.create(boto3.client("ssm"), stage):
            say("Created the stage's key, from which webhook secrets are derived (SSM, SecureString).")
        say("Deploying the service (chalice deploy) …")
        kept = {chalice_cli.WITH_DISABLED_ENDPOINT: "1"} if any(map(addresses.is_disabled, apis)) else {}
        distrusted = {} if is_trusted else {chalice_cli.WITHOUT_CLIENT_IP_HEADER: "1"}
        with environment(**kept, **distrusted):
            chalice("deploy", stage)
        api = deployed.live_api(stage)
        gateway_stage.guard_stage(stage, api)
        is_closed = before_it.put(*edge, api, look.boundary) if edge else before_it.is_closed(api["rest_api_id"])
        if is_closed and not is_trusted:
            say(f"Deploying the service again, which now believes {viewer_address.HEADER} …")
            with environment(**kept):
                chalice("deploy", stage)
            gateway_stage.guard_stage(stage, api)
    gone = before_it.gone(api["rest_api_id"]) if is_closed else ""
    reached = addresses.of_closed(before_it, gone) if is_closed else addresses.of_open(stage, api)
    say(f"\n{reached.sentence}")
    _warn(addresses.wrong_links(stage, reached.urls, before_it))
    for address in alarm_mail.unconfirmed(look.has(remaking.TOPIC).values()):
        say(f"{address} gets no alarm before it opens the link in the mail that AWS has sent it.")
    url = reached.to_log_in(stage)
    then = f", then open {url}login" if url else ""
    say(f"If nobody has an account yet: make account EMAIL=you@example.com ADMIN=1 STAGE={stage}{then}")
    say(f"To check it from outside, in under two minutes: make smoke STAGE={stage}")


def _warn(text: str) -> None:
    if text:
        say(text)


def _check_checkout(stage: str) -> None:
    """Run the checks that need no call to AWS."""
    settings.check_settings(stage)
    app_check.check_app(stage)


def _check(stage: str, before_it: front.Front, edge: tuple[str, str] | None, apis: list[str]) -> bool:
    """Check the stage in AWS before a change; return whether the client address header is trusted.

    `apis` are the ids of the stage's APIs.
    """
    checks.check_gateway_stage(stage, checks.gateway_stages(apis))
    checks.check_key(stage)
    region = configuration.certificate_region(stage, boto3.session.Session().region_name)
    domains.check(configuration.domain(stage), apis, region=region)
    return _is_header_trusted(stage, before_it, edge, apis)


def _is_header_trusted(stage: str, before_it: front.Front, edge: tuple[str, str] | None, apis: list[str]) -> bool:
    """Return whether the configured client address header can be trusted yet. Raises DeployError if it never can.

    The header that our CloudFront sets can be trusted once only CloudFront reaches the API.
    """
    if edge:
        front.check(stage, edge[0])
        before_it.check()
    if not viewer_address.is_believed(stage) or before_it.is_closed(next(iter(apis), None)):
        return True
    if edge:
        return False
    before_it.check()  # report a stack that is being updated, since the API may be open only until the update ends
    raise DeployError(
        f"Anybody could send {viewer_address.HEADER}, since the API of {stage} isn't closed to all but CloudFront:"
        " deploy with EDGE=1, or set no LATCHKEY_CLIENT_IP_HEADER in .chalice/config.json."
    )


def plan(stage: str, *, chosen: Mapping[str, str] = NOTHING, edge: tuple[str, str] | None = None) -> None:
    """Print the changes that a deployment would make; change nothing."""
    _check_checkout(stage)
    apis, before_it = deployed.api_ids(stage), front.Front(stage, say)
    _check(stage, before_it, edge, apis)
    gone = before_it.gone(next(iter(apis), None), made_again="It would be made again." if edge else "")
    _warn(gone)
    holder = lock.holder(stage)
    if holder:
        say(f"{holder} is deploying or destroying {stage}: what follows may be different when that is over.")
    reserved = checks.check_running(stage)
    data = DataStack(stage, say)
    look = data.look()
    changes = data.planned(template.composed(settings.mail_from(stage)), chosen, look=look)
    say(f"The data stack {deployed.data_stack(stage)}, by CloudFormation:")
    off = drift.of_data(data, look, stage).off  # deleted resources are already among the changes
    changes = [*changes, *drift.Drift([], off).rehearsed()]
    say("\n".join(f"  {change}" for change in changes) if changes else "  nothing changes")
    if not stage_key.exists(boto3.client("ssm"), stage):
        say("The stage's key, from which webhook secrets are derived (SSM), would be made.")
    say("The service, by Chalice:")
    chalice("dev plan", stage)
    for line in drift.of_service(stage, checks.gateway_stages(apis), reserved, look).rehearsed():
        say(f"  {line}")
    if edge:
        say(before_it.planned())
    if apis and not edge and not domains.is_to_be_made(configuration.domain(stage)):
        is_closed, api = before_it.is_closed(apis[0]), deployed.located(stage, apis[0])
        reached = addresses.of_closed(before_it, gone) if is_closed else addresses.of_open(stage, api)
        _warn(addresses.wrong_links(stage, reached.urls, before_it))
    say("Nothing was changed.")


def rotate_edge(stage: str) -> None:
    """Replace the secret that CloudFront sends to the API, without deploying anything else."""
    checks.check_gateway_stage(stage, checks.gateway_stages(deployed.api_ids(stage)))
    with lock.on(stage):
        before_it = front.Front(stage, say)
        api = deployed.live_api(stage)
        gone = before_it.gone(api["rest_api_id"])
        if gone:
            raise DeployError(gone)
        before_it.rotate(api, DataStack(stage, say).look().boundary)
        is_closed = before_it.is_closed(api["rest_api_id"])
    before = (
        "the one before is refused" if is_closed else "the API's own address is open to everybody, with or without it"
    )
    say(f"CloudFront sends the API another secret now, and {before}.")
