"""A bare confluent-kafka consumer that only decodes."""

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from streamrec.bench.consumers.tally import arguments


def main() -> None:
    """Read until the tally has enough."""
    kafka, names, tally = arguments()
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench-bare", "enable.auto.commit": False})
    listed = consumer.list_topics(timeout=10).topics
    consumer.assign([
        TopicPartition(name, number, OFFSET_BEGINNING) for name in names for number in listed[name].partitions
    ])  # fmt: skip
    while True:
        for message in consumer.consume(1000, 1.0):
            if message.error() is None and tally.take(message.topic(), message.key(), message.value()):
                tally.end()


if __name__ == "__main__":
    main()
