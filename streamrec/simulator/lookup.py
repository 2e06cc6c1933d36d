"""Asking a lookup service for lists and sending it events, the way an application would: over HTTP."""

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from streamrec import codecs
from streamrec.simulator.outlets import Outlet, OutletError
from streamrec.simulator.scribe import Record

_PATIENCE_S: Final = 5.0
_TRIES: Final = 5
_PAUSE_S: Final = 0.3
_BATCH: Final = 500  # records in one POST


class Answer(msgspec.Struct, frozen=True):
    """A page of a list.

    Attributes
    ----------
    positions
        Place of each job on all pages together, from 0.
    p_check
        What the service foretells of each job, None without a model.
    """

    request_id: str
    job_ids: list[str]
    positions: list[int]
    p_check: list[float | None]
    next_cursor: str | None
    degraded: str | None


class Lookup:
    """A client of the service at `url`; each thread has a connection of its own, kept open.

    Raises
    ------
    ValueError
        `url` is not an http address.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no address of a lookup service such as http://127.0.0.1:8080")
        self.url, self._secure = url, parts.scheme == "https"
        self._host, self._port, self._path = parts.hostname, port, parts.path.rstrip("/")
        self._mine = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def ask(
        self, member_id: str, limit: int, surface: str, cursor: str | None = None, *, track: bool = True
    ) -> Answer | None:  # fmt: skip
        """A page of the member's list, which the member will see if `track`; None when there is no answer."""
        query = {"limit": str(limit), "surface": surface, "track": "true" if track else "false"}
        if cursor is not None:
            query["cursor"] = cursor
        path = f"/v1/members/{quote(member_id, safe='')}/recommendations?{urlencode(query)}"
        try:
            status, body = self._request("GET", path)
            answer = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if status != http.client.OK:
            return None
        items = answer["items"]
        return Answer(
            answer["request_id"], [item["job_id"] for item in items], [item["position"] for item in items],
            [item["p_check"] for item in items], answer["next_cursor"], answer["degraded"],
        )  # fmt: skip

    def post(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send events; the result of each.

        Raises
        ------
        OSError, http.client.HTTPException
            There is no answer, or none that a lookup service gives.
        """
        status, body = self._request("POST", "/v1/events", json.dumps({"events": events}).encode())
        try:
            results: list[dict[str, Any]] = json.loads(body)["results"]
        except (ValueError, KeyError, TypeError):
            raise OSError(f"POST {self.url}/v1/events: {status}: {body[:200].decode(errors='replace')}") from None
        return results

    def _request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body else {}
        kept = getattr(self._mine, "connection", None)
        for attempt in (kept, None) if kept is not None else (None,):
            connection = attempt or self._connect()
            try:
                connection.request(method, self._path + path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self._mine.connection = None
                if attempt is None:  # a kept connection may just have been closed by the other side
                    raise
            else:
                self._mine.connection = connection
                return response.status, content
        raise OSError("no connection")  # pragma: no cover - the loop returns or raises

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_PATIENCE_S)
        self._opened.append(connection)
        return connection

    def close(self) -> None:
        """Close all connections; a later question opens another."""
        while self._opened:
            self._opened.pop().close()


class HttpOutlet(Outlet):
    """To ``POST /v1/events``; what the service could not store is sent again, a few times."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def send(self, records: Iterable[Record]) -> None:
        """See `Outlet.send`."""
        events: Iterator[dict[str, Any]] = (
            {"type": type(record).__name__, **codecs.to_json(record)} for record in records
        )
        while batch := list(islice(events, _BATCH)):
            self._deliver(batch)

    def _deliver(self, batch: list[dict[str, Any]]) -> None:
        why = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE_S * 2**attempt)
            try:
                results = self._lookup.post(batch)
            except (OSError, http.client.HTTPException) as error:
                why = str(error) or type(error).__name__
                continue
            for result in results:
                if result["status"] == "rejected":
                    raise OutletError(
                        f"{self._lookup.url} rejects an event: {result.get('reason')}: {result.get('detail')}"
                    )
            batch = [event for event, result in zip(batch, results, strict=True) if result["status"] != "accepted"]
            if not batch:
                return
            why = "Kafka did not confirm them"
        raise OutletError(f"{len(batch)} events could not be sent to {self._lookup.url}: {why}; is it running?")

    def flush(self) -> None:
        """Nothing to do: what was sent is delivered."""

    def close(self) -> None:
        """See `Outlet.close`."""
        self._lookup.close()
