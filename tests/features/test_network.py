"""Tests of streamrec.features.network."""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.events import (
    Action,
    Connection,
    JobApplication,
    JobDismissal,
    JobSave,
    JobView,
    MemberProfile,
    NetworkEntry,
    Tombstone,
)
from streamrec.features import network as networks
from streamrec.features.fold import fold_member
from streamrec.features.network import ACTS, EDGES, FANOUT, PARTED, Note, connect, deeds, fold_own, fold_told, part
from streamrec.features.state import MemberState, Network, NetworkAct, pack

START = 1_700_000_000_000


@contextmanager
def counted(network: Network) -> Iterator[None]:
    """What changes a network changes its version: that is what decides whether it is written."""
    version, before = network.version, pack(msgspec.structs.replace(network, version=0))
    yield
    assert network.version > version or pack(msgspec.structs.replace(network, version=0)) == before


class Site:
    """Members and their networks; what is told arrives at once, or later and member by member in a random order."""

    def __init__(self, seed: int | None = None) -> None:
        self.states: dict[str, MemberState] = defaultdict(MemberState)
        self.networks: dict[str, Network] = defaultdict(Network)
        self._random = None if seed is None else random.Random(seed)
        self._under_way: dict[tuple[str, str], list[Note]] = defaultdict(list)  # from whom to whom

    def take(self, event: Any) -> list[Note]:
        member = event.key if isinstance(event, Tombstone) else event.member_id
        state = self.states[member]
        profile = state.profile
        effects = fold_member(state, event)
        with counted(self.networks[member]):
            notes = fold_own(self.networks[member], profile, event, effects)
        if isinstance(event, Tombstone):
            self.networks[member] = Network()
        self._send(notes)
        if self._random is None:
            self.deliver()
        return notes

    def deliver(self) -> None:
        while waiting := [pair for pair, notes in self._under_way.items() if notes]:
            sender, told = waiting[0] if self._random is None else self._random.choice(waiting)
            note = self._under_way[sender, told].pop(0)
            profile = self.states[told].profile
            entry = NetworkEntry(
                offset=0, index=0, kind=note.kind, member_id=note.member_id, told=(told,), occurred_at=note.occurred_at,
                job_id=note.job_id, action=note.action, sign=note.sign, connected=note.connected, company=note.company,
            )  # fmt: skip
            with counted(self.networks[told]):
                notes = fold_told(self.networks[told], told, profile.company if profile else None, entry)
            self._send(notes)

    def _send(self, notes: list[Note]) -> None:
        for note in notes:
            for told in note.told:
                self._under_way[note.member_id, told].append(note)


def connection(a: str, b: str, at: int, connected: bool = True) -> Connection:
    return Connection(
        event_id=f"{a}{b}{at}", member_id=a, other_member_id=b, occurred_at=START + at, connected=connected
    )


def view(member: str, job: str, at: int) -> JobView:
    return JobView(event_id=f"v{member}{job}{at}", member_id=member, job_id=job, occurred_at=START + at)


def save(member: str, job: str, at: int, saved: bool = True) -> JobSave:
    return JobSave(event_id=f"s{member}{job}{at}", member_id=member, job_id=job, occurred_at=START + at, saved=saved)


def works_at(member: str, company: str | None, at: int = 0) -> MemberProfile:
    return MemberProfile(member_id=member, company=company, updated_at=START + at)


def acts_of(network: Network) -> list[tuple[str, str, int]]:
    return [(act.member_id, act.job_id, act.action) for act in network.acts]


def test_a_connection_holds_for_both_and_ends_for_both() -> None:
    site = Site()
    site.take(connection("ann", "bob", 1))
    assert (site.networks["ann"].edges, site.networks["bob"].edges) == ({"bob": START + 1}, {"ann": START + 1})
    site.take(connection("bob", "ann", 2, connected=False))
    assert (site.networks["ann"].edges, site.networks["bob"].edges) == ({}, {})


