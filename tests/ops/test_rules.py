"""Alerts and recording rules: they do what their unit tests say, and each alert has a test and an entry in the runbook."""

import re
from typing import Any

import yaml

from tests.prometheus import OPS, promtool

RULES = sorted((OPS / "prometheus").glob("*.rules.yml"))
TESTS = sorted((OPS / "prometheus").glob("*.test.yml"))
RUNBOOK = (OPS / "runbook.md").read_text()


def rules(kind: str) -> dict[str, dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


ALERTS = rules("alert")


def test_prometheus_takes_the_rules() -> None:
    said = promtool("check", "rules", *RULES)
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_rules_do_what_their_tests_say() -> None:
    said = promtool("test", "rules", *TESTS)
    assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_fires_in_a_test() -> None:
    cases = [
        case for path in TESTS for test in yaml.safe_load(path.read_text())["tests"] for case in test["alert_rule_test"]
    ]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(ALERTS)


def test_each_alert_says_how_urgent_it_is_and_leads_to_its_entry() -> None:
    for name, alert in ALERTS.items():
        assert alert["labels"]["severity"] in ("page", "ticket"), name
        assert alert["annotations"]["summary"], name
        assert alert["annotations"]["runbook_url"] == f"ops/runbook.md#{name.lower()}"


def test_the_runbook_has_one_entry_for_each_alert_in_their_order() -> None:
    entries = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
    assert list(entries) == list(ALERTS)
    for name, text in entries.items():
        parts = re.findall(r"^- \*\*([\w ]+):\*\*", text, re.MULTILINE)
        assert parts == ["Meaning", "Likely causes", "What to do"], name
        assert f"Severity: {ALERTS[name]['labels']['severity']}." in text, name


def test_panels_and_alerts_that_the_runbook_sends_to_exist() -> None:
    for word in re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", RUNBOOK):
        assert word in ALERTS or word == "CreateTime", word
