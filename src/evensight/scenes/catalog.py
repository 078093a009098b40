"""Designs by name, and designs of one's own: each is a YAML file.

    name: colours-on-textures
    description: do textures break it?
    parts:                                  # one product of factors, or several, one after the other
      - {shape: [square, circle], color: [red, "#1f77b4", teal=#008080], size: [large], background: [black, texture]}
    without: [{shape: circle, color: red}]  # combinations to leave out
    hold_out: [{shape: square, color: red}] # `--part test` is these, `--part train` the others

The files of `shipped/` are the designs that evensight knows by name. `FACTORS` in `factors` says what a part may
vary; the cell is crossed with all of it, unless a part or a selection names cells (`"row,col"`, or an area).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evensight.annotations import AREAS, PAPER_GRID, Cell, Grid
from evensight.errors import InputError, one_of
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import CELL, Design, Placed, Product, Selection, Union, cells_crossed, hold_out
from evensight.scenes.factors import FACTORS, MAX_REPLICATE, Color, Factor, factor, quoted
from evensight.scenes.placement import PLACEMENTS
from evensight.scenes.pools import NO_POOLS, Pools
from evensight.settings import checked
from evensight.yaml_files import read_yaml

SHIPPED = Path(__file__).parent / "shipped"
ALL = "all"
"""In place of the values of `category`, all that there are real objects of; of `arrangement`, all there are."""
MAX_FRACTION = 10**6
MAX_GRID = 256
"""The smallest shapes that can be told apart then need an image of 1100 px or more."""

Written = dict[str, Any]
"""The values of some factors as a user writes them: a list, or one alone."""


class DesignFile(BaseModel):
    """What a design's file says.

    Attributes:
        name: What it is called, also in its examples' ids.
        description: What it is for.
        task: What is asked about its scenes, unless the user asks for something else.
        grid: Rows x columns.
        parts: Products of factors; no combination may be in two of them.
        only: Keep only the combinations that have these values.
        without: Leave out the combinations that have these values together.
        hold_out: Cut the design in two: the combinations with these values, and the others.
        replicate: How often the same is shown, what is drawn being drawn anew.
        fraction: Keep a balanced fraction of one in so many.
        placement: The name of a placement to draw the cells from, in place of all cells.
        fit: Whether objects of a size have equal boxes or equal areas.
        anchor: What is in the middle of the cell: the middle of the box, or the centre of gravity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    description: str = ""
    task: str = "absolute-position"
    grid: str = Field(str(PAPER_GRID), pattern=r"^[0-9]{1,4}x[0-9]{1,4}$")
    parts: list[Written] = Field(min_length=1)
    only: Written = Field(default_factory=dict)
    without: list[Written] = Field(default_factory=list)
    hold_out: list[Written] = Field(default_factory=list)
    replicate: int = Field(1, ge=1, le=MAX_REPLICATE, strict=True)
    fraction: int = Field(1, ge=1, le=MAX_FRACTION, strict=True)
    placement: str | None = None
    fit: Literal["box", "area"] = "box"
    anchor: Literal["box", "centroid"] = "box"


def names() -> tuple[str, ...]:
    """The names of the designs that ship with evensight, in their order."""
    return tuple(file.stem.partition("_")[2] for file in sorted(SHIPPED.glob("*.yaml")))


def design(name: str, seed: int = 0, pools: Pools = NO_POOLS, part: str | None = None) -> SceneDesign:
    """The design of that name, or of the file of that path.

    Args:
        name: A name of `names()`, or the path of a YAML file.
        seed: Matters only to designs that draw.
        pools: Where real objects come from, if the design has all categories of them.
        part: `train` or `test`, where the design holds something out; None for all of it.

    Raises:
        InputError: There is no such design, or it can't be.
    """
    file = design_file(name)
    try:
        return build(file, seed, pools, part)
    except InputError as error:
        if name in names():
            raise
        raise InputError(f"`{name}`: {error}") from error


def design_file(name: str) -> DesignFile:
    """What the file of a design says.

    Args:
        name: A name of `names()`, or the path of a YAML file.

    Raises:
        InputError: There is none, or it isn't a design's.
    """
    if name in names():
        return _read(next(SHIPPED.glob(f"*_{name}.yaml")), f"the design `{name}`")
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise one_of("the design", name, names(), "see `evensight designs`, or name a YAML file")
    return _read(path, f"the design `{path}`")


def build(file: DesignFile, seed: int = 0, pools: Pools = NO_POOLS, part: str | None = None) -> SceneDesign:
    """The design that a file describes; the arguments are those of `design`.

    Raises:
        InputError: It can't be; the message says what is wrong.
    """
    grid = _grid(file.grid)
    rows = _union([_product(written, grid, pools) for written in file.parts], file.name)
    if file.replicate > 1:
        rows = _replicated(rows, file.replicate, file.name)
    if file.only:
        rows = rows.where(_selection(file.only, grid, rows))
    for written in file.without:
        rows = rows - _selection(written, grid, rows)
    if part is not None:
        rows = _part(rows, [_selection(written, grid, rows) for written in file.hold_out], part, file.name)
    if file.fraction > 1:
        rows = rows.fraction(file.fraction, seed)
    if file.placement is not None:
        rows = _placed(rows, file.placement, grid, seed)
    name = file.name if part is None else f"{file.name}-{part}"
    source = {"file": file.model_dump(mode="json", exclude_defaults=True), "part": part}
    return SceneDesign(name, file.description, grid, rows, file.fit, file.anchor, source)


