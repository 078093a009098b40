"""Draws where photographs have their objects, and what each rule of selection does to it, for the docs.

    EVENSIGHT_PHOTOS=data/coco python scripts/placing.py

Counts alone are drawn, of all splits there are in the folder together. No photograph is opened or shown. It writes
docs/photos-cells.svg, docs/photos-rules.svg and the table in docs/photos.md between its two marks.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from evensight.annotations import AREAS, PAPER_GRID
from evensight.coco.reading import CocoSplit, has_split, read_split
from evensight.photos.effects import EXAMPLES, Placing, effects
from evensight.photos.selection import cell_counts, main_object_counts, select
from evensight.reports.colors import fill, ink
from evensight.runs import write_text

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- rules: written by make placing -->", "<!-- rules: end -->"
SPLITS = ("train2017", "val2017")
MOST_SHARE = 0.4
"""The share of an area that has the brightest colour."""
_TEXT = 'font-family="system-ui, sans-serif" fill="#11151c"'


def main() -> None:
    """Reads the annotations and writes the pictures and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=Path(os.environ.get("EVENSIGHT_PHOTOS") or "data/coco"))
    root = parser.parse_args().photos
    splits = [read_split(root, name) for name in SPLITS if has_split(root, name)]
    if not splits:
        parser.error(f"`{root}` has none of {', '.join(SPLITS)} in COCO's layout")
    placings = _placings(splits)
    write_text(DOCS / "photos-cells.svg", _cells(splits))
    write_text(DOCS / "photos-rules.svg", _rules(placings))
    page = (DOCS / "photos.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(DOCS / "photos.md", f"{before}{BEGIN}\n{_table(splits, placings)}{END}{after}")


def _placings(splits: Sequence[CocoSplit]) -> dict[str, Placing]:
    """Where each rule's objects are, in all splits together."""
    found = [effects(split) for split in splits]
    return {
        written: Placing(tuple(np.sum([each[written].by_area for each in found], axis=0).tolist()))
        for written in EXAMPLES
    }


def _table(splits: Sequence[CocoSplit], placings: Mapping[str, Placing]) -> str:
    named = " and ".join(f"{len(split.images):,} photographs of {split.name}" for split in splits)
    lines = [
        f"Counted in {named}.\n",
        "| option | questions | center | rarest area | most a balanced set has | evenness |",
        "|---|---|---|---|---|---|",
    ]
    for written, placing in placings.items():
        rarest = AREAS[placing.by_area.index(placing.rarest)]
        name = written if written.startswith("the") else f"`{written}`"
        lines.append(
            f"| {name} | {placing.n:,} | {placing.center_share or 0:.1%} | {rarest}, {placing.rarest:,} "
            f"| {9 * placing.rarest:,} | {placing.evenness or 0:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _cells(splits: Sequence[CocoSplit]) -> str:
    """Two maps of the 81 cells: the largest object of each photograph, and the objects that are asked for."""
    largest = [main_object_counts(split, PAPER_GRID) for split in splits]
    asked = [cell_counts(select(split), PAPER_GRID) for split in splits]
    maps = {
        "the largest object of each photograph": np.sum(largest, axis=0),
        "the objects that the paper asks for": np.sum(asked, axis=0),
    }
    drawn = []
    for k, (title, counts) in enumerate(maps.items()):
        squares = [
            _square(28 * col, 28 * row, 28, int(n), n / counts.max()) for (row, col), n in np.ndenumerate(counts)
        ]
        borders = "".join(
            f'<path d="M{84 * j} 0V252M0 {84 * j}H252" stroke="#fff" stroke-width="2"/>' for j in (1, 2)
        )
        heading = f'<text x="0" y="-8" font-size="13" {_TEXT}>{escape(title)} ({int(counts.sum()):,})</text>'
        drawn.append(f'<g transform="translate({10 + 320 * k} 30)">{heading}{"".join(squares)}{borders}</g>')
    return _svg(600, 292, "Where photographs have their objects, by cell", "".join(drawn))


def _rules(placings: Mapping[str, Placing]) -> str:
    """A map of the nine areas for each rule, in percent of its objects."""
    drawn = []
    for k, (written, placing) in enumerate(placings.items()):
        shares = [n / placing.n if placing.n else 0.0 for n in placing.by_area]
        squares = [
            _square(44 * (area % 3), 44 * (area // 3), 44, f"{100 * share:.0f}", min(1.0, share / MOST_SHARE))
            for area, share in enumerate(shares)
        ]
        heading = f'<text x="0" y="-20" font-size="12" {_TEXT}>{escape(written)}</text>'
        count = f'<text x="0" y="-6" font-size="11" {_TEXT}>{placing.n:,} questions</text>'
        x, y = 10 + 178 * (k % 5), 44 + 196 * (k // 5)
        drawn.append(f'<g transform="translate({x} {y})">{heading}{count}{"".join(squares)}</g>')
    height = 196 * -(-len(placings) // 5)
    return _svg(890, height, "What each rule does to the placing, in percent of the questions", "".join(drawn))


def _square(x: float, y: float, side: float, text: object, share: float) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="{fill(share)}"/>'
        f'<text x="{x + side / 2:g}" y="{y + side / 2 + 4:g}" font-size="11" text-anchor="middle" '
        f'font-family="system-ui, sans-serif" fill="{ink(share)}">{text}</text>'
    )


def _svg(width: int, height: int, title: str, drawn: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>{drawn}</svg>\n'
    )


if __name__ == "__main__":
    main()
