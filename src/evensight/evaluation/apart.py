"""Whether a set is what a model was trained on: then its score says what was learned by heart.

A set's configuration says what it is made of: a part and a control are `of` another set, a `mixture` is of two. So
two sets share examples where one of them, or a set that it holds whole, is in what the other comes from. Two
different parts of one set share none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.runs import RunManifest, hash_json


def check_not_trained_on(trainings: Iterable[RunManifest], examples: ExampleSet) -> None:
    """Checks that a set shares no example, nor a control of one, with what some runs have learned from.

    Raises:
        InputError: It does.
    """
    asked = _origin(dict(examples.info.config), examples.hash)
    for training in trainings:
        if _origin(training.config.get("data"), training.inputs.get("data")).shares_with(asked):
            raise InputError(
                f"the set `{examples.info.name}` is what the model was trained on: ask another set, or give "
                "`--allow-trained-on` to measure what it knows by heart"
            )


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a set comes from, as hashes.

    Attributes:
        holds: Itself, and the sets that it holds whole.
        comes_from: Those, and the sets of which it has a part.
    """

    holds: frozenset[str]
    comes_from: frozenset[str]

    def shares_with(self, other: "_Origin") -> bool:
        return bool(self.holds & other.comes_from or other.holds & self.comes_from)


def _origin(config: Any, known_as: Any) -> _Origin:
    """What the set of a configuration comes from; `known_as` is its hash, where one is written down."""
    own = frozenset() if known_as is None else frozenset({str(known_as)})
    if not isinstance(config, Mapping):
        return _Origin(own, own)
    own |= {hash_json(_without_controls(config))}
    match config:
        case {"control": _, "of": base}:
            of = [_origin(base, config.get("of_hash"))]
        case {"mixture": [*parts]}:
            of = [_origin(part, None) for part in parts]
        case {"of": whole}:
            return _Origin(own, own | _origin(whole, config.get("hash")).comes_from)
        case _:
            return _Origin(own, own)
    return _Origin(own.union(*(one.holds for one in of)), own.union(*(one.comes_from for one in of)))


def _without_controls(config: Any) -> Any:
    """The configuration as it would be of the set that a control alters: the same part of it is the same part."""
    match config:
        case {"control": _, "of": base}:
            return _without_controls(base)
        case {"of": whole}:
            return {**config, "of": _without_controls(whole), "hash": None}
        case _:
            return config
