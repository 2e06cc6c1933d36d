"""Sends one of each event. Usage: python producer.py [BOOTSTRAP_SERVERS]"""

import io
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer
from fastavro import parse_schema, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMAS = Path(__file__).resolve().parents[3] / "avro"
NOW = time.time_ns() // 1_000_000  # times are milliseconds since the epoch


def event_id() -> str:
    """An id of its own for each event: one that comes again is counted once, so that what failed may be sent again."""
    return str(uuid.uuid4())


# Topic, record, the field that is the key, the event. Fields that have a default in the schema may be left out.
EVENTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("job-postings", "JobPosting", "job_id",
     {"job_id": "job-1", "title": "Zeppelin rigger", "city": "Köln", "skills": ["knots"], "salary_min": 40_000.5,
      "posted_at": NOW}),
    ("member-profiles", "MemberProfile", "member_id",
     {"member_id": "member-1", "headline": "Rigger", "desired_titles": ["Zeppelin rigger"], "open_to_remote": False,
      "updated_at": NOW}),
    ("job-views", "JobView", "member_id",
     {"event_id": event_id(), "member_id": "member-2", "job_id": "job-1", "occurred_at": NOW, "position": 0,
      "surface": "home"}),
    ("job-saves", "JobSave", "member_id",
     {"event_id": event_id(), "member_id": "member-3", "job_id": "job-1", "occurred_at": NOW}),
    ("job-likes", "JobLike", "member_id",
     {"event_id": event_id(), "member_id": "member-4", "job_id": "job-1", "occurred_at": NOW}),
    ("job-applications", "JobApplication", "member_id",
     {"event_id": event_id(), "member_id": "member-5", "job_id": "job-1", "occurred_at": NOW}),
    ("job-dismissals", "JobDismissal", "member_id",
     {"event_id": event_id(), "member_id": "mémbér-6", "job_id": "job-1", "occurred_at": NOW, "reason": "too high"}),
    ("connections", "Connection", "member_id",
     {"event_id": event_id(), "member_id": "member-7", "other_member_id": "member-1", "occurred_at": NOW}),
    ("impressions-seen", "ImpressionSeen", "member_id",
     {"event_id": event_id(), "member_id": "member-8", "request_id": "request-1", "positions": [0, 1, 2],
      "occurred_at": NOW}),
]  # fmt: skip


def encode(record: str, event: dict[str, Any]) -> bytes:
    """Avro's single-object encoding: C3 01, the schema's fingerprint (CRC-64-AVRO, little-endian), the body."""
    schema = parse_schema(json.loads((SCHEMAS / f"{record}.avsc").read_text(encoding="utf-8")))
    output = io.BytesIO()
    output.write(b"\xc3\x01")
    output.write(bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")))
    schemaless_writer(output, schema, event)
    return output.getvalue()


def main() -> None:
    """Send the events, and end with an error unless Kafka has confirmed them all."""
    servers = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"
    producer = Producer({
        "bootstrap.servers": servers,
        "partitioner": "murmur2_random",  # as in Java; librdkafka's own default differs, and streamrec relies on it
        "enable.idempotence": True,
    })  # fmt: skip
    failed = []

    def confirmed(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failed.append(f"{message.topic()}: {error.str()}")

    for topic, record, key_field, event in EVENTS:
        producer.produce(topic, encode(record, event), event[key_field], on_delivery=confirmed)
    unconfirmed = producer.flush(30)
    if failed or unconfirmed:
        sys.exit(f"{len(failed) + unconfirmed} events are not confirmed: {'; '.join(failed) or 'no answer'}")
    print(f"sent {len(EVENTS)} events to {servers}")


if __name__ == "__main__":
    main()
