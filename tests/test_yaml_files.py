"""YAML files of users are one mapping or one line that says why not, however they are written."""

from pathlib import Path

import pytest

from evensight.errors import InputError
from evensight.yaml_files import MAX_BYTES, MAX_VALUES, read_yaml


def read(path: Path) -> object:
    return read_yaml(path, f"the file `{path}`", ("a", "b"), instead="a name")


def test_a_mapping_is_read_with_its_aliases(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &x [1, two]\nb: {c: *x, d: 2001-02-03}\n")
    found = read(path)
    assert isinstance(found, dict)
    assert found["b"]["c"] == found["a"] == [1, "two"]


def bomb(n_levels: int, n_each: int) -> str:
    lines = [f"l0: &l0 [{', '.join(['x'] * n_each)}]"]
    lines += [f"l{k}: &l{k} [{', '.join([f'*l{k - 1}'] * n_each)}]" for k in range(1, n_levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not a mapping: expected a, b"),
        ("- 1", "is not a mapping"),
        ("1: 2", "is not a mapping"),
        ("a: 1\nb: 2\na: 3", "the key `a` is there twice"),
        ("b: [{c: 1, c: 2}]", "the key `c` is there twice"),
        ("a: [", "can't be read as YAML"),
        ("a: 1\n---\nb: 2", "can't be read as YAML"),
        ("a: !!python/name:os.system x", "can't be read as YAML"),
        ("a: !!bool maybe", "can't be read as YAML"),
        ("a: !!int ''", "can't be read as YAML"),
        ("a: !!timestamp x", "can't be read as YAML"),
        ("a: 2001-02-31", "can't be read as YAML"),
        (f"a: {'9' * 5000}", "can't be read as YAML"),
        ("a: " + "[" * 5000, "can't be read as YAML"),
        ("? [a]\n: 1", "can't be read as YAML"),
        ("a: &x [*x]", f"comes to more than {MAX_VALUES:,} values"),
        (bomb(9, 10), f"comes to more than {MAX_VALUES:,} values"),
        ('a: "\\ud800"', "half a character"),
        ('"b\\udfff": 1', "half a character"),
        ("a: \x1b[31m", "can't be read as YAML"),
        ("#" * (MAX_BYTES + 1), f"has more than {MAX_BYTES:,} bytes"),
    ],
)
def test_what_is_no_mapping_is_told_in_one_line(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=says) as told:
        read(path)
    assert str(told.value).isprintable()
    assert str(path) in str(told.value)


def test_an_alias_that_is_no_bomb_may_be_used_often(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(bomb(4, 10))  # 11,110 values
    assert isinstance(read(path), dict)


def test_what_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there: expected a YAML file, or a name"):
        read(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "b.yaml", tmp_path / "a\0b.yaml"):
        with pytest.raises(InputError, match="can't be read as YAML"):
            read(path)
