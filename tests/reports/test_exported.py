"""Figures and tables for a paper: the numbers are the tables', and each file is what its name says."""

import csv
import io
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from typer.testing import CliRunner

from evensight import cli
from evensight.annotations import Cell
from evensight.datasets.controls import CONTROLS
from evensight.errors import InputError
from evensight.evaluation.summary import summarise
from evensight.reports.exported import latex, latex_table, save_figures
from made_runs import HOSTILE, center_only, examples, half, right, write_run


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_numbers_are_those_of_the_tables(tmp_path: Path) -> None:
    asked = examples(skip=[Cell(8, 8)])
    runs = [
        write_run(tmp_path / name, say, asked, set_name=of)
        for name, say, of in (("a", center_only, "toy"), ("b", half, HOSTILE[2]))
    ]
    photos, controls = examples(category=("cat", "dog")), dict.fromkeys(CONTROLS, half)
    runs.append(write_run(tmp_path / "p", right, photos, set_name="photos", controls=controls))
    written = save_figures(runs, ["base", HOSTILE[0], "base"], tmp_path / "figures", png=True)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {path.name for path in written}
    assert len(written) == 3 * 2 + 3
    cells = [row for row in read(tmp_path / "figures" / "cells.csv") if row["set"] == "toy"]
    rows = runs[0].table.to_pylist()
    for cell in cells:
        here = [row for row in rows if (row["row"], row["col"]) == (int(cell["row"]), int(cell["col"]))]
        n_right = sum(row["outcome"] == "correct" for row in here)
        assert (int(cell["n"]), int(cell["correct"])) == (len(here), n_right)
        assert cell["accuracy"] == (str(n_right / len(here)) if here else "")
    figures = read(tmp_path / "figures" / "figures.csv")
    assert [row["condition"] for row in figures] == ["base", HOSTILE[0].replace("\r", ""), "base"]
    for row, results in zip(figures, runs, strict=True):
        headline = summarise(results).headline()
        for name in ("accuracy", "low", "high", "cell_std", "worst_cell"):
            assert float(row[name]) == headline[name]
    assert figures[0]["wrong_photo accuracy"] == ""
    assert float(figures[2]["wrong_photo accuracy"]) == summarise(runs[2]).headline()["wrong_photo"]["accuracy"]
    by_row = [row for row in read(tmp_path / "figures" / "levels.csv") if row["attribute"] == "row"]
    levels = [row for row in by_row if row["set"] == "toy"]
    assert sum(int(row["n"]) for row in levels) == len(rows)


def test_pictures_are_whole_and_have_names_that_stay_in_the_folder(tmp_path: Path) -> None:
    names = ("../../up", "..", HOSTILE[1], "../../up ")
    runs = [write_run(tmp_path / f"{k}", half, set_name=name) for k, name in enumerate(names)]
    written = save_figures(runs, ["base"] * len(runs), tmp_path / "in" / "figures", png=True)
    assert all(path.parent == tmp_path / "in" / "figures" and path.is_file() for path in written)
    assert len({path.name for path in written}) == len(written) == 2 * len(names) + 3
    for path in written:
        if path.suffix == ".svg":
            width = float(ElementTree.parse(path).getroot().attrib["width"])
            with Image.open(path.with_suffix(".png")) as image:
                assert image.size[0] == 3 * width
                assert len(image.convert("RGB").getcolors(1 << 24) or []) > 20


def test_without_the_library_it_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    run = write_run(tmp_path / "a", half)
    with pytest.raises(InputError, match=r"evensight\[figures\]"):
        save_figures([run], ["base"], tmp_path / "figures", png=True)
    assert not (tmp_path / "figures").exists()
    save_figures([run], ["base"], tmp_path / "figures")


def test_a_latex_table_has_a_line_for_each_run_and_nothing_that_acts(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, say, set_name="a_set") for name, say in (("one", half), ("two", right))]
    text = latex_table(runs, ["50 % & more", r"\input{/etc/passwd}"])
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 3
    assert all(line.count(" & ") == 8 for line in lines)
    share = summarise(runs[0]).accuracy
    assert f"{100 * share.low:.1f} to {100 * share.high:.1f} & 648 & 0" in lines[1]
    assert lines[1].startswith(r"a\_set & 50 \% \& more & ")
    assert r"\textbackslash{}input\{/etc/passwd\}" in lines[2]
    assert r"100~\%" in lines[2]
    assert latex("~^#$–") == r"\textasciitilde{}\textasciicircum{}\#\$--"


def test_the_command_writes_what_was_asked_for(tmp_path: Path) -> None:
    for name, say in (("base", center_only), ("balanced", right)):
        write_run(tmp_path / name, say)
    words = ["report", str(tmp_path / "base"), str(tmp_path / "balanced"), "--out", str(tmp_path / "r.html")]
    more = ["--figures", str(tmp_path / "figures"), "--png", "--latex", str(tmp_path / "t.tex")]
    done = CliRunner().invoke(cli.app, [*words, *more])
    assert done.exit_code == 0, done.output
    assert {"toy.svg", "toy.png", "figures.csv"} <= {path.name for path in (tmp_path / "figures").iterdir()}
    assert "balanced" in (tmp_path / "t.tex").read_text()
    with pytest.raises(InputError, match="belongs to `--figures FOLDER`"):
        CliRunner().invoke(cli.app, [*words, "--png"], catch_exceptions=False)


def test_a_report_takes_no_torch(tmp_path: Path) -> None:
    write_run(tmp_path / "base", half)
    code = (
        "import sys; from evensight import cli; cli.app(sys.argv[1:], standalone_mode=False);"
        "sys.exit(', '.join({'torch', 'transformers', 'peft', 'sklearn'} & set(sys.modules)) or 0)"
    )
    words = ["report", str(tmp_path / "base"), "--out", str(tmp_path / "r.html")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
