"""Any events that Avro can carry, the ends of their types among them, and what becomes of their bytes on the way."""

import struct
from typing import Any, Final, get_args, get_type_hints

import msgspec
from hypothesis import strategies as st

from streamrec import codecs, events
from streamrec.codecs.records import KINDS
from streamrec.events import ActivityEntry, ImpressionItem, NetworkEntry, TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.models.rows import KINDS as EXAMPLE_KINDS

NOW: Final = 1_700_500_000_000
SCHEMA_ID: Final = 7  # by which a registry knows the schema, in the Confluent framing

_SOME: Final = st.sampled_from(("a", "b", "c", "j1", "m1", "Nurse", " nurse ", "a\x1fb"))
_TEXT: Final = _SOME | st.sampled_from(("", " ", "\0", "\U0001f600", "x" * 600)) | st.text(
    st.characters(codec="utf-8"), max_size=12
)  # fmt: skip
_NEAR: Final = st.integers(NOW - 10**9, NOW)
_LONG: Final = (
    st.sampled_from((0, 1, -1, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63), 253_402_300_799_999))
    | _NEAR
    | st.integers(-(2**63), 2**63 - 1)
)
_INT: Final = st.sampled_from((0, 1, 7, -1, 2**31 - 1, -(2**31)))
_FLOAT: Final = st.floats() | st.sampled_from((0.0, 1.0, 0.5, 1e308, -1e308, 5e-324))
_FEW: Final = st.integers(0, 4) | st.integers(-2, 9) | _LONG  # of an action, or of a sign
_SAID: Final = st.dictionaries(
    st.sampled_from(("member_id", "surface", "dwell_ms", "position", "reason", "profile.region", "profile.function")),
    _TEXT | _LONG | _FLOAT | st.booleans(),
    max_size=4,
)


