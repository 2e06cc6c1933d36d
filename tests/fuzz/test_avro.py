"""Any bytes of a record, by the very path that the agents take: decoded, checked, folded, learned, packed and read."""

import json
import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamrec import codecs, topics
from streamrec.codecs import RegisteredSchema, Writers
from streamrec.codecs.framing import directory
from streamrec.events import Rejected
from tests.fuzz.messages import NOW, SCHEMA_ID, framed, key_of, messages, spoiled
from tests.fuzz.owners import Owners

pytestmark = pytest.mark.soak

CASES: Final = Path(__file__).parent.parent / "golden" / "fuzz"
SKEW_MS: Final = 86_400_000
FRAMINGS: Final = (None, SCHEMA_ID)
TOMBSTONES: Final = {topic.schema: topic.tombstones for topic in topics.load().values()}


def registered() -> dict[str, Writers]:
    """A registry that knows each record by one id, and so in the Confluent framing it is read as Avro resolves it."""
    known = {}
    for record in codecs.RECORDS:
        known[record] = Writers("http://registry")
        known[record].add(SCHEMA_ID, RegisteredSchema((directory() / f"{record}.avsc").read_text()))
    return known


WRITERS: Final = registered()


def decoded(record: str, key: bytes | None, value: bytes | None) -> Any:
    """As every agent does it; in bounded time."""
    began = time.process_time()
    found = codecs.decode_record(
        record, key, value, NOW, SKEW_MS, TOMBSTONES.get(record, False), writers=WRITERS[record]
    )
    assert time.process_time() - began < 2.0, f"{len(value or b'')} bytes took {time.process_time() - began:.1f} s"
    if isinstance(found, Rejected):
        assert found.reason in codecs.REASONS
        assert len(found.detail) <= 500
    return found


def examples(short: int) -> settings:
    """Settings of a property: so many examples, or those of a profile that wants many (``--long``) or few."""
    most = settings().max_examples
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=most if most > 100 else min(short, most), suppress_health_check=slow)


@examples(25)
@pytest.mark.parametrize("record", codecs.RECORDS)
@given(data=st.data())
def test_what_passes_the_checks_can_be_folded_learned_kept_and_read(record: str, data: st.DataObject) -> None:
    owners = Owners()
    for event in data.draw(st.lists(messages(record), min_size=1, max_size=4)):
        value = framed(event, data.draw(st.sampled_from(FRAMINGS)))
        found = None if value is None else decoded(record, key_of(event), value)
        if found is not None and not isinstance(found, Rejected):
            owners.take(found)
    owners.read(NOW)


@examples(25)
@pytest.mark.parametrize("record", codecs.RECORDS)
@given(data=st.data())
def test_damaged_bytes_are_an_event_that_can_be_folded_or_a_reason(record: str, data: st.DataObject) -> None:
    schema_id = data.draw(st.sampled_from(FRAMINGS))
    value = framed(data.draw(messages(record)), schema_id)
    if value is None:
        return
    damaged = data.draw(spoiled(value, 10 if schema_id is None else 5))
    found = codecs.decode(record, damaged, WRITERS[record])
    found = decoded(record, b"k" if isinstance(found, Rejected) else key_of(found), damaged)
    if not isinstance(found, Rejected):
        owners = Owners()
        owners.take(found)
        owners.read(NOW)


@examples(100)
@given(
    st.sampled_from(codecs.RECORDS),
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=300),
    st.booleans(),
)
def test_any_bytes_are_an_event_or_a_reason(record: str, key: bytes | None, body: bytes | None, headed: bool) -> None:
    value = bytes(4) + bytes([SCHEMA_ID]) + body if headed and body is not None else body
    decoded(record, key, value)


@pytest.mark.parametrize("record", codecs.RECORDS)
def test_what_a_length_says_is_not_believed(record: str) -> None:
    """Counts and lengths up to 2^63 cost neither memory nor time: nothing is set aside before it is there."""
    value = framed_example(record)
    for number in (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xfe\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01"):
        for spot in range(10, len(value)):
            tracemalloc.start()
            try:
                decoded(record, b"k", value[:spot] + number + value[spot + 1 :])
                assert tracemalloc.get_traced_memory()[1] < 4_000_000
            finally:
                tracemalloc.stop()


def framed_example(record: str) -> bytes:
    """The newest golden bytes of a record."""
    return max((CASES.parent / "avro").glob(f"{record}-*.bin")).read_bytes()


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_what_once_ended_a_process_is_refused_or_folded(path: Path) -> None:
    """Found by the tests above or by `tests.fuzz.coverage`: each ended the process of its owner, and again at every start."""
    case = json.loads(path.read_text())
    found = decoded(case["record"], bytes.fromhex(case["key"]), bytes.fromhex(case["value"]))
    assert (found.reason if isinstance(found, Rejected) else None) == case["reason"]
    if case["reason"] is None:
        owners = Owners()
        owners.take(found)
        owners.read(NOW)


@pytest.mark.slow
def test_coverage_leads_to_no_value_that_ends_a_process(long: bool, tmp_path: Path) -> None:
    """By atheris, which looks at which lines each value reaches, and goes on from those that reach new ones."""
    pytest.importorskip("atheris", reason="coverage-guided fuzzing needs pip install 'streamrec[fuzz]'")
    command = [sys.executable, "-m", "tests.fuzz.coverage", "1200" if long else "5", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=1300 if long else 100, check=False)
    tried = re.search(r"Done (\d+) runs", ended.stderr)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert tried is not None
    assert int(tried[1]) > 1000
