"""Packed state: the bytes of every version stay readable, and unknown bytes are refused with a reason."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.cells.base import Kept
from streamrec.features.language import actions, count, decay, job
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.ties import ORDERED
from streamrec.features.library import JOB_COUNTS, JOB_TOTALS, MEMBER_COUNTS, POPULARITY
from streamrec.features.state import (
    FORMATS,
    STREAMS,
    JobState,
    MemberState,
    Neighbours,
    Network,
    NetworkAct,
    Recent,
    UnreadableStateError,
    pack,
    unpack,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "state"


def cells(*kept: tuple[Any, list[Any]]) -> dict[str, Any]:
    return {aggregate.state_key: value for aggregate, value in kept}


def job_cells(popularity: tuple[Aggregate, ...]) -> dict[str, Kept]:
    """Those of a job whose popularity is counted like this; that of the golden bytes counts every action."""
    return cells(
        (popularity[0], [0.25, 1_700_000_200_000, 3]), (popularity[1], [1.5, 1_700_000_200_000, 3]),
        (popularity[2], [2.0, 1_700_000_200_000, 3]),
        (JOB_COUNTS[0], [2.0, 1_700_000_200_000, 2]), (JOB_COUNTS[3], [1.0, 1_700_000_100_000, 1]),
        (JOB_TOTALS[0], [1_700_000_200_000, [2]]), (JOB_TOTALS[3], [1_700_000_200_000, [1]]),
    )  # fmt: skip


STATES: dict[str, MemberState | JobState | Neighbours | Network] = {
    "member": MemberState(
        version=7,
        profile=MemberProfile(
            member_id="m1", headline="Nurse", city="Olney", region="MD", desired_titles=("Night Nurse",),
            blocked_companies=("Acme",), open_to_remote=True, updated_at=1_700_000_000_000,
        ),
        recent=[Recent("j2", 1_700_000_200_000, 2), Recent("j1", 1_700_000_100_000, 0)],
        cells=cells(
            (MEMBER_COUNTS[0], [2.0, 1_700_000_200_000, 1]), (MEMBER_COUNTS[2], [0.5, 1_700_000_200_000, 1])
        ),
        first_at=1_700_000_100_000,
        last_at=1_700_000_200_000,
        viewed={"j1": 1_700_000_100_000, "j2": 1_700_000_150_000},
        saved={"j2": 1_700_000_200_000},
        seen=[bytes(range(16))] * STREAMS,
        mark=0xABCDEF,
    ),
    "job": JobState(
        version=3,
        posting=JobPosting(
            job_id="j1", title="Night Nurse", company="Acme", city="Olney", region="MD", remote=False,
            skills=("care",), salary_min=40_000.5, posted_at=1_690_000_000_000, expires_at=1_790_000_000_000,
        ),
        cells=job_cells(tuple(count(actions, by=job, window=decay(half_life)) for half_life in ORDERED)),
        first_at=1_700_000_100_000,
        last_at=1_700_000_200_000,
        touchers=bytes(range(16)),
    ),
    "neighbours": Neighbours(at=1_700_000_100_000, weights={"j2": 1.5, "j3": 0.125}),
    "network": Network(
        version=5, edges={"m2": 1_700_000_000_000, "m3": 1_700_000_100_000}, more=2, companies={"m2": "Acme"},
        acts=[NetworkAct("m2", "j1", 2, 1_700_000_200_000)], parted={"m4": 1_700_000_050_000},
    ),
}  # fmt: skip


def kind(state: MemberState | JobState | Neighbours | Network) -> Any:
    return type(state)


@pytest.mark.parametrize("name", STATES)
def test_the_bytes_of_the_present_format_are_what_they_were(name: str) -> None:
    state = STATES[name]
    stored = (GOLDEN / f"{name}-{FORMATS[type(state)][0]}.bin").read_bytes()
    assert pack(state) == stored
    assert unpack(kind(state), stored) == state


@pytest.mark.parametrize("name", ["member", "job"])
def test_the_bytes_of_format_1_are_read_as_cells(name: str) -> None:
    state = STATES[name]
    unknown: dict[str, Any] = {"mark": 0} if isinstance(state, MemberState) else {"touchers": b""}
    if isinstance(state, JobState):
        unknown["cells"] = job_cells(POPULARITY)
    read = unpack(kind(state), (GOLDEN / f"{name}-1.bin").read_bytes())
    assert read == msgspec.structs.replace(state, **unknown)


def test_what_the_aggregates_of_another_version_keep_is_carried_along() -> None:
    state = MemberState(version=1, cells={"ffffffff": [1.5, {"a": b"x"}]})
    assert unpack(MemberState, pack(state)) == state


@pytest.mark.parametrize("name", STATES)
def test_a_value_of_the_version_before_reads_with_defaults(name: str) -> None:
    state = STATES[name]
    fields = msgspec.msgpack.decode(pack(state)[1:])
    older = unpack(kind(state), FORMATS[type(state)] + msgspec.msgpack.encode(fields[:-1]))
    last = state.__struct_fields__[-1]
    assert getattr(older, last) == getattr(type(state)(), last)
    assert msgspec.structs.replace(older, **{last: getattr(state, last)}) == state


@pytest.mark.parametrize("name", STATES)
def test_a_value_of_the_version_after_reads_without_its_new_fields(name: str) -> None:
    state = STATES[name]
    fields = msgspec.msgpack.decode(pack(state)[1:])
    assert unpack(kind(state), FORMATS[type(state)] + msgspec.msgpack.encode([*fields, {"new": 1}])) == state


def test_nothing_stored_is_a_fresh_state() -> None:
    assert unpack(MemberState, None) == MemberState()


@pytest.mark.parametrize(
    "value",
    [b"", b"\x03\x90", *(form + rest for form in (b"\x01", b"\x02") for rest in (b"", b"\xc1", b"\x91\xa1x", b"\x80"))],
)
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(UnreadableStateError, match="JobState"):
        unpack(JobState, value)
