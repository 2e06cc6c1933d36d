"""A lineage as text: a tree for people, and what Graphviz and Mermaid draw."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from streamrec.features.lineage import Lineage, Node

_AGAIN = " …"  # what lies behind was shown before


def tree(graph: Lineage, node: Node) -> str:
    """Both ways from a node: first what it comes from, then what comes from it. What was shown before ends with ``…``.

    Examples
    --------
    >>> from streamrec.features.catalogue import Catalogue
    >>> from streamrec.features.library import PLAN
    >>> graph = Lineage(Catalogue(PLAN, {"jobs": "job_check"}))
    >>> print(tree(graph, graph.find("same_industry")))
    feature same_industry@1
    comes from
    ├─ topic job-postings: industry
    └─ topic member-profiles: industry
    goes into
    └─ model job_check/...
       └─ workflow jobs
    """
    lines = [_said(node)]
    for heading, branch in (("comes from", _up), ("goes into", _down)):
        rest = list(branch(graph, node))
        lines += [heading, *rest] if rest else [f"{heading} nothing" if branch is _up else "nobody reads it"]
    return "\n".join(lines)


def _up(graph: Lineage, node: Node) -> Iterator[str]:
    return _branches(node, graph.sources, graph, set(), "")


def _down(graph: Lineage, node: Node) -> Iterator[str]:
    return _branches(node, graph.readers, None, set(), "")


def _branches(
    node: Node, following: Callable[[Node], Sequence[Node]], topics: Lineage | None, seen: set[Node], indent: str
) -> Iterator[str]:
    """Lines of what follows a node. With `topics`, fields are told as parts of their topics, on one line a topic."""
    children = list(following(node))
    grouped: dict[str, list[str]] = {}
    if topics is not None and node.kind != "field":
        for each in [each for each in children if each.kind == "field"]:
            children.remove(each)
            topic, _, name = each.name.partition(".")
            grouped.setdefault(topic, []).append(name)
    left = len(children) + len(grouped)
    for topic, names in grouped.items():
        left -= 1
        yield f"{indent}{'├─' if left else '└─'} topic {topic}: {', '.join(names)}"
    for each in children:
        left -= 1
        again = each in seen and bool(following(each))
        yield f"{indent}{'├─' if left else '└─'} {_said(each)}{_AGAIN if again else ''}"
        if not again:
            seen.add(each)
            yield from _branches(each, following, topics, seen, indent + ("│  " if left else "   "))


def _said(node: Node) -> str:
    return f"{node} {node.text}".rstrip()


def dot(graph: Lineage, node: Node) -> str:
    """A node with all that lies up and down of it, for Graphviz: ``dot -Tsvg``.

    Examples
    --------
    >>> from streamrec.features.catalogue import Catalogue
    >>> from streamrec.features.library import PLAN
    >>> graph = Lineage(Catalogue(PLAN, {"jobs": "job_check"}))
    >>> print(dot(graph, graph.find("job_check")).splitlines()[-2])
      "model:job_check/..." -> "workflow:jobs";
    """
    nodes = _around(graph, node)
    lines = ["digraph lineage {", "  rankdir=LR; node [shape=box];"]
    lines += [f'  "{each.kind}:{each.name}" [label="{_label(each, chr(92) + "n")}"];' for each in nodes]
    lines += [f'  "{each.source}" -> "{each.reader}";' for each in graph.edges(nodes)]
    return "\n".join([*lines, "}"])


def mermaid(graph: Lineage, node: Node) -> str:
    """The same for Mermaid, as Markdown pages show it.

    Examples
    --------
    >>> from streamrec.features.catalogue import Catalogue
    >>> from streamrec.features.library import PLAN
    >>> graph = Lineage(Catalogue(PLAN, {"jobs": "job_check"}))
    >>> print(mermaid(graph, graph.find("jobs")).splitlines()[0])
    flowchart LR
    """
    nodes = _around(graph, node)
    number = {f"{each.kind}:{each.name}": f"n{place}" for place, each in enumerate(nodes)}
    lines = [f'  {number[f"{each.kind}:{each.name}"]}["{_label(each, "<br>")}"]' for each in nodes]
    lines += [f"  {number[each.source]} --> {number[each.reader]}" for each in graph.edges(nodes)]
    return "\n".join(["flowchart LR", *lines])


def _around(graph: Lineage, node: Node) -> list[Node]:
    nodes: Iterable[Node] = (*graph.upstream(node), node, *graph.downstream(node))
    return list(nodes)


def _label(node: Node, line_break: str) -> str:
    text = f"{line_break}{node.text}" if node.text else ""
    return f"{node.kind}{line_break}{node.name}{text}".replace('"', "'")
