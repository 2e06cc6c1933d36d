"""The search of the catalogue: over names, descriptions, owners, tags and expressions, and it bears typos.

How it ranks
------------
The whole query beside the whole name first: equal, then a beginning of it, then a few typos apart. Otherwise each word of the
query is looked for in each feature, and the best place counts: the name, then the description, the tags, the owner, the
expression (with what it reads). Equal words come before beginnings, and these before typos, except that a typo in a name still
is a name. Of equal ones the shorter name comes first. Where features have all words of the query, those are the answer, else
those that have the most, but at least half. Little words (``of``, ``per``) do not count beside others. What is like nothing
finds nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from streamrec.features.catalogue import Catalogue, Entry
from streamrec.features.near import edits

FIELDS: Final = ("name", "description", "tags", "owner", "expression")  # the best first
LONGEST: Final = 200  # characters of a query
_WORD: Final = re.compile(r"[^\W_]+")
_LITTLE: Final = frozenset((
    "a", "about", "all", "an", "and", "ask", "at", "by", "feature", "features", "for", "from", "how", "in", "is", "it", "its",
    "of", "on", "or", "per", "that", "the", "to", "what", "which", "who", "with",
))  # fmt: skip
_SHORTEST: Final = 2  # letters of a beginning

# What it costs to find a word there: equal; as a beginning; with typos.
_COSTS: Final = {
    "name": (0.0, 1.0, 2.0), "description": (3.0, 3.5, 8.0), "tags": (4.0, 4.5, 9.0), "owner": (5.0, 5.5, 10.0),
    "expression": (6.0, 6.5, 11.0),
}  # fmt: skip
_WHOLE: Final = (-3.0, -2.0, -1.0)  # the same for the whole query and the whole name


class Hit(msgspec.Struct, frozen=True):
    """A feature that was found."""

    entry: Entry
    found_in: Annotated[tuple[str, ...], Meta(description=f"Of {', '.join(FIELDS)}: where the words of the query are.")]


class Search:
    """An index of a catalogue.

    Examples
    --------
    >>> from streamrec.features.library import PLAN
    >>> index = Search(Catalogue(PLAN, {}))
    >>> [hit.entry.name for hit in index.find("populrity")][:3]
    ['popularity_day', 'popularity_days', 'popularity_hour']
    >>> index.find("saves per view")[0].entry.name, index.find("xyzzy plugh")
    ('save_rate', ())
    """

    def __init__(self, of: Catalogue) -> None:
        self._entries = of.entries
        self._words: dict[str, dict[int, list[str]]] = {}  # word -> place of an entry -> fields
        for place, entry in enumerate(of.entries):
            for field, texts in _texts(entry).items():
                for word in dict.fromkeys(word for text in texts for word in _split(text)):
                    self._words.setdefault(word, {}).setdefault(place, []).append(field)

    def find(self, query: str, among: Callable[[Entry], bool] | None = None) -> tuple[Hit, ...]:
        """What fits a query, the best first.

        Parameters
        ----------
        query
            Words, or a name. Without a word nothing is found.
        among
            Which features to look at; default all.
        """
        words = _split(query)
        asked = tuple(word for word in words if word not in _LITTLE) or words
        if not asked:
            return ()
        found = [self._places(word) for word in dict.fromkeys(asked)]
        ranked: list[tuple[int, float, int, str, Hit]] = []
        for place, entry in enumerate(self._entries):
            if among is not None and not among(entry):
                continue
            hits = [each[place] for each in found if place in each]
            whole = _whole(query, entry)
            missed = 0 if whole is not None else len(found) - len(hits)
            if 2 * missed > len(found) or (whole is None and not hits):
                continue
            cost = sum(cost for cost, _ in hits) / len(hits) if hits else 0.0
            where = {field for _, field in hits} | ({"name"} if whole is not None else set())
            hit = Hit(entry, tuple(field for field in FIELDS if field in where))
            ranked.append((missed, cost if whole is None else whole, len(entry.name), entry.id, hit))
        least = min((missed for missed, *_ in ranked), default=0)
        return tuple(hit for missed, _, _, _, hit in sorted(ranked, key=lambda each: each[:4]) if missed == least)

    def _places(self, word: str) -> dict[int, tuple[float, str]]:
        """Where a word is: by the place of the entry, the least cost and the field."""
        found: dict[int, tuple[float, str]] = {}
        for other, places in self._words.items():
            step, more = _alike(word, other)
            if step is None:
                continue
            for place, fields in places.items():
                for field in fields:
                    cost = _COSTS[field][step] + more
                    if place not in found or cost < found[place][0]:
                        found[place] = cost, field
        return found


def _alike(word: str, other: str) -> tuple[int | None, float]:
    """0 for equal, 1 for a beginning, 2 for typos, None for unlike; and how much less than best of its kind, below 1/2."""
    if word == other:
        return 0, 0.0
    if len(word) >= _SHORTEST and other.startswith(word):
        return 1, (len(other) - len(word)) / (2 * len(other))
    apart = edits(word, other)
    return (None, 0.0) if apart is None else (2, apart / (2 * max(len(word), len(other))))


def _whole(query: str, entry: Entry) -> float | None:
    """Cost of the query as a name; None where it is none like it."""
    name = query.strip().casefold()
    if name in (entry.name, entry.id):
        return _WHOLE[0]
    step, more = _alike("_".join(_split(name)) if "_" not in name else name, entry.name)
    return None if step is None else _WHOLE[step] + more


def _split(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _texts(entry: Entry) -> dict[str, Iterable[str]]:
    read: Sequence[str] = [text for each in entry.state for text in (each.key, each.keeps)]
    return {
        "name": (entry.name,), "description": (entry.description,), "tags": entry.tags, "owner": ("owner", entry.owner),
        "expression": (entry.expression, *entry.kinds, *entry.sources, *read, entry.entity, entry.unit),
    }  # fmt: skip
