"""Where something was declared."""

from streamrec.features import library
from streamrec.features.language import Expression, Feature, always, count, job, log1p, posting, rate, saves, views
from streamrec.features.language.declaration import Site


def test_a_site_is_the_line_outside_of_the_language() -> None:
    made: list[Expression | Feature] = [
        posting.title,
        count(views, by=job),
        log1p(posting.salary_min),
        rate(saves, views, job, always, 0, 1),
        Feature("x", posting.salary_min + 1, "x", "1"),
    ]
    start = test_a_site_is_the_line_outside_of_the_language.__code__.co_firstlineno + 2
    assert [str(each.site) for each in made] == [
        f"tests/features/language/test_declaration.py:{start + line}" for line in range(5)
    ]


def test_sites_of_the_package_are_paths_in_it() -> None:
    assert library.FEATURES[0].site.file == "streamrec/features/library.py"


def test_equality_does_not_ask_where() -> None:
    one = posting.title
    other = posting.title
    assert one.site != other.site
    assert one == other
    assert hash(one) == hash(other)
    assert str(Site("x.py", 3)) == "x.py:3"
