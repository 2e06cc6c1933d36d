"""The catalogue of the shipped features, with the workflows that read them; made once, when it is asked for."""

from functools import cache
from typing import Final

from streamrec.features.catalogue import Catalogue
from streamrec.features.library import PLAN
from streamrec.features.lineage import Lineage
from streamrec.features.search import Search

WORKFLOWS: Final = {"jobs": "job_check"}  # by name, the model whose set of features they read


@cache
def catalogue() -> Catalogue:
    """All entries."""
    return Catalogue(PLAN, WORKFLOWS)


@cache
def search() -> Search:
    """The index of its words."""
    return Search(catalogue())


@cache
def lineage() -> Lineage:
    """The graph of what comes from what."""
    return Lineage(catalogue())
