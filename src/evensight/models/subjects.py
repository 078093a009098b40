"""Who is asked, by what the user gave: the one place where that is chosen."""

from pathlib import Path

from evensight.models.answering import Subject, Way


def subject_of(model: str, adapter: Path | None, batch_size: int, way: Way) -> Subject:
    """Who is asked.

    Args:
        model: `embedded`, a local folder, or a Hub id.
        adapter: An adapter to put on it.
        batch_size: How many questions are asked at a time.
        way: How it is asked.
    """
    from evensight.models.asked_here import ModelHere

    return ModelHere(model, adapter, batch_size, way)
