"""Arbitrary trouble in designs of scenes and of photographs and in studies: used, or refused in one line."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evensight.errors import InputError
from evensight.photos import catalog as photos
from evensight.scenes import catalog as scenes
from evensight.studies.plan import SHIPPED, read_study
from fuzzing import cases, check_line, n_cases, tell_seen
from made_designs import POOLS
from troubled_trees import ODD, damaged, troubled_tree


def use_design(path: Path) -> None:
    """Builds the design and looks at its ends."""
    found = scenes.design(str(path), pools=POOLS)
    for k in {0, len(found) - 1}:
        found.rows[k]
        found.cell(k)


def use_photo_design(path: Path) -> None:
    found = photos.photo_design(str(path))
    if found is None:
        scenes.design_file(str(path))  # which says what is wrong with a file of neither kind
        return
    assert found.cells.rows >= 3
    found.model_dump_json()


def use_study(path: Path) -> None:
    found = read_study(path)
    assert found.conditions
    assert found.tests
    found.model_dump_json()


KINDS: dict[str, tuple[Callable[[Path], None], Sequence[Path]]] = {
    "design": (use_design, sorted(scenes.SHIPPED.glob("*.yaml"))),
    "photo design": (use_photo_design, sorted(photos.SHIPPED.glob("*.yaml"))),
    "study": (use_study, sorted(SHIPPED.glob("*.yaml"))),
}
VALUES = ODD | st.sampled_from(
    ["civet-train", "val2017", "embedded", "balanced", "cell", "category", "all", "0,0", "center", "#ff0000", "9x9"]
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_trouble_is_unexpected(kind: str, tmp_path: Path) -> None:
    use, shipped = KINDS[kind]
    trees = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in shipped]
    seen: Counter[str] = Counter()
    written = tmp_path / "written.yaml"

    @cases(150)
    @given(st.data(), st.sampled_from(trees).flatmap(lambda tree: troubled_tree(tree, VALUES, most=3)))
    def look(data: st.DataObject, tree: Any) -> None:
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=data.draw(st.booleans()))
        written.write_bytes(data.draw(damaged(text.encode(errors="surrogatepass"), one_in=8)))
        scenes._read.cache_clear()
        try:
            use(written)
        except InputError as error:
            check_line(error, written)
            seen["refused"] += 1
        else:
            seen["used"] += 1

    look()
    tell_seen(kind, seen, "used", "refused")
    assert min(seen["used"], seen["refused"]) > n_cases(150) / 10, seen  # or nothing has been tried
