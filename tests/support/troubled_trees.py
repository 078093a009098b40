"""JSON trees with arbitrary trouble in them, and bytes with some of theirs lost or changed."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]
Place = tuple[Any, ...]
"""The keys and indices that lead to a node."""

_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, float("nan"), float("inf"), 10**400, -(2**63), 2**64, 10**9,
    "", " ", "0", "1", "a", "all", "none", "\x1b[31mred\n", "\ud800", "\u202egnp", "x" * 400, "<script>1</script>",
    "../../secret", "/etc/hostname", "a\0b", "{0}%s", "9x9", "0,0", "top left", "n" * 65, [], {}, [[]], [{}], {"": 0},
    [1, 1], ["a", "a"], [None], {"a": {"b": []}}, [0] * 300,
)  # fmt: skip
ODD = st.sampled_from(_ODD) | st.integers() | st.floats() | st.text(max_size=6)
"""Values that seldom belong where they stand."""


@st.composite
def troubled_tree(draw: Draw, tree: Any, values: st.SearchStrategy[Any] = ODD, *, most: int = 4) -> Any:
    """The tree with up to so many changes: nodes exchanged, left out, doubled, moved, or under another key."""
    changed = copy.deepcopy(tree)
    for _ in range(draw(st.integers(0, most))):
        places = list(_places(changed))
        place = draw(st.sampled_from(places)) if places else ()
        if not place:
            return copy.deepcopy(draw(values))
        _change(draw, changed, place, draw(st.sampled_from(places)), values)
    return changed


def _places(node: Any, place: Place = ()) -> Iterator[Place]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*place, key)
        yield from _places(child, (*place, key))


def _change(draw: Draw, tree: Any, place: Place, other: Place, values: st.SearchStrategy[Any]) -> None:
    parent, key = _at(tree, place[:-1]), place[-1]
    match draw(st.sampled_from(("value", "value", "value", "gone", "moved", "doubled", "key"))):
        case "value":
            parent[key] = copy.deepcopy(draw(values))
        case "gone":
            del parent[key]
        case "moved":
            parent[key] = copy.deepcopy(_at(tree, other))
        case "doubled" if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        case _ if isinstance(parent, dict):
            name = draw(st.text(max_size=4) | st.sampled_from(list(parent)))
            parent[name] = parent.pop(key)
        case _:
            parent.append(copy.deepcopy(draw(values)))


def _at(tree: Any, place: Place) -> Any:
    for key in place:
        tree = tree[key]
    return tree


@st.composite
def damaged(draw: Draw, content: bytes, *, one_in: int = 4) -> bytes:
    """The bytes as they are, or, one time in so many, cut, with one changed, or with some put in."""
    if draw(st.integers(1, one_in)) < one_in or not content:
        return content
    k = draw(st.integers(0, len(content) - 1))
    put_in: Sequence[bytes] = (b"", b"\xff\xfe", b"\0", b"[" * 3000, b"\n- &a [*a, *a]", b"!!python/name:os.system x")
    between: bytes = draw(st.sampled_from(put_in) | st.binary(max_size=4))
    flipped = bytes([content[k] ^ 1 << draw(st.integers(0, 7))])
    rest: bytes = draw(st.sampled_from([b"", flipped + content[k + 1 :], between + content[k:]]))
    return content[:k] + rest
