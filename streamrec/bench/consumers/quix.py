"""Quix Streams, decoding only: a streaming data frame a topic. Run by an interpreter that has it."""

import logging
import time
from typing import Any

from streamrec.bench.consumers.tally import arguments


def main() -> None:
    """Read until the tally has enough."""
    from quixstreams import Application  # noqa: PLC0415 - in another environment, see `ingest`

    kafka, names, tally = arguments()
    logging.disable(logging.WARNING)
    app = Application(
        broker_address=kafka, consumer_group=f"bench-quix-{time.time_ns():x}", auto_offset_reset="earliest",
        auto_create_topics=False, loglevel="ERROR",
    )  # fmt: skip

    def reader(name: str) -> Any:
        def take(value: bytes, key: bytes, _timestamp: int, _headers: Any) -> None:
            if tally.take(name, key, value):
                tally.end()

        return take

    for name in names:
        topic = app.topic(name, key_deserializer="bytes", value_deserializer="bytes")
        app.dataframe(topic).update(reader(name), metadata=True)
    app.run()


if __name__ == "__main__":
    main()
