"""The dashboards that Grafana shows, as code. `make watch` writes what is generated of it; nothing of the product imports it.

`panels` is what a panel can say, `grafana` makes Grafana's JSON of it; each dashboard has a file of its own. `pages` makes
`ops/metrics.md` and `ops/dashboards/README.md`.
"""

from ops.dashboards.features import FEATURES
from ops.dashboards.ingest import INGEST
from ops.dashboards.lookup import LOOKUP
from ops.dashboards.models import MODELS
from ops.dashboards.overview import OVERVIEW

DASHBOARDS = (OVERVIEW, INGEST, FEATURES, MODELS, LOOKUP)
