"""The figures read well when they are there, and when they are not."""

from streamrec.local import picture
from streamrec.local.judgement import Judgement, Row
from streamrec.local.picture import Picture

JUDGEMENT = Judgement(
    rows=(Row("hit rate", "25.0 %", "popular 10.0 %"),), words="hit rate 25.0 % (popular 10.0 %)",
    summary=(("hit rate", "25.0 %, of popular jobs 10.0 %"),), figures={"hit_rate": 0.25, "popular_hit_rate": None},
)  # fmt: skip


def test_nothing_known_yet_is_said_with_dashes_and_never_with_none() -> None:
    text = "\n".join([picture.line(Picture()), *picture.summary(Picture())])
    assert "None" not in text
    assert "nan" not in text
    assert "never came" in text


def test_the_line_and_the_summary_carry_the_figures() -> None:
    shown = Picture(
        elapsed_s=31.2, sent=6000, sent_rate=200.0, processed=5990, lag=10, log_loss=0.31, constant_log_loss=0.35,
        auc=0.7123, judgement=JUDGEMENT, answered=321, first_list_s=6.78,
    )  # fmt: skip
    assert "sent 6000 (200/s)" in picture.line(shown)
    assert "hit rate 25.0 % (popular 10.0 %)" in picture.line(shown)
    text = "\n".join(picture.summary(shown))
    assert "6,000 sent, 5,990 processed, lag 10" in text
    assert "log loss 0.310, best constant 0.350, AUC 0.712" in text
    assert "personal list 6.8 s after the start" in text
    assert "hit rate   25.0 %, of popular jobs 10.0 %" in text


def test_the_summary_for_programs_has_every_field_and_those_of_the_judgement() -> None:
    figures = picture.as_json(Picture(judgement=JUDGEMENT))
    assert set(figures) == {*Picture.__struct_fields__, "hit_rate", "popular_hit_rate"} - {"judgement"}
    assert figures["hit_rate"] == 0.25
