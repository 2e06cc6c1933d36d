"""Stock Faust, one message at a time, decoding only."""

import logging
import sys
import tempfile
import time
from typing import Any

import faust

from streamrec.bench.consumers.tally import arguments


def main() -> None:
    """Read until the tally has enough."""
    kafka, names, tally = arguments()
    app = faust.App(
        f"bench-faust-{time.time_ns():x}", broker=f"kafka://{kafka}", store="memory://", web_enabled=False,
        topic_disable_leader=True, topic_allow_declare=False, consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0, broker_heartbeat_interval=0.5, datadir=tempfile.mkdtemp(), key_serializer="raw",
        value_serializer="raw",
    )  # fmt: skip

    @app.agent(app.topic(*names, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def decode(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            if tally.take(message.topic, message.key, message.value):
                tally.end()

    logging.disable(logging.WARNING)
    worker = faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False)
    worker.spinner = None
    sys.exit(worker.execute_from_commandline())


if __name__ == "__main__":
    main()
