"""What stays is set aside; what was set aside and has been replaced since is found again."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from streamrec import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Node:
    def __init__(self) -> None:
        self.me = self  # a cycle


def test_what_is_there_is_no_longer_walked_over() -> None:
    kept = Node()
    garbage.settle()
    assert gc.get_freeze_count() > 0
    assert not any(each is kept for each in gc.get_objects())


def test_a_cycle_that_was_set_aside_is_collected_when_it_is_settled_again() -> None:
    node = Node()
    gone = weakref.ref(node)
    garbage.settle()
    del node
    gc.collect()
    assert gone() is not None  # set aside
    garbage.settle()
    assert gone() is None
