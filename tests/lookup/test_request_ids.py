import time
import uuid

import pytest

from streamrec.lookup.request_ids import identify, new


def test_new_names_are_uuids_of_version_7_that_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    names = [new() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(names)) == 1000
    for name in names:
        value = uuid.UUID(name)
        assert (str(value), value.version, value.variant) == (name, 7, uuid.RFC_4122)
        assert before <= value.int >> 80 <= after
    assert [name[:13] for name in names] == sorted(name[:13] for name in names)


@pytest.mark.parametrize("name", [b"a", b"trace-1.2:3/4+5=6@7_8", b"x" * 128])
def test_a_name_that_can_be_used_is_kept(name: bytes) -> None:
    assert identify([(b"host", b"h"), (b"x-request-id", name)]) == name.decode()


@pytest.mark.parametrize("name", [b"", b"x" * 129, b"a b", b"a\nb", b"\xff", b"<b>", b'a"b'])
def test_any_other_name_is_replaced(name: bytes) -> None:
    assert uuid.UUID(identify([(b"x-request-id", name)])).version == 7
