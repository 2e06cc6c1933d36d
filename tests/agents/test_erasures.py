"""Tests of streamrec.agents.erasures."""

from streamrec import codecs
from streamrec.agents.erasures import Ledger
from streamrec.events import Erasure, digest_of
from streamrec.stores.base import PutFields


def test_what_is_older_than_an_erasure_is_covered_and_what_is_newer_is_not() -> None:
    ledger = Ledger({digest_of("ann"): b"100"})
    assert [ledger.covers("ann", at) for at in (99, 100, 101)] == [True, True, False]
    assert not ledger.covers("bob", 1)


def test_the_latest_erasure_counts_in_whatever_order_they_are_read() -> None:
    ledger = Ledger({digest_of("ann"): b"100"})
    ledger.add("ann", 50)
    assert ledger.covers("ann", 100)
    ledger.add("ann", 150)
    assert ledger.covers("ann", 150)


def test_an_erasure_is_told_and_kept_once_and_names_nobody() -> None:
    ledger = Ledger({})
    ledger.add("ann", 70)
    [record] = ledger.records()
    assert record.topic == "erasures"
    assert codecs.decode("Erasure", record.value or b"") == Erasure(digest=digest_of("ann"), erased_at=70)
    assert b"ann" not in (record.key or b"") + (record.value or b"")
    assert ledger.writes("key") == [PutFields("key", {digest_of("ann"): b"70"})]
    ledger.committed()
    assert ledger.records() == []
    assert ledger.writes("key") == []
