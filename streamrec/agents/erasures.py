"""The ledger of erased members, as one slot keeps it: what is older than an erasure is dropped, wherever it comes from.

A tombstone on ``member-profiles`` erases what there is. But events of that member may still be under way in other topics, lie
in dead letters, or be read again in a rebuild. So the owner keeps, for good and by digest, when each member was erased, in the
transaction that erases; and tells it to the compacted topic ``erasures``, since the store may be lost as well.
"""

from collections.abc import Mapping

from streamrec import codecs, metrics
from streamrec.agents.ownership import Hold
from streamrec.events import Erasure, digest_of
from streamrec.kafka.producer import Record
from streamrec.stores.base import PutFields, Write
from streamrec.stores.keys import Keys
from streamrec.topics import ERASURES


class UnreadableLedgerError(ValueError):
    """What is stored of an erasure is no time."""


class Ledger:
    """The erasures of one slot; what `writes` names has to be committed with the state that they erased.

    Examples
    --------
    >>> ledger = Ledger({})
    >>> ledger.add("ann", 100)
    >>> ledger.covers("ann", 100), ledger.covers("ann", 101), ledger.covers("bob", 1)
    (True, False, False)
    """

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self._erased_at = {digest: _time_of(digest, value) for digest, value in stored.items()}
        self._added: dict[str, int] = {}

    def add(self, member_id: str, at: int) -> None:
        """Note that a member is erased as of `at` (ms)."""
        digest = digest_of(member_id)
        at = max(at, self._erased_at.get(digest, 0))
        self._erased_at[digest] = self._added[digest] = at

    def covers(self, member_id: str, at: int) -> bool:
        """Whether something that the member did at `at` (ms) is to be forgotten."""
        return bool(self._erased_at) and at <= self._erased_at.get(digest_of(member_id), -1)

    def records(self) -> list[Record]:
        """What to produce of this turn, before its commit."""
        return [
            Record(topic=ERASURES, key=digest.encode(), value=codecs.encode(Erasure(digest=digest, erased_at=at)))
            for digest, at in self._added.items()
        ]

    def writes(self, key: str) -> list[Write]:
        """What to commit of this turn."""
        return [PutFields(key, {digest: str(at).encode() for digest, at in self._added.items()})] if self._added else []

    def committed(self) -> None:
        """What `writes` named is in the store now."""
        metrics.MEMBERS_ERASED.inc(len(self._added))
        self._added.clear()


def _time_of(digest: str, value: bytes) -> int:
    if not (value.isdigit() and len(value) < 19):
        raise UnreadableLedgerError(f"the time of the erasure {digest} is {value!r:.100}")
    return int(value)


class Erasures:
    """The ledgers of all member slots that this process holds."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._ledgers: dict[str, tuple[Hold, Ledger]] = {}

    async def of(self, hold: Hold) -> Ledger:
        """The ledger of a hold. Raises StoreUnavailableError, FencedError."""
        known = self._ledgers.get(hold.name)
        if known is None or known[0] is not hold:
            known = self._ledgers[hold.name] = hold, Ledger(await hold.slot.fields(self._keys.erased(hold.name)))
        return known[1]

    def forget(self, hold: Hold) -> None:
        """What is in the process may not be what is in the store: `of` will read anew. Called after any failure."""
        self._ledgers.pop(hold.name, None)
