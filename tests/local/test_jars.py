"""What is missing to run Apache Kafka is said, with what to do; what was fetched is not fetched again."""

from pathlib import Path

import pytest

from streamrec.local import jars
from streamrec.local.servers import ServerError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return programs


def program(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)


def test_no_java_is_said(path: Path, tmp_path: Path) -> None:
    assert "there is none on the PATH: install Java 17" in str(jars.missing(tmp_path))


def test_an_old_java_is_said_and_so_is_one_that_is_none(path: Path, tmp_path: Path) -> None:
    program(path / "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    assert "is of version 11: install Java 17" in str(jars.missing(tmp_path))
    program(path / "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    assert "is of no use: install Java 17" in str(jars.missing(tmp_path))


def test_java_home_goes_before_the_path(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path / "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    program(tmp_path / "jdk" / "bin" / "java", """echo 'openjdk version "25.0.1" 2025-10-21' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert jars.java() == str(tmp_path / "jdk" / "bin" / "java")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(ServerError, match=r"there is none in .*nowhere"):
        jars.java()


def test_no_maven_is_said_unless_the_jars_are_there(path: Path, tmp_path: Path) -> None:
    program(path / "java", """echo 'openjdk version "17.0.15" 2025-04-15' >&2""")
    assert "there is no mvn on the PATH" in str(jars.missing(tmp_path))
    program(path / "mvn", 'for word in "$@"; do case $word in -DoutputDirectory=*) place=${word#*=};; esac; done',
            "/bin/mkdir -p $place; echo jar > $place/kafka.jar")  # fmt: skip
    said: list[str] = []
    fetched = jars.fetch(tmp_path / "kafka", said.append)
    assert [found.name for found in fetched.iterdir()] == ["kafka.jar"]
    assert said == [f"fetching Apache Kafka {jars.kafka_version()} by Maven into {fetched}"]
    (path / "mvn").unlink()
    assert jars.missing(tmp_path / "kafka") is None
    assert jars.fetch(tmp_path / "kafka", said.append) == fetched
    assert len(said) == 1
    assert len(list((tmp_path / "kafka").iterdir())) == 1, "nothing half done is left"


def test_what_maven_says_is_passed_on_and_nothing_is_left(path: Path, tmp_path: Path) -> None:
    program(path / "mvn", "echo '[ERROR] Could not transfer artifact: Unknown host'; exit 1")
    with pytest.raises(ServerError, match=r"it says\n\[ERROR\] Could not transfer artifact"):
        jars.fetch(tmp_path / "kafka")
    assert not list((tmp_path / "kafka").iterdir())
