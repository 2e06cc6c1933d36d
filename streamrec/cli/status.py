"""``streamrec status``: what runs, how far everything is read, how old model and tables are."""

import json
import time
from typing import Any

import click
import msgspec

from streamrec.cli.options import with_settings
from streamrec.settings import Settings


class Service(msgspec.Struct):
    """One process, as seen at its address; `says` is what it tells of itself, or why it cannot be asked."""

    name: str
    address: str
    runs: bool
    says: str


class TopicLag(msgspec.Struct):
    """One topic that is read: `partitions` are the lags of its partitions, `read` the records that are in the state."""

    topic: str
    read: int
    lag: int
    partitions: list[int]


class ModelInfo(msgspec.Struct):
    """The newest snapshot in the store; times in seconds."""

    name: str
    version: int
    age_s: float
    examples: int
    features: int
    log_loss: float | None
    constant_log_loss: float | None
    auc: float | None


class Status(msgspec.Struct):
    """The whole. `problems` says what could not be read; `streamrec doctor` says what to do.

    `generation` is the id of the state's last build; empty where it grew without one.
    """

    kafka: str
    redis: str
    services: list[Service]
    topics: list[TopicLag]
    dead_letters: int | None
    model: ModelInfo | None
    jobs: dict[str, int]
    table_age_s: float | None
    problems: list[str]
    generation: str = ""


def read(settings: Settings) -> Status:
    """Ask everything that can be asked; what does not answer is in `problems`."""
    import redis  # noqa: PLC0415 - here and below, so that --help is quick

    from streamrec.kafka.admin import Admin  # noqa: PLC0415
    from streamrec.local import lag  # noqa: PLC0415
    from streamrec.stores import generations  # noqa: PLC0415
    from streamrec.stores.base import StoreUnavailableError  # noqa: PLC0415
    from streamrec.stores.connect import connect, explained  # noqa: PLC0415
    from streamrec.topics import DEAD_LETTERS  # noqa: PLC0415

    status = Status(settings.kafka, settings.redis_shown, [], [], None, None, {}, None, [])
    samples = _ask_services(settings, status)
    admin = Admin(settings, patience_s=3.0)
    client: Any = None
    keys = None
    try:
        client = connect(settings, 3.0)
        generation = generations.current(client, settings)
        keys, status.generation = generation.keys(settings.namespace), generation.id
    except redis.RedisError as error:
        status.problems.append(str(explained(settings, error)))
    except (StoreUnavailableError, ValueError) as error:
        status.problems.append(str(error))
    try:
        for found in lag.read(admin, client, keys) if keys is not None else ():
            if not status.topics or status.topics[-1].topic != found.topic:
                status.topics.append(TopicLag(found.topic, 0, 0, []))
            row = status.topics[-1]
            row.read += found.next_offset
            row.lag += found.lag
            row.partitions.append(found.lag)
        status.dead_letters = sum(high - low for low, high in admin.watermarks(DEAD_LETTERS).values())
    except Admin.ERRORS as error:
        status.problems.append(str(error))
    except redis.RedisError as error:
        status.problems.append(str(explained(settings, error)))
    except ValueError as error:
        status.problems.append(f"positions in {settings.redis_shown}: {error}")
    if keys is not None:
        _read_model(status, client, keys, samples)
    return status


def _ask_services(settings: Settings, status: Status) -> Any:
    from streamrec.local import scrape  # noqa: PLC0415

    trainer = scrape.Samples()
    ports = {
        "worker": settings.worker_metrics_port, "trainer": settings.trainer_metrics_port, "probe": settings.probe_metrics_port,
    }  # fmt: skip
    for name, port in ports.items():
        address = f"http://{settings.metrics_host}:{port}/metrics"
        try:
            samples = scrape.metrics(address)
        except scrape.UnreachableError as error:
            status.services.append(Service(name, address, False, _without(str(error), address)))
            continue
        started = samples.value("process_start_time_seconds")
        says = "up" if started is None else f"up for {ago(time.time() - started)}"
        if name == "trainer":
            trainer = samples
        elif name == "probe":
            took = samples.quantile("streamrec_probe_seconds", 0.5)
            says += "" if took is None else f"; an event is in an answer after {1000 * took:,.0f} ms (median)"
        else:
            status.jobs = {labels["state"]: int(value) for labels, value in samples.each("streamrec_table_jobs")}
        status.services.append(Service(name, address, True, says))
    address = f"http://{settings.lookup_host}:{settings.lookup_port}/health/ready"
    try:
        _, body = scrape.document(address)
    except scrape.UnreachableError as error:
        status.services.append(Service("lookup", address, False, _without(str(error), address)))
        return trainer
    if not isinstance(body, dict) or "missing" not in body:
        status.services.append(Service("lookup", address, False, "something else answers there"))
        return trainer
    missing = "; ".join(missing["detail"] for missing in body["missing"])
    status.services.append(
        Service("lookup", address, True, body["status"].replace("_", " ") + f": {missing}" * bool(missing))
    )
    status.table_age_s = None if body["table_age_ms"] is None else body["table_age_ms"] / 1000
    status.jobs = status.jobs or {"known": body["jobs"]}
    return trainer


