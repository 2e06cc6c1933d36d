"""What Redis did when it did not do what was asked, and what to do about it, in a sentence for the operator."""

import ssl
from collections.abc import Iterator
from typing import Final

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

_REFUSALS: Final = {
    "OOM": "is out of memory: raise its maxmemory (and keep maxmemory-policy noeviction)",
    "READONLY": "is a read-only replica: let the setting `redis` name the primary",
    "MISCONF": "cannot save to its disk and refuses writes: see its log and the free space there",
    "NOREPLICAS": "has too few replicas to take writes: bring them back, or lower min-replicas-to-write",
    "LOADING": "is still loading its data: wait until it has",
    "BUSY": "is busy with a script: end that with SCRIPT KILL",
    "WRONGTYPE": "holds something else under a key of ours: choose another `namespace`",
    "NOAUTH": "wants a password: set redis_password_file (or redis_password), and redis_username if it has users",
    "WRONGPASS": "does not take this user and password: correct redis_username and redis_password_file (or redis_password, "
    "or what stands in the setting `redis`), or the user in Redis' ACL",
    "NOPERM": "does not allow this user that ({text}): ACL SETUSER must grant it; README, Redis and Kafka over TLS, has the "
    "whole line",
    "MOVED": "is a node of a cluster: set redis_cluster = true",
    "CLUSTERDOWN": "is a cluster with a part missing ({text}): bring its nodes back, see CLUSTER INFO",
    "TRYAGAIN": "is moving this part of the keys to another node: what is asked of them goes on once that is done",
}
_BY_TYPE: Final = {
    OutOfMemoryError: "OOM", ReadOnlyError: "READONLY", BusyLoadingError: "LOADING", NoPermissionError: "NOPERM",
    AuthenticationError: "NOAUTH", AuthorizationError: "NOAUTH", MovedError: "MOVED", ClusterDownError: "CLUSTERDOWN",
    TryAgainError: "TRYAGAIN",
}  # fmt: skip
# Words in what OpenSSL says, and what they mean here.
_TLS: Final = {
    "CERTIFICATE_VERIFY_FAILED": "shows a certificate that is not trusted ({text}): let redis_ca_file name the authority that "
    "made it, and `redis` the host that it was made for",
    "WRONG_VERSION_NUMBER": "does not speak TLS on this port: use its TLS port, or redis:// instead of rediss://",
    "RECORD_LAYER_FAILURE": "does not speak TLS on this port: use its TLS port, or redis:// instead of rediss://",
    "PACKET_LENGTH_TOO_LONG": "does not speak TLS on this port: use its TLS port, or redis:// instead of rediss://",
    "CERTIFICATE_REQUIRED": "wants to see a certificate of ours: set redis_certificate_file and redis_key_file",
    "ALERT_HANDSHAKE_FAILURE": "wants to see a certificate of ours: set redis_certificate_file and redis_key_file",
    "EOF_OCCURRED": "hangs up during the TLS handshake: if it wants to see a certificate of ours, set redis_certificate_file and "
    "redis_key_file",
    "ALERT_UNKNOWN_CA": "does not trust our certificate: redis_certificate_file must come from an authority of its "
    "tls-ca-cert-file",
}


def remedy(error: BaseException, address: str, timeout_s: float, *, tls: bool = False) -> str:
    """A sentence for the operator: what Redis did, and what to do about it; `tls` says whether it was asked over TLS.

    Examples
    --------
    >>> from redis.exceptions import ResponseError
    >>> remedy(ResponseError("READONLY You can't write against a read only replica."), "h:1", 2.0)
    'Redis at h:1 is a read-only replica: let the setting `redis` name the primary'
    """
    text = str(error).strip()
    if refusal := _REFUSALS.get(_code(error)):
        return f"Redis at {address} {refusal.format(text=text)}"
    causes = list(_causes(error))
    if failure := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
        said = str(failure).upper().replace(" ", "_")
        meaning = next((meaning for word, meaning in _TLS.items() if word in said), "fails the TLS handshake ({text})")
        return f"Redis at {address} {meaning.format(text=_plain(failure))}"
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return (
            f"Redis at {address} did not answer within {timeout_s:g} s: is it overloaded (redis-cli --latency, "
            f"SLOWLOG GET), or the network slow{', or is that port not the one for TLS' if tls else ''}?"
        )
    if isinstance(error, OSError | RedisConnectionError):
        advice = "start it, or correct the setting `redis`"
        if (
            "closed by server" in text
            or "type byte" in text
            or any(isinstance(each, ConnectionResetError) for each in causes)
        ):
            advice += (
                "; if it wants to see a certificate of ours, set redis_certificate_file and redis_key_file"
                if tls
                else "; if that port is for TLS, with rediss:// in front"
            )
        return f"Redis at {address} cannot be reached ({text}): {advice}"
    return f"Redis at {address} refused: {text}"


def _code(error: BaseException) -> str:
    """The word that Redis' answer began with; redis-py takes it off the text of some."""
    text = str(error).strip()
    kind = next((name for kind, name in _BY_TYPE.items() if isinstance(error, kind)), None)
    if kind == "NOAUTH" and "required" not in text:
        return "WRONGPASS"
    return kind or text.partition(" ")[0].rstrip(":")


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _plain(error: ssl.SSLError) -> str:
    return getattr(error, "verify_message", "") or error.reason or str(error)
