"""The README's code and requests, run as they stand against a running system."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import streamrec
from streamrec.events import JobPosting

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

README = (Path(streamrec.__file__).parent.parent / "README.md").read_text()


@pytest.fixture(scope="module")
def stocked(system: Any) -> Any:
    jobs = [JobPosting(job_id=f"job-{number}", title=f"Nurse {number}", region="CA") for number in (1, 2, 3)]
    system.produce(("job-postings", posting) for posting in jobs)
    system.settle()
    return system


def test_the_producer_in_python_is_understood(stocked: Any) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    [program] = [block for block in blocks if "confluent_kafka" in block]
    exec(compile(program.replace("127.0.0.1:9092", stocked.settings.kafka), "README.md", "exec"), {})
    stocked.wait(lambda: stocked.http.get("/v1/members/member-1").status_code == 200, "the member to be known", 10)
    assert stocked.http.get("/v1/members/member-1").json()["member_id"] == "member-1"


def test_every_request_is_answered(stocked: Any) -> None:
    lines = re.findall(r"^curl .*$", README, re.MULTILINE)
    # The feature that the README has its reader add is added in `test_new_feature.py`.
    requests = [shlex.split(line) for line in lines if "member_dwell" not in line]
    assert len(requests) >= 8
    for words in requests:
        url = words[-1].removeprefix("http://127.0.0.1:8080")
        if "-d" in words:
            body = words[words.index("-d") + 1]
            answer = stocked.http.post(url, content=body, headers={"Content-Type": "application/json"})
        else:
            answer = stocked.http.get(url)
        assert answer.status_code == 200, f"{url}: {answer.text}"
