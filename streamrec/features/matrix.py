"""What the shipped model reads of jobs beside a member."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import Rows
from streamrec.features.library import JOB_CHECK, PLAN
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView

_READER: Final = Reader(PLAN.members(JOB_CHECK))


def matrix(
    view: MemberView, table: JobTable, rows: Rows, now: int, context: Mapping[str, str | None] | None = None
) -> npt.NDArray[np.float32]:
    """Features of the jobs in `rows` for one member, in the order of `library.feature_names`.

    Parameters
    ----------
    view
        The member (see `MemberView.build`).
    table
        The jobs.
    rows
        int32 ``(n,)``; -1 reads as a job of which nothing is known.
    now
        The moment (ms).
    context
        What is known of the request; default what the view says.

    Returns
    -------
    ndarray
        float32 ``(n, len(feature_names()))``, C-contiguous, always finite.
    """
    return _READER.matrix(Reading(view, table, rows, now, context))
