"""``streamrec features``: what is declared, and whether it is true."""

import click

from streamrec.cli.features_parity import check_parity
from streamrec.cli.features_replay import replay


@click.group()
def features() -> None:
    """Compute features from a past log, and compare a running system with its log.

    \b
    Examples:
      streamrec features replay --from views.csv --out states
      streamrec features check-parity
    """


features.add_command(replay)
features.add_command(check_parity)
