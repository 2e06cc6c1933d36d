"""Options of `streamrec evaluate` that say what is evaluated: a workflow, without what, and what to compare it with."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import click
import msgspec

from streamrec.features.near import near
from streamrec.ranking.default import default_workflow
from streamrec.settings import Settings, SettingsError
from streamrec.training.configuration import Configuration, ConfigurationError, made

_KEYS: Final = ("workflow", "without")


class Configured(NamedTuple):
    """The settings that name the workflow, the first configuration, and the second if there is one."""

    settings: Settings
    first: Configuration
    second: Configuration | None


def configured(settings: Settings, workflow: str | None, without: Sequence[str], compare: Sequence[str]) -> Configured:
    """What the options mean.

    Parameters
    ----------
    workflow, without
        ``--workflow`` and every ``--without``.
    compare
        Every ``--compare``: ``KEY=VALUE``, where the key is one of the others. What none of them says is as in the first.

    Raises
    ------
    UsageError
        Something is named that does not exist, or there is nothing to compare.
    """
    if workflow is not None:
        settings = msgspec.structs.replace(settings, workflow=workflow)
    first = _made(settings, _names(without))
    if not compare:
        return Configured(settings, first, None)
    said = _said(compare)
    others = settings
    if "workflow" in said:
        if len(said["workflow"]) != 1:
            raise click.UsageError("--compare workflow=NAME: one name")
        others = msgspec.structs.replace(settings, workflow=said["workflow"][0])
    second = _made(others, said.get("without", list(first.without)))
    if (second.workflow.label, second.workflow.sources, second.columns) == (
        first.workflow.label, first.workflow.sources, first.columns,
    ):  # fmt: skip
        raise click.UsageError(f"--compare: both are {first.label}; say what differs, such as --compare without=newest")
    return Configured(settings, first, second)


def _said(compare: Sequence[str]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for text in compare:
        key, equals, value = text.partition("=")
        if not equals or key not in _KEYS:
            likely = near(key, _KEYS)
            remedy = f"did you mean {likely[0]}?" if likely and equals else "say workflow=NAME or without=NAME,NAME"
            raise click.UsageError(f"--compare {text[:80]!r}: {remedy}")
        said.setdefault(key, []).extend(_names([value]))
    return said


def _made(settings: Settings, without: Sequence[str]) -> Configuration:
    try:
        return made(default_workflow(settings), without)
    except (ConfigurationError, SettingsError) as error:
        raise click.UsageError(str(error)) from error


def _names(values: Sequence[str]) -> list[str]:
    """``["a,b", "c"]`` as a, b and c."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]
