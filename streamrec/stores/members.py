"""What is stored of members, and what their recent jobs are tied to: unpacked, and passed over where it cannot be."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from streamrec.features.state import MemberState, Neighbours, Network, State, UnreadableStateError, unpack
from streamrec.metrics import UNREADABLE
from streamrec.models.passed import Passed, UnreadablePassedError
from streamrec.models.passed import unpack as unpack_passed
from streamrec.ranking.engine import recent_ids
from streamrec.ranking.ranked import RankedList, UnreadableListError
from streamrec.ranking.ranked import unpack as unpack_list
from streamrec.stores.base import Store
from streamrec.stores.inputs import Glance, Inputs, glance
from streamrec.stores.keys import Keys
from streamrec.stores.together import Together

UNREADABLE_STATE: Final = "unreadable_state"

_log = logging.getLogger(__name__)


def _keys_of(keys: Keys) -> tuple[Callable[[str], str], ...]:
    """What is read of a member at once."""
    return keys.member, keys.ranked, keys.network, keys.passed


class MemberReader:
    """Reads members; what is unreadable is counted, said once, and taken for nothing.

    Parameters
    ----------
    store
        Where state lives.
    keys
        The installation's keys.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self.store = store
        self._together = Together(store)
        self._complained: set[str] = set()
        self.move(keys)

    def move(self, keys: Keys) -> None:
        """Read by these keys from now on."""
        self.keys = keys
        self._member_keys = _keys_of(keys)

    async def stored(self, member_id: str) -> Inputs:
        """`inputs` without `neighbours`, in one round trip: all that it takes to serve a list that was kept.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.
        """
        return self.opened(await self._values(member_id))

    async def glance(self, member_id: str) -> Glance | Inputs:
        """The same, where a list was kept unpacked only as far as that needs; `opened` unpacks the rest. Raises as `stored`."""
        values = await self._values(member_id)
        return glance(values) or self.opened(values)

    def opened(self, values: Sequence[bytes | None]) -> Inputs:
        """What is stored of a member, unpacked."""
        found, *rest = values
        return self._inputs(self._state(MemberState, found), {}, *rest)

    async def _values(self, member_id: str) -> list[bytes | None]:
        return await self._together.get([key(member_id) for key in self._member_keys])

    async def inputs(self, member_id: str) -> Inputs:
        """What a ranking for `member_id` needs, in two round trips; one for a member without recent jobs.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.
        """
        return (await self.inputs_many([member_id]))[member_id]

    async def inputs_many(self, member_ids: Sequence[str]) -> dict[str, Inputs]:
        """`inputs` of several members, in two round trips for all of them.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.
        """
        members = list(dict.fromkeys(member_ids))
        if not members:
            return {}
        values = await self.store.get([key(member) for member in members for key in self._member_keys])
        width = len(self._member_keys)
        states = [self._state(MemberState, value) for value in values[::width]]
        recent = [recent_ids(state) if state else [] for state in states]
        rows = await self.neighbours([job_id for job_ids in recent for job_id in job_ids])
        return {
            member: self._inputs(
                state,
                {job_id: rows[job_id] for job_id in job_ids if job_id in rows},
                *values[place * width + 1 : (place + 1) * width],
            )
            for place, (member, state, job_ids) in enumerate(zip(members, states, recent, strict=True))
        }

    def _inputs(
        self,
        state: MemberState | None,
        neighbours: dict[str, Neighbours],
        listed: bytes | None,
        tied: bytes | None,
        passed: bytes | None,
    ) -> Inputs:
        return Inputs(
            state or MemberState(), neighbours, self._list(listed), None if state else UNREADABLE_STATE,
            self._state(Network, tied) or Network(), self._passed(passed),
        )  # fmt: skip

    async def neighbours(self, job_ids: Iterable[str]) -> dict[str, Neighbours]:
        """Co-visitation rows of these jobs, in one round trip; jobs without a (readable) row are left out.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.
        """
        distinct = list(dict.fromkeys(job_ids))
        if not distinct:
            return {}
        values = await self._together.get([self.keys.neighbours(job_id) for job_id in distinct])
        rows = (
            (job_id, self._state(Neighbours, value)) for job_id, value in zip(distinct, values, strict=True) if value
        )
        return {job_id: row for job_id, row in rows if row is not None}

    def _state(self, kind: type[State], value: bytes | None) -> State | None:
        try:
            return unpack(kind, value)
        except UnreadableStateError as error:
            self._unreadable(kind.__name__, error)
            return None

    def _list(self, value: bytes | None) -> RankedList | None:
        try:
            return None if value is None else unpack_list(value)
        except UnreadableListError as error:
            self._unreadable("RankedList", error)
            return None

    def _passed(self, value: bytes | None) -> Passed:
        try:
            return unpack_passed(value)
        except UnreadablePassedError as error:
            self._unreadable("Passed", error)
            return Passed()

    def _unreadable(self, kind: str, why: object) -> None:
        UNREADABLE.labels(kind).inc()
        self._complain(kind, f"a stored {kind} is unreadable, and is passed over: {why}")

    def _complain(self, about: str, message: str) -> None:
        """Log once until the trouble is over: a poll repeats it several times a second."""
        if about not in self._complained:
            self._complained.add(about)
            _log.warning(message)
