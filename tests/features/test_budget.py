"""What features may take of Redis: declared, checked when they are planned, and kept to whatever members send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.features.cells.always import Always, FirstAt, LatestAt
from streamrec.features.cells.base import Cell
from streamrec.features.cells.decay import Decay, DecayedCount
from streamrec.features.cells.fullest import fullest, most_bytes
from streamrec.features.cells.keyed import Keyed
from streamrec.features.cells.last import Last, LatestDistinct
from streamrec.features.cells.session import Session
from streamrec.features.cells.sliding import Sliding
from streamrec.features.cells.summary import SUMMARIES
from streamrec.features.cells.top import Top
from streamrec.features.feeds import State, feed_of
from streamrec.features.language import Feature, count, decay, job, member, views
from streamrec.features.language.declaration import DeclarationError
from streamrec.features.library import PLAN
from streamrec.features.plan import Plan
from streamrec.features.state import JobState, MemberState, pack

HOUR = 3_600_000
START = 1_700_000_000_000
CELLS: list[Cell | Keyed] = [
    DecayedCount(24 * HOUR), FirstAt(), LatestAt(), Top(5, 24 * HOUR), LatestDistinct(6),
    Keyed(DecayedCount(24 * HOUR), 4), Keyed(Sliding(HOUR, SUMMARIES["distinct"], 3), 2),
    *(Always(each) for each in SUMMARIES.values()),
    *(Decay(24 * HOUR, each) for each in SUMMARIES.values() if each.weighted and each.name != "count"),
    *(Sliding(HOUR, each, 4) for each in SUMMARIES.values()),
    *(Last(each, 7) for each in SUMMARIES.values()),
    *(Session(each, HOUR, 5) for each in SUMMARIES.values()),
]  # fmt: skip
VALUES = st.sampled_from(
    ("x" * 256, "x" * 257, "ü" * 128, "ü" * 129, "\U0001f600" * 64, "a", "", 1e18, -1e18, 0.1, 2**53)
)


def size(cell: Cell | Keyed, kept: list[object]) -> int:
    """As it adds to a packed state."""
    return len(pack(MemberState(cells={"0123abcd": kept}))) - len(pack(MemberState()))


@settings(max_examples=25)
@pytest.mark.parametrize("cell", CELLS, ids=str)
@given(st.lists(st.tuples(st.integers(0, 40), VALUES, st.integers(0, 20)), max_size=60))
def test_no_stream_of_events_outgrows_what_a_cell_may_take(
    cell: Cell | Keyed, events: list[tuple[int, str | float, int]]
) -> None:
    kept = cell.fresh()
    for number, (age, value, text) in enumerate(events):
        at = START + number * HOUR // 20 - age * HOUR // 10
        given_value = f"{value}"[: 256 - len(str(text))] + str(text) if isinstance(value, str) and value else value
        if isinstance(cell, Keyed):
            cell.fold(kept, at, str(given_value), value)
        else:
            cell.fold(kept, at, given_value)
        assert size(cell, kept) <= most_bytes(cell) + 2  # the map's own header


def test_the_largest_value_is_one_that_can_be_kept() -> None:
    """The bound is no larger than it must be: what it is made of has the shape of what is kept."""
    for cell in CELLS:
        kept = fullest(cell)
        assert type(kept) is type(cell.fresh())
        assert most_bytes(cell) <= size(cell, kept) <= most_bytes(cell) + 2


@pytest.mark.parametrize("state", PLAN.states.values(), ids=lambda state: str(state.aggregate))
def test_every_shipped_feature_keeps_to_its_budget_whatever_members_send(state: State) -> None:
    owner: MemberState | JobState = MemberState() if state.aggregate.by.place == "member" else JobState()
    feed = feed_of(state)
    for number in range(600):
        at = START + number * 35 * 60_000 + (number % 5) * HOUR
        length, letter = (16_000 if number % 2 else 256), ("ü" if number % 3 else "x")  # many are too long to be kept
        longest = f"{number}".rjust(length, letter)
        said = dict.fromkeys(("profile.region", "profile.industry", "surface", "job_id", "reason"), longest)
        feed(owner.cells, said, at, 1)
    kept = owner.cells[state.key]
    budget = max(PLAN.features[name].budget for name in state.features)
    assert 0 < size(state.keeps, kept) <= most_bytes(state.keeps) + 2
    assert most_bytes(state.keeps) <= budget


def _texts(**more: object) -> Feature:
    seen = count(views, by=(member, views.surface), window=decay("7d"), keep=100)
    return Feature("surfaces", seen, "views by surface", "events", **more)  # type: ignore[arg-type]


def test_a_state_that_could_outgrow_its_budget_is_refused_with_what_to_do() -> None:
    with pytest.raises(DeclarationError, match=r"may take 29,\d+ bytes of each member; its budget is 16,384") as caught:
        Plan([_texts()])
    assert "keep fewer texts" in str(caught.value)
    assert "test_budget.py" in str(caught.value)
    assert Plan([_texts(budget=32_000)]).states
    with pytest.raises(DeclarationError, match="has a budget of 0 bytes"):
        _texts(budget=0)


def test_what_is_shared_has_the_larger_budget() -> None:
    seen = count(views, by=job, window=decay("7d"))
    assert Plan([Feature("one", seen, "views", "events", budget=1), Feature("two", seen, "views", "events")]).states
    with pytest.raises(DeclarationError, match="its budget is 1"):
        Plan([Feature("one", seen, "views", "events", budget=1)])
