"""The largest value that a cell can come to keep, whatever the events: what its state may take of Redis is known beforehand."""

from typing import Any, Final

import msgspec

from streamrec.features.cells.always import Always, FirstAt, LatestAt
from streamrec.features.cells.base import Cell, Kept
from streamrec.features.cells.decay import Decay, DecayedCount
from streamrec.features.cells.keyed import Keyed
from streamrec.features.cells.last import LatestDistinct
from streamrec.features.cells.points import Points
from streamrec.features.cells.sliding import Sliding
from streamrec.features.cells.summary import Distinct, Summary
from streamrec.features.cells.top import Top
from streamrec.features.cells.values import MARK_BYTES, TEXT_BYTES

_NUMBER: Final = 2**62  # nine bytes, as a float has
_SKETCH_BYTES: Final = 256  # see `sketch`: about 190
_KEY_BYTES: Final = 9  # the name of a state


def most_bytes(keeps: Cell | Keyed) -> int:
    """Bytes that it can take of a packed state, its name among them.

    Examples
    --------
    >>> from streamrec.features.cells.summary import Count
    >>> most_bytes(Always(Count())), most_bytes(Keyed(Always(Count()), 12)), most_bytes(Top(1000, 86_400_000))
    (29, 3479, 402031)
    """
    return _KEY_BYTES + len(msgspec.msgpack.encode(fullest(keeps)))


def fullest(keeps: Cell | Keyed) -> Kept:  # noqa: PLR0911 - one for each kind
    """A value as large as any that `fold` and `merge` can make.

    Raises
    ------
    TypeError
        Nobody has said what such a cell keeps at most.
    """
    match keeps:
        case Keyed(inner, keep):
            kept = fullest(inner)
            return [{_text(number): [_NUMBER, kept] for number in range(keep)}]
        case Top(k):
            return [_NUMBER, _NUMBER, {_text(number): 0.1 for number in range(k + k // 2)}]
        case LatestDistinct(k):
            return [[_NUMBER, _text(number)] for number in range(k)]
        case Sliding():
            return [_NUMBER, [[_NUMBER, _summary(keeps.of)]] * (keeps.panes + 1)]
        case Points():
            return [[_NUMBER, _ready(keeps.of)]] * keeps.room
        case DecayedCount():
            return [0.1, _NUMBER, _NUMBER]
        case Decay():
            return [_NUMBER, _NUMBER, _summary(keeps.of)]
        case Always():
            return [_NUMBER, _summary(keeps.of)]
        case FirstAt():
            return [_NUMBER, _NUMBER]
        case LatestAt():
            return [_NUMBER]
    raise TypeError(f"{type(keeps).__name__} has to be added here")


def _text(number: int) -> str:
    return f"{number:0{TEXT_BYTES}d}"


def _summary(of: Summary) -> list[Any]:
    return [bytes(_SKETCH_BYTES)] if isinstance(of, Distinct) else [_NUMBER] * len(of.fresh())


def _ready(of: Summary) -> Any:
    return bytes(MARK_BYTES) if isinstance(of, Distinct) else _NUMBER
