"""What has to be so before a training starts: found out before a folder is touched, and each told in one line."""

from collections.abc import Sequence

from evensight.audits.leakage import shared_pictures
from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.models.fitting import check_fits
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.progress import say
from evensight.runs import one_line
from evensight.training.methods import FinetuneConfig
from evensight.training.validation import split_off


def divided(
    examples: ExampleSet, validation: ExampleSet | None, config: FinetuneConfig
) -> tuple[ExampleSet, ExampleSet | None]:
    """What to train on and what to validate on.

    Raises:
        InputError: An example has no answer, or what to validate on is said twice, or not at all.
    """
    for each in (examples, validation):
        if each is not None:
            _check_answers(each)
    if validation is not None and config.validation_share:
        raise InputError("a validation set and `validation_share` contradict each other: leave out one of them")
    if config.validation_share:
        return split_off(examples, config.validation_share, config.seed)
    if validation is None and config.patience is not None:
        raise InputError(
            f"`patience` {config.patience} stops by the perplexity on validation examples: "
            "expected a validation set or `validation_share`, got neither"
        )
    return examples, validation


def check_apart(examples: ExampleSet, validation: ExampleSet, *, is_share: bool) -> None:
    """Checks that no picture is trained on and validated on.

    Args:
        examples: What is trained on.
        validation: What is validated on.
        is_share: Whether that is a share of one set, in which a picture may come with several questions: then it is
            only said.

    Raises:
        InputError: Some are in both.
    """
    shared = shared_pictures(examples, validation)
    if not shared:
        return
    found = (
        f"{len(shared):,} of the {len(validation):,} validation examples have a picture that is also trained on "
        f"(`{shared[0]}` is the first)"
    )
    if not is_share:
        raise InputError(f"{found}: expected a validation set without them, or `validation_share`")
    say(f"{found}: their scores are no scores on what is new")


def check_all_fit(loaded: LoadedModel, sets: Sequence[ExampleSet | None]) -> None:
    """Checks that the longest example of each set fits into the model's context.

    Raises:
        InputError: It doesn't.
    """
    with quiet_transformers():
        for each in sets:
            if each is not None:
                check_fits(loaded, each)


def check_reporters(names: Sequence[str]) -> None:
    """Checks that transformers knows those who are to be told of losses, and that they are installed.

    Raises:
        InputError: It doesn't, or one isn't.
    """
    from transformers.integrations import get_reporting_integration_callbacks

    asked = names[0] if len(names) == 1 else list(names)  # `all` and `none` are known alone
    try:
        for callback in get_reporting_integration_callbacks(asked):
            callback()
    except (RuntimeError, ValueError, ImportError) as error:
        raise InputError(
            f"`report_to` {', '.join(names)} can't be used: {one_line(error)}; install it, or leave it out"
        ) from error


def _check_answers(examples: ExampleSet) -> None:
    if not len(examples):
        raise InputError(f"the set {examples.info.name} has no examples: expected at least one")
    for example in examples:
        if not (example.question.answer or "").strip():
            raise InputError(
                f"the example `{example.id}` of {examples.info.name} has no answer: expected one in every example "
                "that is trained or validated on"
            )
