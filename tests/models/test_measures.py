import math
from typing import Any

import msgspec
import numpy as np
import pytest

from streamrec.models.measures import OTHER, SURFACES, UNNAMED, HitRate, Measures
from streamrec.models.prequential import Prequential
from streamrec.models.rows import Rows


def rows(kind: str, labels: list[float], weights: list[float], served: list[float] | None = None) -> Rows:
    given = np.array(weights)
    return Rows(
        np.zeros((len(labels), 1)),
        np.array(labels),
        given,
        given,
        9,
        kind,
        None if served is None else np.array(served),
    )


def of(probabilities: list[float], labels: list[float], weights: list[float]) -> Prequential:
    made = Prequential()
    made.add(np.array(probabilities), np.array(labels), np.array(weights))
    return made


def count(
    measures: Measures, made: Rows, probabilities: list[float], surface: str | None = "home", hit: int = -1
) -> None:
    measures.count(made, np.array(probabilities), surface, hit)


def test_sampled_and_shown_lists_are_measured_apart_and_by_surface() -> None:
    measures = Measures()
    count(measures, rows("sampled", [1.0, 0.0], [1.0, 1.0]), [0.7, 0.2], "mail")
    count(measures, rows("closed", [0.0, 1.0], [1.0, 0.0]), [0.1, 0.4])
    assert measures.of("sampled").state() == of([0.7, 0.2], [1.0, 0.0], [1.0, 1.0]).state()
    assert measures.of("sampled", "mail").state() == measures.of("sampled").state()
    assert measures.of("shown").state() == of([0.1, 0.4], [0.0, 1.0], [1.0, 1.0]).state()
    assert (measures.surfaces("sampled"), measures.surfaces("shown")) == (["mail"], ["home"])
    assert measures.of("shown", "mail").rows == 0


def test_a_closed_list_is_measured_by_what_was_served() -> None:
    measures = Measures()
    count(measures, rows("closed", [0.0, 1.0], [1.0, 0.0], served=[0.3, 0.6]), [0.1, 0.4])
    assert measures.of("shown").state() == of([0.3, 0.6], [0.0, 1.0], [1.0, 1.0]).state()


def test_positives_are_not_measured_twice_where_closed_lists_name_them() -> None:
    measures = Measures()
    count(measures, rows("positive", [1.0], [1.0]), [0.5])  # nobody knows yet who will tell of it
    count(measures, rows("closed", [0.0, 1.0], [1.0, 0.0]), [0.1, 0.4])
    count(measures, rows("positive", [1.0], [1.0]), [0.5])
    assert measures.of("shown").rows == 2


def test_positives_are_measured_on_arrival_where_closed_lists_do_not_name_them() -> None:
    measures = Measures()
    count(measures, rows("closed", [0.0, 0.0], [1.0, 1.0]), [0.1, 0.1])
    count(measures, rows("positive", [1.0], [1.0]), [0.5])
    count(measures, rows("positive", [1.0], [0.0]), [0.5])  # a stronger action on a job that was checked before
    assert measures.of("shown").rows == 3
    assert measures.of("shown").base_rate == pytest.approx(1 / 3, abs=1e-3)


def test_a_correction_turns_a_negative_into_a_positive() -> None:
    measures = Measures()
    count(measures, rows("closed", [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]), [0.2] * 4)
    count(measures, rows("correction", [1.0, 0.0], [1.0, -1.0]), [0.2] * 2)
    assert measures.of("shown").base_rate == pytest.approx(0.5, abs=1e-3)


def test_the_ninth_surface_and_all_further_ones_share_a_name() -> None:
    measures = Measures()
    for number in range(30):
        count(measures, rows("sampled", [1.0], [1.0]), [0.5], f"s{number}")
    count(measures, rows("sampled", [1.0], [1.0]), [0.5], OTHER)
    assert measures.surfaces("sampled") == [*(f"s{number}" for number in range(SURFACES)), OTHER]
    assert measures.of("sampled", OTHER).rows == 30 - SURFACES + 1


def test_a_list_without_a_surface_has_a_name_for_it() -> None:
    measures = Measures()
    count(measures, rows("sampled", [1.0], [1.0]), [0.5], None)
    assert measures.surfaces("sampled") == [UNNAMED]


def test_hits_are_counted_of_closed_lists_that_know() -> None:
    measures = Measures()
    for hit in (1, 0, -1, 1):
        count(measures, rows("closed", [0.0], [1.0]), [0.1], hit=hit)
    count(measures, rows("positive", [1.0], [1.0]), [0.1], hit=1)
    assert (measures.hits[""].lists, measures.hits["home"].hits) == (3, 2)
    assert measures.hits[""].total == pytest.approx(2 / 3)


def test_the_hit_rate_forgets() -> None:
    rate = HitRate()
    assert math.isnan(rate.recent)
    assert math.isnan(rate.total)
    for number in range(8000):
        rate.count(number >= 4000)
    assert rate.recent > 0.95
    assert rate.total == 0.5


def learned() -> Measures:
    measures = Measures()
    for number in range(40):
        count(measures, rows("sampled", [1.0, 0.0], [1.0, 1.0]), [0.6, 0.3], f"s{number % 11}")
        count(
            measures, rows("closed", [0.0, number % 2], [1.0, 1.0 - number % 2]), [0.2, 0.4], None, hit=number % 3 - 1
        )
    return measures


def test_what_was_saved_goes_on_as_if_never_stopped() -> None:
    straight, resumed = learned(), Measures()
    resumed.load(straight.of("sampled").state(), straight.state())
    for measures in (straight, resumed):
        count(measures, rows("positive", [1.0], [1.0]), [0.5], "new")
        count(measures, rows("closed", [0.0], [1.0]), [0.5], "s3", hit=1)
    assert resumed.state() == straight.state()
    assert resumed.of("sampled").state() == straight.of("sampled").state()


@pytest.mark.parametrize(("number", "value"), [(0, 1), (1, {"shown/": b"x"}), (2, {"": ["x"]}), (3, 7), (4, None)])
def test_a_state_that_makes_no_sense_is_a_value_error_and_changes_nothing(number: int, value: Any) -> None:
    measures = learned()
    before = measures.state()
    spoiled: list[Any] = msgspec.msgpack.decode(before)
    spoiled[number] = value
    with pytest.raises(ValueError, match=r"."):
        measures.load(measures.of("sampled").state(), msgspec.msgpack.encode(spoiled))
    assert measures.state() == before
