"""Dead letters that came back: each counts once, however often it is sent.

Whoever redrives a letter may die between sending it and noting that it was sent; then it is sent again. Duplicates are known
by event id only among a member's last 64 events, and postings have no event id at all. So the owner keeps the origin of every
redriven record that it has applied, in the very transaction that applies it, and drops a second one.

An origin is a key of its own that expires: few records are ever redriven, one read asks for those of a batch only, and no
process has to sweep. It is kept for twice the retention of ``dead-letters``: a letter can be sent again while it is there, and
what was sent may wait to be read as long again. Records without the header cost one look at their headers.
"""

from collections.abc import Sequence
from typing import Final

from streamrec import metrics
from streamrec.agents.ownership import Hold
from streamrec.agents.transport import Record as Consumed
from streamrec.codecs import redriven
from streamrec.stores.base import Put, Write
from streamrec.stores.keys import Keys
from streamrec.topics import DEAD_LETTERS, load

_RETENTION_MS: Final = load()[DEAD_LETTERS].retention_ms
KEPT_S: Final = 2 * _RETENTION_MS // 1000 if _RETENTION_MS > 0 else None


class Arrivals:
    """The redriven records of one batch; `arrivals` makes them.

    Parameters
    ----------
    topic
        Theirs.
    identities
        By offset, of the redriven ones alone.
    applied
        Those of them that the state holds.
    """

    def __init__(self, topic: str, identities: dict[int, str], applied: set[str]) -> None:
        self._topic, self._identities, self._applied = topic, identities, applied
        self._taken: dict[str, int] = {}  # identity -> offset
        self._dropped = 0

    def first(self, offset: int) -> bool:
        """Whether the record at `offset` is to be applied. Ask once for each record that can be used."""
        identity = self._identities.get(offset)
        if identity is None:
            return True
        if identity in self._applied or identity in self._taken:
            self._dropped += 1
            return False
        self._taken[identity] = offset
        return True

    def writes(self, keys: Keys, slot: str) -> list[Write]:
        """What to commit together with the state. The value is for people: the offset that was applied."""
        return [
            Put(keys.redriven(slot, identity), str(offset).encode(), KEPT_S) for identity, offset in self._taken.items()
        ]

    def committed(self) -> None:
        """What `writes` named is in the store now."""
        if self._identities:
            metrics.REDRIVEN.labels(self._topic, "accepted").inc(len(self._taken))
            metrics.REDRIVEN.labels(self._topic, "duplicate").inc(self._dropped)


async def arrivals(hold: Hold, keys: Keys, topic: str, records: Sequence[Consumed]) -> Arrivals:
    """Find the redriven ones among `records`, and ask the store which of them it holds; most batches have none.

    Raises StoreUnavailableError, FencedError.
    """
    identities = {
        record.offset: found.origin.identity
        for record in records
        if record.headers and (found := redriven(topic, record.headers)) is not None
    }
    if not identities:
        return Arrivals(topic, identities, set())
    names = list(dict.fromkeys(identities.values()))
    values = await hold.slot.read([keys.redriven(hold.name, name) for name in names])
    return Arrivals(topic, identities, {name for name, value in zip(names, values, strict=True) if value is not None})
