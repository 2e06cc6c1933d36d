"""By what events are counted: a member, a job, both, or a combined key; and whose state then holds it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from streamrec.events import Connection
from streamrec.features.columns import CODED
from streamrec.features.language.declaration import DeclarationError, name_of
from streamrec.features.language.fields import FIELDS, Field, Record
from streamrec.features.language.streams import EventField, Stream
from streamrec.features.language.types import Type
from streamrec.features.texts import text_of


class Entity(Record):
    """A member or a job; `first_at` and `last_at` are the times of its first and last event."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


member, job = Entity("member"), Entity("job")
pair = (member, job)
company = Field("posting", "company")

Part = Entity | Field | EventField
By = Part | tuple[Part, ...]

MOST_KEPT: Final = 1000
JOIN: Final = "\x1f"  # between the texts of a combined key
_MOST_PARTS: Final = 3


@dataclass(frozen=True)
class Key:
    """A checked key.

    Attributes
    ----------
    place
        Who keeps it: the owner of the ``member`` or of the ``job``.
    parts
        As declared: ``member``, ``job``, ``profile.region``, ``posting.function``, ``event.surface``.
    keyed
        Those of the parts by which the owner's cell is divided: texts that come with the event (and the job, of a member's).
    rolled
        Fields of the posting by which the cells of jobs are added up, when they are read. Empty where `parts` name the job.
    everywhere
        Whether the cells of all jobs are added up.
    """

    place: str
    parts: tuple[str, ...]
    keyed: tuple[str, ...]
    rolled: tuple[str, ...]
    everywhere: bool

    def __str__(self) -> str:
        return self.parts[0] if len(self.parts) == 1 else f"({', '.join(self.parts)})"

    @property
    def about(self) -> frozenset[str]:
        """What a value by this key may differ by."""
        owners = {"posting": "job", "profile": "member", "event": "request"}
        return frozenset(owners.get(part.partition(".")[0], part) for part in self.parts)


def joined(parts: Iterable[str], texts: Iterable[str | None]) -> str | None:
    """The texts of a combined key as one: as texts are compared, but for the ids of jobs; None where one is missing.

    Examples
    --------
    >>> joined(["job", "event.surface"], ["J1", " Home"])
    'J1\\x1fhome'
    >>> joined(["profile.region", "event.surface"], ["MD", " "]) is None
    True
    """
    found = []
    for part, text in zip(parts, texts, strict=True):
        known = text if part == "job" else text_of(text)
        if not known or not isinstance(known, str):  # a derived record may say anything
            return None
        found.append(known.replace(JOIN, " ") if JOIN in known else known)
    return JOIN.join(found)


def key(by: By, stream: Stream, keep: int | None) -> Key:
    """Check what an aggregate is declared by.

    Raises
    ------
    DeclarationError
        The parts do not fit together, nobody could read them, or the state would have no bound.
    """
    parts = tuple(dict.fromkeys(_name(part, stream) for part in (by if isinstance(by, tuple) else (by,))))
    if not 0 < len(parts) <= _MOST_PARTS:
        raise DeclarationError(f"a key of {len(parts)} parts", f"use one to {_MOST_PARTS} parts")
    said = [part for part in parts if part.startswith(("posting.", "profile."))]
    events = [part for part in parts if part.startswith("event.")]
    if "member" in parts:
        if said:
            raise DeclarationError(
                f"the key {', '.join(parts)} adds {', '.join(said)} to a member",
                "leave out the member to count by the combination, or use share(…) for the fields of a member's recent jobs",
            )
        made = Key("member", parts, tuple(part for part in parts if part != "member"), (), everywhere=False)
    else:
        if "job" in parts and any(part.startswith("posting.") for part in said):
            raise DeclarationError(f"the key {', '.join(parts)} says twice which job", "leave out the posting's fields")
        keyed = tuple(part for part in parts if part.startswith(("profile.", "event.")))
        rolled = tuple(part for part in parts if part.startswith("posting."))
        made = Key("job", parts, keyed, rolled, everywhere="job" not in parts)
    nobody = [part for part in made.rolled if part.removeprefix("posting.") not in CODED]
    if nobody:
        raise DeclarationError(
            f"jobs are not added up by {', '.join(nobody)}", f"use {', '.join(f'posting.{name}' for name in CODED)}"
        )
    if Connection in stream.records and ("member" not in parts or "job" in parts):
        raise DeclarationError(f"{stream} have no job, and are counted by {', '.join(parts)}", "count them by=member")
    for part in events:
        if part.removeprefix("event.") not in FIELDS["context"]:
            raise DeclarationError(
                f"nobody can read by {part}: a request does not say it", "use a filter: views.where(…), or another key"
            )
    if made.keyed and keep is None:
        raise DeclarationError(
            f"unbounded state: by {', '.join(parts)}, a {made.place} keeps one count for each {' and '.join(made.keyed)}",
            "say how many: keep=50 keeps those of the newest events",
        )
    if keep is not None and not (made.keyed and isinstance(keep, int) and 0 < keep <= MOST_KEPT):
        raise DeclarationError(
            f"keep={keep} by {', '.join(parts)}",
            f"keep 1 to {MOST_KEPT}" if made.keyed else "leave keep out: there is one count for each key",
        )
    return made


def _name(part: object, stream: Stream) -> str:
    match part:
        case Entity(name=name):
            return name
        case Field(origin="posting" | "profile") if part.type is Type.TEXT:
            return str(part)
        case EventField(stream=of, name=name) if part.type is Type.TEXT:
            if of.records != stream.records:
                raise DeclarationError(f"the key has {part}, and {stream} is counted", f"use {stream.name}.{name}")
            return f"event.{name}"
        case _:
            raise DeclarationError(
                f"{name_of(part)} cannot be part of a key",
                "use member, job, or a text of posting, of profile or of the events",
            )
