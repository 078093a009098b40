import json
import sys
import zipfile
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from evensight import cli
from evensight.errors import InputError
from evensight.exchange.answers import AnswerLog, LoggedAnswer, read_log, write_answers
from fuzzing import cases, check_line, tell_seen

ANSWERS = (LoggedAnswer("a", "top left"), LoggedAnswer("b", " Links,\u2028sagt „er“. "))
"""With a line separator that isn't one in JSON Lines, and white space that is the model's."""


def lmms_line(id_: str, answer: Any) -> dict[str, Any]:
    """A line of lmms-eval's log of samples, as it writes them of an exported task."""
    return {
        "doc_id": 0,
        "target": "top left",
        "filtered_resps": answer,
        "accuracy": {"id": id_, "outcome": "correct", "score": 1.0, "picture": "p"},
        "input": "Where?",
    }


def inspect_sample(id_: str, completion: str, **more: Any) -> dict[str, Any]:
    """A sample of inspect_ai's log, as it writes them."""
    message = {"role": "assistant", "content": completion}
    output = {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}], "completion": completion}
    return {"id": id_, "epoch": 1, "input": [], "target": "top left", "output": output, **more}


def lmms_log(folder: Path, lines: list[dict[str, Any]]) -> Path:
    path = folder / "20260101_samples_evensight_made.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def inspect_log(folder: Path, samples: list[dict[str, Any]]) -> Path:
    path = folder / "log.json"
    path.write_text(json.dumps({"version": 2, "status": "success", "samples": samples}), encoding="utf-8")
    return path


def test_what_lmms_eval_logged_is_read_as_it_came(tmp_path: Path) -> None:
    log = lmms_log(tmp_path, [lmms_line(each.id, each.answer) for each in ANSWERS])
    assert read_log(log) == AnswerLog(ANSWERS, ())


def test_one_response_may_stand_in_lists(tmp_path: Path) -> None:
    log = lmms_log(tmp_path, [lmms_line("a", ["top left"]), lmms_line("b", [["left"]])])
    assert [each.answer for each in read_log(log).answers] == ["top left", "left"]


def test_what_inspect_logged_is_read_as_it_came(tmp_path: Path) -> None:
    log = inspect_log(tmp_path, [inspect_sample(each.id, each.answer) for each in ANSWERS])
    assert read_log(log) == AnswerLog(ANSWERS, ())


def test_an_answer_of_no_words_is_an_answer_and_a_failed_sample_is_none(tmp_path: Path) -> None:
    stopped = inspect_sample("c", "")
    stopped["output"]["choices"] = []
    samples = [
        inspect_sample("a", ""),
        inspect_sample("b", "left", error={"message": "server on fire"}),
        stopped,
        {"id": "d", "epoch": 1},
    ]
    assert read_log(inspect_log(tmp_path, samples)) == AnswerLog((LoggedAnswer("a", ""),), ("b", "c", "d"))


