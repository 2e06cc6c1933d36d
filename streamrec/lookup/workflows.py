"""``GET /v1/workflows``: how lists can be made here, for whoever chooses one by ``?workflow=``."""

import msgspec

from streamrec.lookup import problems
from streamrec.lookup.operation import Call
from streamrec.lookup.problems import Problem
from streamrec.lookup.service import Service
from streamrec.ranking.description import Description, describe
from streamrec.ranking.registry import UnknownWorkflowError


class WorkflowList(msgspec.Struct, frozen=True):
    """Every version of every workflow."""

    request_id: str
    workflows: tuple[Description, ...]


class WorkflowAnswer(msgspec.Struct, frozen=True):
    """One workflow."""

    request_id: str
    workflow: Description


async def workflows(service: Service, call: Call) -> WorkflowList:
    """Answer with all workflows."""
    return WorkflowList(call.request_id, tuple(describe(each, service.workflow) for each in service.workflows))


async def workflow(service: Service, call: Call) -> WorkflowAnswer:
    """Answer with one workflow, by ``name`` or ``name@version``."""
    try:
        found = service.workflows.find(call.path["name"])
    except UnknownWorkflowError as error:
        raise Problem(problems.UNKNOWN_WORKFLOW, str(error)) from None
    return WorkflowAnswer(call.request_id, describe(found, service.workflow))
