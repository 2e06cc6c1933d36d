"""The popular list is the same as the one that counting and sorting afresh for each member gives."""

from collections import Counter

import numpy as np

from streamrec.simulator.popularity import Popularity

JOBS, PAGE = 40, 6


def test_it_is_the_most_checked_open_jobs_that_the_member_has_not_checked() -> None:
    draw = np.random.default_rng(3)
    popularity = Popularity(clock=iter(range(1000)).__next__)  # each question comes a second later
    closes_at = draw.integers(50, 150, size=JOBS)
    checks: list[tuple[int, int]] = []
    for _ in range(30):
        members, rows = draw.integers(8, size=12), (JOBS * draw.random(12) ** 2).astype(np.int64)
        popularity.note(members, rows)
        checks += zip(members.tolist(), rows.tolist(), strict=True)
        asking, pages = draw.integers(8, size=5), draw.integers(3, size=5)
        found = popularity.lists(asking, pages, closes_at, at=100, size=PAGE)
        counts = Counter(row for _, row in checks)
        for member, page, rows_found in zip(asking.tolist(), pages.tolist(), found.tolist(), strict=True):
            mine = {row for who, row in checks if who == member}
            allowed = [row for row in range(JOBS) if closes_at[row] > 100 and row not in mine]
            best = sorted(allowed, key=lambda row: (-counts[row], row))[PAGE * page : PAGE * (page + 1)]
            assert rows_found == best + [-1] * (PAGE - len(best))


def test_jobs_are_sorted_anew_only_now_and_then() -> None:
    times = [0.0]
    popularity = Popularity(clock=lambda: times[0])
    closes_at = np.full(3, 9)

    def first() -> int:
        return int(popularity.lists(np.array([1]), np.array([0]), closes_at, at=0, size=1)[0, 0])

    assert first() == 0
    popularity.note(np.array([5]), np.array([2]))
    assert first() == 0
    times[0] = 1.0
    assert first() == 2
