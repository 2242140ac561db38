"""Counts of an audit add up, whatever is a copy of what."""

from hypothesis import given
from hypothesis import strategies as st

from ecgedge.audit import Count, audit
from ecgedge.duplicates import Copies


def copies_of(contents: list[tuple[int, int]]) -> Copies:
    """`contents`: page and encoding of each file; the bytes are the same where both are."""
    pages = [page for page, _ in contents]
    return Copies(
        same_bytes=tuple(contents.index(content) for content in contents),
        same_page=tuple(pages.index(page) for page in pages),
    )


def test_each_kind_of_copy_is_counted() -> None:
    contents = [(1, 1), (1, 1), (1, 2), (2, 1), (3, 1), (2, 1)]
    found = audit(["a", "a", "a", "a", "b", "b"], copies_of(contents), classes=("a", "b", "none"))
    assert found.classes == {"a": Count(4, 2, 1, 1), "b": Count(2, 2, 0, 0), "none": Count(0, 0, 0, 0)}
    assert found.total == Count(files=6, pictures=3, exact_copies=2, near_copies=1)
    assert found.near == ((0, 2),)
    assert found.crossing == ((3, 5),)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 2)), max_size=40))
def test_files_are_pictures_and_copies(files: list[tuple[str, int, int]]) -> None:
    labels = [label for label, _, _ in files]
    found = audit(labels, copies_of([(page, encoding) for _, page, encoding in files]), classes="abc")
    for count in (*found.classes.values(), found.total):
        assert count.files == count.pictures + count.exact_copies + count.near_copies
        assert min(count.pictures, count.exact_copies, count.near_copies) >= 0
    assert found.total.files == sum(count.files for count in found.classes.values()) == len(files)
    assert found.total.pictures == len({page for _, page, _ in files})
    twice = {page for _, page, _ in files if len({label for label, other, _ in files if other == page}) > 1}
    assert len(found.crossing) == len(twice)
