"""Answers that another harness logged, as ids and raw texts, to be scored by evensight without a model.

Two logs are read: those of inspect_ai (JSON, or `.eval` where inspect_ai is installed), and what lmms-eval writes of
an exported task with `--log_samples` (JSON Lines). Texts come as they were logged; nothing is scored here.
"""

import importlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.runs import atomic_file, one_line

_EXPECTED = "expected a log of inspect_ai (.json or .eval) or of lmms-eval's `--log_samples` (.jsonl)"


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """What a model said to a question.

    Attributes:
        id: The question's id in its set.
        answer: The text as it came.
    """

    id: str
    answer: str


@dataclass(frozen=True, slots=True)
class AnswerLog:
    """What a log holds.

    Attributes:
        answers: The answers in the log's order, one a question.
        unanswered: The ids of questions that were asked and have none, because of an error or a limit.
    """

    answers: tuple[LoggedAnswer, ...]
    unanswered: tuple[str, ...]


def read_log(path: Path) -> AnswerLog:
    """Reads the log of another harness, known by its name's ending.

    Raises:
        InputError: It is not there, no such log, or has several answers to one question.
    """
    if not path.is_file():
        raise InputError(f"`{path}` is not a file: {_EXPECTED}")
    if path.suffix not in _READERS:
        raise InputError(f"`{path}` ends with `{path.suffix}`: {_EXPECTED}")
    try:
        found = list(_READERS[path.suffix](path))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise InputError(f"`{path}` can't be read ({one_line(error)}): {_EXPECTED}") from error
    _refuse_twice(path, (id_ for id_, _ in found))
    answers = tuple(LoggedAnswer(id_, answer) for id_, answer in found if answer is not None)
    if not answers:
        raise InputError(f"`{path}` holds no answers: {_EXPECTED}")
    return AnswerLog(answers, tuple(id_ for id_, answer in found if answer is None))


def write_answers(answers: Iterable[LoggedAnswer], out: Path) -> None:
    """Writes answers as JSON Lines with `id` and `answer`, whole or not at all.

    Half of a character, which UTF-8 doesn't have, becomes JSON's escape for it, and so comes back.
    """
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{json.dumps(asdict(each), ensure_ascii=False)}\n" for each in answers)


def _lmms_eval(path: Path) -> Iterator[tuple[str, str | None]]:
    """The answers of a file of samples; `accuracy` has the id, see `exports.lmms_eval_task`."""
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            sample = _object(json.loads(line))
            yield _text(_object(sample["accuracy"])["id"]), _only(sample["filtered_resps"])


def _inspect_json(path: Path) -> Iterator[tuple[str, str | None]]:
    return _inspect_samples(json.loads(path.read_text(encoding="utf-8")))


def _inspect_eval(path: Path) -> Iterator[tuple[str, str | None]]:
    """The answers of a binary log, which inspect_ai itself reads."""
    try:
        log = importlib.import_module("inspect_ai.log")
    except ImportError as error:
        raise InputError(
            f"`{path}` is read by inspect_ai, which is not installed: "
            f"install it (pip install 'evensight[inspect]') or convert the log (inspect log convert --to json)"
        ) from error
    try:
        found = log.read_eval_log(str(path)).model_dump(mode="json")
    except Exception as error:  # whatever inspect_ai, its zip reader and pydantic raise of a file that is no log
        raise InputError(f"`{path}` can't be read by inspect_ai ({one_line(error)}): {_EXPECTED}") from error
    return _inspect_samples(found)


def _inspect_samples(log: object) -> Iterator[tuple[str, str | None]]:
    """The answers of a log; a sample that failed, or was stopped before the model spoke, has none."""
    samples = _object(log)["samples"]
    if not isinstance(samples, list):
        raise TypeError(f"a list of samples was expected, got {type(samples).__name__}")
    for sample in map(_object, samples):
        output = _object(sample.get("output") or {})
        is_answered = bool(output.get("choices")) and sample.get("error") is None
        yield _id(sample["id"]), _text(output["completion"]) if is_answered else None


def _only(responses: object) -> str:
    """The one response to a question."""
    if isinstance(responses, list) and len(responses) == 1:
        return _only(responses[0])
    return _text(responses)


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object was expected, got {type(value).__name__}")
    return value


def _id(value: object) -> str:
    """The id of a sample, which inspect_ai numbers where a set gives it none."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, got {type(value).__name__}")
    return value


def _refuse_twice(path: Path, ids: Iterable[str]) -> None:
    for id_, n in Counter(ids).items():
        if n > 1:
            raise InputError(f"`{path}` has {n} answers to `{id_}`: expected one a question (one epoch, one repeat)")


_READERS = {".jsonl": _lmms_eval, ".json": _inspect_json, ".eval": _inspect_eval}
