"""Ranked lists keep their bytes: what one version wrote, the next and the one before can read."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.ranking.ranked import FORMAT, RankedList, UnreadableListError, pack, unpack

GOLDEN = Path(__file__).parent.parent / "golden" / "ranked"
LISTED = RankedList(
    member_version=7,
    model_version=3,
    ranked_at=1_700_000_000_123,
    job_ids=["j1", "ü2"],
    scores=[0.75, 0.125],
    p_check=[0.75, None],
    sources=[3, 512],
    degraded="no_model",
    model_name="job_check",
    model_at=1_700_000_000_000,
    feature_set="job_check/1",
    features=np.array([[0.5, -1.0, 3.0], [0.0, 7.25, 1e-9]], "<f4").tobytes(),
    cut=False,
    network_version=4,
    workflow="jobs@1",
    passed_version=9,
)
BEFORE_FEATURES = msgspec.structs.replace(
    LISTED, feature_set="", features=b"", cut=True, network_version=0, workflow="", passed_version=0
)  # version 1
BEFORE_NETWORKS = msgspec.structs.replace(LISTED, network_version=0, workflow="", passed_version=0)  # version 2
BEFORE_WORKFLOWS = msgspec.structs.replace(LISTED, workflow="", passed_version=0)  # version 3
BEFORE_PASSED = msgspec.structs.replace(LISTED, passed_version=0)  # version 4


def test_a_list_has_the_golden_bytes_of_its_version() -> None:
    assert pack(LISTED) == (GOLDEN / "v5.bin").read_bytes()


def test_the_golden_bytes_of_every_version_are_readable() -> None:
    assert [unpack(path.read_bytes()) for path in sorted(GOLDEN.glob("v*.bin"))] == [
        BEFORE_FEATURES,
        BEFORE_NETWORKS,
        BEFORE_WORKFLOWS,
        BEFORE_PASSED,
        LISTED,
    ]


def test_a_list_of_the_next_version_with_one_more_field_is_readable() -> None:
    fields = list(msgspec.structs.astuple(LISTED))
    assert unpack(FORMAT + msgspec.msgpack.encode([*fields, "new"])) == LISTED


def test_a_list_of_the_version_before_has_defaults_for_what_it_lacks() -> None:
    fields = list(msgspec.structs.astuple(LISTED))
    assert unpack(FORMAT + msgspec.msgpack.encode(fields[:-1])) == BEFORE_PASSED
    assert unpack(FORMAT + msgspec.msgpack.encode(fields[:-2])) == BEFORE_WORKFLOWS
    assert unpack(FORMAT + msgspec.msgpack.encode(fields[:-3])) == BEFORE_NETWORKS
    assert unpack(FORMAT + msgspec.msgpack.encode(fields[:-6])) == BEFORE_FEATURES


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x02\x90",
        FORMAT,
        FORMAT + b"\xc1",
        FORMAT + msgspec.msgpack.encode([1, 2, 3, ["a"], [1.0], [None], []]),
        pack(msgspec.structs.replace(LISTED, features=LISTED.features[:-1])),
        pack(msgspec.structs.replace(LISTED, features=LISTED.features[:6])),
        pack(RankedList(features=b"1234")),
    ],
)
def test_other_bytes_are_refused_as_unreadable(value: bytes) -> None:
    with pytest.raises(UnreadableListError):
        unpack(value)


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False), st.none() | st.floats(0, 1), st.integers(0, 65535))))
def test_what_is_packed_comes_back_equal(jobs: list[tuple[str, float, float | None, int]]) -> None:
    listed = RankedList(
        job_ids=[job[0] for job in jobs],
        scores=[job[1] for job in jobs],
        p_check=[job[2] for job in jobs],
        sources=[job[3] for job in jobs],
    )
    assert unpack(pack(listed)) == listed


def test_taking_positions_keeps_the_columns_together() -> None:
    taken = LISTED.take([1])
    assert (taken.job_ids, taken.scores, taken.p_check, taken.sources) == (["ü2"], [0.125], [None], [512])
    assert taken.features == LISTED.features[12:]
    assert taken.member_version == 7


def test_the_head_of_a_list_says_that_more_may_follow() -> None:
    head = LISTED.head(1)
    assert (head.job_ids, head.features, head.cut) == (["j1"], LISTED.features[:12], True)
    assert LISTED.head(2) == LISTED
    assert RankedList(cut=False).head(5) == RankedList(cut=False)
