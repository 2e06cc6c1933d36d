"""One constructor for all combinations, and what it says where there is none."""

import re

import pytest

from streamrec.features.cells.make import make
from streamrec.features.cells.window import Window, always, decay, last, session, sliding
from tests.features.cells.oracle import CELLS

WINDOWS = [decay("7d"), sliding("1h"), last(20), session("30m"), always]
KINDS_OF = {
    "count": "decay sliding last session always", "total": "decay sliding last session always",
    "mean": "decay sliding last session always", "variance": "decay sliding last session always",
    "least": "sliding last session always", "most": "sliding last session always",
    "distinct": "sliding last session always", "texts": "last", "top 20": "decay", "first_at": "always", "latest_at": "always",
}  # fmt: skip
COMBINATIONS = [
    (aggregate, window, window.kind in kinds.split()) for aggregate, kinds in KINDS_OF.items() for window in WINDOWS
]


@pytest.mark.parametrize(
    ("aggregate", "window"), [(aggregate, window) for aggregate, window, is_made in COMBINATIONS if is_made]
)
def test_a_cell_is_named_as_it_was_made(aggregate: str, window: Window) -> None:
    cell = make(aggregate, window)
    assert (cell.aggregate, cell.window) == (aggregate, window)
    assert str(cell) == f"{aggregate} over {window}"


@pytest.mark.parametrize(
    ("aggregate", "window"), [(aggregate, window) for aggregate, window, is_made in COMBINATIONS if not is_made]
)
def test_other_combinations_are_refused_with_a_remedy_that_works(aggregate: str, window: Window) -> None:
    with pytest.raises(ValueError, match=re.escape(f"there is no {aggregate} over {window}: use ")) as refused:
        make(aggregate, window)
    remedies = re.findall(r"\b(decay|sliding|last|always)\b", str(refused.value).partition(": use")[2])
    assert remedies
    for other in WINDOWS:
        if other.kind in remedies:
            assert make(aggregate, other).window == other


def test_the_suite_has_every_combination() -> None:
    made = {(cell.aggregate.split()[0], cell.window.kind) for cell in CELLS}
    assert made == {(aggregate.split()[0], window.kind) for aggregate, window, is_made in COMBINATIONS if is_made}


@pytest.mark.parametrize("aggregate", ["", "sum", "Count", "top", "top 0", "top 1.5", "summary"])
def test_an_unknown_aggregate_is_answered_with_the_known_ones(aggregate: str) -> None:
    with pytest.raises(ValueError, match=f"no aggregate '{aggregate}': choose one of count, total, .*, texts, top 20"):
        make(aggregate, always)


def test_a_canonical_text() -> None:
    assert str(make("count", decay("168h"))) == "count over decay(7d)"
    assert make("count", decay("168h")) == make("count", decay("7d"))
