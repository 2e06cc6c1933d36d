"""The network agent: what connections did, as their owners tell it, becomes the networks of this partition's members.

It writes keys of member slots, under the same hold as the member agent: their batches take turns. It works for half of the
time at the most, so that however much is told, what members do themselves comes first.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from streamrec import codecs, metrics
from streamrec.agents.base import OwnerAgent
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.derived import NetworkBuffer, fresh_entries, generation_of
from streamrec.agents.erasures import Erasures
from streamrec.agents.faults import FAULTS
from streamrec.agents.kept import Wanted
from streamrec.agents.ownership import Hold, state_delete, state_write
from streamrec.agents.transport import Batch
from streamrec.agents.transport import Record as Consumed
from streamrec.codecs.entries import MAX_TOLD
from streamrec.events import MemberActivity, NetworkEntry, Rejected
from streamrec.features.network import fold_told, gone
from streamrec.features.state import MemberState, Network, unpack
from streamrec.kafka.producer import Producer, Record
from streamrec.settings import Settings
from streamrec.stores.base import Write
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Mark
from streamrec.topics import MEMBER_ACTIVITY, Topic

_Told = tuple[int, int, NetworkEntry]  # offset of the record, place in it, and what is told


class NetworkAgent(OwnerAgent):
    """Reads ``member-activity``; `on_change` is told the members whose networks have just been committed."""

    topics: ClassVar[tuple[str, ...]] = (MEMBER_ACTIVITY,)
    share: ClassVar[float] = 0.5
    pause_s: ClassVar[float] = 0.1  # a network is large, and changes with all that each connection does

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, Topic],
        keys: Keys,
        producer: Producer,
        on_change: Callable[[list[str]], None],
        erasures: Erasures,
    ) -> None:
        super().__init__()
        self._settings, self._specs, self._keys = settings, topics, keys
        self._producer, self._on_change, self._erasures = producer, on_change, erasures

    async def handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        """Decode, fold, derive, produce, commit; see `OwnerAgent`."""
        [batch] = batches  # there is one topic
        topic, partition, records = batch.topic, batch.partition, batch.records
        told, marks, outgoing = self._decode(hold, topic, partition, records)
        members = list(dict.fromkeys(member for _, _, entry in told for member in entry.told))
        # Of those alone who tell in return where they work: a state is large, and most of what is told are deeds.
        greeted = list(dict.fromkeys(
            member for _, _, entry in told if entry.kind == "edge" and entry.connected for member in entry.told
        ))  # fmt: skip
        found = await hold.read([
            *(Wanted(self._keys.network(member), network_of) for member in members),
            *(Wanted(self._keys.member(member), state_of) for member in greeted),
        ])  # fmt: skip
        networks: dict[str, Network] = dict(zip(members, found, strict=False))
        profiles = {member: state.profile for member, state in zip(greeted, found[len(members) :], strict=True)}
        ledger = await self._erasures.of(hold)
        before = {member: network.version for member, network in networks.items()}
        buffer = NetworkBuffer(
            topic, hold.topic_ids[topic], partition, self._settings.partitions, self._keys.generation
        )
        for offset, place, entry in told:
            for number, member in enumerate(entry.told):
                profile = profiles.get(member)
                if ledger.covers(member, entry.occurred_at):
                    notes = gone(member, entry)
                else:
                    notes = fold_told(networks[member], member, profile.company if profile else None, entry)
                buffer.add(offset, notes, _index(place, number, self._settings.partitions))
        outgoing += buffer.records()
        FAULTS.reach("before-produce", topic)
        await self._producer.send_all(outgoing, self._settings.produce_timeout_s)
        FAULTS.reach("before-commit", topic)
        changed = [member for member in members if networks[member].version != before[member]]
        writes = [network_write(hold, self._keys, member, networks[member]) for member in changed]
        await hold.commit(writes, {topic: batch.next_offset}, marks)
        FAULTS.reach("after-commit", topic)
        self._on_change(changed)

    def _decode(
        self, hold: Hold, topic: str, partition: int, records: Sequence[Consumed]
    ) -> tuple[list[_Told], dict[str, Mark], list[Record]]:
        """What is new in the records, the marks that go with it, and dead letters for what cannot be read."""
        told: list[_Told] = []
        marks: dict[str, Mark] = {}
        letters: list[Record] = []
        for record in records:
            if generation_of(record) != self._keys.generation:
                metrics.SKIPPED.labels(topic).inc()  # of a state that is not ours: our own workers derive it anew
                continue
            now_ms = time.time_ns() // 1_000_000
            decoded = codecs.decode_record(
                self._specs[topic].schema, record.key, record.value, now_ms, self._settings.clock_skew_ms
            )
            if isinstance(decoded, Rejected):
                letters.append(dead_letter(topic, hold.topic_ids[topic], partition, record, decoded, now_ms))
            elif isinstance(decoded, MemberActivity):
                places = {(entry.offset, entry.index): place for place, entry in enumerate(decoded.entries)}
                told += [
                    (record.offset, places[entry.offset, entry.index], entry)
                    for entry in fresh_entries(hold.marks, marks, decoded)
                ]
        return told, marks, letters


network_of = partial(unpack, Network)
state_of = partial(unpack, MemberState)


def network_write(hold: Hold, keys: Keys, member: str, network: Network) -> Write:
    """What to commit of a network: one of which nothing is known leaves nothing behind."""
    empty = not (network.edges or network.more or network.parted)
    return state_delete(hold, keys.network(member)) if empty else state_write(hold, keys.network(member), network)


_NOTES: Final = 2  # that one of them tells in return, at most


def _index(place: int, number: int, partitions: int) -> int:
    """Index of the first note that the `number`-th member told by the entry at `place` of its record tells in return."""
    return (place * MAX_TOLD + number) * _NOTES * partitions
