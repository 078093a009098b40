"""A study's file: conditions x tests.

name: demo
model: embedded
seeds: [0, 1, 2]
conditions:
  base: {}
  balanced: {train: civet-train}
  little: {train: {design: civet-train, n: 162}, finetune: {epochs: 80}}
tests:
  civet-test: {design: civet-test}
  coco-val: {photos: val2017}
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from evensight.settings import checked
from evensight.yaml_files import read_yaml


def _folder_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError("is used as a folder's name: expected letters, digits, '.', '_' and '-'")
    return name


Name = Annotated[str, AfterValidator(_folder_name)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """A set: a design's, the photographs of a split, or one that is stored.

    Attributes:
        design: The design's name or YAML file, of scenes or of photographs.
        photos: The split's name ("val2017"), in the folder of photographs.
        data: The folder of a stored set.
        part: `train` or `test`, where the design holds something out.
        task: What is asked, if not the design's own question.
        split: The split from which a design of scenes takes photographs and real objects, if it wants some.
        n: How many examples; every cell has its share of them. None for all.
        most: The same where there are more, and all where there are fewer.
    """

    design: str | None = None
    photos: Name | None = None
    data: str | None = None
    part: Literal["train", "test"] | None = None
    task: str | None = None
    split: Name = "val2017"
    n: int | None = Field(None, ge=1)
    most: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _is_one(self) -> "Source":
        if sum(value is not None for value in (self.design, self.photos, self.data)) != 1:
            raise ValueError("a set is one of `design`, `photos` and `data`")
        if self.design is None and (self.part or self.task):
            raise ValueError("`part` and `task` go with a `design`")
        if self.n is not None and self.most is not None:
            raise ValueError("a set has either `n` or `most`")
        return self


def _sources(written: Any) -> Any:
    """What a condition is trained on as a user writes it: a design's name, a set, or several, or nothing."""
    listed = [] if written is None else written if isinstance(written, list | tuple) else [written]
    return [{"design": one} if isinstance(one, str) else one for one in listed]


class Condition(_Part):
    """A model to compare: as it is, or fine-tuned.

    Attributes:
        train: What it is fine-tuned on: a design's name, a set, or a list of these, which are mixed; nothing for
            the model as it is.
        model: What it starts from, if not the study's model.
        finetune: Settings of the fine-tuning that differ from the study's.
        allow_trained_on: Whether it is asked what it was trained on, too: that says what was learned by heart.
    """

    train: Annotated[tuple[Source, ...], BeforeValidator(_sources)] = ()
    model: str | None = None
    finetune: dict[str, Any] = Field(default_factory=dict)
    allow_trained_on: bool = False


class ProbePlan(_Part):
    """Which hidden states of every condition are probed, and on what; what is left out is as in `evensight probe`.

    Attributes:
        test: The test whose set is probed.
        positions: Where states are read.
        targets: What is probed for.
        layers: Which states of the language model.
        intervention: How many questions are asked again with changed states.
    """

    test: Name
    positions: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    layers: tuple[int, ...] | None = None
    intervention: int = Field(0, ge=0)


class Study(_Part):
    """A whole study.

    Attributes:
        name: What it is called.
        model: What all conditions start from: `embedded`, a folder, or a Hub id.
        seed: Draws the tests, and where there are no seeds all that is drawn.
        seeds: Every training is done once for each: it draws the training set, the start and the order. All of them
            answer the same questions.
        size_px: The scenes' side.
        batch_size: How many questions are asked at a time.
        finetune: Settings of the fine-tuning that differ from the model's own.
        conditions: By name, in order; the first is what the others are compared with.
        tests: By name, in order.
        probe: Whether hidden states are probed, and which.
    """

    name: Name
    model: str = "embedded"
    seed: Seed = 0
    seeds: tuple[Seed, ...] = ()
    size_px: int = Field(336, ge=32, le=4096)
    batch_size: int = Field(64, ge=1)
    finetune: dict[str, Any] = Field(default_factory=dict)
    conditions: dict[Name, Condition] = Field(min_length=1)
    tests: dict[Name, Source] = Field(min_length=1)
    probe: ProbePlan | None = None

    @field_validator("seeds")
    @classmethod
    def _are_different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is there twice")
        return seeds

    @model_validator(mode="after")
    def _fits(self) -> "Study":
        if self.probe is not None and self.probe.test not in self.tests:
            raise ValueError(f"`probe.test` is `{self.probe.test}`: expected one of {', '.join(self.tests)}")
        written = [self.finetune, *(condition.finetune for condition in self.conditions.values())]
        if any("seed" in settings for settings in written):
            raise ValueError("`finetune.seed` is said by `seed` or `seeds`: leave it out")
        return self

    def training_seeds(self) -> Sequence[int]:
        """The seeds that each training is done with."""
        return self.seeds or (self.seed,)


def read_study(path: Path, overrides: dict[str, Any] | None = None) -> Study:
    """Reads a study's file.

    Args:
        path: The YAML file; the name alone for one that is shipped (`demo`).
        overrides: Top-level settings to put in place of the file's.

    Raises:
        InputError: It can't be read, or isn't a study; the message says what is wrong where.
    """
    if not path.is_file() and (SHIPPED / f"{path.name}.yaml").exists() and path.parent == Path():
        path = SHIPPED / f"{path.name}.yaml"
    shipped = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
    content = read_yaml(path, f"the study `{path}`", Study.model_fields, instead=f"one that is shipped: {shipped}")
    return checked(Study, {**content, **(overrides or {})}, f"the study `{path}`")


SHIPPED = Path(__file__).parent / "shipped"
"""Where the studies that come with evensight are."""
