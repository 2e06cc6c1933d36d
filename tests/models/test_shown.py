"""Packed `Shown`: the bytes of every version stay readable, and unknown bytes are refused with a reason."""

from pathlib import Path

import msgspec
import pytest

from streamrec.models.shown import FORMAT, Acted, EarlySeen, Row, Shown, ShownList, UnreadableShownError, pack, unpack

GOLDEN = Path(__file__).parent.parent / "golden" / "shown" / "v1.bin"
AT = 1_700_000_000_000
SHOWN = Shown(
    lists=[
        ShownList(
            "r-1", AT, "home", 7, "job_check/1",
            [Row("j1", 0, 0.5, 0.125, b"\x00\x00\x80?", 3.0), Row("j2", 1, 1.0, None, b"\x00\x00\x00@", 0.0, True)],
            [0, 1], True,
        )
    ],
    acted=[Acted("e1", "j1", AT + 5, 3.0, None, "home", "r-1"), Acted("e2", "j9", AT + 6, 1.0, "r-2", None)],
    early=[EarlySeen("r-3", AT + 7, (0, 4))],
)  # fmt: skip


def test_the_bytes_of_format_1_are_what_they_were() -> None:
    assert pack(SHOWN) == GOLDEN.read_bytes()
    assert unpack(GOLDEN.read_bytes()) == SHOWN


def test_a_value_of_the_version_before_or_after_is_read() -> None:
    fields = msgspec.msgpack.decode(pack(SHOWN)[1:])
    assert unpack(FORMAT + msgspec.msgpack.encode([*fields, {"new": 1}])) == SHOWN
    assert unpack(FORMAT + msgspec.msgpack.encode(fields[:-1])) == msgspec.structs.replace(SHOWN, early=[])


@pytest.mark.parametrize("value", [b"", b"\x02\x90", FORMAT, FORMAT + b"\xc1", FORMAT + b"\x91\xa1x", FORMAT + b"\x80"])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(UnreadableShownError, match="Shown"):
        unpack(value)


def test_nothing_stored_is_nothing_shown() -> None:
    assert unpack(None) == Shown()
    assert not Shown().waits
