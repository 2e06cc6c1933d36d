"""A made-up job site whose truth is known: members with tastes, homes and careers, jobs, and what members do with them.

A model can learn from its events, because what members choose depends on things that events, postings and profiles show;
how well a model can do at best is known, because `World.true_probability` tells. For demos, loads and tests.

Parts: `truth` is the equation by which members choose and `examination` the position bias; `members`, `jobs`, `companies`
and `graph` are what there is; `calendar`, `sessions`, `shelves` and `behaviour` what goes on, and `world` all of it in time.
`outlets` are where records go; `simulation` runs a world by itself, `closed_loop` against a lookup service.
"""

from streamrec.simulator.scribe import Happening
from streamrec.simulator.world import World

__all__ = ["Happening", "World"]
