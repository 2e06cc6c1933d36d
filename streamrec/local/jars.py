"""Apache Kafka's jars: which ones, the pom in ``ops/kafka/`` says; Maven fetches them, once. And the Java that runs them."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamrec.local.servers import ServerError

OLDEST_JAVA: Final = 17
_FETCH_S: Final = 600.0  # from a slow mirror
_LAST_WORDS: Final = 5


def pom() -> Path:
    """Where the pom is: inside the package when installed, else in the checkout."""
    here = Path(__file__).parent.parent
    installed = here / "_kafka" / "pom.xml"
    return installed if installed.exists() else here.parent / "ops" / "kafka" / "pom.xml"


def kafka_version() -> str:
    """The version of Apache Kafka that the pom names."""
    found = re.search(r"<kafka\.version>(.+)</kafka\.version>", pom().read_text())
    if found is None:
        raise ServerError(f"{pom()} names no kafka.version")
    return found[1]


def version_of_java(said: str) -> int | None:
    """The feature release in what ``java -version`` says, None if it says none.

    Examples
    --------
    >>> version_of_java('openjdk version "17.0.15" 2025-04-15'), version_of_java('java version "1.8.0_402"')
    (17, 8)
    >>> version_of_java("Unable to locate a Java Runtime.")
    """
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return None if found is None else int(found[1])


def java() -> str:
    """Path of a Java that runs Kafka: the one of ``$JAVA_HOME``, else the one on the PATH.

    Raises
    ------
    ServerError
        There is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=None if home is None else f"{home}/bin")
    remedy = f"install Java {OLDEST_JAVA} or later, or set JAVA_HOME to one"
    if found is None:
        raise ServerError(
            f"Apache Kafka needs Java, and there is none {f'in {home}' if home else 'on the PATH'}: {remedy}"
        )
    said = subprocess.run([found, "-version"], check=False, capture_output=True, text=True)  # noqa: S603
    version = version_of_java(said.stderr + said.stdout)
    if version is None or version < OLDEST_JAVA:
        is_ = f"of version {version}" if version else "of no use"
        raise ServerError(f"Apache Kafka needs Java {OLDEST_JAVA}, and {found} is {is_}: {remedy}")
    return found


def maven() -> str:
    """Path of Maven; raises ServerError if there is none on the PATH."""
    if (found := shutil.which("mvn")) is None:
        raise ServerError(
            "Apache Kafka is fetched by Maven, and there is no mvn on the PATH: install Maven 3.6 or later"
        )
    return found


def missing(directory: Path) -> str | None:
    """What this machine lacks to run Apache Kafka, and the remedy; None if nothing. `directory` as for `fetch`.

    Examples
    --------
    >>> missing(Path("nowhere")) is None or "install" in missing(Path("nowhere"))
    True
    """
    try:
        java()
        if not _place(directory).is_dir():
            maven()
    except ServerError as error:
        return str(error)
    return None


def fetch(directory: Path, say: Callable[[str], None] = lambda _line: None) -> Path:
    """The directory of the jars, within `directory`; they are fetched if they are not there yet.

    Parameters
    ----------
    directory
        Keeps the jars of each state of the pom: 43 MB.
    say
        Told when something takes time.

    Raises
    ------
    ServerError
        Maven is missing, or cannot get the jars.
    """
    directory = directory.resolve()  # Maven takes paths as relative to the pom
    place = _place(directory)
    if not place.is_dir():
        say(f"fetching Apache Kafka {kafka_version()} by Maven into {place}")
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as unfinished:
            _copy(Path(unfinished) / "jars")
            try:
                (Path(unfinished) / "jars").rename(place)  # at once and whole, whoever else does the same
            except OSError:
                if not place.is_dir():
                    raise
    return place


def _place(directory: Path) -> Path:
    return directory.resolve() / f"kafka-{kafka_version()}-{hashlib.sha256(pom().read_bytes()).hexdigest()[:8]}"


def _copy(into: Path) -> None:
    command = [maven(), "--batch-mode", "--quiet", "--file", str(pom()), "dependency:copy-dependencies",
               f"-DoutputDirectory={into}"]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_FETCH_S
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"Maven did not get Apache Kafka within {_FETCH_S:.0f} s; is it reached?") from error
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()][:_LAST_WORDS]
        raise ServerError("Maven does not get Apache Kafka; it says\n" + "\n".join(said))
