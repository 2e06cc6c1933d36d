"""All workflows of an installation, by name and version; checked against each other."""

from collections.abc import Iterator

from streamrec.ranking.workflow import BLEND, Workflow


class UnknownWorkflowError(LookupError):
    """There is no workflow of that name, or not in that version; the message names those that exist."""


class Workflows:
    """Finds workflows; never changed once it is made.

    Parameters
    ----------
    *declared
        The workflows, in the order in which they are listed.

    Raises
    ------
    WorkflowError
        Two have the same name and version, or a fallback does not exist, or fallbacks lead in a circle: a list would never
        come.

    Examples
    --------
    >>> from streamrec.ranking.workflow import source
    >>> first, second = (
    ...     Workflow(name="new", version=version, description="What is new.", sources=(source("newest", size=10 * version),))
    ...     for version in (1, 2)
    ... )
    >>> workflows = Workflows(first, second)
    >>> workflows.find("new") is second, workflows.find("new@1") is first
    (True, True)
    >>> workflows.find("old")
    Traceback (most recent call last):
        ...
    streamrec.ranking.registry.UnknownWorkflowError: there is no workflow 'old'; there are new (new@1, new@2)
    """

    def __init__(self, *declared: Workflow) -> None:
        self._all: dict[str, Workflow] = {}
        self._latest: dict[str, Workflow] = {}
        for workflow in declared:
            if (before := self._all.get(workflow.label)) is not None:
                remedy = f"raise the version: impressions of {before.declared_at} have this one"
                raise workflow.refuse(f"it is declared already, at {before.declared_at}", remedy)
            self._all[workflow.label] = workflow
            if workflow.version > getattr(self._latest.get(workflow.name), "version", 0):
                self._latest[workflow.name] = workflow
        for workflow in declared:
            self._check_fallbacks(workflow)

    def __iter__(self) -> Iterator[Workflow]:
        """Every version of every workflow, as they were declared."""
        return iter(self._all.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def find(self, name: str) -> Workflow:
        """The workflow of that ``name`` in its latest version, or ``name@version``.

        Raises
        ------
        UnknownWorkflowError
            There is none.
        """
        found = self._latest.get(name) or self._all.get(name)
        if found is None:
            raise UnknownWorkflowError(f"there is no workflow {name[:80]!r}; there are {self.names()}")
        return found

    def names(self) -> str:
        """All of them, for messages."""
        labels = {name: [each.label for each in self if each.name == name] for name in self._latest}
        return ", ".join(f"{name} ({', '.join(versions)})" for name, versions in labels.items())

    def fallback(self, workflow: Workflow, reason: str) -> Workflow | None:
        """What answers instead of `workflow` for a `reason` (see `workflow.Fallback`); None where it answers itself."""
        name = getattr(workflow.fallback, reason)
        return None if name in (None, BLEND) else self.find(name)

    def _check_fallbacks(self, workflow: Workflow) -> None:
        for reason in workflow.fallback.__struct_fields__:
            try:
                self.fallback(workflow, reason)
            except UnknownWorkflowError as error:
                raise workflow.refuse(f"its fallback for {reason} does not exist", str(error)) from None
        self._walk(workflow, [workflow.label])

    def _walk(self, workflow: Workflow, way: list[str]) -> None:
        for reason in workflow.fallback.__struct_fields__:
            following = self.fallback(workflow, reason)
            if following is None:
                continue
            if following.label in way:
                circle = " -> ".join([*way[way.index(following.label) :], following.label])
                raise workflow.refuse(
                    f"fallbacks lead in a circle: {circle}", "end it with one that has no model, or BLEND"
                )
            self._walk(following, [*way, following.label])
