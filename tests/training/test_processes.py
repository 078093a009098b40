"""Two processes that `accelerate launch` starts train as one; the shipped configurations are accelerate's own."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file

from evensight.errors import InputError
from evensight.models.processes import Processes, leave
from evensight.runs import RunFolder
from evensight.training import finetune as finetune_module
from evensight.training.finetune import finetune

SUPPORT = Path(__file__).parents[1] / "support"
sys.path.insert(0, str(SUPPORT))
from two_processes import config, examples  # noqa: E402

SHIPPED = Path(finetune_module.__file__).parent / "shipped"
TOLERANCE = 1e-5
"""Of a loss, relative: the sums over a batch are made in another order."""


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes."""
    out = tmp_path_factory.mktemp("together") / "run"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(SHIPPED / "ddp.yaml")]
    command = [
        *launch,
        "--num_processes",
        "2",
        "--main_process_port",
        "0",
        str(SUPPORT / "two_processes.py"),
        str(out),
    ]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "find_unused_parameters" not in done.stderr
    return out


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    finetune("embedded", examples(), config(1), out, validation=examples("star"))
    return out


def column(path: Path, name: str) -> list[float]:
    with path.open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_two_processes_have_the_losses_of_one_at_the_same_global_batch(together: Path, alone: Path) -> None:
    losses = column(together / "losses.csv", "loss")
    assert len(losses) == 12  # 1.3 epochs of 9 steps
    assert losses == pytest.approx(column(alone / "losses.csv", "loss"), rel=TOLERANCE)


def test_they_end_in_the_same_adapter_but_for_rounding(together: Path, alone: Path) -> None:
    ours, theirs = (load_file(out / "adapter" / "adapter_model.safetensors") for out in (together, alone))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)
    assert any(bool(weight.any()) for name, weight in ours.items() if "lora_B" in name)


def test_they_validate_as_one_does(together: Path, alone: Path) -> None:
    for name in ("step", "loss", "accuracy"):
        ours, theirs = (column(out / "validation.csv", name) for out in (together, alone))
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1 / 162), name
    assert column(together / "validation.csv", "step") == [6, 12]


def test_the_manifest_says_how_many_examples_a_step_had(together: Path, alone: Path) -> None:
    ours, theirs = (RunFolder(out).manifest("finetune") for out in (together, alone))
    assert (ours.config["batch_size"], ours.config["global_batch"], ours.facts["n_processes"]) == (9, 18, 2)
    assert (theirs.config["batch_size"], theirs.config["global_batch"], theirs.facts["n_processes"]) == (18, 18, 1)


def test_both_see_what_the_main_process_wrote_and_stop_where_one_has_to(together: Path) -> None:
    seen = [json.loads(Path(f"{together}-{rank}.json").read_text()) for rank in (0, 1)]
    assert seen[0] == seen[1]
    assert seen[0]["n"] == 2
    assert seen[0]["is_same"]
    assert seen[0]["seen"] == [4, "the loss is nan", [3, 10]]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_takes_each_shipped_configuration(path: Path) -> None:
    found = load_config_from_file(str(path))
    kinds = {"ddp": "MULTI_GPU", "fsdp2": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}
    assert found.distributed_type == kinds[path.stem]
    assert found.num_processes == 8


def test_there_are_four_of_them() -> None:
    assert [path.stem for path in sorted(SHIPPED.glob("*.yaml"))] == ["ddp", "fsdp2", "zero2", "zero3"]


def test_an_error_of_the_main_process_is_said_by_it_alone() -> None:
    with pytest.raises(InputError, match="full"):
        Processes(0, 1).end(InputError("full"))
    with pytest.raises(SystemExit):
        Processes(1, 2).end(InputError("full"))


def test_a_process_that_ends_has_left_the_group(tmp_path: Path) -> None:
    """One that ends while it is joined aborts now and then, for its threads outlive the interpreter."""
    leave()  # of no group
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        leave()
        assert not torch.distributed.is_initialized()
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
