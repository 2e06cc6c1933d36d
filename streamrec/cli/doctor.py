"""``streamrec doctor``: what is wrong, and what to do about it."""

import json
import shutil
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from streamrec.cli.doctor_redis import examine_server
from streamrec.cli.finding import Finding, Level
from streamrec.cli.options import with_settings
from streamrec.settings import Settings, SettingsError

_MARKS: Final = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "broken": ("BROKEN", "red")}
_LITTLE_DISK: Final = 200 * 2**20
_AHEAD: Final = "streamrec_event_ahead_seconds"
_AHEAD_S: Final = 1.0  # that a clock may be ahead
_PATIENCE_S: Final = 3.0
_SHOWN: Final = 5  # partitions named of those with the same trouble
_LETTERS_READ: Final = 20_000  # more would take seconds to read


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one finding after another; nothing is changed."""
    import redis  # noqa: PLC0415 - here and below, so that --help is quick

    from streamrec.kafka.admin import Admin  # noqa: PLC0415
    from streamrec.stores.base import StoreUnavailableError  # noqa: PLC0415
    from streamrec.stores.connect import connect, explained, nodes_of  # noqa: PLC0415

    admin: Any = Admin(settings, patience_s=_PATIENCE_S)
    found: list[Finding] = [*_kafka(settings, admin)]
    yield from found
    kafka_answers = found[0].level != "broken"
    try:
        client = connect(settings, _PATIENCE_S)
        for node, server in nodes_of(client):
            yield from examine_server(f"{node}: " if node else "", server)
        generation = yield from _generation(settings, client)
        keys = None if generation is None else generation.keys(settings.namespace)
        yield from _slots(settings, client)
    except (redis.RedisError, StoreUnavailableError) as error:
        why = explained(settings, error, _PATIENCE_S) if isinstance(error, redis.RedisError) else error
        what, _, remedy = str(why).partition(": ")
        yield Finding("broken", "redis", what, remedy or "see its log")
        redis_answers = False
    else:
        redis_answers = True
    yield from _workflow(settings)
    if settings.schema_registry is not None:
        yield from _registry(settings)
    if kafka_answers:
        yield from _retention(admin)
    if kafka_answers and redis_answers and keys is not None:
        yield from _positions(keys, admin, client)
    yield from _services(settings)
    if redis_answers and keys is not None:
        yield from _model(settings, keys, client)
    yield from _disk(settings)


def _kafka(settings: Settings, admin: Any) -> Iterator[Finding]:
    from streamrec.topics import DEAD_LETTERS, load  # noqa: PLC0415

    try:
        admin.partitions()
        yield Finding("ok", "kafka", f"{settings.kafka} answers")
        problems = admin.check(load())
        for problem in problems:
            yield Finding("broken", f"topic {problem.topic}", problem.what, problem.remedy)
        for drifted in admin.drift(load()):
            yield Finding("warning", f"topic {drifted.topic}", drifted.what, drifted.remedy)
        if not problems:
            yield Finding(
                "ok", "topics", f"all {len(load())} are there, {settings.partitions} partitions each where it matters"
            )
        if letters := sum(high - low for low, high in admin.watermarks(DEAD_LETTERS).values()):
            yield _letters(settings, letters)
    except admin.ERRORS as error:
        yield Finding("broken", "kafka", str(error), "start it, or set STREAMREC_KAFKA to its bootstrap servers")


def _letters(settings: Settings, records: int) -> Finding:
    """A warning as long as there are letters to be dealt with; of very many records it is not looked which are."""
    from streamrec.kafka.letters import Book  # noqa: PLC0415

    if records > _LETTERS_READ:
        what = f"about {records:,} records could not be used, or were and have been sent again"
        return Finding("warning", "dead letters", what, "streamrec dead-letters stats says why")
    book = Book(settings)
    unsettled = sum(book.state(letter) == "open" for letter in book.letters())
    if not unsettled:
        return Finding("ok", "dead letters", "all have been sent again")
    what = f"{unsettled:,} records could not be used"
    return Finding("warning", "dead letters", what, "streamrec dead-letters list says why")


def _workflow(settings: Settings) -> Iterator[Finding]:
    from streamrec.ranking.default import default_workflow  # noqa: PLC0415

    try:
        default_workflow(settings)
    except SettingsError as error:
        yield Finding(
            "broken", "settings", str(error), "no process that ranks starts like this: mend STREAMREC_WORKFLOW"
        )


def _registry(settings: Settings) -> Iterator[Finding]:
    from streamrec.kafka import subjects  # noqa: PLC0415
    from streamrec.kafka.registry import Registry, RegistryRefusedError, RegistryUnavailableError  # noqa: PLC0415

    writes = settings.framing == "confluent"
    try:
        registry = Registry(settings)
        found = list(subjects.check(registry))
    except SettingsError as error:
        yield Finding("broken", "registry", str(error), "no process starts like this: install it, or mend the settings")
        return
    except (RegistryUnavailableError, RegistryRefusedError) as error:
        yield Finding("broken", "registry", str(error), "start it, or mend STREAMREC_SCHEMA_REGISTRY; until then events by "
                      "schemas that a worker has not seen yet wait, and nothing is lost")  # fmt: skip
        return
    for subject in found:
        if subject.state == "incompatible":
            yield Finding("broken" if writes else "warning", f"schema {subject.name}", str(subject.problem),
                          "producers by it go to dead-letters: have them use the schema in avro/, under another subject "
                          "if need be")  # fmt: skip
    missing = [subject.name for subject in found if subject.state == "missing"]
    if missing and writes:
        what = f"{len(missing)} schemas are not registered ({missing[0]}, …), and the setting framing is confluent"
        yield Finding("broken", "registry", what, "streamrec schemas register")
    else:
        registered = sum(subject.id is not None for subject in found)
        what = f"{registry.where} answers; {registered} of our {len(found)} schemas are registered"
        yield Finding("ok", "registry", what)


def _generation(settings: Settings, client: Any) -> Generator[Finding, None, Any]:
    """The state's generation; None if it cannot be read, or is of another number of partitions than the settings."""
    from streamrec.stores import generations  # noqa: PLC0415

    try:
        found = generations.current(client, settings)
    except generations.UnreadableGenerationError as error:
        yield Finding("broken", "state", str(error), "upgrade streamrec here: a newer version wrote it")
        return None
    if found.partitions != settings.partitions:
        yield Finding("broken", "state", f"it was built for {found.partitions} partitions, the setting is "
                      f"{settings.partitions}", f"set partitions = {found.partitions}; streamrec rebuild --partitions N "
                      "changes the number")  # fmt: skip
        return None
    if found.number:
        yield Finding("ok", "state", f"built, generation {found.id}")
    return found


