"""What is written by hand is what the general writer makes of the schema."""

import json
from io import BytesIO

import msgspec
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.codecs.examples import write
from streamrec.codecs.framing import directory
from streamrec.events import TrainingExample

SCHEMA = parse_schema(json.loads((directory() / "TrainingExample.avsc").read_text()))

texts = st.text(st.characters(exclude_categories=["Cs"]))
ints, longs = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
numbers = st.lists(st.floats(allow_nan=False), max_size=3).map(tuple)
examples = st.builds(
    TrainingExample, event_id=texts, member_id=texts, occurred_at=longs, source_topic=texts, source_topic_id=texts,
    source_partition=ints, source_offset=longs, source_index=ints, surface=st.none() | texts, feature_set=texts,
    job_ids=st.lists(texts, max_size=3).map(tuple), labels=numbers, weights=numbers, features=st.binary(max_size=300),
    kind=texts, request_id=st.none() | texts, rows_shown=ints, score_weights=numbers,
    positions=st.lists(ints, max_size=3).map(tuple), propensities=numbers, served_p=numbers, model_version=longs, hit=ints,
)  # fmt: skip


@given(examples)
def test_the_body_is_that_of_the_general_writer(example: TrainingExample) -> None:
    output = BytesIO()
    schemaless_writer(output, SCHEMA, msgspec.to_builtins(example, builtin_types=(bytes,)))
    assert write(example) == output.getvalue()
    assert codecs.decode("TrainingExample", codecs.encode(example)) == example
