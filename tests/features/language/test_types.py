"""Types of the fields of records."""

from streamrec.events import Connection, JobPosting, MemberProfile
from streamrec.features.language.types import Type, types_of


def test_every_field_that_can_be_read_has_a_type() -> None:
    assert types_of(JobPosting)["closed"] is types_of(JobPosting)["remote"] is Type.FLAG
    assert types_of(JobPosting)["skills"] is Type.TEXTS
    assert types_of(JobPosting)["salary_min"] is Type.NUMBER
    assert types_of(MemberProfile)["updated_at"] is Type.TIME
    assert types_of(Connection)["other_member_id"] is Type.TEXT
    for record in (JobPosting, MemberProfile):
        assert set(types_of(record)) == set(record.__struct_fields__)
