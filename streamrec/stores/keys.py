"""Every key in the store is built here. ``{…}`` is the hash tag: the slot that owns the key.

State may be built anew beside the one in use (`streamrec.building`): each such *generation* has keys of its own, by a suffix
of the namespace, and `current_key` says which generation counts. The first one of an installation has no suffix.
"""

from typing import Final

import msgspec

from streamrec.partitioner import partition_of

MODEL_SLOT: Final = "model"


def current_key(namespace: str) -> str:
    """Packed `stores.generations.Generation` that counts; absent while it is the first one."""
    return f"{namespace}:generation"


def building_key(namespace: str) -> str:
    """Who builds a generation now: set with a time to live, so that two do not build at the same time."""
    return f"{namespace}:building"


def written_key(namespace: str) -> str:
    """Id of a generation that is being written: what is left of it after a crash can be removed."""
    return f"{namespace}:written"


class Keys(msgspec.Struct, frozen=True):
    """Keys of one generation of one installation.

    Attributes
    ----------
    namespace
        Keeps several installations apart in one Redis.
    partitions
        Of the member topics.
    generation
        Id of the generation; empty for the first one.

    Examples
    --------
    >>> keys = Keys("sr", 4)
    >>> keys.member("21"), keys.positions("m0"), keys.job("21")
    ('sr:{m0}:member:21', 'sr:{m0}:positions', 'sr:{j0}:job:21')
    >>> Keys("sr", 4, "1-c0ffee").member("21")
    'sr.1-c0ffee:{m0}:member:21'
    """

    namespace: str
    partitions: int
    generation: str = ""

    @property
    def prefix(self) -> str:
        """What all keys of this generation begin with, before a colon."""
        return f"{self.namespace}.{self.generation}" if self.generation else self.namespace

    def member_slot(self, member_id: str) -> str:
        """Slot of the member partition that `member_id` hashes to."""
        return f"m{partition_of(member_id, self.partitions)}"

    def job_slot(self, job_id: str) -> str:
        """Slot of the job partition that `job_id` hashes to."""
        return f"j{partition_of(job_id, self.partitions)}"

    def member(self, member_id: str) -> str:
        """Packed `MemberState`."""
        return f"{self.prefix}:{{{self.member_slot(member_id)}}}:member:{member_id}"

    def network(self, member_id: str) -> str:
        """Packed `Network`: the member's connections, and what they did."""
        return f"{self.prefix}:{{{self.member_slot(member_id)}}}:network:{member_id}"

    def ranked(self, member_id: str) -> str:
        """Packed `RankedList`: a cache, outside the promises of state."""
        return f"{self.prefix}:{{{self.member_slot(member_id)}}}:ranked:{member_id}"

    def asked(self, member_id: str) -> str:
        """Set, with a time to live, by the lookup when somebody asks for this member's list."""
        return f"{self.prefix}:{{{self.member_slot(member_id)}}}:asked:{member_id}"

    def shown(self, member_id: str) -> str:
        """Packed `models.shown.Shown`: what the member was shown lately, and what is learned of it."""
        return f"{self.prefix}:{{{self.member_slot(member_id)}}}:shown:{member_id}"

    def passed(self, member_id: str) -> str:
        """Packed `models.passed.Passed`: jobs that the member was shown and did not check."""
        return f"{self.prefix}:{{{self.member_slot(member_id)}}}:passed:{member_id}"

    def due(self, slot: str) -> str:
        """Hash of a member slot: bucket of offsets -> packed list of the impressions that are not closed yet."""
        return f"{self.prefix}:{{{slot}}}:due"

    def erased(self, slot: str) -> str:
        """Hash of a member slot: digest of a member -> when it was erased (ms)."""
        return f"{self.prefix}:{{{slot}}}:erased"

    def outbox(self, slot: str) -> str:
        """Packed list of the labels of the last transaction: they are produced after it, by whoever owns the slot."""
        return f"{self.prefix}:{{{slot}}}:outbox"

    def job(self, job_id: str) -> str:
        """Packed `JobState`."""
        return f"{self.prefix}:{{{self.job_slot(job_id)}}}:job:{job_id}"

    def neighbours(self, job_id: str) -> str:
        """Packed `Neighbours`."""
        return f"{self.prefix}:{{{self.job_slot(job_id)}}}:neighbours:{job_id}"

    def jobs_pattern(self) -> str:
        """Glob that matches every `job` key."""
        return f"{self.prefix}:{{j*}}:job:*"

    def job_id(self, key: str) -> str | None:
        """Job id in a key that matched `jobs_pattern`; None for another key that only looks alike.

        Examples
        --------
        >>> keys = Keys("sr", 4)
        >>> keys.job_id(keys.job("a:job:b")), keys.job_id(keys.neighbours("}:job:x"))
        ('a:job:b', None)
        """
        return self._id_in(key, "job")

    def members_pattern(self) -> str:
        """Glob that matches every `member` key."""
        return f"{self.prefix}:{{m*}}:member:*"

    def member_id(self, key: str) -> str | None:
        """Member id in a key that matched `members_pattern`; None for another key that only looks alike.

        Examples
        --------
        >>> keys = Keys("sr", 4)
        >>> keys.member_id(keys.member("a:b")), keys.member_id(keys.ranked("}:member:x"))
        ('a:b', None)
        """
        return self._id_in(key, "member")

    def _id_in(self, key: str, kind: str) -> str | None:
        slot, found, identity = key.removeprefix(f"{self.prefix}:{{{kind[0]}").partition(f"}}:{kind}:")
        return identity if found and slot.isdigit() else None

    def job_slots(self) -> list[str]:
        """Slots of all job partitions."""
        return [f"j{number}" for number in range(self.partitions)]

    def changes(self, slot: str) -> str:
        """Stream of a job slot: one entry a transaction, the MessagePack list of the job ids that it changed.

        Of the model's slot: one entry a snapshot, its version.
        """
        return f"{self.prefix}:{{{slot}}}:changes"

    def positions(self, slot: str) -> str:
        """Hash of a slot: input topic -> packed `Position` (next offset and topic id)."""
        return f"{self.prefix}:{{{slot}}}:positions"

    def marks(self, slot: str) -> str:
        """Hash of a slot: source of derived entries -> packed high-water mark."""
        return f"{self.prefix}:{{{slot}}}:marks"

    def redriven(self, slot: str, identity: str) -> str:
        """Set, with a time to live, by the owner of a slot that has applied the redriven record of this identity."""
        return f"{self.prefix}:{{{slot}}}:redriven:{identity}"

    def epoch(self, slot: str) -> str:
        """Counter of a slot's owners."""
        return f"{self.prefix}:{{{slot}}}:epoch"

    def model(self, name: str) -> str:
        """Packed snapshot of a model: weights, optimizer state and the position learned up to."""
        return f"{self.prefix}:{{{MODEL_SLOT}}}:model:{name}"

    def feature_set(self, name: str) -> str:
        """The columns of a set of features that some process computes: see `models.registered`."""
        return f"{self.prefix}:{{{MODEL_SLOT}}}:features:{name}"

    def model_version(self, name: str) -> str:
        """Version of the snapshot under `model`: cheap to poll."""
        return f"{self.prefix}:{{{MODEL_SLOT}}}:version:{name}"
