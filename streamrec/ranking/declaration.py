"""Where something was declared, and what is wrong with it: so that a mistake is mended in the line that made it."""

import sys
from pathlib import Path
from typing import Final

import streamrec

_ROOT: Final = Path(streamrec.__file__).parent.parent
_LANGUAGE: Final = frozenset(f"streamrec.ranking.{module}" for module in ("declaration", "rerankers", "workflow"))


class WorkflowError(ValueError):
    """A workflow, or a part of one, is declared such that it cannot work.

    Parameters
    ----------
    place
        ``file:line`` of the declaration.
    what
        What is wrong.
    remedy
        What to write instead.

    Examples
    --------
    >>> print(WorkflowError("mine.py:7", "jobs@1: size of source 'title' is 0", "at least 1"))
    mine.py:7: jobs@1: size of source 'title' is 0; at least 1
    """

    def __init__(self, place: str, what: str, remedy: str) -> None:
        super().__init__(f"{place}: {what}; {remedy}")
        self.place, self.what, self.remedy = place, what, remedy


def place() -> str:
    """``file:line`` of the call that declares: the first one from outside of the language itself.

    Within the repository the file is told as seen from its root.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in _LANGUAGE:
        frame = frame.f_back
    file = Path(frame.f_code.co_filename)
    shown = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else file
    return f"{shown}:{frame.f_lineno}"
