"""The slow way through a file against json.loads, which builds all of it."""

import json
from json import JSONDecodeError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evensight.coco.scanner import members

value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.text("\ud800\udfff", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def pieces(text: str) -> dict[str, Any]:
    found = members(text, ("images", "annotations"))
    return {
        key: None if entries is None else [json.loads(bytes(entry)) for entry in entries]
        for key, entries in found.items()
    }


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(["images", "annotations", "info", "x"]), st.lists(value, max_size=4) | value),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_entries_are_those_of_json_loads(content: dict[str, Any], indent: Any, is_ascii: bool) -> None:
    text = json.dumps(content, indent=indent, ensure_ascii=is_ascii)
    expected = {
        key: entries if key in ("images", "annotations") and isinstance(entries, list) else None
        for key, entries in json.loads(text).items()
    }
    assert json.dumps(pieces(text)) == json.dumps(expected)  # as text, for NaN is not itself


@settings(max_examples=300)
@given(st.data())
def test_what_json_loads_refuses_is_refused(data: st.DataObject) -> None:
    whole = json.dumps({"images": [{"a": [1, {"b": "c]"}]}, 2], "x": {"images": [3]}, "annotations": []})
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    text = whole[:start] + data.draw(st.text('{}[],:"1a \\', max_size=2)) + whole[end:]
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(JSONDecodeError):
            pieces(text)
    else:
        assert set(pieces(text)) == (set(expected) if isinstance(expected, dict) else set())


def test_the_last_of_two_keys_counts() -> None:
    assert pieces('{"images": [1], "images": [2]}') == {"images": [2]}
    assert pieces('{"images": [1], "images": 5}') == {"images": None}


@pytest.mark.parametrize(
    ("text", "at"),
    [('{"images": [1, 2', 16), ('{"images": [1,]}', 14), ('{"a": 1} 5', 8), ('{"a" 1}', 5), ("{1: 2}", 1)],
)
def test_an_error_says_where(text: str, at: int) -> None:
    with pytest.raises(JSONDecodeError) as caught:
        members(text, ("images",))
    assert caught.value.pos == at


def test_a_number_of_any_length_is_no_error() -> None:
    found = members('{"images": [1, ' + "9" * 10_000 + "]}", ("images",))["images"]
    assert found is not None
    assert [len(piece) for piece in found] == [1, 10_000]
