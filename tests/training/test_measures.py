"""Metrics by their formulas, cells by counting, intervals by what they must cover."""

import math

import numpy as np
import pytest

from streamrec.training.measures import METRICS, TENTHS, measure, metrics_of, over_time
from streamrec.training.segments import PARTS, SEGMENTS, Query


@pytest.mark.parametrize("rank", [0, 1, 2, 9, 10, 11, 49, 50, 51, 1000])
def test_metrics_are_what_they_are_called(rank: int) -> None:
    hit = 1 <= rank <= 10
    expected = [hit, hit and 1 / math.log2(rank + 1), 1 <= rank <= 50 and 1 / rank, 1 <= rank <= 50]
    assert metrics_of(np.array([rank]))[0].tolist() == pytest.approx(list(map(float, expected)))


def test_cells_are_means_over_their_queries() -> None:
    queries = [
        Query(event=0, member=0, warm_item=False, earlier=0),
        Query(event=4, member=1, warm_item=True, earlier=0),
        Query(event=5, member=0, warm_item=True, earlier=3),
        Query(event=9, member=0, warm_item=True, earlier=3),
    ]
    found = measure(queries, {"a": [0, 1, 20, 2], "b": [1, 0, 0, 0]}, events=10)
    assert set(found) == {"a", "b"}
    assert {(segment, part): found["a"][segment][part]["queries"] for segment in SEGMENTS for part in PARTS} == {
        ("all", "whole"): 4, ("all", "second_half"): 2, ("warm_items", "whole"): 3, ("warm_items", "second_half"): 2,
        ("cold_members", "whole"): 2, ("cold_members", "second_half"): 0, ("new_items", "whole"): 1,
        ("new_items", "second_half"): 0, ("new_jobs", "whole"): 0, ("new_jobs", "second_half"): 0,
        ("cold_with_profile", "whole"): 0, ("cold_with_profile", "second_half"): 0, ("cold_with_region", "whole"): 0,
        ("cold_with_region", "second_half"): 0, ("cold_with_nothing", "whole"): 2, ("cold_with_nothing", "second_half"): 0,
        ("members_with_1_to_4", "whole"): 2, ("members_with_1_to_4", "second_half"): 2,
        ("members_with_5_or_more", "whole"): 0, ("members_with_5_or_more", "second_half"): 0,
    }  # fmt: skip
    assert found["a"]["all"]["whole"]["hr@10"] == 0.5
    assert found["a"]["warm_items"]["second_half"]["mrr"] == pytest.approx((1 / 20 + 1 / 2) / 2)
    assert found["b"]["all"]["whole"]["ndcg@10"] == 0.25
    assert found["a"]["cold_members"]["second_half"]["hr@10"] is None
    assert found["a"]["cold_members"]["second_half"]["intervals"] == dict.fromkeys(METRICS)


def test_the_middle_event_of_an_odd_log_belongs_to_its_first_half() -> None:
    queries = [Query(event=number, member=0, warm_item=True, earlier=3) for number in range(5)]
    assert measure(queries, {"a": [1] * 5}, events=5)["a"]["all"]["second_half"]["queries"] == 2


def test_intervals_are_over_members_not_queries() -> None:
    draw = np.random.default_rng(1)
    lucky = draw.random(200) < 0.5
    queries = [Query(event=0, member=m, warm_item=True, earlier=3) for m in range(200) for _ in range(20)]
    ranks = [int(lucky[query.member]) for query in queries]
    cell = measure(queries, {"a": ranks}, events=1)["a"]["all"]["whole"]
    low, high = cell["intervals"]["hr@10"]
    error = math.sqrt(0.25 / 200)  # one of twenty equal queries says as much as all twenty
    assert low < cell["hr@10"] < high
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_intervals_are_the_same_every_time() -> None:
    queries = [Query(event=n, member=n % 7, warm_item=True, earlier=3) for n in range(50)]
    ranks = [n % 13 for n in range(50)]
    assert measure(queries, {"a": ranks}, 50) == measure(queries, {"a": ranks}, 50)


def test_no_queries_are_no_numbers() -> None:
    cell = measure([], {"a": []}, events=3)["a"]["all"]["whole"]
    assert (cell["queries"], cell["hr@10"]) == (0, None)


def test_the_hit_rate_over_time_is_by_tenth_of_the_events() -> None:
    queries = [
        Query(event=number, member=0, warm_item=True, earlier=1) for number in range(0, 43, 3) if number // 10 != 2
    ]
    ranks = {"a": [number % 12 for number in range(len(queries))], "b": [0] * len(queries)}
    found = over_time(queries, ranks, events=43)
    for tenth in range(TENTHS):
        places = [place for place, query in enumerate(queries) if query.event * 10 // 43 == tenth]
        assert found["queries"][tenth] == len(places)
        hits = [1 <= ranks["a"][place] <= 10 for place in places]
        assert found["hr@10"]["a"][tenth] == (pytest.approx(np.mean(hits), abs=1e-6) if hits else None)
    assert None in found["hr@10"]["b"]
    assert set(found["hr@10"]["b"]) == {0.0, None}
    assert over_time([], {"a": []}, events=0)["hr@10"]["a"] == [None] * TENTHS
