"""Roll-ups: always what adding up all jobs anew gives, however jobs and their codes change."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.features.cells.make import make
from streamrec.features.cells.window import always, decay
from streamrec.features.columns import CODED
from streamrec.features.language import company, count, mean, posting, total, views
from streamrec.features.language import decay as decays
from streamrec.features.rollups import Rollup

T, DAY, MISSING = 1_750_000_000_000, 86_400_000, -77.0
BIG = 2**31 - 1
KEYS = (
    (),
    ("posting.company",),
    ("posting.company", "posting.region"),
    ("posting.company", "posting.region", "posting.city"),
)
AGGREGATES = (
    ("count", always),
    ("count", decay("7d")),
    ("total", always),
    ("mean", decay("30d")),
    ("variance", always),
)

codes = st.tuples(*[st.sampled_from([0, 1, 2, BIG])] * 3, *[st.just(0)] * 3)
events = st.lists(st.tuples(st.integers(0, 100), st.sampled_from([1.0, 2.5, -4.0])), max_size=3)
texts = st.dictionaries(st.sampled_from(["", "md"]), events, max_size=2)


@pytest.mark.parametrize("fields", KEYS)
@pytest.mark.parametrize(("aggregate", "window"), AGGREGATES)
@settings(max_examples=20)
@given(steps=st.lists(st.tuples(st.integers(0, 3), codes, texts), max_size=8))
def test_what_is_added_up_is_the_sum_of_what_there_is(fields: Any, aggregate: str, window: Any, steps: Any) -> None:
    cell = make(aggregate, window)
    small_codes = [(row, tuple(min(code, 999) for code in of), kept) for row, of, kept in steps]
    rollup = Rollup(cell, fields)
    jobs: dict[int, Any] = {row: ((0,) * 6, {}) for row in range(4)}
    for row, new, said in small_codes if fields == KEYS[1] else steps:  # of one field codes are small and dense
        before, kept_before = jobs[row]
        kept: dict[str, tuple[float, ...]] = {}
        for text, happened in said.items():
            state = cell.fresh()
            for days, value in happened:
                cell.fold(state, T + days * DAY, value)
            kept[text] = cell.columns(state)
        rollup.move(before, new, kept_before)
        rollup.change(new, kept_before, kept)
        jobs[row] = (new, kept)
    columns = [CODED.index(field.removeprefix("posting.")) for field in fields]
    asked = np.array([*(of for of, _ in jobs.values()), (0,) * 6, (3,) * 6], np.int32)
    now = T + 120 * DAY
    for text in ("", "md", "nowhere"):
        found = rollup.read(text, asked, now)
        for value, of in zip(found.tolist(), asked.tolist(), strict=True):
            place = [of[column] for column in columns]
            if not all(place):
                assert np.isnan(value)
                continue
            inside = [
                kept[text] for other, kept in jobs.values() if [other[c] for c in columns] == place and text in kept
            ]
            sums = cell.linear(np.array([cell.blank(), *inside], np.float64)).sum(axis=0, keepdims=True)
            assert value == pytest.approx(cell.read_linear(sums, now)[0], rel=1e-9, abs=1e-9, nan_ok=True)
    for row, (of, kept) in jobs.items():
        rollup.move(of, (0,) * 6, kept)
        rollup.change((0,) * 6, kept, {})
        jobs[row] = ((0,) * 6, {})
    if fields:
        assert rollup._sums == {}  # nothing is left, not even rounding
        assert (rollup._by_code == rollup._by_code[0]).all()


def test_a_job_that_changes_its_company_takes_its_counts_along(small: Any) -> None:
    site = small(
        count=count(views, by=company), decayed=count(views, by=company, window=decays("7d")),
        total=total(views.dwell_ms, by=(company, posting.region)), mean=mean(views.dwell_ms, by=company),
    )  # fmt: skip
    table = site.table()

    def put(job_id: str) -> None:
        table.upsert(job_id, site.jobs[job_id])

    site.view("a", T, dwell_ms=10)  # before any posting
    put("a")
    for job_id, name in (("a", "Acme"), ("b", "ACME "), ("c", "Other")):
        site.post(job_id, company=name, region="MD")
        put(job_id)
    for job_id, dwell in (("a", 20), ("b", 60), ("c", 1)):
        site.view(job_id, T, dwell_ms=dwell)
        put(job_id)

    def found() -> dict[str, list[float]]:
        site.table = lambda: table
        return site.read("a", "b", "c", "unknown")  # type: ignore[no-any-return]

    assert found() == {
        "count": [3, 3, 1, MISSING], "decayed": [3, 3, 1, MISSING], "total": [90, 90, 1, MISSING],
        "mean": [30, 30, 1, MISSING],
    }  # fmt: skip
    site.post("a", company="other", region="VA")
    put("a")
    assert found() == {
        "count": [3, 1, 3, MISSING], "decayed": [3, 1, 3, MISSING], "total": [30, 60, 1, MISSING],
        "mean": [pytest.approx(31 / 3), 60, pytest.approx(31 / 3), MISSING],
    }  # fmt: skip
    table.remove("a")
    assert found()["count"] == [MISSING, 1, 1, MISSING]
