import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from streamrec.ranking.catalogue import catalogue, search

Run = Callable[..., Result]


@pytest.fixture
def features(run: Run) -> Run:
    return lambda *arguments: run({}, "features", *arguments)


def rows(answer: Result) -> list[str]:
    """First words of the lines of a table, without its head."""
    return [line.split()[0] for line in answer.stdout.splitlines()[1:] if line.startswith(" ")]


@pytest.mark.parametrize("command", [(), ("list",), ("search",), ("describe",), ("lineage",), ("cost",)])
def test_help_has_examples_and_exit_codes(features: Run, command: tuple[str, ...]) -> None:
    answer = features(*command, "--help")
    assert answer.exit_code == 0
    assert "Examples:\n  " in answer.stdout
    if not command or command[0] in ("lineage", "cost"):
        assert "Exit codes: 0" in answer.stdout


def test_the_list_has_every_feature(features: Run) -> None:
    answer = features("list")
    assert answer.exit_code == 0
    assert rows(answer) == [entry.name for entry in catalogue().entries]
    assert answer.stdout.splitlines()[-1] == f"{len(catalogue().entries)} of {len(catalogue().entries)} features"
    assert [each["id"] for each in json.loads(features("list", "--json").stdout)["features"]] == [
        entry.id for entry in catalogue().entries
    ]


def test_the_list_is_filtered_by_all_of_what_is_given(features: Run) -> None:
    assert rows(features("list", "--tag", "age", "--entity", "member")) == ["member_idle"]
    assert len(rows(features("list", "--model", "job_check", "--owner", "platform"))) == len(
        catalogue().select(model="job_check")
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tag", "populrity"), "no feature has the tag 'populrity'; did you mean popularity?"),
        (("--entity", "xyzzy"), "no feature has the entity 'xyzzy'; there are job, member, pair"),
        (("--model", "job_chek"), "no feature has the model 'job_chek'; did you mean job_check?"),
        (("--owner", "nobody"), "no feature has the owner 'nobody'; there are platform"),
        (("--tag", "network", "--entity", "member"), "no feature meets all of that"),
    ],
)
def test_a_list_of_nothing_is_exit_code_1_and_says_why(features: Run, options: tuple[str, ...], said: str) -> None:
    answer = features("list", *options)
    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", f"{said}\n")
    as_json = features("list", *options, "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (1, {"features": []})


def test_a_search_bears_typos_and_shows_a_page(features: Run) -> None:
    answer = features("search", "populrity", "--limit", "2")
    assert rows(answer) == ["popularity_day", "popularity_days"]
    total = len(search().find("populrity"))
    assert answer.stdout.splitlines()[-1] == f"1 to 2 of {total}; --limit and --offset show others"
    rest = features("search", "populrity", "--limit", "99", "--offset", "2")
    assert len(rows(rest)) == total - 2
    assert rows(features("search", "saves", "per", "view"))[0] == "save_rate"
    found = json.loads(features("search", "populrity", "--limit", "1", "--json").stdout)
    assert (found["total"], found["features"][0]["id"], found["features"][0]["found_in"]) == (
        total, "popularity_day@1", ["name"],
    )  # fmt: skip


def test_a_search_for_nonsense_is_exit_code_1(features: Run) -> None:
    answer = features("search", "flibbertigibbet")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", "no feature is like 'flibbertigibbet'\n")
    total = len(search().find("populrity"))
    beyond = features("search", "populrity", "--offset", str(total))
    assert (beyond.exit_code, beyond.stderr) == (1, f"there are only {total}\n")
    assert features("search", "x" * 201).exit_code == 2
    assert features("search").exit_code == 2


def test_a_feature_is_described(features: Run) -> None:
    answer = features("describe", "save_rate")
    assert answer.exit_code == 0
    for line in (
        "feature      save_rate@1", "description  saves per view, with a prior", "default      0.05", "owner        platform",
        "sources      job-saves: job_id, occurred_at, saved", "             job-views: job_id, occurred_at",
        "workflows    jobs@1, jobs@2, diverse@1, diverse@2",
    ):  # fmt: skip
        assert line in answer.stdout.splitlines()
    said: Any = json.loads(features("describe", "save_rate@1", "--json").stdout)
    assert (said["id"], said["state"][1]["shared_with"]) == ("save_rate@1", ["job_views@1", "apply_rate@1"])


def test_an_unknown_feature_is_exit_code_1_with_those_like_it(features: Run) -> None:
    answer = features("describe", "save_rte")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "Error: there is no feature 'save_rte'; did you mean save_rate?\n"
