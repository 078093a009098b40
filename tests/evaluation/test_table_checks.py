"""A results table that can't be what it says is told with the column; one that can is read as it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evensight.errors import InputError
from evensight.evaluation.results import read_results
from forged import reseal
from made_runs import examples, right, write_run

ASKED = examples(1)
Change = Callable[[list[Any]], Sequence[Any]]


def changed(run: Path, name: str, change: Change, kind: pa.DataType | None = None) -> Path:
    """The run with a column's values changed, sealed as if they were made so."""
    write_run(run, right, ASKED)
    table = pq.read_table(run / "results.parquet")
    k = table.column_names.index(name)
    values = pa.array(change(table[name].to_pylist()), type=kind or table.schema.field(name).type)
    pq.write_table(table.set_column(k, name, values), run / "results.parquet")
    reseal(run)
    return run


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("outcome", lambda old: ["Correct", *old[1:]], "the outcome `Correct`"),
        ("outcome", lambda old: [None, *old[1:]], "has no `outcome` in 1 rows"),
        ("outcome_by_options", lambda old: ["invalid", *old[1:]], "the outcome_by_options `invalid`"),
        ("area", lambda old: ["left", *old[1:]], "the area `left`"),
        ("id", lambda old: [old[1], *old[1:]], "the question `toy-0001-0` twice"),
        ("row", lambda old: [9, *old[1:]], "a question whose cell isn't on its grid of 9x9"),
        ("col", lambda old: [-1, *old[1:]], "a question whose cell isn't on its grid"),
        ("box_xyxy_px", lambda old: [[3, 0, 3, 9], *old[1:]], "a box that is none"),
        ("box_xyxy_px", lambda old: [[0, 0, 3], *old[1:]], "a box that is none"),
        ("box_xyxy_px", lambda old: [[0, 0, 3, float("inf")], *old[1:]], "a box that is none"),
        ("frame_wh_px", lambda old: [[0, 90], *old[1:]], "a picture without a size"),
        ("options", lambda old: [[None], *old[1:]], "an option that is none"),
        ("slot", lambda old: [(old[0] + 1) % 9, *old[1:]], "without its right answer among the options"),
        ("slot", lambda old: [None, *old[1:]], "without its right answer among the options"),
        ("answer", lambda old: ["nowhere", *old[1:]], "without its right answer among the options"),
        ("option_scores", lambda old: [[0.0] * 8, *old[1:]], "option_scores of another number"),
        ("option_priors", lambda old: [[None] * 9, *old[1:]], "option_priors of another number"),
        ("option_tokens", lambda old: [[0, *[2] * 8], *old[1:]], "an option of no tokens"),
    ],
)
def test_a_value_that_cannot_be_is_told(name: str, change: Change, says: str, tmp_path: Path) -> None:
    run = changed(tmp_path / "run", name, change)
    with pytest.raises(InputError, match=says) as told:
        read_results(run)
    assert str(run / "results.parquet") in str(told.value)


def test_a_text_that_is_none_is_told(tmp_path: Path) -> None:
    def broken(old: list[Any]) -> list[Any]:
        return [b"\xd7", *(text.encode() for text in old[1:])]

    run = changed(tmp_path / "run", "raw", broken, pa.binary())
    path = run / "results.parquet"
    table = pq.read_table(path)
    texts = table["raw"].combine_chunks().view(pa.string())  # as a damaged file has them: nobody looked
    pq.write_table(table.set_column(table.column_names.index("raw"), "raw", texts), path)
    reseal(run)
    with pytest.raises(InputError, match=r"results.parquet` can't be read: .*[Uu][Tt][Ff]"):
        read_results(run)


def test_a_column_of_another_kind_is_told_unless_it_says_the_same(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has `row` as string: expected int32"):
        read_results(changed(tmp_path / "one", "row", lambda old: ["first", *map(str, old[1:])], pa.string()))
    same = read_results(changed(tmp_path / "two", "row", list, pa.int64()))
    assert same.table.schema.field("row").type == pa.int32()
    assert same.column("row") == [example.cell.row for example in ASKED]


def test_lost_rows_are_told(tmp_path: Path) -> None:
    run = tmp_path / "run"
    table = write_run(run, right, ASKED).table
    pq.write_table(table.slice(1), run / "results.parquet")
    reseal(run)
    with pytest.raises(InputError, match=f"has {len(ASKED) - 1} rows: expected {len(ASKED)}"):
        read_results(run)


def test_a_column_that_is_there_twice_is_told(tmp_path: Path) -> None:
    run = tmp_path / "run"
    table = write_run(run, right, ASKED).table
    pq.write_table(table.append_column("raw", table["raw"]), run / "results.parquet")
    reseal(run)
    with pytest.raises(InputError, match="can't be read: Multiple matches"):
        read_results(run)


@pytest.mark.parametrize("grid", [[300, 300], [9, 10**20]])
def test_a_grid_of_more_cells_than_anybody_asks_is_told(grid: list[int], tmp_path: Path) -> None:
    facts = write_run(tmp_path / "run", right, ASKED).manifest.facts
    reseal(tmp_path / "run", facts={**facts, "grid": grid})
    with pytest.raises(InputError, match="cells: expected 65,536 at most"):
        read_results(tmp_path / "run")


def test_a_manifest_that_lists_files_elsewhere_is_told(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_run(run, right, ASKED)
    (tmp_path / "secret").write_text("secret")
    reseal(run, files={"../secret": "0" * 64})
    with pytest.raises(InputError, match=r"lists `\.\./secret`, which isn't in its folder"):
        read_results(run)