def test_the_newest_word_counts_whatever_comes_first() -> None:
    site = Site()
    site.take(connection("ann", "bob", 5, connected=False))
    site.take(connection("ann", "bob", 3))
    assert site.networks["ann"].edges == site.networks["bob"].edges == {}
    site.take(connection("bob", "ann", 7))
    site.take(connection("ann", "bob", 6, connected=False))
    assert site.networks["ann"].edges == {"bob": START + 7}
    assert site.networks["bob"].edges == {"ann": START + 7}


def test_nobody_is_a_connection_of_its_own() -> None:
    site = Site()
    assert site.take(connection("ann", "ann", 1)) == []
    assert site.networks["ann"] == Network()


def test_connections_learn_what_a_member_does_and_strangers_do_not() -> None:
    site = Site()
    site.take(connection("ann", "bob", 1))
    site.take(view("bob", "nurse", 2))
    site.take(save("bob", "nurse", 3))
    site.take(JobApplication(event_id="a", member_id="bob", job_id="cook", occurred_at=START + 4))
    site.take(JobDismissal(event_id="d", member_id="bob", job_id="clerk", occurred_at=START + 5))
    assert acts_of(site.networks["ann"]) == [("bob", "cook", Action.APPLY), ("bob", "nurse", Action.SAVE)]
    assert "eve" not in site.networks
    assert site.networks["bob"].acts == []


def test_what_is_seen_again_is_not_told_again() -> None:
    site = Site()
    site.take(connection("ann", "bob", 1))
    assert len(site.take(view("bob", "nurse", 2))) == 1
    assert site.take(view("bob", "nurse", 3)) == []
    assert len(site.take(save("bob", "nurse", 4))) == 1


def test_a_save_that_is_taken_back_is_a_view() -> None:
    site = Site()
    site.take(connection("ann", "bob", 1))
    site.take(save("bob", "nurse", 2))
    site.take(save("bob", "nurse", 3, saved=False))
    assert acts_of(site.networks["ann"]) == [("bob", "nurse", Action.VIEW)]


def test_a_parted_connection_stops_counting() -> None:
    site = Site()
    site.take(works_at("bob", "Acme"))
    site.take(connection("ann", "bob", 1))
    site.take(save("bob", "nurse", 2))
    assert site.networks["ann"].companies == {"bob": "Acme"}
    site.take(connection("ann", "bob", 3, connected=False))
    assert (site.networks["ann"].acts, site.networks["ann"].companies) == ([], {})
    site.take(save("bob", "cook", 4))
    assert site.networks["ann"].acts == []


def test_both_know_where_the_other_works_and_hear_of_a_change() -> None:
    site = Site()
    site.take(works_at("ann", "Initech"))
    site.take(works_at("bob", "Acme"))
    site.take(connection("ann", "bob", 1))
    assert (site.networks["ann"].companies, site.networks["bob"].companies) == ({"bob": "Acme"}, {"ann": "Initech"})
    assert len(site.take(works_at("bob", "Globex", 2))) == 1
    assert site.networks["ann"].companies == {"bob": "Globex"}
    assert site.take(works_at("bob", "Globex", 3)) == []
    site.take(works_at("bob", None, 4))
    assert site.networks["ann"].companies == {}


def test_an_erased_member_leaves_no_trace_with_others() -> None:
    site = Site()
    site.take(works_at("bob", "Acme"))
    site.take(connection("ann", "bob", 1))
    site.take(connection("eve", "bob", 2))
    site.take(connection("ann", "eve", 3, connected=False))
    site.take(save("bob", "nurse", 4))
    site.take(Tombstone("bob"))
    for other in ("ann", "eve"):
        network = site.networks[other]
        assert (network.edges, network.companies, network.acts) == ({}, {}, [])
        assert "bob" not in network.parted


def test_the_newest_connections_are_kept_on_both_sides_and_the_rest_are_counted() -> None:
    site = Site()
    for number in range(EDGES + 3):
        site.take(connection("ann", f"m{number}", number))
    ann = site.networks["ann"]
    assert (len(ann.edges), ann.more) == (EDGES, 3)
    assert "m0" not in ann.edges
    assert (site.networks["m0"].edges, site.networks["m0"].more) == ({}, 1)
    site.take(connection("ann", "m1", EDGES + 5, connected=False))
    assert ann.more == 2


