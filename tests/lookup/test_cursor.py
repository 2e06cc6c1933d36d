import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.lookup.cursor import InvalidCursorError, decode, encode, job_hash, max_length, workflow_in

QUESTION = ("m1", None, True)
jobs = st.lists(st.text(max_size=8), min_size=1, max_size=50, unique=True)


@given(jobs)
def test_the_jobs_shown_come_back_in_their_order(job_ids: list[str]) -> None:
    shown = [job_hash(job_id) for job_id in job_ids]
    assert list(decode(encode(QUESTION, shown), QUESTION, 50)) == shown


@given(jobs, st.integers(1, 7), st.randoms())
def test_pages_never_repeat_a_job_however_the_ranking_moves(job_ids: list[str], size: int, random: object) -> None:
    cursor: str | None = None
    seen: list[str] = []
    ranking = list(job_ids)
    while True:
        random.shuffle(ranking)  # type: ignore[attr-defined]
        shown: dict[bytes, None] = decode(cursor, QUESTION, 50) if cursor else {}
        page = [job_id for job_id in ranking if job_hash(job_id) not in shown][:size]
        if not page:
            break
        seen += page
        cursor = encode(QUESTION, [*shown, *map(job_hash, page)])
    assert sorted(seen) == sorted(job_ids)


@given(st.text())
def test_any_other_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        decode(text, QUESTION, 50)


@given(jobs, st.data())
def test_a_damaged_cursor_never_gives_more_than_was_in_it(job_ids: list[str], data: st.DataObject) -> None:
    text = encode(QUESTION, map(job_hash, job_ids))
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    try:
        shown = decode(damaged, QUESTION, 50)
    except InvalidCursorError:
        return
    assert len(shown) == len(job_ids)


@pytest.mark.parametrize("other", [("m2", None, True), ("m1", "x", True), ("m1", None, False), ("m1", None, None)])
def test_a_cursor_for_another_question_is_refused(other: tuple[object, ...]) -> None:
    text = encode(QUESTION, [job_hash("a")])
    with pytest.raises(InvalidCursorError, match="another member, to other filters or to another workflow"):
        decode(text, other, 50)


def test_a_cursor_that_names_too_many_jobs_is_refused() -> None:
    hashes = [job_hash(str(number)) for number in range(51)]
    assert len(decode(encode(QUESTION, hashes[:50]), QUESTION, 50)) == 50
    assert len(encode(QUESTION, hashes[:50])) == max_length(50)
    with pytest.raises(InvalidCursorError, match="at most"):
        decode(encode(QUESTION, hashes), QUESTION, 50)


@given(jobs, st.sampled_from(("diverse@1", "a@12", "x" * 40 + "@1")))
def test_a_cursor_names_its_workflow_and_is_good_for_no_other(job_ids: list[str], label: str) -> None:
    shown = [job_hash(job_id) for job_id in job_ids]
    text = encode(QUESTION, shown, label)
    assert workflow_in(text) == label
    assert list(decode(text, QUESTION, 50, label)) == shown
    assert len(text) <= max_length(50, label)
    for other in (None, "other@1"):
        with pytest.raises(InvalidCursorError):
            decode(text, QUESTION, 50, other)
    with pytest.raises(InvalidCursorError, match="another workflow"):
        decode(encode(QUESTION, shown), QUESTION, 50, label)
    with pytest.raises(InvalidCursorError):
        decode(encode(("m2", None, True), shown, label), QUESTION, 50, label)


@given(st.text())
def test_other_texts_name_no_workflow_or_one_that_is_refused(text: str) -> None:
    named = workflow_in(text)
    with pytest.raises(InvalidCursorError):
        decode(text, QUESTION, 50, named)


@given(jobs, st.data())
def test_a_damaged_cursor_of_a_workflow_never_gives_more_than_was_in_it(
    job_ids: list[str], data: st.DataObject
) -> None:
    text = encode(QUESTION, map(job_hash, job_ids), "diverse@1")
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    try:
        shown = decode(damaged, QUESTION, 50, workflow_in(damaged))
    except InvalidCursorError:
        return
    assert len(shown) == len(job_ids)


def test_a_cursor_of_the_default_workflow_names_none() -> None:
    assert workflow_in(encode(QUESTION, [job_hash("a")])) is None


def test_cursors_of_earlier_versions_stay_readable() -> None:
    assert list(decode("AYpguvdDORHG6w0", QUESTION, 50)) == [job_hash("a")]
    assert list(decode("Al5m2QwJZGl2ZXJzZUAxQzkRxusN", QUESTION, 50, "diverse@1")) == [job_hash("a")]
