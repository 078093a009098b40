"""Whether a set is what a model was trained on: then its score says what was learned by heart.

A set's configuration says what it is made of: a part and a control are `of` another set, a `mixture` is of two, and a
design may have a part of its combinations. So each set comes from one or more sets, by steps, and two sets are taken
to share examples unless they come from different sets, or took different parts of the same division of one. Two
draws of some examples from one set are no such parts: they may share some. Two sizes or instructions of a design are
the same scenes with the same answers, and so are two seeds where these draw nothing that is in the pictures.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.runs import RunManifest, hash_json

_DRAWN = re.compile(r"distractors\{(?!0\})|jitter\{(?!0\})|each in a cell drawn")
"""What the rows of a design say where a seed draws what its pictures show, and not only how options are ordered."""


def check_not_trained_on(trainings: Iterable[RunManifest], examples: ExampleSet) -> None:
    """Checks that a set shares no example, nor a control of one, with what some runs have learned from.

    Raises:
        InputError: It does.
    """
    asked = _lineages(dict(examples.info.config), examples.hash)
    for training in trainings:
        learned = _lineages(training.config.get("data"), training.inputs.get("data"))
        if any(one.may_share_with(other) for one, other in product(learned, asked)):
            raise InputError(
                f"the set `{examples.info.name}` is what the model was trained on: ask another set, or give "
                "`--allow-trained-on` to measure what it knows by heart"
            )


@dataclass(frozen=True, slots=True)
class _Step:
    """One cut on the way from a set to what was taken of it.

    Attributes:
        division: What was cut, and how, as a hash.
        part: Which part of the division was taken; None where it has none, as in a draw of some examples.
    """

    division: str
    part: str | None

    def is_apart_from(self, other: "_Step") -> bool:
        return self.division == other.division and None not in (self.part, other.part) and self.part != other.part


@dataclass(frozen=True, slots=True)
class _Lineage:
    """Where examples of a set come from.

    Attributes:
        source: The set that was there first, by the hashes it is known as.
        steps: What was taken of it, and of that, and so on.
    """

    source: frozenset[str]
    steps: tuple[_Step, ...] = ()

    def may_share_with(self, other: "_Lineage") -> bool:
        if not self.source & other.source:
            return False
        differing = ((a, b) for a, b in zip(self.steps, other.steps, strict=False) if a != b)
        first = next(differing, None)
        return first is None or not first[0].is_apart_from(first[1])


def _lineages(config: Any, known_as: Any) -> list[_Lineage]:
    """Where the examples of a configuration's set come from; `known_as` is its hash, where one is written down."""
    known = frozenset() if known_as is None else frozenset({str(known_as)})
    whole = [_Lineage(known)]
    match config:
        case None:
            return whole
        case {"control": _, "of": base}:
            return _lineages(base, config.get("of_hash"))
        case {"mixture": [*parts]}:
            return whole + [lineage for part in parts for lineage in _lineages(part, None)]
        case {"of": base}:
            cut = {**_plain(config), "part": None}
            step = _Step(hash_json(cut), None if config.get("part") is None else str(config["part"]))
            of = _lineages(base, config.get("hash"))
            return whole + [replace(one, steps=(*one.steps, step)) for one in of]
        case {"source": {"part": str(part), **source}}:
            combinations = {"design": None, "rows": None, "source": {**source, "part": None}}
            design = hash_json({**_scenes(config), **combinations})
            return [*whole, _Lineage(frozenset({design}), (_Step(design, part),))]
        case {"source": {"part": None}}:
            config = {**_scenes(config), "design": None, "rows": None}
        case {"rows": str()}:
            config = _scenes(config)
    return [_Lineage(known | {hash_json(config)})]


def _scenes(config: Mapping[str, Any]) -> dict[str, Any]:
    """A design's configuration without what changes none of its scenes."""
    rows = str(config.get("rows"))
    is_drawn = "pools" in config or _DRAWN.search(rows) is not None
    alike = {"size_px": None, "instruction": None} | ({} if is_drawn else {"seed": None})
    return {**config, **alike, "rows": rows if is_drawn else re.sub(r" \(seed \d+\)", "", rows)}


def _plain(config: Any) -> Any:
    """The configuration as it would be of the set that a control alters: the same part of it is the same part."""
    match config:
        case {"control": _, "of": base}:
            return _plain(base)
        case {"of": whole}:
            return {**config, "of": _plain(whole), "hash": None}
        case _:
            return config
