from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from streamrec.local.servers import Server, start_redis
from streamrec.settings import Settings
from streamrec.stores import generations
from streamrec.stores.base import Put
from streamrec.stores.generations import (
    AlreadyBuildingError,
    Building,
    Generation,
    UnreadableGenerationError,
    pack,
    unpack,
)
from streamrec.stores.keys import Keys, written_key

GOLDEN = Path(__file__).parent.parent / "golden" / "generation" / "generation-v1.bin"
MADE = Generation(3, "c0ffee", 8, (4, 8), 1_700_000_000_000)


def test_every_version_stays_readable_and_this_one_writes_the_golden_bytes() -> None:
    assert unpack(GOLDEN.read_bytes(), 1) == MADE
    assert pack(MADE) == GOLDEN.read_bytes()


@pytest.mark.parametrize("value", [b"", b"\x02\x90", b"\x01", b"\x01\x91\xa1a"])
def test_anything_else_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableGenerationError):
        unpack(value, 4)


@pytest.fixture
def client(redis_server: Server) -> Iterator["redis.Redis"]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.fixture
def namespace() -> str:
    return f"gen[*]-{uuid4().hex}"  # it looks like a pattern


def held(client: "redis.Redis", keys: Keys) -> list[bytes | None]:
    return [client.get(keys.member(member)) for member in ("ann", "bob")]  # type: ignore[misc]


@pytest.mark.servers
def test_a_switch_is_one_write_and_the_old_one_vanishes_by_itself(client: "redis.Redis", namespace: str) -> None:
    settings = Settings(namespace=namespace, partitions=8)
    old = generations.current(client, settings)
    assert old.id == ""
    generations.begin_writing(client, namespace, MADE)
    for made, content in ((old, b"old"), (MADE, b"new")):
        keys = made.keys(namespace)
        assert generations.write(client, [Put(keys.member(member), content) for member in ("ann", "bob")]) == 2
    generations.switch(client, namespace, MADE)
    assert generations.current(client, settings) == MADE
    before = client.get(old.keys(namespace).epoch("m0"))
    generations.fence(client, old.keys(namespace))
    assert client.get(old.keys(namespace).epoch("m0")) != before
    assert generations.retire(client, old.keys(namespace), 100) == 2 + 8 + 8 + 1
    assert 0 < client.ttl(old.keys(namespace).member("ann")) <= 100
    assert client.ttl(MADE.keys(namespace).member("ann")) == -1
    assert generations.remove(client, old.keys(namespace)) == 19
    assert (held(client, old.keys(namespace)), held(client, MADE.keys(namespace))) == ([None, None], [b"new", b"new"])
    assert generations.current(client, settings) == MADE


@pytest.mark.servers
def test_what_a_crash_has_left_is_removed_by_the_next_one(client: "redis.Redis", namespace: str) -> None:
    crashed = Generation(1, "aaaaaa", 8, (8,), 0)
    generations.begin_writing(client, namespace, crashed)
    generations.write(client, [Put(crashed.keys(namespace).member("ann"), b"half")])
    generations.begin_writing(client, namespace, MADE)
    assert held(client, crashed.keys(namespace)) == [None, None]


@pytest.mark.servers
def test_what_was_switched_to_before_a_crash_is_not_removed(client: "redis.Redis", namespace: str) -> None:
    generations.write(client, [Put(MADE.keys(namespace).member("ann"), b"new")])
    generations.switch(client, namespace, MADE)
    client.set(written_key(namespace), pack(MADE))  # it died before it could delete this
    generations.begin_writing(client, namespace, Generation(4, "aaaaaa", 8, (8,), 0))
    assert held(client, MADE.keys(namespace)) == [b"new", None]


@pytest.mark.servers
def test_two_cannot_build_at_the_same_time(client: "redis.Redis", namespace: str) -> None:
    with Building(client, namespace, "the first") as first:
        with pytest.raises(AlreadyBuildingError, match="the first"), Building(client, namespace, "the second"):
            pytest.fail("two build")
        first.keep()
    with Building(client, namespace, "the second"), pytest.raises(AlreadyBuildingError):
        first.keep()


@pytest.mark.servers
def test_a_generation_that_has_been_claimed_is_read_from_a_store_that_takes_no_writes(tmp_path: Path) -> None:
    with start_redis(tmp_path) as server, redis.Redis(port=server.port) as client:
        settings = Settings(redis=f"redis://{server.address}/0")
        assert generations.current_of(settings, claim=True).partitions == settings.partitions
        client.config_set("maxmemory", 1)
        assert generations.current_of(settings, claim=True).partitions == settings.partitions
