"""Tables and sentences of probing runs: what can be read where, beside what is said, and whether it is used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from evensight.errors import InputError
from evensight.probing.intervals import Estimate
from evensight.probing.results import ProbeResults
from evensight.probing.verdict import NOT_KNOWN, NOT_SAID, OPEN, SAID, SAID_BETTER, Change, change
from evensight.reports.wording import ABSENT, count, p_value, percent, points, shown

_COLUMNS = ("area-row", "area-col", "row", "col", "cell")
_CAPTION = (
    "Each example read by a probe that saw neither its combination of attributes nor its picture. layer: the best by "
    "the probe's own examples (0: what goes into the language model). control: labels shuffled. x, y: R2."
)
_MEANT = {
    NOT_SAID: "known and not said",
    SAID: "known and said",
    OPEN: "known, and it is open how much of it is said",
    SAID_BETTER: "said better than a linear probe reads it here",
    NOT_KNOWN: "not to be read here by a linear probe",
}


def probe_table(runs: Sequence[tuple[str, ProbeResults]]) -> Table:
    """What is read at each position: a row for each run, the same positions of all of them together."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption=_CAPTION, caption_justify="left")
    table.add_column("", overflow="fold")
    for name in ("area", "95 % interval", "n", "layer", "control", *_COLUMNS, "x", "y"):
        table.add_column(name, justify="right", no_wrap=True)
    for position in dict.fromkeys(position for _, run in runs for position in run.positions):
        table.add_row(Text(position, style="bold"))
        for title, run in runs:
            if position in run.positions:
                table.add_row(*map(Text, _figures(title, run.summary["positions"][position])))
    return table


def _figures(title: str, of_position: Mapping[str, Any]) -> list[str]:
    chosen = {target: found["chosen"] for target, found in of_position.items()}
    area = chosen.get("area")
    first = [ABSENT] * 5
    if area is not None:
        low, high = _share(area["low"]), _share(area["high"])
        first = [_share(area["estimate"]), f"{low} to {high} %", count(area["n"]), _layers(area["layers"])]
        first.append(_share(area["control"]["estimate"]))
    others = [_share(chosen[name]["estimate"]) if name in chosen else ABSENT for name in _COLUMNS]
    r2 = [f"{chosen[name]['estimate']:.2f}" if name in chosen else ABSENT for name in ("x", "y")]
    return [f"  {shown(title, 40)}", *first, *others, *r2]


def _share(value: float | None) -> str:
    return ABSENT if value is None else f"{100 * value:.1f}"


def _layers(layers: Sequence[int]) -> str:
    return ",".join(map(str, layers))


def verdict_lines(run: ProbeResults) -> Iterator[str]:
    """A sentence for each position: known and not said, or not known, with the figures and the test."""
    for position, found in run.summary["verdicts"].items():
        read, said, wrong = (Estimate(**_numbers(found[name])) for name in ("read", "said", "read_where_wrong"))
        difference = Estimate(**_numbers(found["difference"]))
        yield (
            f"{position}: {_MEANT[found['verdict']]}. The area is read in {percent(read.estimate)} and said in "
            f"{percent(said.estimate)} of {count(read.n)} ({points(difference.estimate)} points, "
            f"{points(difference.low)} to {points(difference.high)}; {p_value(found['p_value'])})"
            + (f"; of the {count(wrong.n)} that it got wrong in {percent(wrong.estimate)}" if wrong.n else "")
        )


def _numbers(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if number is None else number for name, number in value.items()}


def intervention_table(run: ProbeResults) -> Table | None:
    """What the model says when a state is changed along the place's directions, and along any; None without."""
    if run.intervention is None:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.caption = (
        "place: along the directions in which areas differ. remove: these taken out. shift: towards another area, "
        "the target. random: pushed as far, anywhere. changed: another answer than before. p: place against random."
    )
    table.add_column("")
    for name in ("layer", "place: right", "changed", "target", "random: right", "changed", "target", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = run.intervention.to_pylist()
    for place, random in zip(rows[::2], rows[1::2], strict=True):
        name = f"{place['position']}, {place['change']}" + (
            f" x{place['strength']:g}" if place["strength"] != 1 else ""
        )
        of_each = [_share(row[what]) for row in (place, random) for what in ("accuracy", "changed", "target")]
        p = p_value(place["p_value"]).removeprefix("p").removeprefix("\u00a0=").strip()
        table.add_row(*map(Text, (name, str(place["layer"]), *of_each, p)))
    return table


def left_out_lines(run: ProbeResults) -> Iterator[str]:
    """A sentence for each position that was asked for and isn't there."""
    return (f"{position} was left out: {shown(why)}" for position, why in run.summary["left_out"].items())


def changes(first: ProbeResults, second: ProbeResults) -> dict[str, Change]:
    """By position, what a second run changes in how often the area is read, and said, for the same questions.

    Raises:
        InputError: The two are not about the same questions.
    """
    if first.manifest.inputs["data"] != second.manifest.inputs["data"]:
        raise InputError(
            f"`{first.path}` and `{second.path}` probe different sets: expected runs on the same one, to compare "
            "them question by question"
        )
    found = {}
    for position in (name for name in first.positions if name in second.positions):
        (ids, groups, read_a), (_, _, read_b) = (run.chosen(position, "area") for run in (first, second))
        told_a, told_b = first.said(), second.said()
        said = None
        if told_a is not None and told_b is not None:
            said = np.array([told_a[k] for k in ids]), np.array([told_b[k] for k in ids])
        if ids:
            found[position] = change((read_a, read_b), said, groups, np.random.default_rng(0))
    return found


def change_lines(first: str, second: str, found: Mapping[str, Change]) -> Iterator[str]:
    """A sentence for each position: what a second run changes."""
    for position, of in found.items():
        said = ""
        if of.said is not None and of.said_p_value is not None:
            said = f"; said: {_difference(of.said, of.said_p_value)}"
        names = f"{shown(first, 40)} to {shown(second, 40)}"
        yield f"{position}, {names}: read: {_difference(of.read, of.read_p_value)}{said}"


def _difference(of: Estimate, p: float) -> str:
    return f"{points(of.estimate)} points ({points(of.low)} to {points(of.high)}; {p_value(p)})"
