"""A study's file: conditions x tests.

name: demo
model: embedded
conditions:
  base: {}
  balanced: {train: civet-train}
tests:
  civet-test: {design: civet-test}
  coco-val: {photos: val2017}
"""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from evensight.settings import checked
from evensight.yaml_files import read_yaml


def _folder_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError("is used as a folder's name: expected letters, digits, '.', '_' and '-'")
    return name


Name = Annotated[str, AfterValidator(_folder_name)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Part):
    """A model to compare: as it is, or fine-tuned on a design.

    Attributes:
        train: The design to fine-tune on, of scenes or of photographs; none for the model as it is.
    """

    train: str | None = None


class StudyTest(_Part):
    """A set to ask: a design, or the photographs of a split.

    Attributes:
        design: The design's name, of scenes or of photographs.
        photos: The split's name ("val2017"), in the folder of photographs.
    """

    design: str | None = None
    photos: Name | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "StudyTest":
        if (self.design is None) == (self.photos is None):
            raise ValueError("a test has either a `design` or `photos`")
        return self


class Study(_Part):
    """A whole study.

    Attributes:
        name: What it is called.
        model: What all conditions start from: `embedded`, a folder, or a Hub id.
        seed: Draws everything that is drawn.
        size_px: The scenes' side.
        batch_size: How many questions are asked at a time.
        finetune: Settings of the fine-tuning that differ from the model's own.
        conditions: By name, in order; the first is what the others are compared with.
        tests: By name, in order.
    """

    name: Name
    model: str = "embedded"
    seed: int = Field(0, ge=0, lt=2**32)
    size_px: int = Field(336, ge=32, le=4096)
    batch_size: int = Field(64, ge=1)
    finetune: dict[str, Any] = Field(default_factory=dict)
    conditions: dict[Name, Condition] = Field(min_length=1)
    tests: dict[Name, StudyTest] = Field(min_length=1)


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
