"""Whether a set is what a model was trained on: then its score says what was learned by heart."""

from collections.abc import Iterable, Mapping
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.runs import RunManifest


def check_not_trained_on(trainings: Iterable[RunManifest], examples: ExampleSet) -> None:
    """Checks that a set isn't what one of some runs has learned from, a part or a control of it, nor its whole.

    Raises:
        InputError: It is.
    """
    if any(_is_of(training, examples) for training in trainings):
        raise InputError(
            f"the set `{examples.info.name}` is what the model was trained on: ask another set, or give "
            "`--allow-trained-on` to measure what it knows by heart"
        )


def _is_of(training: RunManifest, examples: ExampleSet) -> bool:
    trained_on = str(training.inputs.get("data"))
    known = {trained_on, *_hashes_below(training.config.get("data"))}
    is_known = examples.hash in known or trained_on in _hashes_below(examples.info.config)
    return is_known or training.config.get("data") == dict(examples.info.config)


def _hashes_below(config: Any) -> set[str]:
    """The hashes of the sets that a set is a part or a control of."""
    if not isinstance(config, Mapping) or "of" not in config:
        return set()
    own = {str(config[name]) for name in ("hash", "of_hash") if name in config}
    return own | _hashes_below(config["of"])
