"""The workflow that makes lists where nobody names one."""

from streamrec.ranking.registry import UnknownWorkflowError, Workflows
from streamrec.ranking.workflow import Workflow
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings, SettingsError


def default_workflow(settings: Settings, among: Workflows = WORKFLOWS) -> Workflow:
    """What the setting `workflow` names.

    Raises
    ------
    SettingsError
        There is no such workflow. Called at the start of whatever ranks, so that it does not start.

    Examples
    --------
    >>> default_workflow(Settings()).label
    'jobs@2'
    >>> default_workflow(Settings(workflow="job"))
    Traceback (most recent call last):
        ...
    streamrec.settings.SettingsError: workflow: there is no workflow 'job'; there are jobs (jobs@1, jobs@2), ...
    """
    try:
        return among.find(settings.workflow)
    except UnknownWorkflowError as error:
        raise SettingsError(f"workflow: {error}") from None
