"""Tables and sentences of probing runs: what can be read where, beside what is said, and whether it is used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from evensight.errors import InputError
from evensight.probing.intervals import Estimate
from evensight.probing.places import COORDINATES
from evensight.probing.results import ProbeResults
from evensight.probing.verdict import NOT_KNOWN, NOT_SAID, OPEN, SAID, SAID_BETTER, Change, change
from evensight.reports.wording import ABSENT, bare_p_value, count, p_value, percent, points, shown

_OTHERS = ("area-row", "area-col", "row", "col", "cell", "x", "y")
_CAPTION = (
    "layer: the best by the probe's own examples; 0 goes into the language model. shuffled: labels dealt anew within "
    "each combination. by cell: any label for each cell."
)
_MEANT = {
    NOT_SAID: "known and not said",
    SAID: "known and said",
    OPEN: "known, and it is open how much of it is said",
    SAID_BETTER: "said better than a linear probe reads it here",
    NOT_KNOWN: "not to be read here by a linear probe",
}


def probe_table(runs: Sequence[tuple[str, ProbeResults]]) -> Table:
    """How often the area is read at each position, each example by a probe that didn't see its like."""
    table = _table(_CAPTION, ("area %", "95 % interval", "n", "layer", "shuffled", "by cell"))
    for position, title, figures in _by_position(runs):
        if title is None:
            table.add_row(Text(position, style="bold"))
        else:
            area = figures.get("area", {}).get("chosen")
            table.add_row(*map(Text, (f"  {shown(title, 40)}", *([ABSENT] * 6 if area is None else _of_area(area)))))
    return table


def targets_table(runs: Sequence[tuple[str, ProbeResults]]) -> Table | None:
    """What else is read at each position, in percent; for coordinates R2. None where nothing else was probed."""
    kept = [name for name in _OTHERS if any(name in figures for _, _, figures in _by_position(runs))]
    if not kept:
        return None
    table = _table("", tuple(f"{name} R2" if name in COORDINATES else f"{name} %" for name in kept))
    for position, title, figures in _by_position(runs):
        if title is None:
            table.add_row(Text(position, style="bold"))
        else:
            chosen = {name: of["chosen"]["estimate"] for name, of in figures.items()}
            cells = [
                f"{chosen[name]:.2f}" if name in COORDINATES and name in chosen else _share(chosen.get(name))
                for name in kept
            ]
            table.add_row(*map(Text, (f"  {shown(title, 40)}", *cells)))
    return table


def _table(caption: str, columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption=caption or None, caption_justify="left")
    table.add_column("", overflow="fold", min_width=12)  # on a narrow terminal names are broken, never numbers
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _by_position(runs: Sequence[tuple[str, ProbeResults]]) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
    """For each position a line of its own, then the runs that have it, with their figures by target."""
    for position in dict.fromkeys(position for _, run in runs for position in run.positions):
        yield position, None, {}
        for title, run in runs:
            if position in run.positions:
                yield position, title, run.summary["positions"][position]


def _of_area(area: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        _share(area["estimate"]),
        f"{_share(area['low'])} to {_share(area['high'])}",
        count(area["n"]),
        _layers(area["layers"]),
        _share(area["control"]["estimate"]),
        _share(area["arbitrary"]),
    )


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
    rows = run.intervention.to_pylist()
    caption = (
        f"In percent of {count(rows[0]['n'])}; in brackets pushed as far in a random direction; "
        f"{_share(rows[0]['accuracy_before'])} are right without. remove: where areas differ is taken out. shift: "
        "towards another area, the target. changed: not the answer of before. p: by groups, against random."
    )
    table = _table(caption, ("layer", "right", "changed", "target", "p"))
    for place, random in zip(rows[::2], rows[1::2], strict=True):
        twice = f" x{place['strength']:g}" if place["strength"] != 1 else ""
        shares = [f"{_share(place[what])} ({_share(random[what])})" for what in ("accuracy", "changed", "target")]
        p = bare_p_value(place["p_value"])
        name = f"{place['position']}, {place['change']}{twice}"
        table.add_row(*map(Text, (name, str(place["layer"]), *shares, p)))
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