def _without(text: str, address: str) -> str:
    return text.removeprefix(f"{address}: ")


def _read_model(status: Status, client: Any, keys: Any, samples: Any) -> None:
    import redis  # noqa: PLC0415

    from streamrec.models.snapshot import UnreadableSnapshotError, unpack  # noqa: PLC0415
    from streamrec.stores.serving import MODEL  # noqa: PLC0415

    try:
        value = client.get(keys.model(MODEL))
    except redis.RedisError as error:
        status.problems.append(f"Redis at {status.redis}: {error}")
        return
    if value is None:
        return
    try:
        snapshot = unpack(value)
    except UnreadableSnapshotError as error:
        status.problems.append(f"the model in Redis: {error}")
        return
    status.model = ModelInfo(
        snapshot.name, snapshot.version, time.time() - snapshot.learned_at / 1000, snapshot.examples,
        len(snapshot.feature_names), samples.figure("streamrec_model_log_loss"),
        samples.figure("streamrec_model_constant_log_loss"), samples.figure("streamrec_model_auc"),
    )  # fmt: skip


def ago(seconds: float) -> str:
    """A time span, for people.

    Examples
    --------
    >>> ago(4.2), ago(200), ago(90_000)
    ('4.2 s', '3 min', '25 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def show(status: Status) -> None:
    """Print it for people."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    console.print(Text(f"Kafka {status.kafka}    Redis {status.redis}"))
    services = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for service in status.services:
        mark = Text("runs", style="green") if service.runs else Text("away", style="red")
        services.add_row(Text(service.name, style="bold"), mark, Text(service.says), Text(service.address, style="dim"))
    console.print(services)
    if status.topics:
        topics = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        topics.add_column("topic")
        for title in ("in the state", "lag", "largest of a partition"):
            topics.add_column(title, justify="right")
        for row in status.topics:
            style = "yellow" if row.lag > 1000 else ""
            topics.add_row(
                row.topic, f"{row.read:,}", Text(f"{row.lag:,}", style=style), f"{max(row.partitions, default=0):,}"
            )
        console.print(topics)
    if status.dead_letters is not None:
        console.print(f"dead letters: {status.dead_letters:,}")
    console.print(Text(f"model: {_model_line(status.model)}"), soft_wrap=True)
    if status.jobs:
        jobs = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in status.jobs.items())
        age = "" if status.table_age_s is None else f"; current as of {ago(status.table_age_s)} ago"
        console.print(Text(f"jobs: {jobs}{age}"), soft_wrap=True)
    if status.generation:
        console.print(Text(f"state: built, generation {status.generation}"))
    for problem in status.problems:
        console.print(Text(f"problem: {problem}", style="red"), soft_wrap=True)
    if status.problems or not all(service.runs for service in status.services):
        console.print("streamrec doctor says what to do.")


def _model_line(model: ModelInfo | None) -> str:
    if model is None:
        return "none yet"
    learned = f"{model.examples:,} examples, {model.features} features"
    says = f"{model.name} version {model.version}, {ago(model.age_s)} old, {learned}"
    if model.log_loss is None or model.constant_log_loss is None:
        return says
    auc = "" if model.auc is None else f", AUC {model.auc:.3f}"
    return f"{says}, log loss {model.log_loss:.3f} (best constant {model.constant_log_loss:.3f}){auc}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_settings
def status(settings: Settings, as_json: bool) -> None:
    """Show what runs, how far every topic is read, and how old model and tables are.

    Lag is what the stored positions are behind Kafka's logs: it is true also while no worker runs.

    \b
    Examples:
      streamrec status
      streamrec status --json | jq '.topics[] | select(.lag > 0)'
    """
    found = read(settings)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
    else:
        show(found)
