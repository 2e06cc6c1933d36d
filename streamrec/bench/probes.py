"""One question after another over a connection that is kept, as fast as an application asks."""

import http.client
import json
from typing import Any, Self


class Asker:
    """Asks one lookup; used in ``with``, by one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)

    def top(self, member: str) -> str | None:
        """The first job of a member's list as of now; None for an empty list."""
        items = self.ask(f"/v1/members/{member}/recommendations?limit=1&track=false")["items"]
        return items[0]["job_id"] if items else None

    def ask(self, path: str) -> Any:
        """The JSON under a path."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise OSError(f"{path}: status {response.status}")
        return json.loads(body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()
