"""From the settings to Redis: the store of a service, and the plain client of a command; one server or a cluster."""

from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

import redis
from redis.asyncio import ConnectionPool
from redis.cluster import ClusterNode, RedisCluster

from streamrec.credentials import password, tls_context
from streamrec.settings import Settings, SettingsError
from streamrec.stores.base import Store, StoreUnavailableError
from streamrec.stores.cluster import ClusterStore
from streamrec.stores.keys import Keys
from streamrec.stores.redis import RedisStore, pool_of
from streamrec.stores.remedy import remedy

PATIENCE_S: Final = 5.0


def options_of(settings: Settings) -> dict[str, Any]:
    """Login and TLS, in redis-py's words. Raises SettingsError if a file is of no use."""
    if "rediss://" in settings.redis:
        tls_context(settings, "redis")  # says here what is wrong with the files; redis-py makes its own
    options = {
        "username": settings.redis_username,
        "password": password(settings, "redis"),
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_certificate_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    return {name: value for name, value in options.items() if value is not None}


def open_store(settings: Settings, keys: Keys, *, timeout_s: float = 2.0) -> Store:
    """The store that the settings name; it connects when it is first used.

    Raises
    ------
    SettingsError
        The URL, or a file of a password or of TLS, is of no use.
    """
    options = options_of(settings)
    try:
        if settings.redis_cluster:
            pools = [_pool(url, options, timeout_s) for url in _urls(settings)]
            return ClusterStore(pools, keys, timeout_s=timeout_s)
        return RedisStore(settings.redis, keys, timeout_s=timeout_s, **options)
    except (OSError, ValueError) as error:
        raise _unusable(settings, error) from error


def connect(settings: Settings, patience_s: float = PATIENCE_S) -> "redis.Redis":
    """A plain client, for commands: of a cluster redis-py's `RedisCluster`, which has the same methods.

    Raises
    ------
    SettingsError
        The URL, or the file of a password, is of no use.
    StoreUnavailableError
        No node of a cluster answers; one server is not asked before the client is used.
    """
    common = {**options_of(settings), "socket_timeout": patience_s, "socket_connect_timeout": patience_s, "protocol": 2}
    try:
        if not settings.redis_cluster:
            return redis.Redis.from_url(settings.redis, **common)
        places = [urlsplit(url) for url in _urls(settings)]
        first: dict[str, Any] = redis.connection.parse_url(_urls(settings)[0])  # type: ignore[no-untyped-call]
        login = {name: first[name] for name in ("username", "password") if first.get(name)}
        nodes = [ClusterNode(place.hostname or "localhost", place.port or 6379) for place in places]  # type: ignore[no-untyped-call]
        tls = places[0].scheme == "rediss"
        return cast("redis.Redis", RedisCluster(startup_nodes=nodes, ssl=tls, **common, **login))
    except (OSError, ValueError) as error:
        raise _unusable(settings, error) from error
    except redis.RedisError as error:
        raise explained(settings, error) from error


def nodes_of(client: Any) -> list[tuple[str, Any]]:
    """The servers behind a plain client, each with its address: one, or those of a cluster that have keys."""
    if not isinstance(client, RedisCluster):
        return [("", client)]
    return [(node.name, client.get_redis_connection(node)) for node in client.get_primaries()]  # type: ignore[no-untyped-call]


def node_of(client: Any, key: str) -> "redis.Redis":
    """A plain client of the server that has `key`, for a transaction: those of redis-py's cluster client answer otherwise."""
    if not isinstance(client, RedisCluster):
        return cast("redis.Redis", client)
    node = client.get_node_from_key(key)  # type: ignore[no-untyped-call]
    return client.get_redis_connection(node)


def values_of(client: Any, keys: Sequence[str]) -> list[bytes | None]:
    """Values of `keys`, wherever they are, None where absent."""
    if not keys:
        return []
    values = client.mget_nonatomic(keys) if isinstance(client, RedisCluster) else client.mget(keys)
    return cast("list[bytes | None]", values)


def explained(settings: Settings, error: Exception, patience_s: float = PATIENCE_S) -> StoreUnavailableError:
    """What to tell people about an error of the plain client."""
    return StoreUnavailableError(remedy(error, settings.redis_shown, patience_s, tls="rediss://" in settings.redis))


def _urls(settings: Settings) -> list[str]:
    return [url.strip() for url in settings.redis.split(",")]


def _pool(url: str, options: dict[str, Any], timeout_s: float) -> ConnectionPool:
    if urlsplit(url).path not in ("", "/", "/0"):
        raise ValueError("a cluster has no database but 0")
    return pool_of(url, timeout_s, **options)


def _unusable(settings: Settings, error: Exception) -> SettingsError:
    return SettingsError(f"redis ({settings.redis_shown}): {error}")
