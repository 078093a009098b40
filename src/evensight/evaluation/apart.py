"""Whether a set is what a model was trained on: then its score says what was learned by heart."""

from collections.abc import Mapping
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.runs import RunManifest


def check_not_trained_on(training: RunManifest | None, examples: ExampleSet) -> None:
    """Checks that a set isn't the one, or a part of the one, that a fine-tuning run has learned from.

    Raises:
        InputError: It is.
    """
    if training is None:
        return
    known = {str(training.inputs.get("data")), *_hashes_below(training.config.get("data"))}
    if examples.hash in known or training.config.get("data") == dict(examples.info.config):
        raise InputError(
            f"the set `{examples.info.name}` is what the model was trained on: ask another set, or give "
            "`--allow-trained-on` to measure what it knows by heart"
        )


def _hashes_below(config: Any) -> set[str]:
    """The hashes of the sets that a set is a part of."""
    if not isinstance(config, Mapping):
        return set()
    own = {str(config["hash"])} if "of" in config and "hash" in config else set()
    return own | _hashes_below(config.get("of"))
