"""The record of what one answer showed, with the very values that it was ranked by."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamrec.events import Impression, ImpressionItem
from streamrec.ranking.ranked import FIRST, RankedList

if TYPE_CHECKING:
    from streamrec.lookup.page import Picked
    from streamrec.lookup.recommendations import Item


def impression(
    request_id: str,
    member_id: str,
    served_at: int,
    surface: str | None,
    ranked: RankedList,
    picked: "Picked",
    items: Sequence["Item"],
) -> Impression:
    """What an answer showed.

    Parameters
    ----------
    request_id, member_id, surface
        Of the request.
    served_at
        When it was answered, ms.
    ranked
        The list that the page was taken from, with its features.
    picked, items
        The page: where its jobs are in the list, and the jobs as the answer has them.
    """
    features, width = ranked.features, ranked.width
    return Impression(
        request_id=request_id,
        member_id=member_id,
        served_at=served_at,
        surface=surface,
        workflow=ranked.workflow or FIRST,
        model_name=ranked.model_name,
        model_version=ranked.model_version,
        feature_set=ranked.feature_set,
        items=tuple(
            ImpressionItem(
                job_id=item.job_id,
                position=item.position,
                score=item.score,
                p_check=item.p_check,
                propensity=propensity,
                features=features[place * width : (place + 1) * width],
                sources=item.sources,
            )
            for item, place, propensity in zip(items, picked.positions, picked.propensities, strict=True)
        ),
    )
