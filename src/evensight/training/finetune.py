"""Fine-tuning a model on a set of examples: a run folder with a plain PEFT adapter, or the model, in it.

Only the components that are named are adapted, by default the attention of the language model, as in the paper;
the table of trained parameters by component stands in the manifest. A run that was killed goes on from its last
whole checkpoint when the same command is given again, and ends in the same bytes.
"""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evensight.audits.audit import Audit, audit
from evensight.audits.certificate import MAX_CERTIFIED
from evensight.datasets.examples import ExampleSet
from evensight.errors import one_of
from evensight.models.families import parameter_table
from evensight.models.loading import LoadedModel, identify, model_source
from evensight.models.processes import Processes, processes
from evensight.progress import say
from evensight.runs import RunFolder, RunManifest, fingerprint, hash_files, read_json, write_text
from evensight.settings import checked
from evensight.training.card import Card, base_of, hardware, learned, scores
from evensight.training.checkpoints import FOLDER_NAME, Checkpoints, has_checkpoints
from evensight.training.methods import FinetuneConfig, adapt, load_for
from evensight.training.outcome import save_adapter, save_model
from evensight.training.preflight import check_all_fit, check_apart, check_reporters, divided
from evensight.training.trainer import Fitted, Surroundings, Upkeep, fit
from evensight.training.validation import table

SETTINGS_NAME = "evensight_finetune.json"
"""The file in a model's folder that holds the settings which serve it better than the defaults."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "method": "lora",
        "lora_rank": 32,
        "lora_alpha": 64,
        "components": ("language",),
        "layers": ("q_proj", "k_proj", "v_proj"),
        "learning_rate": 1e-5,
        "batch_size": 1,
        "epochs": 10.0,
        "patience": 2,
        "bf16": True,
    }
}
"""Settings by name. `paper`: at most ten epochs, stopped early by the perplexity on validation examples; adapters
start from a Gaussian, as all of ours do, and the optimizer is AdamW. Its schedule is ours: the paper names none."""

LAST_GOOD_NAME = "last-good"
"""The folder in a run's for what a training had learned before its numbers ended."""


def config_for(
    model_name: str, overrides: Mapping[str, Any], where: str, preset: str | None = None
) -> FinetuneConfig:
    """The settings for a model: what is given, else the preset's, else what its folder recommends, else the defaults.

    Raises:
        InputError: A setting is not known or out of range, or there is no such preset.
    """
    if preset is not None and preset not in PRESETS:
        raise one_of("the preset", preset, PRESETS)
    path = Path(model_source(model_name)) / SETTINGS_NAME
    recommended = read_json(path, "model's fine-tuning settings") if path.exists() else {}
    return checked(FinetuneConfig, {**recommended, **PRESETS.get(preset or "", {}), **overrides}, where)


def finetune(
    model_name: str,
    examples: ExampleSet,
    config: FinetuneConfig,
    out: Path,
    *,
    replace: bool = False,
    validation: ExampleSet | None = None,
    upkeep: Upkeep | None = None,
) -> RunManifest:
    """Fine-tunes a model and leaves a run folder: `adapter/` (or `model/`), `losses.csv`, `manifest.json`.

    A folder that holds the whole result of just this run is left as it is. With validation there is a
    `validation.csv` as well, and the weights are those of the step that validated best.

    Args:
        model_name: What `models.loading.load` loads.
        examples: What to learn from.
        config: What to adapt, and how.
        out: The run folder.
        replace: Whether a finished run of another configuration there may be thrown away.
        validation: What to validate on, if not on a share of the examples.
        upkeep: How often checkpoints are written, and who is told of losses.

    Raises:
        InputError: The model can't be loaded, a component isn't there, an example has no answer or doesn't fit into
            the model's context, a picture is both trained and validated on, the folder isn't free, or the loss
            stopped being a number.
        OSError: Something can't be written; what was learned until the last checkpoint stays.
    """
    team = processes()
    run = _Run(model_name, *divided(examples, validation, config), config, out, upkeep or Upkeep(), team)
    with ExitStack() as stack:
        team.led(lambda: stack.enter_context(run.folder.locked()))
        done = team.led(lambda: run.folder.is_done("finetune", run.settings, run.inputs))
        if done:
            run.checkpoints.discard() if team.is_main else None
            return run.folder.manifest("finetune")
        team.led(run.check)
        loaded = load_for(model_name, config)
        team.led(lambda: check_all_fit(loaded, (run.examples, run.validation)))
        adapted = adapt(loaded, config)
        team.led(lambda: run.begin(replace=replace))
        fitted = fit(adapted, loaded.processor, run.examples, config, run.label, run.surroundings(adapted, loaded))
        team.led(lambda: run.seal(adapted, loaded, fitted))
        return run.folder.manifest("finetune")


