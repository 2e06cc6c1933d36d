"""What is observed at once is observed as one by one."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Histogram

from streamrec.metrics import observe_all

BOUNDS = (0.1, 1.0, 10.0)


def figures(histogram: Histogram) -> list[tuple[str, dict[str, str], float]]:
    return [
        (sample.name[1:], sample.labels, round(sample.value, 6))
        for metric in histogram.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]


@given(st.lists(st.integers(-1, 200).map(lambda tenths: tenths / 10)))
def test_a_batch_is_observed_as_its_values_are(values: list[float]) -> None:
    one_by_one, at_once = (Histogram(name, "", buckets=BOUNDS, registry=None) for name in ("a", "b"))
    for value in values:
        one_by_one.observe(value)
    observe_all(at_once, values)
    assert figures(at_once) == figures(one_by_one)
