"""Asking the lookup service for members' lists, the way an application would: over HTTP, one connection kept open."""

import http.client
import json
import time
from collections import deque
from typing import Any, Final
from urllib.parse import quote

_PATIENCE_S: Final = 2.0
_PAUSE_S: Final = 0.25  # after a failure: a service that is starting is not to be hammered
_KEPT: Final = 2000  # times taken, for the quantiles


class Answers:
    """What is noted of lists that were answered.

    Attributes
    ----------
    answered, degraded
        How many came, and how many of them said that they fall short.
    took_s
        Seconds that the newest answers took.
    first
        The first answer that was kept and personal, and when it came by the monotonic clock.
    """

    def __init__(self) -> None:
        self.answered = self.degraded = 0
        self.took_s: deque[float] = deque(maxlen=_KEPT)
        self.first: tuple[float, dict[str, Any]] | None = None

    def note(self, took_s: float, degraded: str | None) -> None:
        """Count an answer."""
        self.took_s.append(took_s)
        self.answered += 1
        self.degraded += degraded is not None


class Lists(Answers):
    """A client of ``/v1/members/{member_id}/recommendations``, for one thread."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._host, self._port = host, port
        self._connection: http.client.HTTPConnection | None = None
        self._quiet_until = 0.0

    def ask(self, member_id: str, limit: int, at: int | None = None) -> dict[str, Any] | None:
        """The answer, untracked (nobody sees it), or None when none came; after a failure it is None for a second.

        `at` asks for the list as of that moment (ms), of a service that allows it.
        """
        if time.monotonic() < self._quiet_until:
            return None
        began = time.perf_counter()
        moment = "" if at is None else f"&at={at}"
        path = f"/v1/members/{quote(member_id, safe='')}/recommendations?limit={limit}&track=false{moment}"
        try:
            answer = self._get(path)
        except (OSError, http.client.HTTPException, ValueError):
            answer = None
        if answer is None:
            self.close()
            self._quiet_until = time.monotonic() + _PAUSE_S
            return None
        self.note(time.perf_counter() - began, answer.get("degraded"))
        if self.first is None and is_personal(answer):
            self.first = time.monotonic(), answer
        return answer

    def _get(self, path: str) -> dict[str, Any] | None:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE_S)
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        answer = json.loads(body) if response.status == http.client.OK else None
        return answer if isinstance(answer, dict) else None

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def is_personal(answer: dict[str, Any]) -> bool:
    """Whether the list rests on something that the member did, and holds something."""
    return bool(answer["items"]) and answer["freshness"]["state_age_ms"] is not None
