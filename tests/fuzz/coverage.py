"""Coverage-guided fuzzing of what the agents read: ``python -m tests.fuzz.coverage SECONDS DIRECTORY``.

atheris keeps values that reach new lines in the directory, and goes on from them; it begins with golden bytes of all records.
The value that ended it is left in ``crash-…``: a byte that chooses the record, then the value. Add it to ``tests/golden/fuzz``.
"""

import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["streamrec.codecs", "streamrec.features.fold", "streamrec.features.network"]):
    from streamrec import codecs
    from streamrec.events import Rejected
    from tests.fuzz.messages import NOW, SCHEMA_ID, key_of
    from tests.fuzz.owners import Owners
    from tests.fuzz.test_avro import WRITERS, decoded, framed_example

_PLACES: Final = 2 * len(codecs.RECORDS)  # each record in both framings


def one(data: bytes) -> None:
    """What an agent does with one value."""
    if not data:
        return
    number, body = data[0] % _PLACES, data[1:]
    record = codecs.RECORDS[number // 2]
    head = framed_example(record)[:10] if number % 2 == 0 else b"\0" + SCHEMA_ID.to_bytes(4, "big")
    found = codecs.decode(record, head + body, WRITERS[record])
    key = b"k" if isinstance(found, Rejected) else key_of(found)
    found = decoded(record, key, head + body)
    if isinstance(found, Rejected):
        return
    owners = Owners()
    owners.take(found)
    owners.read(NOW)


def main() -> None:
    """Fuzz for so many seconds."""
    seconds, directory = sys.argv[1], Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for place in range(_PLACES):
        record = codecs.RECORDS[place // 2]
        (directory / f"golden-{place}").write_bytes(bytes([place]) + framed_example(record)[10:])
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", f"-artifact_prefix={directory}/"]
    atheris.Setup([sys.argv[0], str(directory), *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