@pytest.mark.parametrize("make", [lmms_log, inspect_log])
def test_two_answers_to_a_question_are_refused(make: Any, tmp_path: Path) -> None:
    one = lmms_line if make is lmms_log else inspect_sample
    with pytest.raises(InputError, match="2 answers to `a`: expected one"):
        read_log(make(tmp_path, [one("a", "left"), one("b", "left"), one("a", "right")]))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("log.csv", "id,answer", "ends with `.csv`"),
        ("log.json", "<html>", "can't be read"),
        ("log.json", "[1]", "can't be read"),
        ("log.json", '{"eval": {}}', "samples"),
        ("log.json", '{"samples": null}', "can't be read"),
        ("log.json", '{"samples": []}', "no answers"),
        ("log.jsonl", "", "no answers"),
        ("log.jsonl", '{"doc_id": 0, "filtered_resps": "left"}', "accuracy"),
        ("log.jsonl", json.dumps(lmms_line("a", ["left", "right"])), "got list"),
        ("log.jsonl", json.dumps(lmms_line("a", None)), "got NoneType"),
        ("log.jsonl", json.dumps(lmms_line(7, "left")), "got int"),  # type: ignore[arg-type]
        ("log.jsonl", '{"accuracy": 1}', "can't be read"),
        ("log.jsonl", '{"accuracy": 1, "filtered_resps": "left"}', "a JSON object was expected, got int"),
        ("log.jsonl", "7", "a JSON object was expected, got int"),
        ("log.json", '{"samples": ["left"]}', "a JSON object was expected, got str"),
        ("log.json", '{"samples": [{"id": 1, "output": "left"}]}', "a JSON object was expected, got str"),
        ("log.json", '{"samples": [{"id": {}, "output": {}}]}', "a text was expected, got dict"),
        ("log.json", '{"samples": {"id": 1}}', "a list of samples was expected, got dict"),
        ("log.json", '{"samples": [{"id": 1, "output": {"choices": [1]}}]}', "completion"),
        ("log.json", '{"samples": [' + "[" * 100_000, "can't be read"),
        ("log.jsonl", "[" * 100_000 + "]" * 100_000, "can't be read"),
        ("log.jsonl", f'{{"accuracy": {"9" * 5000}}}', "can't be read"),
    ],
)
def test_a_file_that_is_no_such_log_is_told_in_one_line(name: str, content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=reason) as told:
        read_log(tmp_path / name)
    assert "\n" not in str(told.value)
    assert str(tmp_path / name) in str(told.value)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="can't be read"):
        read_log(tmp_path / "log.jsonl")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),  # halves of characters, too
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "accuracy", "filtered_resps", "samples", "output", "choices", "completion"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def truncated(whole: bytes) -> st.SearchStrategy[bytes]:
    return st.integers(0, len(whole)).map(lambda k: whole[:k])


CONTENTS = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps({"samples": [value, {"id": 1}]}).encode())
    | JSON.map(lambda value: json.dumps({"accuracy": {"id": value}, "filtered_resps": value}).encode())
    | truncated(json.dumps({"samples": [inspect_sample("a", "left \ud83d")]}).encode())
    | truncated(json.dumps(lmms_line("\udc00", "left")).encode())
)


def test_any_content_is_a_log_or_one_line_that_names_the_file() -> None:
    seen: Counter[str] = Counter()

    @cases(300)
    @given(st.sampled_from([".json", ".jsonl"]), CONTENTS)
    def look(suffix: str, content: bytes) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"log{suffix}"
            path.write_bytes(content)
            try:
                log = read_log(path)
            except InputError as error:
                check_line(error, path)
                seen["refused"] += 1
                return
            write_answers(log.answers, Path(folder) / "answers.jsonl")
            lines = (Path(folder) / "answers.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
            assert [LoggedAnswer(**json.loads(line)) for line in lines] == list(log.answers)
            seen["used"] += 1

    look()
    tell_seen("logs of answers", seen, "used", "refused")


def test_a_binary_log_that_inspect_cannot_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise zipfile.BadZipFile("File is not a zip file")

    monkeypatch.setitem(sys.modules, "inspect_ai.log", SimpleNamespace(read_eval_log=refuse))
    (tmp_path / "log.eval").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"log.eval` can't be read by inspect_ai \(File is not a zip file\)"):
        read_log(tmp_path / "log.eval")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_log(tmp_path / "log.json")


def test_a_binary_log_needs_inspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    (tmp_path / "log.eval").write_bytes(b"PK")
    with pytest.raises(InputError, match="inspect log convert"):
        read_log(tmp_path / "log.eval")


def test_answers_are_written_as_lines_that_come_back(tmp_path: Path) -> None:
    write_answers(ANSWERS, tmp_path / "new" / "answers.jsonl")
    lines = (tmp_path / "new" / "answers.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [
        {"id": "a", "answer": "top left"},
        {"id": "b", "answer": " Links,\u2028sagt „er“. "},
    ]
    assert lines[-1] == ""


def test_the_command_says_what_has_no_answer(tmp_path: Path) -> None:
    log = inspect_log(tmp_path, [inspect_sample("a", "left"), {"id": "b"}])
    ran = CliRunner().invoke(cli.app, ["import", "answers", str(log), "--out", str(tmp_path / "answers.jsonl")])
    assert ran.exit_code == 0, ran.output
    assert "1 answers" in ran.stdout
    assert "without an answer: 1 (first: b)" in ran.stderr
    assert json.loads((tmp_path / "answers.jsonl").read_text()) == {"id": "a", "answer": "left"}