def _tuples(of: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[Any]:
    return st.lists(of, max_size=most).map(tuple)


_BY_TYPE: Final[dict[object, st.SearchStrategy[Any]]] = {
    str: _TEXT, int: _LONG, float: _FLOAT, bool: st.booleans(), bytes: st.binary(max_size=20),
    tuple[str, ...]: _tuples(_TEXT), tuple[int, ...]: _tuples(_INT), tuple[float, ...]: _tuples(_FLOAT),
    tuple[tuple[str, bytes], ...]: _tuples(st.tuples(_TEXT, st.binary(max_size=9))),
    tuple[tuple[str, float], ...]: _tuples(st.tuples(_TEXT, _FLOAT | st.floats(0, 1))),
    dict[str, str | int | float | bool]: _SAID,
}  # fmt: skip
# Fields that hold 32 bits in Avro.
_INTS: Final = frozenset(
    {"position", "partition", "source_partition", "source_index", "rows_shown", "model_version", "hit"}
)
# Fields that mostly hold what passes: else little would come behind the checks.
_LIKELY: Final = {
    "event_id": _SOME, "member_id": _SOME, "job_id": _SOME, "other_member_id": _SOME, "request_id": _SOME, "digest": _SOME,
    "source_topic": _SOME, "source_topic_id": _SOME,
    "occurred_at": _NEAR, "posted_at": _NEAR, "updated_at": _NEAR, "served_at": _NEAR, "erased_at": _NEAR,
    "offset": st.integers(0, 99), "index": st.integers(0, 99), "sign": st.sampled_from((1, -1)), "action": st.integers(0, 4),
    "toucher": st.integers(0, 2**32 - 1), "propensity": st.floats(0.01, 1), "p_check": st.floats(0, 1),
}  # fmt: skip


def _of(of: Any, /, *, likely: bool, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = {}
    for name, hint in get_type_hints(of).items():
        options = [part for part in get_args(hint) if part is not type(None)]
        nullable = type(None) in get_args(hint)
        if likely and name in _LIKELY:
            strategy = _LIKELY[name]
        elif name in ("action", "sign", "toucher"):
            strategy = _FEW
        elif hint in (packed := _entries(likely)):
            strategy = packed[hint]
        else:
            strategy = _INT if name in _INTS else _BY_TYPE[options[0] if nullable else hint]
        fields[name] = st.none() | strategy if nullable else strategy
    return st.builds(of, **{**fields, **given})


def _entries(likely: bool) -> dict[object, st.SearchStrategy[Any]]:
    kinds = st.sampled_from(("act", "edge", "work", "gone", "full", "else"))
    return {
        tuple[ActivityEntry, ...]: st.deferred(lambda: _tuples(_of(ActivityEntry, likely=likely))),
        tuple[NetworkEntry, ...]: st.deferred(lambda: _tuples(_of(NetworkEntry, likely=likely, kind=kinds))),
        tuple[ImpressionItem, ...]: st.deferred(lambda: _tuples(_of(ImpressionItem, likely=likely))),
    }


@st.composite
def _examples(draw: Any) -> TrainingExample:
    """Examples whose parts fit each other, for the model that learns now; their numbers are what they like."""
    rows, width = draw(st.integers(1, 4)), len(feature_names())
    number = st.sampled_from((0.0, 1.0, -1.0, 1e6, -1e6, 1e-30)) | st.floats(-10, 10, width=32) | st.floats(width=32)
    usual = draw(st.lists(number, min_size=1, max_size=5))
    features = struct.pack(f"<{rows * width}f", *(usual[place % len(usual)] for place in range(rows * width)))
    weights = st.lists(
        st.sampled_from((0.0, 1.0, 5.0, 1e6, -1.0, -1e6)) | _FLOAT, min_size=rows, max_size=rows
    ).map(tuple)  # fmt: skip
    probabilities = st.lists(st.floats(0, 1), min_size=rows, max_size=rows).map(tuple)
    example: TrainingExample = draw(_of(
        TrainingExample, likely=True, feature_set=st.just(FEATURE_SET), kind=st.sampled_from(EXAMPLE_KINDS),
        job_ids=st.just(tuple(f"j{row}" for row in range(rows))), features=st.just(features), weights=weights,
        score_weights=weights | st.just(()), positions=st.just(()), propensities=st.just(()),
        labels=st.lists(st.sampled_from((0.0, 1.0)), min_size=rows, max_size=rows).map(tuple),
        served_p=probabilities | st.just(()), rows_shown=st.sampled_from((0, rows, 20, 2**31 - 1, -1)),
    ))  # fmt: skip
    return example


def messages(record: str) -> st.SearchStrategy[Any]:
    """Any `record` whose fields fit its schema; most of them pass the checks."""
    kind = getattr(events, record)
    made = _of(kind, likely=False) | _of(kind, likely=True)
    return made | _examples() if record == "TrainingExample" else made


_NUMBERS: Final = (  # as Avro writes them: huge, negative, longer than 64 bits, and without an end
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff" * 9 + b"\x01", b"\x01", b"\x80" * 30, b"\xff" * 30, b"\x7f",
    b"\xfe\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
)  # fmt: skip
_NESTED: Final = (b"\x91", b"\x81\xa1a", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff")  # beginnings of MessagePack


@st.composite
def spoiled(draw: Any, value: bytes, start: int) -> bytes:
    """Bytes that were good, damaged a few times from `start` on."""
    body = value[start:]
    for _ in range(draw(st.integers(1, 3))):
        spot, other = draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))
        before, after = body[:spot], body[spot:]
        match draw(st.integers(0, 5)):
            case 0:
                body = before
            case 1 if after:
                body = before + bytes([after[0] ^ 1 << draw(st.integers(0, 7))]) + after[1:]
            case 2:
                body = before + draw(st.sampled_from(_NUMBERS)) + after[draw(st.integers(0, 1)) :]
            case 3:
                body = before + body[other:]
            case 4:
                body = before + draw(st.sampled_from(_NESTED)) * draw(st.integers(1, 3000)) + after
            case _:
                body = before + draw(st.binary(max_size=8)) + after
    return value[:start] + body


def framed(event: Any, schema_id: int | None) -> bytes | None:
    """Its bytes in either framing; None where a field holds what Avro cannot carry."""
    try:
        return codecs.encode(event, schema_id)
    except (ValueError, OverflowError, TypeError):
        return None


def key_of(event: Any) -> bytes:
    """The key that its producer gives it."""
    field = KINDS[type(event).__name__].key
    return b"k" if field is None else str(getattr(event, field)).encode()


_JUNK: Final[st.SearchStrategy[Any]] = st.sampled_from((
    None, True, -1, 0, 2**63, -(2**63), 2**64 - 1, 1e308, float("nan"), float("inf"), "", "x", b"", b"\xff\x00", [], {}, [[]],
    [None], {"x": 1}, {1: 2}, [1, 2, 3], {"": None}, [b""], ["a", "b"],
))  # fmt: skip


@st.composite
def rewritten(draw: Any, packed: bytes) -> bytes:
    """MessagePack that was good, in which one part says something else."""
    return msgspec.msgpack.encode(_changed(draw, msgspec.msgpack.decode(packed)))


def _changed(draw: Any, part: Any) -> Any:
    if not isinstance(part, list | dict) or not part or draw(st.integers(0, 9)) == 0:
        return draw(_JUNK)
    places = list(part) if isinstance(part, dict) else list(range(len(part)))
    place = places[draw(st.integers(0, len(places) - 1))]
    part[place] = _changed(draw, part[place])
    return part
