"""What the README shows is true: every command, topic and schema is in it, and nothing else is."""

import re
from pathlib import Path
from typing import Any

import streamrec
from streamrec import topics
from streamrec.cli import COMMANDS
from streamrec.ranking.registry import Workflows
from streamrec.ranking.workflows import WORKFLOWS

README = (Path(streamrec.__file__).parent.parent / "README.md").read_text()
ROOT = Path(streamrec.__file__).parent.parent


def test_every_command_is_shown_and_exists() -> None:
    shown = set(re.findall(r"\bstreamrec ([a-z][a-z-]+)\b", README))
    assert set(COMMANDS) <= shown
    assert shown - set(COMMANDS) <= {"import"}


def test_every_topic_for_producers_is_shown_with_its_key_and_record() -> None:
    for spec in topics.load().values():
        if "producers" in spec.written_by:
            assert re.search(rf"\| `{spec.name}` \| {spec.keyed_by}_id \| `{spec.schema}` \|", README), spec.name


def test_the_workflow_that_is_shown_can_be_declared_beside_the_shipped_ones() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    [program] = [block for block in blocks if "Workflow(" in block]
    declared: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), declared)
    workflows = Workflows(*WORKFLOWS, declared["mixed"])
    assert workflows.find("mixed").label == "mixed@1"


def test_every_workflow_is_shown() -> None:
    for workflow in WORKFLOWS:
        assert f"`{workflow.name}` (" in README


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("https://"):
            assert (ROOT / link).exists(), link


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", README)) <= targets
