"""The dataset card: a stored set's README.md, in the Hub's form.

Its head is what the Hub's viewer, its search and its Croissant export read; the rest says to a person what the
set is, what its columns mean, how it was made and what it claims. It follows from the manifest alone, so the same
set has the same card. It is not among the hashed files: whoever shares a set may add to its card.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import yaml

from evensight.runs import RunManifest
from evensight.storage.rows import schema

CARD_NAME = "README.md"
_DATA_FILES = {"parquet": "data-*.parquet", "folder": "data-*/**", "webdataset": "data-*.tar"}
_MEANINGS: Mapping[str, str] = {
    "id": "unique in the set, the same whenever it is made again",
    "image": "the picture, RGB",
    "task": "what kind of question it is",
    "question": "all that a model is told, instruction and options included",
    "options": "the options in the order that they are shown; none for an open question",
    "answer": "the right answer",
    "slot": "the place of the right answer among the options, from 0",
    "row": "the row of the cell that the object is in, from the top, from 0",
    "col": "the column of the cell that the object is in, from the left, from 0",
    "area": "the name of the area that the cell is in",
    "box_xyxy_px": "the object's bounds, half-open, origin at the top left: x0, y0, x1, y1",
    "frame_wh_px": "the picture's width and height",
    "others": "the other objects in the picture, each with its name, attributes, box, mask area and centroid",
    "mask_area_px": "how many square pixels the object covers, where its mask is known",
    "centroid_xy_px": "the centre of gravity of its mask, x, y, where it is known",
    "certainty": "on photographs, how much of the object's box lies in its area, 0 to 1",
}


@dataclass(frozen=True, slots=True)
class CardNotes:
    """What a card says that the set can't know.

    Attributes:
        command: The command that made the set.
        certificate: The audit's finding, as Markdown.
        license: The data's licence, by the Hub's name; by default the generator's for what is drawn, and
            `other` for photographs and what others made, which have licences of their own.
    """

    command: str | None = None
    certificate: str | None = None
    license: str | None = None


def card(manifest: RunManifest, notes: CardNotes | None = None) -> str:
    """A stored set's card, as Markdown with its YAML head."""
    notes = notes or CardNotes()
    facts, config = manifest.facts, manifest.config
    head = yaml.safe_dump(_head(manifest, notes), sort_keys=False, allow_unicode=True, width=110)
    about = str(facts["notes"].get("description") or "")
    parts = [
        f"---\n{head}---\n# {facts['name']}\n",
        f"{facts['n']:,} questions, each about one picture"
        + (f": {about}." if about else ".")
        + f" The pictures' cells are of a {facts['grid'][0]} x {facts['grid'][1]} grid.\n",
        f"## Columns\n\n{_columns(facts['factors'])}",
        f"## How it was made\n\n{_made(notes.command, config)}",
        f"## Balance\n\n{_balance(facts['balanced'])}",
    ]
    if notes.certificate:
        parts.append(f"## Certificate\n\n{notes.certificate.strip()}\n")
    return "\n".join(parts)


def _head(manifest: RunManifest, notes: CardNotes) -> dict[str, Any]:
    facts, stored_as = manifest.facts, str(manifest.config["format"])
    head: dict[str, Any] = {
        "pretty_name": facts["name"],
        "license": notes.license or ("apache-2.0" if _is_drawn(manifest.config) else "other"),
        "language": ["en"],
        "task_categories": ["visual-question-answering"],
        "size_categories": [_size_category(facts["n"])],
        "tags": ["evensight", "spatial-reasoning", "vision-language-models", *_synthetic(manifest.config)],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": _DATA_FILES[stored_as]}]}],
    }
    if stored_as == "parquet":
        features = [_feature(field) for field in schema(tuple(facts["factors"]))]
        head["dataset_info"] = {"config_name": "default", "features": features}
    return head


def _is_drawn(config: Mapping[str, Any]) -> bool:
    """Whether all that the pictures show was drawn by us: no photographs, and no other generator's."""
    return all("design" in source and not {"photos", "pools"} & set(source) for source in _sources(config))


def _synthetic(config: Mapping[str, Any]) -> list[str]:
    """The tag of a set that has pictures which are no photographs."""
    return [] if all("photos" in source for source in _sources(config)) else ["synthetic"]


def _sources(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The configurations of the sets that a set's pictures are from: those of a mixture, the one under a control."""
    if "mixture" in config:
        return [source for part in config["mixture"] for source in _sources(part)]
    return _sources(config["of"]) if "control" in config else [config]


def _size_category(n: int) -> str:
    """The Hub's name for a number of rows."""
    bounds = [(10**k, f"{10 ** (k % 3)}{' KMBT'[k // 3].strip()}") for k in range(3, 13)]
    below = next((place for place, (bound, _) in enumerate(bounds) if n < bound), len(bounds))
    if below == 0:
        return "n<1K"
    if below == len(bounds):
        return "n>1T"
    return f"{bounds[below - 1][1]}<n<{bounds[below][1]}"


def _feature(field: pa.Field) -> dict[str, Any]:
    if field.name == "image":
        return {"name": "image", "dtype": "image"}
    if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
        return {"name": field.name, "list": [_feature(inner) for inner in field.type.value_type]}
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": _dtype(field.type.value_type)}
    return {"name": field.name, "dtype": _dtype(field.type)}


def _dtype(kind: pa.DataType) -> str:
    return "float64" if pa.types.is_floating(kind) else str(kind)


def _columns(factors: list[str]) -> str:
    meanings = dict(_MEANINGS) | {name: f"the factor `{name}`" for name in factors}
    rows = "".join(f"| `{name}` | {meanings[name]} |\n" for name in schema(tuple(factors)).names)
    return f"| column | what it holds |\n|---|---|\n{rows}"


def _made(command: str | None, config: Mapping[str, Any]) -> str:
    with_command = f"```sh\n{command}\n```\n\n" if command else ""
    return (
        f"{with_command}By evensight, from this configuration; the manifest beside this file has the versions and "
        f"the hash of every data file.\n\n```json\n{json.dumps(dict(config), indent=2, ensure_ascii=False)}\n```\n"
    )


def _balance(claims: list[list[str]]) -> str:
    if not claims:
        return "This set claims no balance.\n"
    rows = "".join(f"| `{given}` | `{counted}` |\n" for given, counted in claims)
    return (
        "Among the questions with one value of the first column, all values of the second are equally frequent, to a "
        f"whole number (`evensight audit` counts):\n\n| given | counted |\n|---|---|\n{rows}"
    )
