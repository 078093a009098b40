import pytest

from evensight.questions.plurals import plural


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("star", "stars"),
        ("circle", "circles"),
        ("plus", "pluses"),
        ("cross", "crosses"),
        ("rhombus", "rhombuses"),
        ("box", "boxes"),
        ("couch", "couches"),
        ("toothbrush", "toothbrushes"),
        ("person", "people"),
        ("sheep", "sheep"),
        ("wine glass", "wine glasses"),
        ("computer mouse", "computer mice"),
        ("cherry", "cherries"),
        ("toy", "toys"),
    ],
)
def test_plurals(noun: str, expected: str) -> None:
    assert plural(noun) == expected
