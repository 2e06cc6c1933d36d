"""Requests made up from the OpenAPI document, to a lookup that runs: every answer is one that the document names, and soon.

What is made up fits the document or, in one thing, does not. 503 is for a store or a broker that is away; here both are there.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from streamrec.events import JobPosting, JobView, MemberProfile
from streamrec.local.servers import start_broker
from streamrec.lookup.routes import OPERATIONS
from tests.e2e.conftest import System
from tests.fuzz.test_avro import examples

pytestmark = [pytest.mark.soak, pytest.mark.servers, pytest.mark.e2e]

PATIENCE_S: Final = 5.0  # a whole answer, on a machine that does other things, too
AT: Final = 1_700_000_000_000
# What the document says otherwise: a cursor or token of a client's own is refused though it is a text; a request id that does
# not fit is replaced; and of several events those that can be used are taken.
NOT_ASKED: Final = [positive_data_acceptance, negative_data_rejection]
NAMES: Final = [operation.name for operation in OPERATIONS]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A worker has made state of some events, so that there is something to answer with."""
    built = System(Path(tmp_path_factory.mktemp("http")), start_broker, after_budget_ms=50)
    try:
        built.start("worker")
        jobs, members = [f"j{number}" for number in range(20)], [f"m{number}" for number in range(5)]
        built.produce(
            ("job-postings", JobPosting(job_id=job, title=f"Nurse {job}", region="MD", posted_at=AT)) for job in jobs
        )
        built.produce(
            ("member-profiles", MemberProfile(member_id=member, city="Olney", updated_at=AT)) for member in members
        )
        built.produce(
            ("job-views", JobView(event_id=f"{member}{job}", member_id=member, job_id=job, occurred_at=AT))
            for member in members for job in jobs[:4]
        )  # fmt: skip
        built.settle(trainer=False)
        built.start("lookup")
        built.wait(built.ready, "the lookup to be ready", 30)
        yield built
    finally:
        built.close()


@pytest.fixture(scope="module")
def operations(system: System) -> dict[str, Any]:
    """The operations of the document that the lookup itself gives out."""
    described = system.http.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(described)
    return {found.ok().definition.raw["operationId"]: found.ok() for found in schema.get_all_operations()}


@examples(6)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "does-not-fit"])
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_every_answer_is_one_that_the_document_names(
    system: System, operations: dict[str, Any], name: str, mode: GenerationMode, data: st.DataObject
) -> None:
    operation = operations[name]
    case = data.draw(operation.as_strategy(generation_mode=mode))
    began = time.monotonic()
    answer = case.call(base_url=str(system.http.base_url), timeout=PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S
    case.validate_response(answer, excluded_checks=NOT_ASKED)
    assert answer.status_code < 500, answer.text
