"""Mistakes in the declaration of a workflow: told as those of features are, by the line that made them."""

from pathlib import Path
from typing import Final, TypeGuard

from streamrec.features.language.declaration import DeclarationError, Site, outside

_HERE: Final = Path(__file__).parent
_LANGUAGE: Final = tuple(str(_HERE / f"{module}.py") for module in ("declaration", "rerankers", "workflow"))


class WorkflowError(DeclarationError):
    """A workflow, or a part of one, is declared such that it cannot work.

    Parameters
    ----------
    place
        File and line of the declaration.
    what
        What is wrong.
    remedy
        What to write instead.

    Examples
    --------
    >>> print(WorkflowError(Site("mine.py", 7), "jobs@1: size of source 'title' is 0", "at least 1"))
    mine.py:7: jobs@1: size of source 'title' is 0; at least 1
    """

    def __init__(self, place: Site, what: str, remedy: str) -> None:
        super().__init__(what, remedy, place)


def place() -> Site:
    """Where a workflow is declared: the nearest caller outside of what it is declared by."""
    return outside(*_LANGUAGE)


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number from 1."""
    return type(value) is int and value >= 1
