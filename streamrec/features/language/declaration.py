"""Where something was declared, and what is wrong with it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = str(Path(__file__).parent)


@dataclass(frozen=True)
class Site:
    """File and line of a declaration.

    Examples
    --------
    >>> str(Site("library.py", 12))
    'library.py:12'
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def site() -> Site:
    """Where the language is being used: the nearest caller outside of it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith(_HERE) or frame.f_code.co_filename == "<string>"  # dataclasses' own code
    ):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    inside = path.parts[path.parts.index("streamrec") :] if "streamrec" in path.parts else path.parts[-1:]
    return Site("/".join(inside), frame.f_lineno)


def number_text(value: float) -> str:
    """A number as it is declared: different ones have different texts.

    Examples
    --------
    >>> number_text(3), number_text(0.05), number_text(12_345_678.0)
    ('3', '0.05', '12345678')
    """
    return repr(float(value)).removesuffix(".0")


class DeclarationError(ValueError):
    """A feature that cannot be: raised where it is declared, never when it is computed.

    Attributes
    ----------
    site
        The line.
    problem, remedy
        What is wrong, and what to write instead.
    """

    def __init__(self, problem: str, remedy: str, at: Site | None = None) -> None:
        self.problem, self.remedy, self.site = problem, remedy, at or site()
        super().__init__(f"{self.site}: {problem}; {remedy}")