def _retention(admin: Any) -> Iterator[Finding]:
    """How much of the state could be computed anew: streamrec rebuild can tell no more than the log holds."""
    from streamrec.topics import PUBLIC_TOPICS, load  # noqa: PLC0415

    specs = load()
    kept = [name for name in PUBLIC_TOPICS if specs[name].cleanup == "delete"]
    try:
        bounds = admin.bounds(kept)
    except admin.ERRORS:
        return  # told above
    cut: dict[str, int] = {}
    for (topic, _), (low, _) in bounds.items():
        if low:
            cut[topic] = cut.get(topic, 0) + low
    for topic, count in cut.items():
        forever = specs[topic].retention == "forever"
        yield Finding(
            "warning" if forever else "ok", f"topic {topic}",
            f"its log does not begin at offset 0: {count:,} records have been deleted"
            + ("" if forever else f", as its retention ({specs[topic].retention}) says"),
            "a rebuild from topics alone would lack them: keep an archive, and build by streamrec bootstrap ARCHIVE --topics "
            "--replace",
        )  # fmt: skip


def _slots(settings: Settings, client: Any) -> Iterator[Finding]:
    from streamrec.stores.keys import Keys  # noqa: PLC0415

    keys = Keys(settings.namespace, settings.partitions)
    beyond = [
        slot for slot in (f"m{settings.partitions}", f"j{settings.partitions}") if client.exists(keys.epoch(slot))
    ]
    if beyond:
        what = f"Redis holds a slot {beyond[0]}: the state was built with more than {settings.partitions} partitions"
        yield Finding(
            "broken", "state", what,
            "set partitions to what it was; streamrec rebuild --partitions N changes the number",
        )  # fmt: skip


def _positions(keys: Any, admin: Any, client: Any) -> Iterator[Finding]:
    from streamrec.local import lag  # noqa: PLC0415
    from streamrec.stores.positions import UnreadablePositionError  # noqa: PLC0415

    try:
        inputs = lag.read(admin, client, keys)
        ids = {name: topic.id for name, topic in admin.describe(lag.consumed()).items()}
    except UnreadablePositionError as error:
        yield Finding("broken", "state", str(error), "upgrade streamrec here: a newer version wrote it")
        return
    except admin.ERRORS as error:
        yield Finding("broken", "kafka", str(error), "see above")
        return
    wrong: dict[str, list[str]] = {}
    for found in inputs:
        if (misfit := lag.misfit(found, ids.get(found.topic, ""))) is not None:
            wrong.setdefault(misfit, []).append(f"{found.topic}/{found.partition}")
    for what, places in wrong.items():
        named = ", ".join(places[:_SHOWN]) + (f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else "")
        yield Finding("broken", "positions", f"{named}: {what}",
                      "no worker goes on there, so that nothing is skipped silently. streamrec rebuild makes a state that "
                      "fits, from what the log still holds, and says what that lacks")  # fmt: skip
    if not wrong:
        behind = sum(found.lag for found in inputs)
        yield Finding("ok", "positions", f"state and log fit together; {behind:,} records are not in the state yet")