@dataclass(frozen=True)
class _Run:
    """One fine-tuning, its folder, and what identifies it."""

    model_name: str
    examples: ExampleSet
    validation: ExampleSet | None
    config: FinetuneConfig
    out: Path
    upkeep: Upkeep
    team: Processes

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.out)

    @property
    def label(self) -> str:
        return f"fine-tuning on {self.examples.info.name}"

    @property
    def settings(self) -> dict[str, Any]:
        data = {"model": self.model_name, "data": dict(self.examples.info.config)}
        if self.validation is not None:
            data["validation"] = dict(self.validation.info.config)
        n_global = self.config.global_batch(self.team.n)
        return {**data, **self.config.model_dump(mode="json"), "global_batch": n_global}

    @property
    def inputs(self) -> dict[str, str]:
        validation = {} if self.validation is None else {"validation": self.validation.hash}
        return identify(self.model_name) | {"data": self.examples.hash} | validation

    @property
    def fingerprint(self) -> str:
        return fingerprint("finetune", self.settings, self.inputs)

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.out / FOLDER_NAME, f"{self.fingerprint}-{self.team.n}")

    @cached_property
    def counted(self) -> Audit | None:
        """What is counted in the examples; None if they are too many."""
        return audit(self.examples) if len(self.examples) <= MAX_CERTIFIED else None

    def check(self) -> None:
        """Checks what needs no model, and counts what the card will say."""
        check_reporters(self.upkeep.report_to)
        if self.validation is not None:
            check_apart(self.examples, self.validation, is_share=bool(self.config.validation_share))
        self.counted  # noqa: B018 - what may fail fails now, and not when all is learned

    def begin(self, *, replace: bool) -> None:
        had = has_checkpoints(self.out)
        self.folder.begin("finetune", self.fingerprint, replace=replace)
        if had and not has_checkpoints(self.out):
            say(f"the checkpoints in `{self.out}` were of a run with other settings or data: training begins again")

    def surroundings(self, adapted: Any, loaded: LoadedModel) -> Surroundings:
        def rescue(step: int) -> str:
            path = self.out / LAST_GOOD_NAME
            how_far = f"until its loss was no number; this is after step {step:,}"
            save_adapter(adapted, path, self._card(adapted, loaded, how_far))
            return f"`{path}`"

        keeps = None if self.config.method == "full" else rescue
        return Surroundings(self.checkpoints, self.validation, self.upkeep, self.team, keeps)

    def seal(self, adapted: Any, loaded: LoadedModel, fitted: Fitted) -> None:
        """Writes what came out, then the manifest; from then on no checkpoint is needed."""
        card = self._card(adapted, loaded, learned(fitted), scores(fitted))
        if self.config.method == "full":
            save_model(adapted, loaded.processor, self.out / "model", card, fitted.state_dict)
        else:
            save_adapter(adapted, self.out / "adapter", card, fitted.state_dict)
        rows = "".join(f"{step},{loss!r}\n" for step, loss in enumerate(fitted.losses, start=1))
        write_text(self.out / "losses.csv", "step,loss\n" + rows)
        if fitted.validations:
            write_text(self.out / "validation.csv", table(fitted.validations))
        shutil.rmtree(self.out / LAST_GOOD_NAME, ignore_errors=True)
        facts = self._facts(adapted, loaded, fitted)
        self.folder.seal(RunManifest("finetune", self.settings, self.inputs, hash_files(self.out), facts))
        self.checkpoints.discard()

    def _card(
        self, adapted: Any, loaded: LoadedModel, how_far: str, figures: Mapping[str, float] | None = None
    ) -> Card:
        parts, base = parameter_table(adapted), base_of(loaded)
        ran_on = hardware(self.team.n)
        return Card(base, self.examples, self.counted, self.config, parts, ran_on, how_far, figures)

    def _facts(self, adapted: Any, loaded: LoadedModel, fitted: Fitted) -> dict[str, Any]:
        facts = {
            "n_examples": len(self.examples),
            "n_steps": len(fitted.losses),
            "n_processes": self.team.n,
            "hardware": hardware(self.team.n),
            "final_loss": fitted.losses[-1],
            "parameters": parameter_table(adapted),
            "model": loaded.hashes["model"],
            "processor": loaded.hashes["processor"],
        }
        if self.validation is not None:
            facts |= {"n_validation_examples": len(self.validation), "best_step": fitted.best_step}
        return facts
