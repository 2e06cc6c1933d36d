"""Where features come from and where they go: from topic and field to state, feature, set of a model, and workflow.

An edge leads from what is read to who reads it. Upstream is where something comes from, downstream is what would change with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.catalogue import Catalogue
from streamrec.features.holding import read_by
from streamrec.features.language.streams import TOPIC_OF
from streamrec.features.language.types import types_of
from streamrec.features.near import near

KINDS: Final = ("topic", "field", "state", "feature", "model", "workflow")  # in the order of the way
REQUEST: Final = "request"  # stands for the topic of what is known of a request
_RECORDS: Final = {**{topic: record for record, topic in TOPIC_OF.items()},
                   "job-postings": JobPosting, "member-profiles": MemberProfile}  # fmt: skip


class Node(msgspec.Struct, frozen=True, order=True):
    """One thing on the way."""

    kind: Annotated[str, Meta(description=f"One of {', '.join(KINDS)}.")]
    name: Annotated[str, Meta(description="Of a field `topic.field`, of a feature `name@version`, of a state its key.")]
    text: Annotated[str, Meta(description="What it is, where the name does not say: what a state keeps.")] = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Edge(msgspec.Struct, frozen=True, order=True):
    """What reads from what: both as ``kind:name``."""

    source: str
    reader: str


class UnknownNodeError(LookupError):
    """Nothing in the lineage has this name, or several things have."""


class Lineage:
    """The graph of a catalogue.

    Attributes
    ----------
    nodes
        All, by kind in the order of the way, then by name.

    Examples
    --------
    >>> from streamrec.features.library import PLAN
    >>> graph = Lineage(Catalogue(PLAN, {"jobs": "job_check"}))
    >>> pay = graph.find("pay")
    >>> [node.name for node in graph.upstream(pay) if node.kind == "topic"]
    ['job-postings', 'member-profiles']
    >>> [str(node) for node in graph.downstream(graph.find("job-postings.salary_min"))][:1]
    ['feature pay@1']
    """

    def __init__(self, of: Catalogue) -> None:
        self._down: dict[Node, dict[Node, None]] = {}
        self._up: dict[Node, dict[Node, None]] = {}
        self._put_together(of)
        self.nodes = tuple(sorted(self._down, key=_place))
        self._by_kind = {kind: {each.name: each for each in self.nodes if each.kind == kind} for kind in KINDS}
        self._names: dict[str, list[Node]] = {}
        for each in self.nodes:
            for name in dict.fromkeys(self._called(each, of)):
                self._names.setdefault(name, []).append(each)

    def find(self, name: str) -> Node:
        """What is called so: as ``kind:name``, or by its name alone; what has versions is the newest without one, a state
        goes by its text, too.

        Raises
        ------
        UnknownNodeError
            The message says what is like it or, where several are called so, how to tell them apart.
        """
        kind, _, rest = name.partition(":")
        if kind in KINDS and rest:
            found = [each for each in self._names.get(rest, ()) if each.kind == kind]
        else:
            found = self._names.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            ways = " or ".join(f"{each.kind}:{each.name}" for each in found)
            raise UnknownNodeError(f"several things are called {name!r}: say {ways}")
        like = near(name, [each for each in self._names if "@" in name or "@" not in each])
        hint = f"did you mean {', '.join(like)}?" if like else f"name a {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        raise UnknownNodeError(f"the lineage knows nothing called {name!r}; {hint}")

    def sources(self, node: Node) -> tuple[Node, ...]:
        """What it reads, directly."""
        return tuple(sorted(self._up[node], key=_place))

    def readers(self, node: Node) -> tuple[Node, ...]:
        """Who reads it, directly."""
        return tuple(sorted(self._down[node], key=_place))

    def upstream(self, node: Node) -> tuple[Node, ...]:
        """All that it comes from."""
        return _reached(node, self._up)

    def downstream(self, node: Node) -> tuple[Node, ...]:
        """All that comes from it."""
        return _reached(node, self._down)

    def edges(self, among: Iterable[Node]) -> tuple[Edge, ...]:
        """Those between the given nodes."""
        inside = set(among)
        return tuple(
            Edge(_id(each), _id(reader)) for each in sorted(inside, key=_place)
            for reader in self.readers(each) if reader in inside
        )  # fmt: skip

    def _link(self, source: Node, reader: Node) -> None:
        for each in (source, reader):
            self._down.setdefault(each, {})
            self._up.setdefault(each, {})
        self._down[source][reader] = self._up[reader][source] = None

    def _put_together(self, of: Catalogue) -> None:
        for topic, record in _RECORDS.items():
            for name in types_of(record):
                self._link(Node("topic", topic), Node("field", f"{topic}.{name}"))
        states = {key: Node("state", key, each.keeps) for key, each in of.holdings.items()}
        for key, each in of.holdings.items():
            for source in each.sources:
                self._link(_field(source), states[key])
        features = {each.id: Node("feature", each.id) for each in of.entries}
        for entry in of.entries:
            node, read = features[entry.id], read_by(of.plan.features[entry.id].expression)
            behind = [read_by(of.plan.features[other].expression) for other in entry.features]
            for key in set(read.holdings).difference(*(each.holdings for each in behind)):
                self._link(states[key], node)
            for source in set(read.fields).difference(*(each.fields for each in behind)):
                field = _field(source)
                self._link(Node("topic", source.partition(".")[0]), field)
                self._link(field, node)
            for other in entry.features:
                self._link(features[other], node)
        for name, wanted in of.sets.items():
            for feature in of.plan.members(wanted):
                self._link(features[feature.id], Node("model", name))
            for workflow, model in of.workflows.items():
                if model == wanted.model:
                    self._link(Node("model", name), Node("workflow", workflow))

    @staticmethod
    def _called(node: Node, of: Catalogue) -> Iterator[str]:
        yield node.name
        match node.kind:
            case "workflow" if node.name == _newest(node.name.partition("@")[0], of.workflows):
                yield node.name.partition("@")[0]
            case "feature" if of.find(node.name).newest:
                yield node.name.partition("@")[0]
            case "model":
                yield of.sets[node.name].model
            case "state" if node.text:
                yield node.text


def _newest(name: str, labels: Iterable[str]) -> str:
    """The label with the largest version of those that are called so."""
    own = (label for label in labels if label.partition("@")[0] == name)
    return max(own, key=lambda label: int(label.partition("@")[2] or 0))


def _field(source: str) -> Node:
    return Node("field", source)


def _place(node: Node) -> tuple[int, str]:
    return KINDS.index(node.kind), node.name


def _id(node: Node) -> str:
    return f"{node.kind}:{node.name}"


def _reached(node: Node, edges: Mapping[Node, Mapping[Node, None]]) -> tuple[Node, ...]:
    found: dict[Node, None] = {}
    waiting = [node]
    while waiting:
        for each in edges[waiting.pop()]:
            if each not in found:
                found[each] = None
                waiting.append(each)
    return tuple(sorted(found, key=_place))
