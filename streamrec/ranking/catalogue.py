"""The catalogue of the shipped features, with the workflows that read them; made once, when it is asked for."""

from functools import cache

from streamrec.features.catalogue import Catalogue
from streamrec.features.library import PLAN
from streamrec.features.lineage import Lineage
from streamrec.features.search import Search
from streamrec.ranking.workflows import WORKFLOWS


@cache
def catalogue() -> Catalogue:
    """All entries."""
    return Catalogue(PLAN, {each.label: each.model for each in WORKFLOWS if each.model is not None})


@cache
def search() -> Search:
    """The index of its words."""
    return Search(catalogue())


@cache
def lineage() -> Lineage:
    """The graph of what comes from what."""
    return Lineage(catalogue())
