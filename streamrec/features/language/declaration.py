"""Where something was declared, and what is wrong with it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = str(Path(__file__).parent)
_ROOT: Final = Path(__file__).parents[3]


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
    return outside(_HERE)


def outside(*files: str) -> Site:
    """The nearest caller that is in none of `files` (or directories, by how their paths begin).

    Within this repository the file is told as seen from its root, elsewhere by its name.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith((__file__, *files))
        or frame.f_code.co_filename == "<string>"  # dataclasses' code
    ):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    shown = path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
    return Site(shown, frame.f_lineno)


def number_text(value: float) -> str:
    """A number as it is declared: different ones have different texts.

    Examples
    --------
    >>> number_text(3), number_text(0.05), number_text(12_345_678.0)
    ('3', '0.05', '12345678')
    """
    return repr(float(value)).removesuffix(".0")


def name_of(value: object) -> str:
    """What was given, as it may have been written.

    Examples
    --------
    >>> from streamrec.features.language import views
    >>> name_of(views), name_of("views")
    ('views', "'views'")
    """
    return str(value) if type(value).__module__.startswith("streamrec.") else repr(value)


class DeclarationError(ValueError):
    """What is declared cannot be: raised where it is declared, never when it is computed.

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
