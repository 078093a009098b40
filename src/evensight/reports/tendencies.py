"""What pulls a condition's answers, in sentences: places, slots among the options; and what confidence is worth."""

from collections.abc import Iterator

from evensight.evaluation.bias import PlaceBias, SlotBias
from evensight.evaluation.by_options import ByOptions
from evensight.evaluation.summary import Summary
from evensight.reports.wording import count, interval, p_value, percent, points, size_points
from evensight.statistics import ALPHA, Effect, is_number


def tendency_lines(summary: Summary) -> Iterator[str]:
    """All that can be said of a condition's tendencies, each with its test; what was not detected is said too."""
    if summary.places is not None:
        yield from _place_lines(summary.places)
    if summary.chosen_slots is not None:
        yield _slot_line(summary.chosen_slots)
    if summary.by_options is not None:
        yield options_line(summary.by_options)


def pull_lines(places: PlaceBias) -> list[str]:
    """Where wrong answers are pulled to, as far as a test shows it."""
    return [
        f"wrong answers are pulled to {where}: {of.estimate:+.2f} areas ({of.low:+.2f} to {of.high:+.2f}, "
        f"{p_value(of.p_value)}, {count(of.n)} wrong answers)"
        for where, of in (("the centre", places.to_center), *_sides(places))
        if of.p_value < ALPHA and of.estimate > 0
    ]


def options_line(of: ByOptions) -> str:
    """How often each rule of the options' scores is right, and what confidence is worth."""
    by_rule = ", ".join(
        f"{rule} {percent(share.estimate)} ({interval(share)})" for rule, share in of.accuracy.items()
    )
    ece = of.calibration.ece_true
    return (
        f"by the options' scores: {by_rule}; calibration error {size_points(ece.estimate)} points "
        f"({size_points(ece.low)} to {size_points(ece.high)}), confidence less accuracy "
        f"{points(of.calibration.overconfidence.estimate)}"
    )


def _place_lines(places: PlaceBias) -> Iterator[str]:
    n = places.to_center.n
    if not n:
        return
    yield from pull_lines(places) or [
        f"of its {count(n)} wrong answers no pull to the centre, the edges or a side was detected"
    ]
    usual = places.to_usual
    if usual is not None and is_number(usual.estimate):
        verdict = "are" if usual.p_value < ALPHA and usual.estimate > 0 else "were not seen to be"
        yield (
            f"wrong answers {verdict} where things of the category usually are more often than by chance: "
            f"{points(usual.estimate)} points ({points(usual.low)} to {points(usual.high)}, {p_value(usual.p_value)})"
        )


def _slot_line(slots: SlotBias) -> str:
    of = slots.answers
    if of.test.p_value < ALPHA:
        return (
            f"some places among the options are chosen too often ({p_value(of.test.p_value)}): {percent(of.moved)} "
            f"of the answers would have to be others, {percent(of.moved_by_chance)} by chance alone"
        )
    return f"that some place among the options is chosen too often was not detected ({p_value(of.test.p_value)})"


def _sides(places: PlaceBias) -> list[tuple[str, Effect]]:
    across, down = places.to_right, places.down
    return [
        ("the right", across),
        ("the left", _turned(across)),
        ("the bottom", down),
        ("the top", _turned(down)),
        ("the edges", _turned(places.to_center)),
    ]


def _turned(of: Effect) -> Effect:
    return Effect(of.n, -of.estimate, -of.high, -of.low, of.p_value)
