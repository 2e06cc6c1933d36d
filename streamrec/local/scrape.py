"""What the processes say of themselves: their Prometheus text, read over HTTP and summed up."""

import http.client
import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

_NETWORK: Final = (OSError, http.client.HTTPException)


class UnreachableError(Exception):
    """Nothing useful answered under the address; the message says what happened."""


class Samples:
    """One reading of a process's metrics.

    Parameters
    ----------
    text
        The Prometheus text format.

    Examples
    --------
    >>> samples = Samples('seen_total{topic="a"} 2\\nseen_total{topic="b"} 3\\n')
    >>> samples.total("seen_total"), samples.total("seen_total", topic="b"), samples.total("unseen_total")
    (5.0, 3.0, 0.0)
    """

    def __init__(self, text: str = "") -> None:
        self._values: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._values.setdefault(sample.name, []).append((sample.labels, float(sample.value)))

    def each(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Labels and value of every sample of `name` that has these labels."""
        for have, value in self._values.get(name, ()):
            if all(have.get(label) == wanted for label, wanted in labels.items()):
                yield have, value

    def total(self, name: str, **labels: str) -> float:
        """Sum over the samples of `name` that have these labels; 0 when there is none."""
        return sum((value for _, value in self.each(name, **labels)), 0.0)

    def value(self, name: str, **labels: str) -> float | None:
        """The first sample of `name` with these labels; None when there is none or it is not a number."""
        found = next((value for _, value in self.each(name, **labels)), math.nan)
        return None if math.isnan(found) else found

    def figure(self, name: str) -> float | None:
        """A figure of the model: of lists that were shown where there are any, else of sampled ones."""
        shown = self.value(name, data="shown")
        return self.value(name, data="sampled") if shown is None else shown

    def quantile(
        self,
        histogram: str,
        q: float,
        since: "Samples | None" = None,
        among: Mapping[str, Collection[str]] | None = None,
    ) -> float | None:
        """An upper estimate of a quantile: linear within the bucket that holds it, as Prometheus does.

        Parameters
        ----------
        histogram
            Name without ``_bucket``; the label sets that count are added up.
        q
            Between 0 and 1.
        since
            An earlier reading: only what came after it counts.
        among
            Label -> its values that count; default all.

        Returns
        -------
        float or None
            In the histogram's unit; None when nothing was observed. Beyond the last bound it is that bound.
        """
        counts = self._buckets(histogram, among or {})
        if since is not None:
            for bound, count in since._buckets(histogram, among or {}).items():
                counts[bound] = max(0.0, counts.get(bound, 0.0) - count)
        total = counts.get(math.inf, 0.0)
        if total <= 0:
            return None
        below, below_count = 0.0, 0.0
        for bound in sorted(counts):
            if counts[bound] >= q * total:
                if math.isinf(bound):
                    return below
                share = (q * total - below_count) / max(counts[bound] - below_count, 1e-12)
                return below + (bound - below) * share
            below, below_count = bound, counts[bound]
        return below

    def _buckets(self, histogram: str, among: Mapping[str, Collection[str]]) -> dict[float, float]:
        counts: dict[float, float] = {}
        for labels, value in self.each(f"{histogram}_bucket"):
            if any(labels.get(label) not in values for label, values in among.items()):
                continue
            bound = float(labels["le"])
            counts[bound] = counts.get(bound, 0.0) + value
        return counts


def get(url: str, timeout_s: float = 2.0) -> tuple[int, bytes]:
    """Status and body under an ``http://`` address.

    Raises
    ------
    UnreachableError
        No answer in time.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
    try:
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
        response = connection.getresponse()
        return response.status, response.read()
    except _NETWORK as error:
        raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def metrics(url: str, timeout_s: float = 2.0) -> Samples:
    """Read the metrics under `url`. Raises UnreachableError when they cannot be had."""
    status, body = get(url, timeout_s)
    if status != http.client.OK:
        raise UnreachableError(f"{url}: status {status}")
    try:
        return Samples(body.decode())
    except ValueError as error:
        raise UnreachableError(f"{url}: not Prometheus text: {error}") from error


def document(url: str, timeout_s: float = 2.0) -> tuple[int, Any]:
    """Status and JSON under `url`, None for a body that is none. Raises UnreachableError without an answer."""
    status, body = get(url, timeout_s)
    try:
        return status, json.loads(body)
    except ValueError:
        return status, None