def _services(settings: Settings) -> Iterator[Finding]:
    from streamrec.local import scrape  # noqa: PLC0415
    from streamrec.local.ports import is_free  # noqa: PLC0415

    ports = {"worker": settings.worker_metrics_port, "trainer": settings.trainer_metrics_port}
    for name, port in ports.items():
        address = f"http://{settings.metrics_host}:{port}/metrics"
        try:
            samples = scrape.metrics(address, _PATIENCE_S)
        except scrape.UnreachableError as error:
            yield _away(name, str(error), is_free(port, settings.metrics_host), f"{name}_metrics_port")
            continue
        if samples.total("streamrec_fenced_total"):
            what = "it has lost a slot to another one: are there two of it with the same partitions?"
            yield Finding("warning", name, what, "harmless after a restart or rebalance; else stop the second one")
        ahead, most = samples.total(f"{_AHEAD}_count"), samples.quantile(_AHEAD, 0.99)
        if most is not None and most > _AHEAD_S:
            what = f"the times of {ahead:,.0f} events lay in the future, up to {most:,.0f} s: clocks of producers are ahead"
            yield Finding("warning", name, what, "set their clocks; beyond clock_skew_ms events become dead letters")
        yield Finding("ok", name, f"answers at {address}")
    address = f"http://{settings.lookup_host}:{settings.lookup_port}/health/ready"
    try:
        _, body = scrape.document(address, _PATIENCE_S)
    except scrape.UnreachableError as error:
        yield _away("lookup", str(error), is_free(settings.lookup_port, settings.lookup_host), "lookup_port")
        return
    if not isinstance(body, dict) or "missing" not in body:
        what = f"something that is not streamrec answers at {address}"
        yield Finding("broken", "lookup", what, "stop it, or choose another STREAMREC_LOOKUP_PORT")
        return
    for missing in body["missing"]:
        level: Level = "broken" if body["status"] == "not_ready" else "warning"
        yield Finding(level, "lookup", missing["detail"], "it mends itself once the cause, listed here too, is gone")
    if not body["missing"]:
        yield Finding("ok", "lookup", f"ready, knows {body['jobs']:,} jobs")


def _away(name: str, error: str, free: bool, setting: str) -> Finding:
    if free:
        return Finding(
            "broken", name, f"it does not run here ({error})", f"streamrec {name}, or streamrec up for all of them"
        )
    what = f"something else than streamrec listens on its port, or it hangs ({error})"
    return Finding("broken", name, what, f"stop that, or choose another port with STREAMREC_{setting.upper()}")


def _model(settings: Settings, keys: Any, client: Any) -> Iterator[Finding]:
    from streamrec.models.snapshot import UnreadableSnapshotError, unpack  # noqa: PLC0415
    from streamrec.stores.serving import MODEL  # noqa: PLC0415

    value = client.get(keys.model(MODEL))
    if value is None:
        yield Finding("warning", "model", "there is none yet: lists are ranked by popularity, text and place",
                      "it comes with the first events, if worker and trainer run")  # fmt: skip
        return
    try:
        snapshot = unpack(value)
    except UnreadableSnapshotError as error:
        yield Finding("broken", "model", str(error), "upgrade streamrec here, or let the trainer learn anew")
        return
    age_ms = time.time() * 1000 - snapshot.learned_at
    if age_ms > settings.model_max_age_ms:
        yield Finding("warning", "model", f"version {snapshot.version} is {age_ms / 60_000:.0f} min old",
                      "if events arrive, see the trainer's log; without events it stays as it is")  # fmt: skip
    else:
        yield Finding(
            "ok", "model", f"version {snapshot.version}, {age_ms / 1000:.0f} s old, {snapshot.examples:,} examples"
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    directory = Path(settings.data_dir).absolute()
    there = next(parent for parent in (directory, *directory.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < _LITTLE_DISK:
        what = f"{free / 2**20:.0f} MB are left for {directory}"
        yield Finding("warning", "disk", what, "make room: copies of the model are written there")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_settings
def doctor(settings: Settings, as_json: bool) -> None:
    """Say what is wrong with this installation, and what to do about it. Changes nothing.

    Exit code 1 when something is broken; warnings alone leave it 0.

    \b
    Examples:
      streamrec doctor
      STREAMREC_KAFKA=kafka:9092 streamrec doctor --json
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            word, style = _MARKS[finding.level]
            console.print(Text.assemble((f"{word:<8}", style), (f"{finding.area}: ", "bold"), finding.what))
            if finding.remedy:
                console.print(Text(f"        -> {finding.remedy}"))
    broken = sum(finding.level == "broken" for finding in findings)
    if as_json:
        click.echo(json.dumps({"broken": broken, "findings": msgspec.to_builtins(findings)}))
    else:
        console.print(f"{broken} broken" if broken else "nothing is broken")
    sys.exit(1 if broken else 0)
