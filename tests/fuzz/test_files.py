"""Files that are no good, read by every command that reads a log: it says what is wrong, by line where there is one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from streamrec.cli import cli
from streamrec.local.servers import Server, start_broker
from tests.fuzz.tables import table
from tests.fuzz.test_avro import examples

pytestmark = pytest.mark.soak

_BAD: Final = re.compile(r"^[^:\n]+\.csv:( after line )?\d+: .+$", re.MULTILINE)
_REMEDY: Final = re.compile(r"Error: .{10,}", re.DOTALL)

LOGS: Final = {
    "log": table("log"),
    "catalogue": st.none() | table("catalogue"),
    "members": st.none() | table("members"),
}


def run(directory: Path, files: dict[str, bytes | None], *command: str, log: tuple[str, ...] = ()) -> None:
    """Run a command on the files; whatever is in them, it ends by itself."""
    arguments = [*command]
    for name, value in files.items():
        path = directory / f"{name}.csv"
        if value is None:
            continue
        path.write_bytes(value)
        arguments += [*log, str(path)] if name == "log" else [f"--{name}", str(path)]
    found = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert found.exit_code in (0, 1, 2), found.output
    assert "Traceback" not in found.output
    if found.exit_code:
        assert _REMEDY.search(found.stderr) or _BAD.search(found.stderr), found.stderr
    found.stderr.encode()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples: each writes its files anew."""
    return Path(tmp_path_factory.mktemp("files"))


@examples(60)
@given(files=st.fixed_dictionaries(LOGS))
def test_evaluate_says_what_is_wrong_with_a_file(directory: Path, files: dict[str, bytes | None]) -> None:
    run(directory, files, "evaluate")


@examples(25)
@given(files=st.fixed_dictionaries(LOGS))
def test_features_replay_says_what_is_wrong_with_a_file(directory: Path, files: dict[str, bytes | None]) -> None:
    run(directory, files, "features", "replay", "--workers", "1", log=("--from",))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker with the topics."""
    with start_broker(Path(tmp_path_factory.mktemp("broker"))) as server:
        environ = {"STREAMREC_KAFKA": server.address}
        made = CliRunner().invoke(cli, ["topics", "create"], env=environ, catch_exceptions=False)
        assert made.exit_code == 0, made.output
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STREAMREC_KAFKA", server.address)
            yield server


@pytest.mark.servers
@examples(40)
@given(files=st.fixed_dictionaries(LOGS), strict=st.booleans())
def test_replay_says_what_is_wrong_with_a_file(
    directory: Path, kafka: Server, files: dict[str, bytes | None], strict: bool
) -> None:
    run(directory, files, "replay", *(["--strict"] if strict else []))
