"""Which workflow makes the list of a request: the one that it names, the one of its cursor, or the default."""

from typing import Final, NamedTuple

from streamrec.lookup import problems
from streamrec.lookup.cursor import workflow_in
from streamrec.lookup.problems import FieldError, Problem
from streamrec.lookup.service import Service
from streamrec.ranking.registry import UnknownWorkflowError
from streamrec.ranking.workflow import Workflow

WORKFLOW_DESCRIPTION: Final = (
    "How the list is made: a workflow by `name` (its latest version) or `name@version`, of those under `/v1/workflows`; else "
    "the default of the installation."
)


def chosen(service: Service, name: str | None, where: str = "body") -> Workflow:
    """The workflow of that name, the default for None.

    Raises
    ------
    Problem
        There is none; it names those that exist.
    """
    if name is None:
        return service.workflow
    try:
        return service.workflows.find(name)
    except UnknownWorkflowError as error:
        errors = [FieldError(where, "workflow", str(error))]
        raise Problem(problems.INVALID_WORKFLOW, f"workflow: {error}", errors=errors) from None


class Choice(NamedTuple):
    """What makes a list, and what its cursors name: the workflow's label, None for the default one."""

    workflow: Workflow
    named: str | None


def of_page(service: Service, asked: str | None, cursor: str | None) -> Choice:
    """The workflow of a page: the one that is asked for, else that of the page before.

    A cursor keeps the version, too, so that pages go on as they began when a new version comes in between.

    Raises
    ------
    Problem
        There is no such workflow, or not any more.
    """
    before = None if cursor is None else workflow_in(cursor)
    if before is not None and asked in (None, before, before.partition("@")[0]):
        try:
            return Choice(service.workflows.find(before), before)
        except UnknownWorkflowError as error:
            raise Problem(problems.INVALID_CURSOR, f"{error}; ask for the first page again") from None
    workflow = chosen(service, asked, "query")
    return Choice(workflow, None if workflow is service.workflow else workflow.label)
