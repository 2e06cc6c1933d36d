import httpx
import pytest

from streamrec.events import JobApplication, JobDismissal, JobEvent, JobLike, JobSave
from streamrec.stores.base import Put

from .conftest import MINUTE, NOW, Town

pytestmark = pytest.mark.anyio


async def test_what_is_kept_of_a_member(client: httpx.AsyncClient, town: Town) -> None:
    await town.profile("anna", headline="Nurse", skills=("care",))
    kinds: list[type[JobEvent]] = [JobApplication, JobDismissal, JobLike, JobSave]
    for number, kind in enumerate(kinds, 10):
        await town.act("anna", f"n{number}", kind)
    member = (await client.get("/v1/members/anna")).json()
    assert member["version"] == 11
    assert member["profile"]["headline"] == "Nurse"
    assert (member["applied"], member["dismissed"]) == (["n10"], ["n11"])
    assert (member["liked"], member["saved"]) == (["n12"], ["n13"])
    assert member["viewed"] == 6
    assert member["activity"]["apply"] == 1.0
    assert member["recent"][-1] == {
        "job_id": "n0", "at": NOW - 50 * MINUTE, "action": "view", "title": "Night Nurse Ward 0",
    }  # fmt: skip
    assert (member["first_at"], member["last_at"], member["state_age_ms"]) == (NOW - 50 * MINUTE, NOW, 0)


async def test_a_member_with_only_a_profile_is_known(client: httpx.AsyncClient, town: Town) -> None:
    await town.profile("new", city="Munich")
    member = (await client.get("/v1/members/new")).json()
    assert (member["profile"]["city"], member["recent"], member["state_age_ms"]) == ("Munich", [], None)


async def test_nothing_is_known_of_a_stranger_and_of_an_erased_member(client: httpx.AsyncClient, town: Town) -> None:
    await town.erase("anna")
    for member_id in ("anna", "nobody"):
        response = await client.get(f"/v1/members/{member_id}")
        assert response.status_code == 404
        assert response.json()["type"] == "urn:streamrec:problem:unknown-member"


async def test_a_state_that_this_version_cannot_read(client: httpx.AsyncClient, town: Town) -> None:
    await town.store.put([Put(town.keys.member("anna"), b"\x7fwhat is this")])
    response = await client.get("/v1/members/anna")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:streamrec:problem:unreadable-state"
    listed = (await client.get("/v1/members/anna/recommendations")).json()
    assert listed["degraded"] == "unreadable_state"
    assert listed["items"]
