"""The brokers that a whole system on one machine may have: the embedded one, or Apache Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamrec.local import kafka, servers
from streamrec.local.servers import Server

StartBroker = Callable[[Path], Server]  # told where its log may be
KINDS: Final = ("embedded", "kafka")


def starter(kind: str, data_dir: str, say: Callable[[str], None]) -> StartBroker:
    """What starts an empty broker of a kind, for the life of this process.

    Parameters
    ----------
    kind
        One of `KINDS`.
    data_dir
        The setting: Apache Kafka's jars are kept there.
    say
        Told when something takes time.

    Examples
    --------
    >>> starter("embedded", ".streamrec", print) is servers.start_broker
    True
    """
    if kind == "embedded":
        return servers.start_broker
    return lambda directory: kafka.start_kafka(directory, kafka.install(Path(data_dir) / "kafka", say))
