"""Scoring again, and scoring what was brought: figures by hand, manifests, every kind of bad file in one line."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evensight import cli
from evensight.errors import InputError
from evensight.evaluation.answer_files import read_answers
from evensight.evaluation.answered import write_begun
from evensight.evaluation.rescoring import rescore
from evensight.evaluation.results import Results, read_results
from evensight.evaluation.scoring import score_file, score_run
from evensight.reports.scores import score_lines
from evensight.runs import RunManifest, hash_file, hash_files
from evensight.storage.stored import StoredExamples
from forged import reseal
from made_photos import Listed
from made_runs import examples, right, write_run

ASKED = examples(1)
N = len(ASKED)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "set"
    made = CliRunner().invoke(
        cli.app, ["generate", "civet-train", "--out", str(folder), "--limit", "18", "--size", "108"]
    )
    assert made.exit_code == 0, made.output
    return folder


def spoil(path: Path, spoiled: Mapping[int, tuple[str, str]]) -> Results:
    """Gives some rows another raw answer and outcome, as older rules of reading may have left them."""
    table = pq.read_table(path / "results.parquet")
    raw, outcomes = table["raw"].to_pylist(), table["outcome"].to_pylist()
    for k, (text, outcome) in spoiled.items():
        raw[k], outcomes[k] = text, outcome
    for name, values in (("raw", raw), ("outcome", outcomes)):
        table = table.set_column(table.column_names.index(name), table.schema.field(name), [values])
    pq.write_table(table, path / "results.parquet")
    reseal(path)
    return read_results(path)


def old_run(path: Path) -> Results:
    """An evaluation that is all right but for five rows; three of these were scored by other rules."""
    write_run(path, right, ASKED, pictures=3)
    answers = [example.question.answer for example in ASKED]
    other = "top left" if answers[4] != "top left" else "center"
    return spoil(
        path,
        {
            0: (f"maybe {answers[0]}", "correct"),  # now invalid
            1: (f"**{answers[1]}**, not elsewhere in the picture", "wrong"),  # now correct
            2: (f"<think>a or b</think>{answers[2]}", "invalid"),  # now correct
            3: ("I can't tell", "invalid"),  # still invalid
            4: (other, "wrong"),  # still wrong
        },
    )


def test_outcomes_are_those_of_todays_rules_and_changes_are_counted(tmp_path: Path) -> None:
    old_run(tmp_path / "run")
    scored = score_run(tmp_path / "run")
    assert scored.counts == {("correct", "invalid"): 1, ("invalid", "correct"): 1, ("wrong", "correct"): 1}
    assert scored.summary.accuracy.estimate == (N - 3) / N
    assert scored.summary.n_invalid == 2
    assert scored.changes is not None
    assert [change.id for change in scored.changes] == [ASKED[k].id for k in range(3)]
    assert scored.results.column("parsed")[:2] == [None, ASKED[1].question.answer]


def test_a_run_of_todays_rules_does_not_change(tmp_path: Path) -> None:
    results = write_run(tmp_path / "run", right, ASKED, controls={"black": lambda example: "center"})
    again = rescore(results)
    assert again.changes == ()
    assert again.control_changes == {"black": 0}
    assert again.results.table.equals(results.table)
    assert score_lines(score_run(tmp_path / "run")) == [f"none of the {N} outcomes changed"]


def test_controls_are_read_again_too(tmp_path: Path) -> None:
    write_run(tmp_path / "run", right, ASKED, controls={"black": lambda example: "center"})
    file = tmp_path / "run" / "controls" / "black.parquet"
    table = pq.read_table(file)
    k = table.column_names.index("outcome")
    pq.write_table(table.set_column(k, table.schema.field(k), [["invalid"] * N]), file)
    reseal(tmp_path / "run")
    assert score_run(tmp_path / "run").control_changes == {"black": N}


def test_the_new_run_is_an_evaluation_that_says_of_what_it_was_made(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "new"
    before = old_run(run)
    scored = score_run(run, out=out)
    after = read_results(out)
    assert after.table.equals(scored.results.table)
    assert after.manifest.config["scored_again"]["manifest"] == hash_file(run / "manifest.json")
    assert after.manifest.inputs["results"] == hash_file(run / "results.parquet")
    assert after.manifest.facts["scored_again"] == {"of": before.manifest.fingerprint, "n_changed": 3}
    assert sorted(p.name for p in (out / "pictures").iterdir()) == sorted(
        p.name for p in (run / "pictures").iterdir()
    )
    kept = [name for name in before.table.column_names if name not in {"parsed", "outcome"}]
    assert after.table.select(kept).equals(before.table.select(kept))
    assert score_run(out).changes == ()


def test_the_new_run_has_the_same_bytes_each_time_and_stays_where_it_is(tmp_path: Path) -> None:
    old_run(tmp_path / "run")
    for name in ("one", "two", "two"):
        score_run(tmp_path / "run", out=tmp_path / name)
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two")
    write_run(tmp_path / "other", right, ASKED)
    with pytest.raises(InputError, match="choose a new folder"):
        score_run(tmp_path / "run", out=tmp_path / "other")


def test_a_column_that_is_not_known_stays(tmp_path: Path) -> None:
    run = tmp_path / "run"
    old_run(run)
    table = pq.read_table(run / "results.parquet")
    pq.write_table(table.append_column("seconds", [[[0.5, 1.5]] * N]), run / "results.parquet")
    reseal(run)
    assert score_run(run).results.column("seconds") == [[0.5, 1.5]] * N


def test_a_run_without_an_answer_yet_can_be_scored(tmp_path: Path) -> None:
    facts = write_run(tmp_path / "whole", right, ASKED).manifest.facts
    manifest = RunManifest("evaluation", {}, {}, {}, facts)
    write_begun(tmp_path / "begun", Listed(ASKED), manifest, {"model": "m", "batch_size": 4})
    scored = score_run(tmp_path / "begun", partial=True)
    assert (scored.summary.accuracy.n, scored.n_missing, scored.changes) == (0, N, ())


def test_no_model_is_imported(tmp_path: Path, stored: Path) -> None:
    write_run(tmp_path / "run", right, ASKED)
    file = write_rows(tmp_path / "a.jsonl", rows(stored))
    forms = [
        ["score", str(tmp_path / "run")],
        ["score", "--data", str(stored), "--answers", str(file), "--out", str(tmp_path / "new")],
    ]
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from evensight.cli import app\n"
        f"codes = [CliRunner().invoke(app, arguments).exit_code for arguments in {forms!r}]\n"
        "print(codes, [name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0, 0] []"


def rows(stored: Path, say: Callable[[int, str], Any] = lambda k, answer: answer) -> list[dict[str, Any]]:
    asked = StoredExamples(stored)
    return [{"id": example.id, "answer": say(k, example.question.answer)} for k, example in enumerate(asked)]


def write_rows(path: Path, listed: Sequence[Mapping[str, Any]]) -> Path:
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in listed))
        case ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(listed[0]))
                writer.writeheader()
                writer.writerows(listed)
        case _:
            pq.write_table(pa.Table.from_pylist(list(listed)), path)
    return path


def said(k: int, answer: str) -> str:
    """Right, but for every third answer, which is none, and every sixth, which is wrong."""
    if k % 6 == 0:
        return "center" if answer != "center" else "top left"
    return 'left or\n"right", who knows' if k % 3 == 0 else f"The {answer.upper()}."


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_answers_from_elsewhere_are_scored(tmp_path: Path, stored: Path, suffix: str) -> None:
    file = write_rows(tmp_path / f"answers{suffix}", rows(stored, said)[::-1])  # in any order
    scored = score_file(file, stored, tmp_path / "new")
    assert scored.summary.accuracy.n == 18
    assert scored.summary.accuracy.estimate == 12 / 18
    assert scored.summary.n_invalid == 3
    results = read_results(tmp_path / "new")
    assert results.column("id") == [example.id for example in StoredExamples(stored)]
    assert results.manifest.inputs == {"answers": hash_file(file), "data": StoredExamples(stored).hash}
    assert score_run(tmp_path / "new", data=stored).changes == ()


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("id", "raw"), (None, None)),
        (("question_id", "response"), (None, None)),
        (("id", "prediction"), (None, None)),
        (("number", "text"), ("number", "text")),
    ],
)
def test_columns_have_their_usual_names_or_chosen_ones(
    tmp_path: Path, stored: Path, names: tuple[str, str], chosen: tuple[str | None, str | None]
) -> None:
    listed = [dict(zip(names, row.values(), strict=True)) for row in rows(stored)]
    scored = score_file(write_rows(tmp_path / "a.csv", listed), stored, tmp_path / "new", chosen)
    assert scored.summary.accuracy.estimate == 1.0


def test_the_right_answer_beside_a_prediction_is_not_taken_for_it(tmp_path: Path, stored: Path) -> None:
    listed = [{**row, "prediction": "I can't tell"} for row in rows(stored)]
    scored = score_file(write_rows(tmp_path / "a.jsonl", listed), stored, tmp_path / "new")
    assert scored.summary.n_invalid == 18


def test_the_results_table_of_an_evaluation_can_be_brought(tmp_path: Path, stored: Path) -> None:
    score_file(write_rows(tmp_path / "a.jsonl", rows(stored, said)), stored, tmp_path / "one")
    again = score_file(tmp_path / "one" / "results.parquet", stored, tmp_path / "two")
    assert again.results.column("outcome") == read_results(tmp_path / "one").column("outcome")


def test_missing_answers_are_counted_apart(tmp_path: Path, stored: Path) -> None:
    file = write_rows(tmp_path / "a.jsonl", rows(stored)[:15])
    with pytest.raises(InputError, match=r"lacks answers to 3 of the 18 questions .*--allow-missing"):
        score_file(file, stored, tmp_path / "new")
    scored = score_file(file, stored, tmp_path / "new", allow_missing=True)
    assert (scored.n_missing, scored.summary.accuracy.n, scored.summary.accuracy.estimate) == (3, 15, 1.0)
    assert score_lines(scored) == ["3 questions have no answer; they are left out of all figures"]
    assert score_run(tmp_path / "new").n_missing == 3


def test_an_answer_that_is_empty_or_no_text_is_an_answer(tmp_path: Path, stored: Path) -> None:
    listed = rows(stored)
    listed[0]["answer"], listed[1]["answer"] = None, {"answer": listed[1]["answer"]}
    listed[2]["answer"] = f"{listed[2]['answer']} \ud83d"
    scored = score_file(write_rows(tmp_path / "a.jsonl", listed), stored, tmp_path / "new")
    assert scored.results.column("outcome") == ["invalid", "correct", "invalid", *["correct"] * 15]


def test_a_row_without_a_key_for_the_answer_has_none(tmp_path: Path, stored: Path) -> None:
    listed = rows(stored)
    listed[0]["answer"], listed[1]["answer"] = None, ""
    del listed[2]["answer"]
    file = write_rows(tmp_path / "a.jsonl", listed)
    with pytest.raises(InputError, match=f"lacks answers to 1 of the 18 questions .* such as `{listed[2]['id']}`"):
        score_file(file, stored, tmp_path / "new")
    scored = score_file(file, stored, tmp_path / "new", allow_missing=True)
    assert (scored.n_missing, scored.summary.accuracy.n, scored.summary.n_invalid) == (1, 17, 2)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("beside", ["options", "area", "box_xyxy_px"])
def test_right_answers_of_a_set_are_not_taken_for_a_models(
    tmp_path: Path, stored: Path, suffix: str, beside: str
) -> None:
    file = write_rows(tmp_path / f"a{suffix}", [{**row, beside: "[center, top left]"} for row in rows(stored)])
    with pytest.raises(InputError, match=rf"has `answer` beside `{beside}`, as a set .* `--answer-column`"):
        score_file(file, stored, tmp_path / "new")
    assert score_file(file, stored, tmp_path / "new", (None, "answer")).summary.accuracy.estimate == 1.0


def test_an_id_of_no_question_is_told_also_where_it_has_no_answer(tmp_path: Path, stored: Path) -> None:
    file = write_rows(tmp_path / "a.jsonl", [*rows(stored), {"id": "who"}])
    with pytest.raises(InputError, match="has the id `who` that `civet-train` doesn't have"):
        score_file(file, stored, tmp_path / "new", allow_missing=True)


Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda listed: [*listed, listed[3]], r"has the id `.*` twice"),
        (lambda listed: [*listed, {"id": "who", "answer": "a"}], "has the id `who` that `civet-train` doesn't have"),
        (lambda listed: [{**row, "id": f"x{row['id']}"} for row in listed], "answers another set than `civet-train`"),
        (lambda listed: [{**row, "question": "What?"} for row in listed], "the question `.*` has another text there"),
        (
            lambda listed: [{"name": row["id"], "answer": "a"} for row in listed],
            "no column of ids: expected one of id",
        ),
        (
            lambda listed: [{"id": row["id"], "said": "a"} for row in listed],
            "no column of answers: expected one of raw",
        ),
        (lambda listed: [{**row, "id": None} for row in listed], "has no id in row 1"),
        (lambda listed: [], "is empty"),
    ],
)
def test_bad_answers_are_one_clear_line(tmp_path: Path, stored: Path, change: Change, says: str) -> None:
    file = write_rows(tmp_path / "a.jsonl", change(rows(stored)))
    with pytest.raises(InputError, match=says) as error:
        score_file(file, stored, tmp_path / "new")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b"{\n", "has no JSON in line 1"),
        ("a.jsonl", b"[1]\n", "has no JSON object in line 1: got list"),
        ("a.jsonl", b"\xff\xfe\x00", "can't be read as answers"),
        ("a.jsonl", b"\n\n", "no column of ids"),
        ("a.csv", b"id,answer\n1,2,3\n", "has 3 columns in row 2: expected 2"),
        ("a.csv", b'id,answer\n1,"open\n', "can't be read as answers"),
        ("a.csv", b"id,answer\n", "is empty"),
        ("a.csv", b"id,answer,answer\n1,a,b\n", "has the column `answer` twice: expected each name once"),
        ("a.jsonl", b'{"id": 1}\n{"id": 2, "raw": "a", "raw": "b"}\n', "has the key `raw` twice in line 2"),
        ("a.jsonl", b'{"id": 1, "raw": {"a": 1, "a": 2}}\n', "has the key `a` twice in line 1"),
        ("a.jsonl", b'{"id": 1, "raw": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n", "can't be read as answers"),
        ("a.parquet", b"PAR1", "can't be read as answers"),
        ("a.txt", b"x", "is of no known format: expected answers as .jsonl, .csv or .parquet"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_line(
    tmp_path: Path, stored: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        score_file(tmp_path / name, stored, tmp_path / "new")
    assert "\n" not in str(error.value)


def test_a_doubled_column_of_parquet_is_told(tmp_path: Path) -> None:
    table = pa.table([pa.array(["1"]), pa.array(["a"]), pa.array(["b"])], names=["id", "raw", "raw"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="has the column `raw` twice"):
        read_answers(tmp_path / "a.parquet")


def test_a_run_of_another_kind_or_of_another_set_is_refused(tmp_path: Path, stored: Path) -> None:
    with pytest.raises(InputError, match="is a stored set: expected an evaluation"):
        score_run(stored)
    write_run(tmp_path / "run", right, ASKED)
    with pytest.raises(InputError, match="is an evaluation of another set than"):
        score_run(tmp_path / "run", data=stored)
    with pytest.raises(InputError, match="is an evaluation: expected a stored set"):
        score_file(write_rows(tmp_path / "a.jsonl", rows(stored)), tmp_path / "run", tmp_path / "new")


def test_json_is_all_that_is_printed(tmp_path: Path) -> None:
    old_run(tmp_path / "run")
    shown = CliRunner().invoke(cli.app, ["score", str(tmp_path / "run"), "--json"])
    assert shown.exit_code == 0
    figures = json.loads(shown.stdout)
    assert figures["n_changed"] == 3
    assert figures["changes"] == [
        {"before": "correct", "after": "invalid", "n": 1},
        {"before": "invalid", "after": "correct", "n": 1},
        {"before": "wrong", "after": "correct", "n": 1},
    ]
    assert figures["headline"]["accuracy"] == (N - 3) / N
    assert figures["examples"][0]["raw"] == f"maybe {ASKED[0].question.answer}"


def test_people_get_the_table_and_what_changed(tmp_path: Path) -> None:
    old_run(tmp_path / "run")
    shown = CliRunner().invoke(cli.app, ["score", str(tmp_path / "run")])
    assert shown.exit_code == 0
    assert f"3 of {N} outcomes changed: correct → invalid 1, invalid → correct 1, wrong → correct 1" in shown.stdout
    assert f"{ASKED[0].id}: `maybe {ASKED[0].question.answer}` correct → invalid" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "takes an evaluation, or `--answers`"),
        (["run", "--answers", "a.jsonl"], "takes an evaluation, or `--answers`"),
        (["--answers", "a.jsonl"], "needs `--data`"),
        (["run", "--allow-missing"], "belong to `--answers`"),
        (["nowhere"], "is not a folder"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments: list[str], says: str) -> None:
    shown = CliRunner().invoke(cli.app, ["score", *arguments])
    assert isinstance(shown.exception, InputError)
    assert says in str(shown.exception)
