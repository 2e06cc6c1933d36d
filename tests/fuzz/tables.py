"""Logs in files as they come: good ones, and ones that something went wrong with."""

import gzip
from typing import Any, Final

from hypothesis import strategies as st

_CELLS: Final = st.sampled_from((
    "", "1700000000", "1700000000000", "2023-11-14T22:13:20Z", "0", "-1", "nan", "inf", "-inf", "1e400", "1e18", "9" * 30, "0x10",
    "0001-01-01", "9999-12-31T23:59:59Z", "10000-01-01", "true", "m1", "m2", "j1", "j2", "view", "save", "apply", "connect",
    "what", '"', '""', "'", "a,b", "a|b|c", "x" * 600, "x" * 200_000, "\0", "ü", "\U0001f600", "\ud800", "\r", "\n", '"a\nb"',
    '"open', "=1+1",
))  # fmt: skip
_NAMES: Final = (
    "ts", "user_id", "item_id", "event", "dwell_ms", "dwell_s", "position", "surface", "saved", "session_id", "event_id",
    "request_id", "title", "state", "skills", "salary_min", "posted_at", "expires_at", "remote", "closed", "created_ts",
    "salary_floor", "", "x", "ts", "ü", "\ud800",
)  # fmt: skip
_LOG: Final = ("ts", "user_id", "item_id", "event")
_CATALOGUE: Final = ("item_id", "title")
_MEMBERS: Final = ("user_id", "created_ts")
LEAST: Final = {"log": _LOG, "catalogue": _CATALOGUE, "members": _MEMBERS}
_GOOD: Final = {
    "ts": "1700000000", "user_id": "m1", "item_id": "j1", "event": "view", "title": "Nurse", "created_ts": "1700000000",
}  # fmt: skip


@st.composite
def table(draw: Any, kind: str) -> bytes:
    """The bytes of one file."""
    more = draw(st.lists(st.sampled_from(_NAMES), max_size=5))
    names = [*LEAST[kind], *more] if draw(st.integers(0, 9)) else more
    names = list(dict.fromkeys(names)) if draw(st.integers(0, 4)) else names
    delimiter, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(("\n", "\n", "\r\n", "\r")))
    rows = [names]
    for number in range(draw(st.integers(0, 6))):
        row = [draw(_CELLS) if draw(st.integers(0, 3)) == 0 else _GOOD.get(name, str(number)) for name in names]
        rows.append(row if draw(st.integers(0, 9)) else row[: draw(st.integers(0, len(row)))])
    text = "".join(delimiter.join(row) + end for row in rows)
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-32-be")))
    value = text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")
    match draw(st.integers(0, 9)):
        case 0:
            place = draw(st.integers(0, len(value)))
            value = (
                value[:place]
                + draw(st.sampled_from((b"\0", b"\xff", b'"', b"\xef\xbb\xbf", b"\r", b"\xc3")))
                + value[place:]
            )
        case 1:
            value = value[: draw(st.integers(0, len(value)))]
        case 2:
            value = draw(st.binary(max_size=60))
        case 3:
            value = draw(st.sampled_from((b"Obj\x01", b"PAR1", b"PK\x03\x04", b"\x1f\x8b"))) + value
        case 4 | 5:
            value = gzip.compress(value)
            if draw(st.booleans()):
                place = draw(st.integers(0, len(value) - 1))
                value = draw(st.sampled_from((value[:place], value[:place] + b"\xff" + value[place + 1 :])))
    return value
