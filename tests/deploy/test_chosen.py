"""A stage's chosen settings survive if its data stack or its edge is created again."""

import pytest
from botocore.exceptions import ClientError

from infra import template
from infra.data_stack import parameters
from infra.data_stack.stack import DataStack
from infra.edge import front
from infra.edge.stacks import EdgeStack
from tests.deploy.cloud import Cloud, Failure
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("stack")
NAME, EDGE = "latchkey-dev-data", "latchkey-dev-edge-us-east-1"
BOUND = "arn:aws:iam::123456789012:policy/most"
CHOSEN = {"Boundary": BOUND, "AlarmEmail": "ops@example.com", "LogDays": "90"}


@pytest.mark.parametrize(
    "status", exhaustive.after(1, ["DELETE_IN_PROGRESS", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
)
def test_recreated_data_stack_keeps_its_parameters(cloud: Cloud, status: str) -> None:
    """A data stack that is created again has the previous parameters, except those passed to the command."""
    DataStack("dev", print).put(template.composed(), CHOSEN)
    if status == "DELETE_IN_PROGRESS":
        _begin_to_delete(cloud)
    cloud.formation().stacks[NAME].status = status
    said: list[str] = []
    DataStack("dev", said.append).put(template.composed(), {"LogDays": "14", "Boundary": ""})
    kept = cloud.formation().stacks[NAME].parameters
    assert {name: kept[name] for name in CHOSEN} == {**CHOSEN, "LogDays": "14"}
    if status != "DELETE_IN_PROGRESS":
        assert f"ALARM_EMAIL=ops@example.com BOUNDARY={BOUND} LOG_DAYS=90" in "\n".join(said)


@pytest.mark.parametrize("killed", ["before the import", "after the import", "by hand"])
def test_parameters_survive_an_interrupted_recreation(cloud: Cloud, killed: str) -> None:
    """If the stack no longer exists, the next deployment reads its parameters from a retained table."""
    DataStack("dev", print).put(template.composed(), CHOSEN)
    formation = cloud.formation()
    if killed == "by hand":
        cloud.client("cloudformation").update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
        cloud.client("cloudformation").delete_stack(StackName=NAME)
    else:
        formation.stacks[NAME].status = "DELETE_FAILED"
        cloud.client("dynamodb").delete_item(TableName="latchkey-dev-tickets", Key={"digest": {"S": "chosen"}})
        cloud.fails = Failure("CreateChangeSet", is_done=killed == "after the import")
        with pytest.raises(ClientError):
            DataStack("dev", print).put(template.composed())
    DataStack("dev", print).put(template.composed(), {"LogDays": "14"})
    kept = formation.stacks[NAME].parameters
    assert {name: kept[name] for name in CHOSEN} == {**CHOSEN, "LogDays": "14"}


def _begin_to_delete(cloud: Cloud) -> None:
    """Delete the stack's resources, but keep the stack, as a deletion that has just begun does."""
    stack = cloud.formation().stacks[NAME]
    stack.protected = False
    cloud.client("cloudformation").delete_stack(StackName=NAME)
    cloud.formation().stacks[NAME] = stack
    stack.made.clear()


def test_recreated_edge_stack_keeps_its_rate(cloud: Cloud) -> None:
    """An edge stack that is created again after a failure keeps the rate limit that an operator has set."""
    wanted = front.distribution()
    names = {name for name, each in wanted["Parameters"].items() if "Default" not in each}
    stack = EdgeStack(EDGE, "us-east-1", print)
    stack.put(wanted, dict.fromkeys(names, "x"))
    made = cloud.formation().stacks[EDGE]
    made.parameters["RequestsInFiveMinutes"], made.status = "20000", "ROLLBACK_COMPLETE"
    stack.put(wanted, dict.fromkeys(names, "x"))
    assert cloud.formation().stacks[EDGE].parameters["RequestsInFiveMinutes"] == "20000"


def test_none_removes_a_chosen_parameter(cloud: Cloud) -> None:
    """ALARM_EMAIL=none and BOUNDARY=none remove the chosen values, even if the stack is created again."""
    DataStack("dev", print).put(template.composed(), CHOSEN)
    DataStack("dev", print).put(template.composed(), {"AlarmEmail": parameters.NONE})
    formation = cloud.formation()
    assert formation.stacks[NAME].parameters["AlarmEmail"] == ""
    formation.stacks[NAME].status = "ROLLBACK_COMPLETE"
    DataStack("dev", print).put(template.composed(), {"Boundary": parameters.NONE})
    kept = formation.stacks[NAME].parameters
    assert (kept["AlarmEmail"], kept["Boundary"], kept["LogDays"]) == ("", "", "90")
