"""The table of records says for each what it must."""

import msgspec

from streamrec import codecs, events
from streamrec.codecs.records import KINDS


def test_public_records_are_those_of_producers_and_have_a_key() -> None:
    assert codecs.PUBLIC_RECORDS == (
        "JobView", "JobSave", "JobLike", "JobApplication", "JobDismissal", "Connection", "JobPosting", "MemberProfile",
        "ImpressionSeen",
    )  # fmt: skip
    assert {codecs.key_field(record) for record in codecs.PUBLIC_RECORDS} == {"member_id", "job_id"}


def test_ids_keys_and_times_are_fields() -> None:
    for record, kind in KINDS.items():
        assert kind.type is getattr(events, record)
        fields = kind.type.__struct_fields__
        assert set(kind.ids) <= set(fields)
        assert kind.key is None or kind.key in kind.ids
        assert kind.time is None or kind.time in fields
        if record in codecs.PUBLIC_RECORDS:
            required = {field.name for field in msgspec.structs.fields(kind.type) if field.required}
            assert set(kind.ids) == {name for name in required if name.endswith("_id")}
