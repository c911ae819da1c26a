"""Find a stage's resources that were manually deleted or disabled and that the next deployment will restore."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from infra import configuration, deployed, schedules, subscription, template
from infra.data_stack.inspection import Inspection
from infra.data_stack.stack import DataStack
from infra.deploy import settings


class Drift(NamedTuple):
    """The names of deleted resources and of disabled resources."""

    gone: list[str]
    off: list[str]

    def rehearsed(self) -> Iterator[str]:
        """Yield the output of a dry run: a line for each resource."""
        yield from (f"{name} was deleted, and would be made again" for name in self.gone)
        yield from (f"{name} was switched off, and would be switched on" for name in self.off)


def of_data(data: DataStack, look: Inspection, stage: str) -> Drift:
    """Return the drift of a data stack. It is empty for an incomplete stack, which will be recreated."""
    if not look.is_kept:
        return Drift([], [])
    off = data.off(template.composed(settings.mail_from(stage)), look)
    return Drift(list(look.lost.values()), [each.what for each in off])


def of_service(
    stage: str, deployed_as: Mapping[str, list[str]], reserved: Mapping[str, int | None], look: Inspection
) -> Drift:
    """Return the drift of a service. It is empty if there is neither an API nor a function, so no service is deployed.

    `deployed_as` contains the names of the API Gateway stages of each API, by the API's id. The keys of `reserved` are
    the names of the existing functions. `look` has the ARNs of the data stack's streams.
    """
    if not deployed_as and not reserved:
        return Drift([], [])
    names = [deployed.function_name(stage, each) for each in deployed.FUNCTIONS]
    drift = Drift([f"function {name}" for name in names if name not in reserved], [])
    drift.gone.extend(_missing_endpoint(stage, deployed_as))
    _add_schedules(stage, drift)
    streams = {name: look.output(output) for name, output in subscription.OUTPUTS.items()}
    if any(streams.values()):
        _add_subscriptions(stage, streams, drift)
    return drift


def _missing_endpoint(stage: str, deployed_as: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the missing part of the public endpoint: the API, or its API Gateway stage.

    An API Gateway stage with another name isn't included; `checks.check_gateway_stage` reports it.
    """
    if not deployed_as:
        yield "the API, which gets another address"
    for api_id, names in list(deployed_as.items())[:1]:
        if not names:
            yield f"stage {configuration.gateway_stage(stage)} of the API {api_id}"


def _add_schedules(stage: str, drift: Drift) -> None:
    rules = [schedules.rule_name(deployed.function_name(stage, name)) for name in schedules.SCHEDULED]
    states = schedules.states(rules)
    drift.gone.extend(f"schedule {rule}" for rule in rules if rule not in states)
    drift.off.extend(f"schedule {rule}" for rule, state in states.items() if state == schedules.OFF)


def _add_subscriptions(stage: str, streams: Mapping[str, str], drift: Drift) -> None:
    listed = subscription.of_any_function()
    for name, stream in streams.items():
        function = deployed.function_name(stage, name)
        states = [each["State"] for each in subscription.to_stream(function, stream, listed)]
        what = f"subscription of {function} to the stream of {subscription.TABLES[name]}"
        if not states:
            drift.gone.append(what)
        elif states[0] in subscription.OFF:
            drift.off.append(what)
