"""Checkpoints as folders: sealed when kept, thinned, never of another run."""

from pathlib import Path

from evensight.training.checkpoints import Checkpoints
from evensight.training.trainer import start_of


def write(checkpoints: Checkpoints, step: int, best_step: int | None = None) -> None:
    draft = checkpoints.draft(step)
    draft.mkdir(parents=True)
    (draft / "weights").write_text(str(step))
    checkpoints.keep(step, best_step)


def kept(checkpoints: Checkpoints) -> list[tuple[int, int | None]]:
    return [(found.step, found.best_step) for found in checkpoints.whole()]


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "run")
    for step in (1, 2, 10, 9):
        write(checkpoints, step)
    assert kept(checkpoints) == [(10, None), (9, None)]


def test_the_best_of_each_that_is_kept_is_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "run")
    for step, best in ((1, None), (2, 2), (3, 2), (4, 4), (5, 4)):
        write(checkpoints, step, best)
    assert kept(checkpoints) == [(5, 4), (4, 4)]
    checkpoints = Checkpoints(tmp_path / "other", "run")
    for step, best in ((1, None), (2, 2), (3, 2), (4, 2), (5, 5)):
        write(checkpoints, step, best)
    assert kept(checkpoints) == [(5, 5), (4, 2), (2, 2)]


def test_a_file_that_was_added_makes_it_another(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "run")
    write(checkpoints, 1)
    found = checkpoints.at(1)
    assert found is not None
    (found.path / "more").write_text("")
    assert checkpoints.at(1) is None


def test_writing_a_step_again_replaces_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "run")
    write(checkpoints, 1)
    (tmp_path / "step-00000001" / "weights").write_text("spoilt")
    write(checkpoints, 1)
    assert kept(checkpoints) == [(1, None)]


def test_what_is_half_written_is_swept_and_all_is_discarded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "run", "run")
    write(checkpoints, 1)
    checkpoints.draft(2).mkdir()
    (tmp_path / "run" / ".partial-12-step-00000002").mkdir()
    checkpoints.sweep()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-00000001"]
    checkpoints.discard()
    assert not (tmp_path / "run").exists()


def test_checkpoints_that_can_t_be_gone_on_from_take_no_later_one_s_place(tmp_path: Path) -> None:
    for step in (400, 500):
        write(Checkpoints(tmp_path, "run"), step)
    anew = Checkpoints(tmp_path, "run").of_another_way("anew")
    assert start_of(anew) is None
    write(anew, 100)
    assert kept(anew) == [(100, None)]
    assert start_of(anew) == anew.at(100)
