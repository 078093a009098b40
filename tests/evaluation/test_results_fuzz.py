"""Arbitrary trouble in evaluations' tables and manifests: figures that add up, or one line that names the file."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.errors import InputError
from evensight.evaluation.answered import PARTS, write_begun
from evensight.evaluation.journal import Journal, checked_line
from evensight.evaluation.rescoring import rescore
from evensight.evaluation.results import Results, read_results
from evensight.evaluation.summary import summarise
from evensight.models.answering import Answer
from evensight.runs import RunFolder, RunManifest, hash_file, hash_files, hash_json
from fuzzing import cases, check_line, fresh, n_cases, tell_seen
from made_photos import Listed
from made_runs import center_only, examples, half, write_run
from troubled_trees import ODD, Draw, damaged, troubled_tree

VALUES = ODD | st.sampled_from(
    [
        "correct",
        "wrong",
        "invalid",
        "center",
        "top left",
        [0.0, 0.0, 5.0, 5.0],
        [90, 90],
        ["center", "top left"],
        "toy",
    ]
)


@st.composite
def troubled_table(draw: Draw, table: pa.Table) -> pa.Table:
    """The table with up to three columns changed, or with rows lost or doubled."""
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(table.column_names))
        k = table.column_names.index(name)
        match draw(st.sampled_from(("values", "values", "all", "gone", "name", "type", "rows"))):
            case "values":
                values = draw(troubled_tree(table[name].to_pylist(), VALUES, most=2))
                table = table.set_column(k, name, _column(values, table[name]))
            case "all":
                table = table.set_column(k, name, _column([draw(VALUES)] * len(table), table[name]))
            case "gone":
                table = table.remove_column(k)
            case "name":
                names = list(table.column_names)
                names[k] = draw(st.sampled_from(names) | st.text(max_size=3))
                table = table.rename_columns(names)
            case "type":
                table = table.set_column(k, name, [pa.array([str(value) for value in table[name].to_pylist()])])
            case _:
                rows = draw(st.lists(st.integers(0, len(table) - 1), max_size=9)) if len(table) else []
                table = table.take(pa.array(rows, pa.int64()))
        if not table.column_names or len(set(table.column_names)) < len(table.column_names):
            break
    return table


def _column(values: Any, old: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as a column of their own type or of the old one; the old column where they are none."""
    listed = (list(values) if isinstance(values, list) else [values])[: len(old)]
    listed += old.to_pylist()[len(listed) :]
    for kind in (old.type, None):
        try:
            return pa.chunked_array([pa.array(listed, type=kind)])
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            continue
    return old


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run of photographs with a control."""
    asked = [each for k, each in enumerate(examples(1)) if k % 9 == 4 or k > 76]
    return write_run(tmp_path_factory.mktemp("sound") / "run", half, asked, controls={"black": center_only})


def test_no_trouble_is_unexpected(sound: Results, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    tables = {"results.parquet": sound.table, "controls/black.parquet": sound.controls["black"]}
    facts = dict(sound.manifest.facts)

    @cases(30)
    @given(st.data())
    def look(data: st.DataObject) -> None:
        run = tmp_path / "run"
        with fresh(run):
            (run / "controls").mkdir()
            for name, table in tables.items():
                write(data.draw(troubled_table(table)), table, run / name)
                (run / name).write_bytes(data.draw(damaged((run / name).read_bytes(), one_in=12)))
            said = data.draw(troubled_tree(facts, VALUES, most=2)) if data.draw(st.booleans()) else facts
            seal(run, said)
            seen.update([use(run)])

    look()
    tell_seen("tables of results", seen, "used", "refused")
    assert min(seen["used"], seen["refused"]) > n_cases(30) / 10, seen  # or nothing has been tried


def test_no_trouble_in_an_unfinished_run_is_unexpected(sound: Results, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    asked = [each for k, each in enumerate(examples(1)) if k % 9 == 4]
    manifest = RunManifest("evaluation", {}, {}, {}, dict(sound.manifest.facts))
    write_begun(tmp_path / "begun", Listed(asked), manifest, {"model": "m", "batch_size": 4})
    with Journal(tmp_path / "begun" / PARTS, 0) as journal:
        for k, example in enumerate(asked[:-1]):
            journal.append([Answer(k, example.question.answer, (0.5,) * 9, (2,) * 9)])
    begun = {path.name: path.read_bytes() for path in (tmp_path / "begun" / PARTS).glob("[!.]*")}
    written = [json.loads(line.rpartition(b"\t")[0]) for line in begun["answers-0.jsonl"].splitlines()]
    run = tmp_path / "run"

    @cases(20)
    @given(st.data())
    def look(data: st.DataObject) -> None:
        with fresh(run):
            (run / PARTS).mkdir()
            lines = data.draw(troubled_tree(written, VALUES, most=2))
            begins = data.draw(troubled_tree(json.loads(begun["begun.json"]), VALUES, most=1))
            content = {
                **begun,
                "begun.json": json.dumps(begins).encode(),
                "answers-0.jsonl": b"".join(checked_line(json.dumps(line).encode()) for line in _listed(lines)),
            }
            for name, of in content.items():
                (run / PARTS / name).write_bytes(data.draw(damaged(of, one_in=12)))
            for name in ("begun.json", "questions.parquet"):  # as if its trouble were what was written
                seal_part(run / PARTS / name)
            seen.update([use(run, partial=True)])

    look()
    tell_seen("evaluations under way", seen, "used", "refused")
    assert min(seen["used"], seen["refused"]) > n_cases(20) / 10, seen  # or nothing has been tried


def seal_part(path: Path) -> None:
    """Has a part's receipt be that of what it is now."""
    (path.parent / f".sha256-{path.name}").write_text(hash_file(path))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def write(table: pa.Table, sound: pa.Table, path: Path) -> None:
    """Writes a table; in place of one that Parquet can't hold, the sound one."""
    try:
        pq.write_table(table, path)
    except pa.ArrowException:
        pq.write_table(sound, path)


def seal(run: Path, facts: Any) -> None:
    """Seals a run as if its trouble were what was made; what JSON can't hold is left out of the facts."""
    try:
        hash_json(facts)
        RunFolder(run).seal(RunManifest("evaluation", {}, {}, hash_files(run), facts))
    except (ValueError, TypeError):
        RunFolder(run).seal(RunManifest("evaluation", {}, {}, hash_files(run), {"set": "toy"}))


def use(run: Path, *, partial: bool = False) -> str:
    """Reads an evaluation, scores it again and computes its figures; returns what has come of it."""
    try:
        results = rescore(read_results(run, partial=partial)).results
    except InputError as error:
        check_line(error, run)
        return "refused"
    figures, outcomes = summarise(results), Counter(results.column("outcome"))
    assert figures.accuracy.n == len(results.table) == sum(outcomes.values())
    assert figures.n_invalid == outcomes["invalid"]
    assert sum(cell.accuracy.n for cell in figures.cells) == len(results.table)
    hash_json(figures.as_json())
    return "used"
