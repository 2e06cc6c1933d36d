"""The figures read well when they are there, and when they are not."""

from streamrec.local import picture
from streamrec.local.picture import Picture


def test_nothing_known_yet_is_said_with_dashes_and_never_with_none() -> None:
    text = "\n".join([picture.line(Picture()), *picture.summary(Picture())])
    assert "None" not in text
    assert "nan" not in text
    assert "never came" in text


def test_the_line_and_the_summary_carry_the_figures() -> None:
    shown = Picture(
        elapsed_s=31.2, sent=6000, sent_rate=200.0, processed=5990, lag=10, log_loss=0.31, constant_log_loss=0.35,
        auc=0.7123, asked=200, hits=50, popular_hits=20, answered=321, first_list_s=6.78,
    )  # fmt: skip
    assert "sent 6000 (200/s)" in picture.line(shown)
    assert "hit rate 25.0 % (popularity 10.0 %)" in picture.line(shown)
    text = "\n".join(picture.summary(shown))
    assert "6,000 sent, 5,990 processed, lag 10" in text
    assert "log loss 0.310, best constant 0.350, AUC 0.712" in text
    assert "personal list 6.8 s after the start" in text


def test_the_summary_for_programs_has_every_field_and_the_rates() -> None:
    figures = picture.as_json(Picture(asked=4, hits=1))
    assert set(figures) == {*Picture.__struct_fields__, "hit_rate", "popular_hit_rate"}
    assert figures["hit_rate"] == 0.25
    assert figures["popular_hit_rate"] == 0.0
    assert picture.as_json(Picture())["hit_rate"] is None
