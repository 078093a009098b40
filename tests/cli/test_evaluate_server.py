"""`evensight evaluate --server` as a user types it: the same figures, faults asked again, bad input one line."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evensight import cli
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.models.loading import load
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import store
from served_model import serving
from servers import Request, Say, completion, scripted

N = 14
SECRET = "sk-a-secret-of-ours"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, mini_train: SceneDesign) -> Path:
    folder = tmp_path_factory.mktemp("asked") / "data"
    store(Part(SceneExamples(mini_train, 108, 0), range(0, 162, 12), {"every": 12}), folder)
    return folder


def says_center(_request: Request, _n: int) -> Say:
    return Say(body=completion("center"))


def asked(*options: str, expecting: int = 0) -> Any:
    result = CliRunner().invoke(cli.app, ["evaluate", *options])
    assert result.exit_code == expecting, result.output
    return result


def test_a_served_model_gets_the_figures_that_it_gets_here(data: Path, tmp_path: Path) -> None:
    rest = ("--data", str(data), "--by", "both", "--json")
    here = json.loads(asked("--model", "embedded", "--out", str(tmp_path / "here"), *rest).stdout)
    served = serving(load("embedded"))
    with scripted(served, greets=served) as server:
        there = json.loads(asked("--server", server.base, "--out", str(tmp_path / "there"), *rest).stdout)
    calibrations = [figures["by_options"].pop("calibration") for figures in (here, there)]  # of the scores' last bits
    assert there == here
    assert calibrations[1]["ece"] == pytest.approx(calibrations[0]["ece"], abs=1e-4)
    tables = [pq.read_table(tmp_path / run / "results.parquet") for run in ("here", "there")]
    for column in ("id", "raw", "parsed", "outcome", "option_tokens", "parsed_by_options"):
        assert tables[0][column].to_pylist() == tables[1][column].to_pylist()
    for column in ("option_scores", "option_priors"):
        for mine, theirs in zip(*(table[column].to_pylist() for table in tables), strict=True):
            assert theirs == pytest.approx(mine, abs=1e-4)


def test_what_failed_is_told_and_asked_again_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENSIGHT_API_KEY", SECRET)
    out, bad = tmp_path / "run", 5

    def sick(request: Request, n: int) -> Say:
        return (
            Say(400, {"error": {"message": f"no such picture, {request.headers}"}})
            if n < bad
            else says_center(request, n)
        )

    with scripted(sick) as server:
        options = ("--server", server.base, "--data", str(data), "--out", str(out), "--in-flight", "4")
        first = asked(*options, expecting=1)
        assert not (out / "results.parquet").exists()
        asked_first = Counter(request.text for request in server.asked)
        server.asked.clear()
        server.behaviour = says_center
        second = asked(*options)
        assert len(server.asked) == bad
        assert set(asked_first.values()) <= {1, 2}
        assert all(request.headers["Authorization"] == f"Bearer {SECRET}" for request in server.asked)
    line = str(first.exception) if first.exception else first.output
    assert f"{bad} of {N} questions" in line
    assert pq.read_table(out / "results.parquet")["parsed"].to_pylist() == ["center"] * N
    files = [path for path in out.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    assert SECRET not in first.output + second.output + line


def test_no_torch_is_needed(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from evensight import cli; cli.app(sys.argv[1:], standalone_mode=False);"
        "sys.exit(', '.join({'torch', 'transformers', 'peft', 'accelerate'} & set(sys.modules)) or 0)"
    )
    with scripted(says_center) as server:
        words = ["evaluate", "--server", server.base, "--data", str(data), "--out", str(tmp_path / "run"), "--json"]
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, env=dict(os.environ)
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["n"] == N


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "there is nobody to ask: name a model with `--model`, or a server with `--server URL`"),
        (["--server", "localhost:8000"], "is no server's URL: expected `http://HOST:PORT`"),
        (["--server", "http://me:secret@localhost:8000"], "holds more than a place"),
        (["--server", "http://localhost:1", "--adapter", "run"], "`--adapter` can't be put on a model at a server"),
        (["--server", "http://localhost:1", "--extra", "top_k"], "`--extra` is no JSON"),
        (["--server", "http://localhost:1", "--extra", '{"stream": true}'], "can't have stream"),
        (["--server", "http://localhost:1", "--extra", '{"top_p": NaN}'], "`--extra` is no JSON"),
        (
            ["--server", "http://localhost:1", "--batch-size", "4"],
            "`--batch-size` is for a model that is",
        ),
        (["--server", "http://localhost:1", "--allow-code"], "`--allow-code` is for a model that is loaded here"),
        (["--model", "embedded", "--in-flight", "4"], "`--in-flight` belongs to `--server URL`: leave it out"),
        (["--model", "embedded", "--choice", "auto"], "`--choice` belongs to `--server URL`"),
        (["--model", "embedded", "--extra", "{}"], "`--extra` belongs to `--server URL`"),
        (["--server", "http://127.0.0.1:1", "--retries", "0"], "127.0.0.1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    data: Path,
    tmp_path: Path,
    given: Sequence[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["evensight", "evaluate", "--data", str(data), "--out", str(tmp_path / "run"), *given]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code
    printed = capsys.readouterr().err.strip()
    assert says in printed
    assert len(printed.splitlines()) == 1
    assert "secret" not in printed