def test_an_older_connection_does_not_push_out_a_newer_one() -> None:
    network = Network(edges={f"m{number}": START + number for number in range(EDGES)})
    made = connect(network, "late", START - 1)
    assert (made.stands, made.dropped, network.more) == (False, "late", 1)
    assert "late" not in network.edges


def test_an_action_is_told_to_the_newest_connections_only() -> None:
    network = Network(edges={f"m{number}": START + number for number in range(FANOUT + 50)})
    event = save("ann", "nurse", 0)
    [note] = fold_own(network, None, event, fold_member(MemberState(), event))
    assert len(note.told) == FANOUT
    assert "m0" not in note.told
    assert f"m{FANOUT + 49}" in note.told


def test_what_is_kept_is_bounded() -> None:
    network = Network(edges={"bob": START})
    for number in range(ACTS + 20):
        entry = NetworkEntry(
            offset=0, index=0, kind="act", member_id="bob", told=("ann",), occurred_at=START + number,
            job_id=f"j{number}", action=int(Action.SAVE),
        )  # fmt: skip
        assert fold_told(network, "ann", None, entry) == []
    assert (len(network.acts), network.acts[0].job_id) == (ACTS, f"j{ACTS + 19}")
    for number in range(PARTED + 20):
        part(network, f"m{number}", START + number)
    assert len(network.parted) == PARTED
    assert "m0" not in network.parted


def test_what_connections_did_long_ago_does_not_count() -> None:
    acts = [NetworkAct("bob", "new", 2, START), NetworkAct("bob", "old", 2, START - 1_000)]
    assert [act.job_id for act in deeds(Network(acts=acts), START + 1, 500)] == ["new"]


def test_a_connection_to_somebody_unknown_is_kept_and_of_a_stranger_nothing_is() -> None:
    network = Network()
    entry = NetworkEntry(
        offset=0, index=0, kind="act", member_id="eve", told=("ann",), occurred_at=START, job_id="j", action=2
    )
    assert fold_told(network, "ann", None, entry) == []
    assert network == Network()


MEMBERS = ("ann", "bob", "eve")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.sampled_from(MEMBERS), st.sampled_from(MEMBERS), st.booleans()),
        st.tuples(st.just("save"), st.sampled_from(MEMBERS), st.sampled_from(("j1", "j2")), st.booleans()),
        st.tuples(st.just("work"), st.sampled_from(MEMBERS), st.sampled_from(("Acme", "Globex", None)), st.just(True)),
    ),
    max_size=25,
)


def events_of(log: list[Any]) -> list[Any]:
    makers: dict[str, Any] = {
        "connect": lambda at, a, b, yes: connection(a, b, at, yes),
        "save": lambda at, a, job, yes: save(a, job, at, yes),
        "work": lambda at, a, company, _: works_at(a, company, at),
    }
    return [makers[kind](at, *rest) for at, (kind, *rest) in enumerate(log, 1)]


@settings(max_examples=200)
@given(steps, st.integers(0, 5))
def test_graphs_agree_on_both_sides_in_whatever_order_they_hear_of_each_other(log: list[Any], seed: int) -> None:
    prompt, slow = Site(), Site(seed)
    for event in events_of(log):
        prompt.take(event)
        slow.take(event)
    slow.deliver()
    truth: dict[frozenset[str], bool] = {}
    for event in events_of(log):
        if isinstance(event, Connection) and event.member_id != event.other_member_id:
            truth[frozenset((event.member_id, event.other_member_id))] = event.connected
    connected = {pair for pair, stands in truth.items() if stands}
    for site in (prompt, slow):
        pairs = {frozenset((a, b)) for a, network in site.networks.items() for b in network.edges}
        assert pairs == connected
        for member, network in site.networks.items():
            assert all(act.member_id in network.edges for act in network.acts), member
            works = {
                other: profile.company
                for other in network.edges
                if (profile := site.states[other].profile) is not None and profile.company
            }
            assert network.companies == works


@pytest.mark.parametrize("name", ["EDGES", "ACTS", "PARTED", "FANOUT"])
def test_bounds_are_bounds(name: str) -> None:
    assert 0 < getattr(networks, name) <= 1000
