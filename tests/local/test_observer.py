"""The series that are read are series that exist."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import streamrec.metrics
from streamrec.cli import doctor, status  # modules
from streamrec.local import observer, progress

KNOWN = {sample for family in REGISTRY.collect() for sample in (family.name, f"{family.name}_total")}


@pytest.mark.parametrize("module", [observer, progress, status, doctor])
def test_every_series_that_is_read_is_declared(module: object) -> None:
    assert streamrec.metrics.EVENTS
    text = Path(str(module.__file__)).read_text()  # type: ignore[attr-defined]
    named = set(re.findall(r'"(streamrec_\w+)"', text))
    assert named <= KNOWN
