"""The lists that a lookup answers with, asked for as an application does: over HTTP."""

import http.client
import json
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

from streamrec import tracing
from streamrec.settings import Settings

LISTED: Final = 20  # jobs of a list that are looked at
_PATIENCE_S: Final = 2.0  # for one answer: what takes longer is as good as none
_SHOWN: Final = 200  # bytes of what an answer says instead
_IMPERSONAL: Final = ("store_unavailable", "unreadable_state")  # of `degraded`: see `lookup.service.DEGRADED`


class NoAnswerError(Exception):
    """The lookup does not answer, or not with a list; the message says why."""


class Answers:
    """Asks one lookup over one connection, opened at the first question; used in ``with``, by one thread.

    Parameters
    ----------
    url
        Where lookups answer.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
        self._url, self._path = url, parts.path.rstrip("/")

    def jobs(self, member_id: str) -> list[str]:
        """Ids of the first jobs of a member's own list.

        Raises
        ------
        NoAnswerError
            There is no answer, no list in it, or a list that is not by the member's state.
        """
        path = f"{self._path}/v1/members/{quote(member_id, safe='')}/recommendations?limit={LISTED}&track=false"
        try:
            self._connection.request("GET", path, headers={name: text.decode() for name, text in tracing.carried()})
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next question opens another
            raise NoAnswerError(f"{self._url} does not answer: {error or type(error).__name__}") from error
        if response.status != http.client.OK:
            said = body[:_SHOWN].decode(errors="replace")
            raise NoAnswerError(f"{self._url} answers with status {response.status}: {said}")
        try:
            answer = json.loads(body)
            degraded, jobs = answer["degraded"], [str(item["job_id"]) for item in answer["items"]]
        except (ValueError, KeyError, TypeError) as error:
            raise NoAnswerError(
                f"{self._url} answers with something that is no list: is it a streamrec lookup?"
            ) from error
        if degraded in _IMPERSONAL:
            raise NoAnswerError(f"the answer of {self._url} is not by the member's state: {degraded}")
        return jobs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def url_of(settings: Settings) -> str:
    """Where the probe asks: the setting `probe_url`, else the lookup of the same settings.

    Examples
    --------
    >>> url_of(Settings()), url_of(Settings(probe_url="https://jobs.example/api"))
    ('http://127.0.0.1:8080', 'https://jobs.example/api')
    """
    return settings.probe_url or f"http://{settings.lookup_host}:{settings.lookup_port}"
