"""What ``streamrec doctor`` looks at in a Redis server: its version, memory, disk and clock."""

import time
from collections.abc import Iterator
from typing import Any, Final

from streamrec.cli.finding import Finding

_OLDEST_REDIS: Final = (6, 2)
_CLOCKS_APART_S: Final = 5.0


def examine_server(node: str, client: Any) -> Iterator[Finding]:
    """What is to be said of one server; `node` comes before it, and names one of several.

    Raises
    ------
    redis.RedisError
        It does not answer.
    """
    import redis  # noqa: PLC0415

    client.ping()
    try:
        info = client.info()
    except redis.exceptions.NoPermissionError:
        yield Finding("warning", "redis", f"{node}it answers, but this user may not ask it for more",
                      "ACL SETUSER must grant +info +time, so that its version, memory and disk can be looked at")  # fmt: skip
        return
    version = info["redis_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_REDIS:
        yield Finding("broken", "redis", f"{node}version {version} is too old", "use Redis 6.2 or later")
    else:
        yield Finding("ok", "redis", f"{node}version {version} answers")
    if info.get("role") != "master":
        yield Finding(
            "broken", "redis", f"{node}it is a replica and takes no writes", "set STREAMREC_REDIS to the primary"
        )
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
        saves = client.config_get("save").get("save")
    except redis.RedisError:
        yield Finding("warning", "redis", f"{node}its configuration may not be read (a managed service?)",
                      "make sure that maxmemory-policy is noeviction and that it persists")  # fmt: skip
    else:
        yield from _memory(node, info, policy)
        if not saves and not info.get("aof_enabled"):
            yield Finding("warning", "redis", f"{node}it keeps nothing on disk: state and model are gone when it restarts",
                          "CONFIG SET appendonly yes; lost state is built anew from what Kafka still holds")  # fmt: skip
    if info.get("rdb_last_bgsave_status") == "err" or info.get("aof_last_write_status") == "err":
        yield Finding("broken", "redis", f"{node}its last write to disk failed", "see its log; is the disk full?")
    seconds, microseconds = client.time()
    apart = time.time() - (seconds + microseconds / 1e6)
    if abs(apart) > _CLOCKS_APART_S:
        yield Finding("broken", "clock", f"this machine's clock is {apart:+.0f} s off Redis' machine's",
                      "keep both by NTP: ages and decayed counts depend on it")  # fmt: skip
    else:
        yield Finding("ok", "clock", f"within {max(abs(apart), 0.1):.1f} s of Redis' machine")


def _memory(node: str, info: dict[str, Any], policy: str | None) -> Iterator[Finding]:
    limit, used = int(info.get("maxmemory", 0)), int(info["used_memory"])
    if policy != "noeviction":
        what = f"{node}maxmemory-policy is {policy}: state may be evicted silently"
        yield Finding("broken" if limit else "warning", "redis", what, "CONFIG SET maxmemory-policy noeviction")
    if limit and used > 0.9 * limit:
        what = f"{node}{used / limit:.0%} of its maxmemory is in use; beyond it writes are refused"
        yield Finding("warning", "redis", what, "raise maxmemory")
