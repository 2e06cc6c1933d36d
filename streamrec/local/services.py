"""The processes of streamrec itself on one machine: trainer, worker, lookup and probe, under a supervisor."""

from collections.abc import Iterable
from typing import Final

from streamrec.kafka import subjects
from streamrec.kafka.admin import Admin
from streamrec.kafka.registry import Registry
from streamrec.local.ports import is_free
from streamrec.local.signals import StopSignals
from streamrec.local.supervisor import Child, Say, Supervisor, command_of
from streamrec.ranking.default import default_workflow
from streamrec.settings import Settings, environ_of
from streamrec.topics import load

ESSENTIAL: Final = ("trainer", "worker", "lookup")  # what makes and answers lists
SERVICES: Final = (*ESSENTIAL, "probe")  # in the order of their start; they stop in the reverse one
_CHECK_S: Final = 0.2


class ServicesError(RuntimeError):
    """The services cannot be started as they are set up; the message says what to do."""


def start_services(supervisor: Supervisor, settings: Settings, names: Iterable[str] = SERVICES) -> list[Child]:
    """Start services with these settings, by default all of them.

    Raises
    ------
    SettingsError
        There is no such workflow as the setting names.
    """
    default_workflow(settings)
    environ = environ_of(settings)
    return [supervisor.start(name, command_of(name), environ) for name in names]


def check_ports(settings: Settings) -> None:
    """Raise ServicesError if a port that a service listens on is taken."""
    wanted = [
        ("lookup_port", settings.lookup_host, settings.lookup_port),
        ("worker_metrics_port", settings.metrics_host, settings.worker_metrics_port),
        ("trainer_metrics_port", settings.metrics_host, settings.trainer_metrics_port),
        ("probe_metrics_port", settings.metrics_host, settings.probe_metrics_port),
    ]
    for name, host, port in wanted:
        if not is_free(port, host):
            raise ServicesError(
                f"port {port} of {host} is taken ({name}): stop what listens there (another streamrec?), or choose "
                f"another with STREAMREC_{name.upper()}"
            )


def register_schemas(settings: Settings, say: Say) -> None:
    """Register our schemas, since the lookup writes by their ids; raises as `up` does."""
    found = list(subjects.register(Registry(settings)))
    if new := [subject.name for subject in found if subject.state == "new"]:
        say(f"streamrec: registered the schemas of {', '.join(new)}")
    if problems := [f"{subject.name}: {subject.problem}" for subject in found if subject.problem]:
        raise ServicesError("\n".join(problems))


def up(settings: Settings, say: Say) -> int:
    """Run the services against the configured Kafka and Redis until a signal; the exit code.

    Raises
    ------
    SettingsError
        There is no such workflow as the setting names.
    ServicesError
        A port is taken, or a topic or the schema registry is not as it must be.
    KafkaUnavailableError, KafkaRefusedError, RegistryUnavailableError
        Kafka does not answer, or does not let us create a topic; the registry that we are to write by does not answer.
    """
    check_ports(settings)
    admin = Admin(settings)
    if created := admin.create(load()):
        say(f"streamrec: created the topics {', '.join(created)}")
    if problems := admin.check(load()):
        raise ServicesError("\n".join(f"{problem.topic}: {problem.what}; {problem.remedy}" for problem in problems))
    if settings.framing == "confluent":
        register_schemas(settings, say)
    supervisor = Supervisor(say, logs=None)
    with StopSignals(supervisor.kill) as stop, supervisor:
        start_services(supervisor, settings)
        base = f"http://{settings.lookup_host}:{settings.lookup_port}"
        say(f"streamrec: API {base}, its documentation {base}/docs, metrics {base}/metrics; Ctrl-C stops")
        while not stop.wait(_CHECK_S):
            supervisor.check()
            if lost := [child.name for child in supervisor.children if child.gave_up]:
                say(f"streamrec: without {', '.join(lost)} the rest makes no sense: stopping")
                return 1
        say("streamrec: stopping")
    return 0
