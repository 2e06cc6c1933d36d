"""``streamrec members``: what is kept of a member, for the member to read, and to be forgotten."""

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from streamrec import codecs, topics
from streamrec.cli.options import plain_errors, with_settings
from streamrec.codecs import MAX_ID
from streamrec.events import Rejected, digest_of
from streamrec.features.state import MemberState, Network, unpack
from streamrec.partitioner import partition_of
from streamrec.settings import Settings

if TYPE_CHECKING:
    from streamrec.stores.keys import Keys

_POLL_S: Final = 0.1
_LOGS: Final = (*topics.PUBLIC_TOPICS, "impressions")


def _member(_context: click.Context, _parameter: click.Parameter, member_id: str) -> str:
    if not 0 < len(member_id) <= MAX_ID:
        raise click.BadParameter(f"a member id has 1 to {MAX_ID} characters")
    return member_id


@click.group()
def members() -> None:
    """Export or erase what is kept of a member.

    \b
    Examples:
      streamrec members export member-1 > member-1.json
      streamrec members erase member-1
    """


@members.command()
@click.argument("member_id", metavar="ID", callback=_member)
@click.option("--log", "with_log", is_flag=True, help="Also the member's records in Kafka; reads its partitions whole.")
@with_settings
def export(settings: Settings, member_id: str, with_log: bool) -> None:
    """Print all that is kept of a member, as one JSON document.

    \b
    state        profile, recent jobs, counts, what it viewed, saved, liked, applied for and dismissed
    network      its connections, and what they did
    shown        lists that it was shown lately
    passed       jobs that it was shown and did not check
    erased_at    when it was erased, in ms since the epoch; null if it was not
    log          with --log: its records, by topic

    Exit code: 0, 1 when nothing is kept of such a member (the document says so) or a server does not answer.

    \b
    Examples:
      streamrec members export member-1 | jq .state.profile
      streamrec members export member-1 --log > member-1.json
    """
    with plain_errors():
        found = _stored(*open_store(settings), member_id)
        if with_log:
            found["log"] = dict(_logs(settings, member_id))
    click.echo(json.dumps({"member_id": member_id, **found}))
    if not any(found[part] for part in ("state", "network", "shown", "passed")) and not found.get("log"):
        click.echo(f"nothing is kept of member {member_id!r}", err=True)
        sys.exit(1)


@members.command()
@click.argument("member_id", metavar="ID", callback=_member)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", "patience_s", type=click.FloatRange(0), default=30.0, show_default=True,
              help="Seconds to wait until a worker has erased the state; 0 does not wait.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@with_settings
def erase(settings: Settings, member_id: str, yes: bool, patience_s: float, as_json: bool) -> None:
    """Erase a member: its state, lists, network and pending labels, its traces with connections, its training examples.

    Sends a tombstone to member-profiles, waits until a worker has applied it, and removes the stored training examples.
    What the member did before is dropped from now on, wherever it still comes from. Counts of jobs and the weights of
    models stay: they name nobody. Records in the topics of producers stay as long as their retention says; a tombstone
    that a producer sends does the same, and the trainer removes the examples within the hour.

    Exit code: 0; 1 when a server does not answer, or no worker has applied it within --wait; 130 Ctrl-C.

    \b
    Examples:
      streamrec members erase member-1
      streamrec members erase member-1 --yes --json
    """
    if not yes and sys.stdin.isatty():
        click.confirm(f"Erase all that is kept of member {member_id!r}? It cannot be taken back.", abort=True)
    from streamrec.kafka.forgetting import forget_examples  # noqa: PLC0415
    from streamrec.kafka.producer import Producer, Record  # noqa: PLC0415

    with plain_errors():
        client, keys = open_store(settings)
        before = _erased_at(client, keys, member_id)
        producer = Producer(settings)
        try:
            producer.send_now(Record(topic="member-profiles", key=member_id.encode(), value=None))
            producer.flush(settings.produce_timeout_s)
        finally:
            producer.close()
        erased_at = _wait(client, keys, member_id, before, patience_s)
        examples = 0
        if erased_at is not None:
            examples = forget_examples(settings, {digest_of(member_id): erased_at})
    if as_json:
        click.echo(json.dumps({"member_id": member_id, "erased_at": erased_at, "training_examples": examples}))
    elif erased_at is not None:
        click.echo(f"{member_id} is erased, with {examples:,} training examples")
    else:
        click.echo(f"the tombstone of {member_id} is in member-profiles; a worker will apply it")
    if erased_at is None and patience_s:
        click.echo(
            f"no worker has applied it within {patience_s:g} s: see `streamrec status`, then run this again", err=True
        )
        sys.exit(1)


def _wait(client: Any, keys: "Keys", member_id: str, before: int | None, patience_s: float) -> int | None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        erased_at = _erased_at(client, keys, member_id)
        if erased_at is not None and erased_at != before:
            return erased_at
        time.sleep(_POLL_S)
    return None


def _erased_at(client: Any, keys: "Keys", member_id: str) -> int | None:
    value = client.hget(keys.erased(keys.member_slot(member_id)), digest_of(member_id))
    return None if value is None else int(value)


def _stored(client: Any, keys: "Keys", member_id: str) -> dict[str, Any]:
    from streamrec.models import passed as passed_over  # noqa: PLC0415
    from streamrec.models import shown as shown_lists  # noqa: PLC0415

    kinds = (keys.member, keys.network, keys.shown, keys.passed)
    state, network, shown, passed = client.mget([key(member_id) for key in kinds])
    return {
        "state": None if state is None else _plain(unpack(MemberState, state)),
        "network": None if network is None else _plain(unpack(Network, network)),
        "shown": None if shown is None else _plain(shown_lists.unpack(shown)),
        "passed": None if passed is None else _plain(passed_over.unpack(passed)),
        "erased_at": _erased_at(client, keys, member_id),
    }


def _plain(value: Any) -> Any:
    """A struct as JSON, by the names of its fields; bytes as base64."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return msgspec.to_builtins(value)


def _logs(settings: Settings, member_id: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    from streamrec.kafka.reader import read  # noqa: PLC0415

    specs, key = topics.load(), member_id.encode()
    for name in _LOGS:
        if specs[name].keyed_by != "member":
            continue
        partition = partition_of(member_id, settings.partitions)
        records = []
        for record in read(settings, name, {partition: 0}):
            if record.key == key:
                event = None if record.value is None else codecs.decode(specs[name].schema, record.value)
                fields = {} if event is None or isinstance(event, Rejected) else codecs.to_json(event)
                records.append({"offset": record.offset, "timestamp": record.timestamp, **fields})
        if records:
            yield name, records


def open_store(settings: Settings) -> tuple[Any, "Keys"]:
    """A client of Redis, and the keys of the generation that counts."""
    from streamrec.stores.connect import connect  # noqa: PLC0415
    from streamrec.stores.generations import current_of  # noqa: PLC0415

    generation = current_of(settings)  # says what is wrong, if Redis does not answer
    return connect(settings), generation.keys(settings.namespace)
