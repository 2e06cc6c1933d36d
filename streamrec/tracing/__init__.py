"""Traces of what happens to an event and to a request, for OpenTelemetry; off unless the setting `tracing` says otherwise.

A producer that traces puts its context into the header ``traceparent`` (W3C) of its records, an application into that of its
requests. From there on spans say where time goes: a batch in an agent (linked to the records in it), what it sends, its
transaction in Redis; a request, its stages, the events that it sends. Whether a trace is recorded is decided by whoever began
it. Names are those of OpenTelemetry's conventions for messaging and HTTP.

Needs ``pip install 'streamrec[tracing]'``. While it is off nothing of that is imported, and each place costs one comparison.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from streamrec.settings import Settings, SettingsError

if TYPE_CHECKING:
    from streamrec.tracing.recorder import Recorder

Headers = tuple[tuple[str, bytes], ...]
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_recorder: "Recorder | None" = None


class Read(Protocol):
    """What is asked of a record that was read: see `agents.transport.Record`."""

    offset: int
    headers: Any


class Batch(Protocol):
    """What is asked of the records of one partition: see `agents.transport.Batch`."""

    @property
    def topic(self) -> str:
        """Where they were read."""

    @property
    def partition(self) -> int:
        """Of the topic."""

    @property
    def records(self) -> Sequence[Read]:
        """In order, at least one."""


class Sent(Protocol):
    """What is asked of a record that is sent: see `kafka.producer.Record`."""

    @property
    def topic(self) -> str:
        """Where it goes."""


def start(role: str, settings: Settings) -> None:
    """Trace from now on, if the settings say so; called once, at the start of each process.

    Raises
    ------
    SettingsError
        It is to be traced, and OpenTelemetry is not installed.
    """
    global _recorder  # noqa: PLW0603 - one a process, as with OpenTelemetry itself
    check(settings)
    if settings.tracing != "off":
        from streamrec.tracing.recorder import Recorder  # noqa: PLC0415 - an extra

        _recorder = Recorder(role, settings.tracing)


def check(settings: Settings) -> None:
    """Raise as `start` does, without starting anything."""
    if settings.tracing == "off":
        return
    try:
        import streamrec.tracing.recorder  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise SettingsError(
            f"tracing is {settings.tracing!r}, but OpenTelemetry is not installed ({error}): "
            "pip install 'streamrec[tracing]', or set tracing to off"
        ) from error


def stop() -> None:
    """Send what is still to be sent, and trace no more."""
    global _recorder  # noqa: PLW0603 - see above
    if _recorder is not None:
        _recorder.close()
        _recorder = None


def current() -> "Recorder | None":
    """What makes spans; None while it is off."""
    return _recorder


def turn(batches: Sequence[Batch]) -> AbstractContextManager[None]:
    """Within it, these records are processed, those of one or of several partitions."""
    return _NOTHING if _recorder is None else _recorder.turn(batches)


def commit(slot: str, writes: int) -> AbstractContextManager[None]:
    """Within it, a transaction is under way to Redis."""
    return _NOTHING if _recorder is None else _recorder.commit(slot, writes)


def send(records: Sequence[Sent]) -> AbstractContextManager[None]:
    """Within it, these records are sent and waited for."""
    return _NOTHING if _recorder is None else _recorder.send(records)


def whole(name: str) -> AbstractContextManager[None]:
    """Within it, something begins here that is traced from its beginning."""
    return _NOTHING if _recorder is None else _recorder.whole(name)


def stage(name: str, seconds: float) -> None:
    """A stage of what is under way has just ended, and took so long."""
    if _recorder is not None:
        _recorder.stage(name, seconds)


def carried() -> Headers:
    """Headers that tell whoever reads a record or request of what is under way; none while nothing is traced."""
    return () if _recorder is None else _recorder.carried()
