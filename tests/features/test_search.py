import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.search import Search
from streamrec.ranking.catalogue import catalogue, search

from .test_catalogue import made

NAMES = sorted({entry.name for entry in catalogue().entries})


def found(query: str, index: Search | None = None) -> list[str]:
    return [hit.entry.name for hit in (index or search()).find(query)]


def one_edit(word: str, letter: str) -> Iterator[str]:
    """The word with a letter put in, left out, changed, or swapped with the next, at each place."""
    for at in range(len(word) + 1):
        yield word[:at] + letter + word[at:]
        yield word[:at] + word[at + 1 :]
        yield word[:at] + letter + word[at + 1 :]
        yield word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_one_edit_at_any_place_is_among_the_first_three(name: str) -> None:
    for typed in one_edit(name, "q"):
        assert name in found(typed)[:3], typed


@given(st.sampled_from(NAMES), st.data())
def test_a_name_with_one_edit_anywhere_is_among_the_first_three(name: str, data: st.DataObject) -> None:
    letter = data.draw(st.sampled_from(string.ascii_lowercase + "_"))
    typed = data.draw(st.sampled_from(list(one_edit(name, letter))))
    assert name in found(typed)[:3]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_finds_itself_first(name: str) -> None:
    for query in (name, f"{name}@1", name.upper(), f"  {name} ", name.replace("_", " ")):
        assert found(query)[0] == name, query


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("populrity", "popularity_day"), ("saves per view", "save_rate"),
        ("salary", "pay"), ("cosine title", "title_overlap"), ("job vews", "job_views"), ("features about pay", "pay"),
        ("age", "posting_age"), ("skils", "skill_overlap"),
    ],
)  # fmt: skip
def test_what_people_may_ask(query: str, first: str) -> None:
    assert found(query)[0] == first


def test_owners_are_found_by_what_people_ask() -> None:
    everything = {entry.name for entry in catalogue().entries}
    assert set(found("who to ask: platform")) == set(found("platfrom")) == set(found("owner platform")) == everything
    assert found("jobs team", made_search()) == ["seen"]


def made_search() -> Search:
    return Search(made())


def test_tags_kinds_sources_and_state_are_found() -> None:
    index = made_search()
    assert found("popularity", index) == ["seen_by_many"]
    assert found("one_hot", index) == ["field_of_work"]
    assert found("job-postings.company", index) == ["at_company"]
    assert "saved_per_view" in found("count over decay", index)
    hits = search().find("connections age")
    assert {hit.entry.name: hit.found_in for hit in hits} == {"member_idle": ("tags", "expression")}


@pytest.mark.parametrize(
    "query",
    ["xyzzy", "flibbertigibbet", "blockchain", "zzzz qqqq", "qwerty asdf", "hello world", "", " ", "...", "@", "π", "x" * 200],
)  # fmt: skip
def test_nonsense_finds_nothing(query: str) -> None:
    assert found(query) == []


def test_a_little_word_by_itself_is_looked_for() -> None:
    hits = search().find("that")
    assert hits
    assert all("that" in hit.entry.description or "that" in hit.entry.expression for hit in hits)


@given(st.text(max_size=60))
def test_any_text_is_a_query(query: str) -> None:
    assert len(search().find(query)) <= len(NAMES)


def test_names_come_before_descriptions_before_tags_before_expressions() -> None:
    places = {name: place for place, name in enumerate(found("popularity"))}
    assert places["popularity_day"] < places["region_popularity"]
    hits = search().find("title")
    order = [hit.found_in[0] for hit in hits]
    assert order == sorted(order, key=["name", "description", "tags", "owner", "expression"].index)
    assert {"name", "description"} <= set(order)


def test_features_with_all_the_words_leave_out_those_with_some() -> None:
    assert found("cosine desired") == ["desired_overlap", "title_overlap"]
    assert found("cosine")[:3] == ["title_overlap", "desired_overlap", "last_title_overlap"]


def test_looking_among_some_features_only() -> None:
    hits = search().find("views", lambda entry: entry.entity == "member")
    assert hits
    assert {hit.entry.entity for hit in hits} == {"member"}
