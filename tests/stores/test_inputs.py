"""What a glance at a member says is what unpacking it all does."""

import msgspec
import pytest

from streamrec.events import MemberProfile
from streamrec.features import state
from streamrec.features.state import MemberState, Network, NetworkAct, Recent
from streamrec.models import passed
from streamrec.models.passed import Passed, Showings
from streamrec.ranking import ranked
from streamrec.ranking.ranked import RankedList
from streamrec.stores.inputs import glance

MEMBER = MemberState(
    version=7,
    profile=MemberProfile(member_id="m", blocked_companies=("Acme",), salary_floor=9.0, currency="EUR", updated_at=5),
    recent=[Recent("j1", 3, 0)],
    cells={"a": [1.0, 2, 3]},
    first_at=3,
    last_at=9,
    viewed={"j1": 3},
    mark=4,
)
NETWORK = Network(version=3, edges={"bob": 5}, acts=[NetworkAct("bob", "j2", 1, 6)])
LISTED = RankedList(member_version=7, job_ids=["j2"], scores=[0.5], p_check=[0.2], sources=[1], features=b"\x00" * 8)
SHOWN = Passed(3, {"j2": Showings(1.0, 4)})
VALUES = [state.pack(MEMBER), ranked.pack(LISTED), state.pack(NETWORK), passed.pack(SHOWN)]


def test_it_says_what_unpacking_all_of_it_says() -> None:
    found = glance(VALUES)
    assert found is not None
    for name in ("version", "profile", "first_at", "last_at"):
        assert getattr(found.state, name) == getattr(MEMBER, name)
    assert (found.ranked, found.network.version, found.passed, found.values) == (LISTED, 3, SHOWN, VALUES)


def test_what_is_not_there_is_as_new() -> None:
    found = glance([*VALUES[:2], None, None])
    assert found is not None
    assert (found.network.version, found.passed) == (0, Passed())


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [b"", b"\x09\x90", b"\x01", b"\x02\xc1"])
def test_whatever_asks_for_a_closer_look_is_left_to_it(place: int, value: bytes) -> None:
    assert glance([*VALUES[:place], value, *VALUES[place + 1 :]]) is None


@pytest.mark.parametrize("place", [0, 1])
def test_without_a_state_or_a_list_there_is_nothing_to_serve(place: int) -> None:
    assert glance([*VALUES[:place], None, *VALUES[place + 1 :]]) is None


def test_a_field_that_a_later_version_appends_is_passed_over() -> None:
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(VALUES[0][1:]), "new"])
    found = glance([VALUES[0][:1] + longer, *VALUES[1:]])
    assert found is not None
    assert found.state.version == 7
