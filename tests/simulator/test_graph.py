"""The social graph: symmetric, bounded, and of a feather."""

import numpy as np

from streamrec.simulator import World
from streamrec.simulator.graph import MOST

NOW = 1_736_121_600_000


def test_connected_members_are_of_a_feather() -> None:
    world = World(1, members=3000, jobs=10, now_ms=NOW)
    one, other = world.graph.initial.T
    members = world.members
    function = (members.function[one] == members.function[other]).mean()
    region = (members.region[one] == members.region[other]).mean()
    assert function > 5 * 0.1  # by chance one in ten
    assert region > 4 * 0.125  # by chance one in eight
    assert (members.function[one] != members.function[other]).any()


def test_connections_hold_for_both_once_and_never_for_one_alone() -> None:
    world = World(1, members=400, jobs=100, now_ms=NOW)
    world.advance(NOW + 20 * 86_400_000)
    graph = world.graph
    assert graph.degree.max() <= MOST
    assert graph.degree.mean() > 4
    for member in range(400):
        others = graph.others[member, : graph.degree[member]]
        assert (others >= 0).all()
        assert member not in others
        assert len(set(others.tolist())) == len(others)
        assert all(member in graph.others[other] for other in others)
    assert (graph.others >= 0).sum() == graph.degree.sum()


def test_a_graph_of_two_has_room_for_one_tie_at_most() -> None:
    world = World(1, members=2, jobs=1, now_ms=NOW)
    ties = [world.graph.connect(np.array([0, 1])) for _ in range(20)]
    assert sum(map(len, ties)) + len(world.graph.initial) <= 1
