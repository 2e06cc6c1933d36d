"""What is written by hand is what the general writer makes of the schema."""

import json
from io import BytesIO

import msgspec
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.codecs.framing import directory
from streamrec.codecs.impressions import write
from streamrec.events import Impression, ImpressionItem

SCHEMA = parse_schema(json.loads((directory() / "Impression.avsc").read_text()))

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False)
items = st.builds(
    ImpressionItem, job_id=texts, position=st.integers(0, 2**31 - 1) | st.integers(0, 200), score=numbers,
    p_check=st.none() | numbers, propensity=numbers, features=st.binary(max_size=300),
    sources=st.lists(texts, max_size=3).map(tuple),
)  # fmt: skip
impressions = st.builds(
    Impression, request_id=texts, member_id=texts, served_at=st.integers(-(2**63), 2**63 - 1), surface=st.none() | texts,
    workflow=texts, model_name=texts, model_version=st.integers(0, 2**63 - 1), arm=st.none() | texts, feature_set=texts,
    items=st.lists(items, max_size=4).map(tuple),
)  # fmt: skip


@given(impressions)
def test_the_body_is_that_of_the_general_writer(impression: Impression) -> None:
    output = BytesIO()
    schemaless_writer(output, SCHEMA, msgspec.to_builtins(impression, builtin_types=(bytes,)))
    assert write(impression) == output.getvalue()
    assert codecs.decode("Impression", codecs.encode(impression)) == impression


def test_half_of_a_surrogate_pair_is_refused() -> None:
    whole = Impression(
        request_id="r", member_id="\ud800", served_at=1, workflow="w", model_name="", model_version=0, feature_set="f",
        items=(),
    )  # fmt: skip
    with pytest.raises(ValueError, match="surrogates"):
        codecs.encode(whole)
