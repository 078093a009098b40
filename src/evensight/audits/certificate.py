"""The certificate of a set, for its card: what it claims, counted before it is stored."""

from evensight.audits.audit import audit, certificate
from evensight.datasets.examples import ExampleSet
from evensight.datasets.orders import Order
from evensight.storage.card import CardNotes

MAX_CERTIFIED = 50_000
"""A larger set is stored without a certificate in its card: it would take longer than the storing."""


def card_notes(order: Order, examples: ExampleSet, limit: int | None) -> CardNotes:
    """What the card of a stored set says beside its columns: how it was made, and its certificate.

    Args:
        order: What was ordered.
        examples: The set that it makes.
        limit: How many examples of it are stored; a set that was cut short has no certificate.
    """
    return CardNotes(order.command) if limit is not None else certified(examples, order.command)


def certified(examples: ExampleSet, command: str | None = None) -> CardNotes:
    """The same of a whole set.

    Args:
        examples: The set.
        command: The command that makes it.
    """
    if len(examples) > MAX_CERTIFIED:
        return CardNotes(command)
    return CardNotes(command, certificate(audit(examples), "evensight audit FOLDER"))
