"""Redis with TLS, a certificate of the client's, and users of an ACL: what works, and what is said when it does not."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from click.testing import CliRunner

from streamrec.cli import cli
from streamrec.local.servers import Server
from streamrec.lookup.publishing import Publisher
from streamrec.lookup.service import Service, wall_clock_ms
from streamrec.settings import Settings, SettingsError, environ_of
from streamrec.stores import generations
from streamrec.stores.base import Append, Delete, DropFields, Put, PutFields, StoreUnavailableError
from streamrec.stores.connect import connect, explained, open_store
from streamrec.stores.keys import Keys
from tests.brokers import ON_EMBEDDED
from tests.secure_servers import PASSWORD, USER, SecureRedis, secure_redis

ROOT = Path(__file__).parent.parent.parent


def documented_user() -> str:
    """The line of the ACL that the README gives to operators."""
    [line] = re.findall(r"^user recommender on .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return str(line).replace("recommender", USER)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureRedis]:
    documented = documented_user()
    with_password = re.sub(r">\S+", f">{PASSWORD}", documented)
    without = with_password.replace("user streamrec", "user poor").replace("+mget", "-mget")
    elsewhere = with_password.replace("user streamrec", "user stranger").replace("~sr:*", "~other:*")
    yield from secure_redis(tmp_path_factory.mktemp("secure"), with_password, without, elsewhere)


@pytest.fixture
def settings(secure: SecureRedis) -> Settings:
    made = secure.certificates
    return Settings(
        redis=secure.url, redis_username=USER, redis_password=PASSWORD, redis_ca_file=str(made.authority),
        redis_certificate_file=str(made.client), redis_key_file=str(made.client_key),
    )  # fmt: skip


def service_of(settings: Settings) -> Service:
    store = open_store(settings, Keys(settings.namespace, settings.partitions))
    return Service(settings, store, Publisher(settings), wall_clock_ms)


def asked(settings: Settings) -> str:
    """What the store of a service says when it is asked for two keys; nothing if all is well."""

    async def ask() -> str:
        store = open_store(settings, Keys("sr", 4), timeout_s=1.0)
        try:
            await store.get(["sr:a", "sr:b"])
        except StoreUnavailableError as error:
            return str(error)
        finally:
            await store.close()
            await asyncio.sleep(0.05)  # the good-byes of TLS: asyncio complains of a loop that ends without them
        return ""

    return asyncio.run(ask())


def told(settings: Settings) -> str:
    """The same of the plain client of a command."""
    with connect(settings, 1.0) as client:
        try:
            client.mget(["sr:a", "sr:b"])
        except redis.RedisError as error:
            return str(explained(settings, error))
    return ""


@pytest.mark.servers
def test_the_rights_of_the_documented_user_suffice(settings: Settings) -> None:
    keys = Keys("sr", 4)

    async def use() -> None:
        store = open_store(settings, keys)
        slot = await store.take("m0")
        stream, hash_key = keys.changes("m0"), keys.due("m0")
        await slot.read([keys.member("0")])
        await slot.commit([
            Put(keys.member("0"), b"1"), Put(keys.asked("0"), b"1", ttl_s=9), Delete(keys.member("2")), Append(stream, b"x", 9),
            PutFields(hash_key, {"0": b"1"}), DropFields(hash_key, ["1"]),
        ])  # fmt: skip
        slot._straggler = True  # type: ignore[attr-defined]  # as after a commit without an answer: the epoch is raised
        assert await slot.fields(hash_key) == {"0": b"1"}
        assert await store.get_fields(hash_key) == {"0": b"1"}
        assert await store.scan("sr:*")
        await store.follow(dict.fromkeys([stream], "0-0"), 10)
        await store.tail([stream])
        await store.ping()
        await store.close()
        await asyncio.sleep(0.05)  # as above

    asyncio.run(use())
    with connect(settings) as client:
        made = generations.Generation(1, "c0ffee", 4, (4,))
        with generations.Building(client, "sr", "a test") as building:
            building.keep()
            generations.begin_writing(client, "sr", made)
            generations.write(client, [Put(made.keys("sr").member("0"), b"1")])
            generations.switch(client, "sr", made)
            generations.fence(client, keys)
            assert generations.retire(client, keys, 1) > 3
            assert generations.remove(client, made.keys("sr")) == 1
        client.delete("sr:generation")


@pytest.mark.servers
def test_a_right_that_is_missing_is_named(settings: Settings) -> None:
    poor = msgspec.structs.replace(settings, redis_username="poor")
    stranger = msgspec.structs.replace(settings, redis_username="stranger")
    for ask in (asked, told):
        assert re.search(r"does not allow this user that \(.*mget.*\): ACL SETUSER must grant it", ask(poor))
        assert re.search(r"does not allow this user that \(.*key.*\): ACL SETUSER must grant it", ask(stranger))


@pytest.mark.servers
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"redis_password": "guessed"}, "does not take this user and password: correct redis_username"),
        ({"redis_username": "nobody"}, "does not take this user and password"),
        ({"redis_username": None, "redis_password": None}, "wants a password: set redis_password_file"),
        ({"redis_ca_file": "other"}, "certificate that is not trusted .*: let redis_ca_file name the authority"),
        ({"redis_ca_file": None}, "certificate that is not trusted"),
        (
            {"redis_certificate_file": None, "redis_key_file": None},
            "wants to see a certificate of ours(:|,) set redis_certificate_file",
        ),
        ({"redis": "plain"}, "if that port is for TLS, with rediss:// in front"),
    ],
    ids=["password", "user", "no login", "authority", "usual authorities", "no certificate", "plain text"],
)
def test_what_is_wrong_is_said_with_what_to_do(
    settings: Settings, secure: SecureRedis, wrong: dict[str, Any], said: str
) -> None:
    if wrong.get("redis_ca_file") == "other":
        wrong = {"redis_ca_file": str(secure.certificates.other)}
    if "redis" in wrong:
        wrong = {"redis": secure.url.replace("rediss", "redis")}
        wrong |= dict.fromkeys(("redis_ca_file", "redis_certificate_file", "redis_key_file"))
    spoilt = msgspec.structs.replace(settings, **wrong)
    for ask in (asked, told):
        assert re.search(said, ask(spoilt)), ask(spoilt)
    assert (asked(settings), told(settings)) == ("", "")


@pytest.mark.servers
def test_tls_to_a_port_without_it_is_said(settings: Settings, redis_server: Server) -> None:
    spoilt = msgspec.structs.replace(settings, redis=f"rediss://{redis_server.address}/0")
    for ask in (asked, told):
        assert re.search("does not speak TLS on this port|is that port not the one for TLS", ask(spoilt))


@pytest.mark.servers
def test_the_password_is_read_from_its_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "password"
    by_file = msgspec.structs.replace(settings, redis_password=None, redis_password_file=str(file))
    with pytest.raises(SettingsError, match=r"redis_password_file: .*No such file"):
        asked(by_file)
    file.write_text("")
    with pytest.raises(SettingsError, match="is empty"):
        asked(by_file)
    file.write_text(f"{settings.redis_password}\n")
    assert asked(by_file) == ""


@pytest.mark.servers
@ON_EMBEDDED
def test_processes_and_commands_say_it_without_the_password(
    settings: Settings, broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    spoilt = msgspec.structs.replace(
        settings, redis_username=None, redis_password=None, kafka=broker.address, lookup_budget_ms=5000,
        redis=settings.redis.replace("rediss://", "rediss://streamrec:guessed-pw@"),
    )  # fmt: skip
    wrong = "does not take this user and password"
    with pytest.raises(StoreUnavailableError, match=wrong) as caught:
        generations.current_of(spoilt)  # how worker and trainer begin
    assert "guessed-pw" not in str(caught.value)
    for command in ("doctor", "status"):
        result = CliRunner().invoke(cli, [command, "--json"], env=environ_of(spoilt), catch_exceptions=False)
        assert wrong in result.stdout
        assert "guessed-pw" not in result.output + caplog.text

    async def wait(service: Service) -> None:
        await service._wait_until_loaded()
        await asyncio.gather(service.store.close(), service.after.aclose(), service.publisher.close())
        await asyncio.sleep(0.05)  # as above

    asyncio.run(wait(service_of(spoilt)))
    assert wrong in caplog.text
    assert "guessed-pw" not in caplog.text


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("redis_ca_file", None, "redis_ca_file: .*No such file"),
        ("redis_ca_file", "nonsense", "redis_ca_file: "),
        ("redis_certificate_file", "nonsense", "redis_certificate_file: "),
    ],
)
def test_a_file_of_no_use_is_named_at_once(tmp_path: Path, file: str, content: str | None, said: str) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    settings = msgspec.structs.replace(Settings(redis="rediss://127.0.0.1:1/0"), **{file: str(path)})
    for use in (lambda: open_store(settings, Keys("sr", 4)), lambda: connect(settings)):
        with pytest.raises(SettingsError, match=said):
            use()