def built_again(source: Mapping[str, Any], seed: int) -> SceneDesign:
    """The design of that `SceneDesign.source`.

    Raises:
        InputError: It is not what `build` wrote.
    """
    if not isinstance(source.get("file"), dict):
        raise InputError(f"a design's source has a `file` and a `part`, got {', '.join(source) or 'nothing'}")
    return build(checked(DesignFile, source["file"], "the design's source"), seed, NO_POOLS, source.get("part"))


@lru_cache(maxsize=64)
def _read(path: Path, where: str) -> DesignFile:
    content = read_yaml(path, where, DesignFile.model_fields, instead=f"one of {', '.join(names())}")
    return checked(DesignFile, content, where)


def _grid(written: str) -> Grid:
    rows, cols = map(int, written.split("x"))
    if max(rows, cols) > MAX_GRID:
        raise InputError(f"the grid `{written}` is too fine: expected {MAX_GRID} rows and columns at most")
    try:
        return Grid(rows, cols)
    except ValueError as error:
        raise InputError(f"the grid `{written}` can't be: {error}") from error


def _product(written: Written, grid: Grid, pools: Pools) -> Product:
    factors = [_factor(name, values, grid, pools) for name, values in written.items() if name != CELL]
    if not factors:
        raise InputError(f"a part of a design varies nothing: expected some of {', '.join(FACTORS)}")
    cells = _cells(_listed(written[CELL]), grid) if CELL in written else grid.cells()
    return Product((*factors, Factor(CELL, cells)))


def _factor(name: str, values: object, grid: Grid, pools: Pools) -> Factor:
    if name == CELL:
        return Factor(CELL, _cells(_listed(values), grid))
    if name == "category" and values == ALL:
        return factor(name, pools.objects().categories)
    if name == "arrangement" and values == ALL:
        return Factor(name, range(1, len(grid)))
    return factor(name, _listed(values))


def _listed(values: object) -> Sequence[object]:
    return values if isinstance(values, list) else [values]


def _selection(written: Written, grid: Grid, rows: Design) -> Selection:
    """The values that are selected; a colour of the design's own can be written by its word alone."""
    if not written:
        raise InputError("a selection of combinations is empty: expected some factors with values")
    own = {
        str(value): value.spelled
        for name in ("color", "background")
        if name in rows.factor_names
        for value in rows.values(name)
        if isinstance(value, Color)
    }
    spelled = {
        name: [own.get(str(value), value) for value in _listed(values)] if name in ("color", "background") else values
        for name, values in written.items()
    }
    return {name: _factor(name, values, grid, NO_POOLS).values for name, values in spelled.items()}


def _cells(written: Sequence[object], grid: Grid) -> tuple[Cell, ...]:
    """The cells that are written as `row,col` from the top left, from 0, or as the name of an area."""
    found: dict[Cell, None] = {}
    for each in written:
        if isinstance(each, str) and each in AREAS:
            found |= {cell: None for cell in grid.cells() if grid.area_of(cell) == each}
            continue
        place = re.fullmatch(r"\s*([0-9]{1,4})\s*,\s*([0-9]{1,4})\s*", str(each))
        if place is None:
            raise InputError(
                f"`{quoted(each)}` is no cell: expected `row,col`, counted from 0, or one of {', '.join(AREAS)}"
            )
        cell = Cell(int(place[1]), int(place[2]))
        if not (cell.row < grid.rows and cell.col < grid.cols):
            raise InputError(f"the cell `{each}` is not on the {grid} grid")
        found[cell] = None
    if not found:
        raise InputError("the factor `cell` has []: expected one or more cells")
    return tuple(cell for cell in grid.cells() if cell in found)


def _union(products: Sequence[Product], name: str) -> Design:
    if len(products) == 1:
        return products[0]
    try:
        return Union(tuple(products))
    except ValueError as error:
        raise InputError(f"the design `{name}`: {error}") from error


def _replicated(rows: Design, n: int, name: str) -> Design:
    if "replicate" in rows.factor_names:
        raise InputError(
            f"the design `{name}` has `replicate` as a factor of its parts and once more for all of it: leave one out"
        )
    return rows.crossed(Factor("replicate", range(1, n + 1)))


def _part(rows: Design, selections: Sequence[Selection], part: str, name: str) -> Design:
    if part not in ("train", "test"):
        raise one_of("the part", part, ("train", "test"))
    if not selections:
        raise InputError(f"the design `{name}` holds nothing out, so it has no part `{part}`: add `hold_out` to it")
    split = hold_out(rows, selections)
    return split.train if part == "train" else split.test


def _placed(rows: Design, name: str, grid: Grid, seed: int) -> Design:
    if name not in PLACEMENTS:
        raise one_of("the placement", name, PLACEMENTS)
    if PLACEMENTS[name].grid != grid:
        raise InputError(
            f"the placement `{name}` was counted on a {PLACEMENTS[name].grid} grid, the design has {grid}"
        )
    if cells_crossed(rows) != grid.cells():
        raise InputError(
            f"the placement `{name}` draws the cells, so the design can't choose some: leave out `cell`, or "
            "`placement`"
        )
    return Placed(rows, PLACEMENTS[name], seed)
