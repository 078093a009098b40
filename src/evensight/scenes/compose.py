"""From a row of a design to a scene: all that a row leaves open is dealt or drawn here, by (seed, index) alone.

*Dealt*, so that it is even: which picture of a background's pool, and which of a category's real objects. In each
cell all members of a pool are used equally often, to one, and what is shown goes through the pool evenly as it goes
through the cells. *Drawn*: how far an object is moved in its cell. What else there is in the picture is dealt and
drawn by `distractors`; it is the same in whatever cell the target is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from evensight.annotations import Cell, Grid
from evensight.errors import InputError
from evensight.randomness import below, shuffled
from evensight.scenes import distractors
from evensight.scenes.designs import CELL, Design, Row, cells_crossed
from evensight.scenes.factors import FACTORS, POOLED_GROUNDS, Color, Value, size_share, spelled
from evensight.scenes.pools import NO_POOLS, Pools
from evensight.scenes.render import Anchor, Fit, Scene, SceneObject, cell_side_px, placed, room_px
from evensight.scenes.shapes import SHAPES, same_when_rotated
from evensight.scenes.sprites import Look, bounds_px

MIN_EXTENT_PX = 4
"""Below this, shapes can't be told apart."""


@dataclass(frozen=True)
class SceneDesign:
    """A design of scenes on a grid.

    Attributes:
        name: What the user calls it.
        description: What it is for.
        grid: The grid its cells are of.
        rows: Which combinations there are.
        fit: Whether objects of a size have equal boxes or equal areas.
        anchor: What is in the middle of a cell: the middle of the box, or the centre of gravity.
        source: What it was built from, as JSON, if it came from a file: see `catalog.build`.
    """

    name: str
    description: str
    grid: Grid
    rows: Design
    fit: Fit = "box"
    anchor: Anchor = "box"
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def crossed_cells(self) -> tuple[Cell, ...] | None:
        """The cells that everything is shown in, once in each; None if the place isn't crossed with the rest."""
        return cells_crossed(self.rows)

    @property
    def is_crossed(self) -> bool:
        """Whether everything that is shown is shown once in every cell: only then is the place balanced."""
        return self.crossed_cells is not None

    @cached_property
    def n_cells(self) -> int:
        """How many rows show the same, one after the other."""
        return len(self.rows.parts[0].factor(CELL).values)

    def cell(self, index: int) -> Cell:
        """The cell of scene `index`."""
        return cell_in(self.rows[index])

    def shown(self, index: int) -> int:
        """The number of what scene `index` shows, whatever the cell."""
        return index // self.n_cells

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The names of what varies or is said beside the cell."""
        return tuple(name for name in self.rows.factor_names if name != CELL)

    def values(self, name: str) -> tuple[Value, ...]:
        """The values of a factor that occur; of one that the design lacks, what its scenes then have."""
        if name in self.rows.factor_names:
            return self.rows.values(name)
        default = FACTORS[name].default
        return () if default is None else (default,)


def cell_in(row: Row) -> Cell:
    """The value of the factor `cell` in a row."""
    cell = row[CELL]
    if not isinstance(cell, Cell):
        raise TypeError(f"the factor `cell` holds {cell!r}")
    return cell


class Composer:
    """Makes the scenes of a design."""

    def __init__(
        self, design: SceneDesign, size_px: int, seed: int, pools: Pools = NO_POOLS, *, one_nearest: bool = False
    ) -> None:
        """Checks that the design's scenes can be drawn; nothing is drawn yet.

        Args:
            design: Which scenes.
            size_px: The images' side.
            seed: Draws what a row leaves open.
            pools: Backgrounds and real objects, where the design has such.
            one_nearest: Whether one of the other objects has to be clearly nearest to the target.

        Raises:
            InputError: They can't be drawn; the message says why and what to do.
        """
        self.design = design
        self.size_px = size_px
        self.seed = seed
        self.pools = pools
        self._pattern = distractors.distinct_pattern if one_nearest else distractors.pattern
        self._cell_number = {cell: k for k, cell in enumerate(design.grid.cells())}
        self._is_real = "category" in design.rows.factor_names
        self._has_pool = any(value in POOLED_GROUNDS for value in design.values("background"))
        self._others = lru_cache(maxsize=256)(self._others_of)
        self._members = lru_cache(maxsize=1024)(self._members_of)
        check_drawable(design, size_px, pools)
        for background in design.values("background") if self._is_real else ():
            for category in design.values("category"):
                self._members("background", background, frozenset({str(category)}))

    def __reduce__(self) -> tuple[type["Composer"], tuple[SceneDesign, int, int, Pools]]:
        return Composer, (self.design, self.size_px, self.seed, self.pools)

    def scene(self, index: int) -> Scene:
        """Scene `index`."""
        row = self.design.rows[index]
        cell = cell_in(row)
        target = self._target(row, cell, index)
        objects: tuple[SceneObject, ...] = (target,)
        if row.get("distractors", 0):
            objects = (target, *self._distractors(row, target, index))
        background = row.get("background", _BLACK)
        member = 0
        if self._has_pool and background in POOLED_GROUNDS:
            shown = frozenset(thing.name for thing in objects if thing.color is None)
            member = self._member("background", background, cell, index, shown)
        scene = Scene(
            self.size_px, self.design.grid, objects, background, member, self.design.fit, self.design.anchor
        )
        return self._jittered(scene, float(str(row["jitter"])), index) if row.get("jitter", 0) else scene

    def member_names(self, scene: Scene) -> dict[str, str]:
        """The names of the pools' members that a scene is made of, by what they are."""
        names = {}
        if self._has_pool:
            names["background_member"] = self.pools.ground(scene.background).member_name(scene.member)
        if self._is_real:
            target = scene.objects[0]
            names["category_member"] = self.pools.objects().member_name(target.name, target.member or 0)
        return names

    @cached_property
    def member_columns(self) -> tuple[str, ...]:
        """The names of what `member_names` gives."""
        return ("background_member",) * self._has_pool + ("category_member",) * self._is_real

    def _target(self, row: Row, cell: Cell, index: int) -> SceneObject:
        size = row.get("size", _LARGE)
        if self._is_real:
            category = str(row["category"])
            member = self._member("category", row["category"], cell, index)
            return SceneObject(category, None, "none", size, cell, member=member)
        color = row.get("color", _WHITE)
        turned = row.get("rotation", 0)
        if not isinstance(color, Color) or not isinstance(turned, int | float):
            raise TypeError(f"a row's color and rotation are of another kind: {row}")
        return SceneObject(str(row["shape"]), color, str(row.get("sheen", "none")), size, cell, turned)

    def _member(self, factor: str, value: Value, cell: Cell, index: int, shown: frozenset[str] = frozenset()) -> int:
        """Which of a pool's members: the number among what is shown with this value, moved on by the cell."""
        rank = self.design.rows.number_among(index, factor) if factor in self.design.rows.factor_names else index
        order, offsets = self._members(factor, value, shown)
        return order[(rank // self.design.n_cells + offsets[self._cell_number[cell]]) % len(order)]

    def _members_of(self, factor: str, value: Value, shown: frozenset[str]) -> tuple[list[int], list[int]]:
        """A pool's members in a drawn order, but for pictures that show what the scene shows; an offset a cell."""
        if factor == "category":
            fit = list(range(self.pools.objects().count(str(value))))
        else:
            ground = self.pools.ground(value)
            fit = [k for k in range(len(ground)) if not ground.shows(k) & shown]
            if not fit:
                raise InputError(
                    f"every background has {' or '.join(sorted(shown))} in it, so that no question could mean the "
                    "one that is put there: give it other photographs, or leave the category out"
                )
        order = shuffled(fit, self.seed, f"{factor}={value}")
        return order, shuffled(range(len(self._cell_number)), self.seed, f"{factor}={value} by cell")

    def _distractors(self, row: Row, target: SceneObject, index: int) -> Iterator[SceneObject]:
        n = int(str(row["distractors"]))
        others = self._others(self.design.shown(index), index - index % self.design.n_cells)
        number = self._arrangement(row, index)
        steps = self._pattern(self.design.grid, n, number, self.seed)
        for other, cell in zip(others, distractors.cells(self.design.grid, target.cell, steps), strict=True):
            yield SceneObject(
                other.name, other.color, other.sheen, other.size, cell, other.rotation_deg, (0, 0), other.member
            )

    def _arrangement(self, row: Row, index: int) -> int:
        """The number of the distractors' pattern: the row's, else each next one for what is shown next."""
        if "arrangement" in row:
            return int(str(row["arrangement"])) - 1
        return self.design.rows.number_among(index, "distractors") // self.design.n_cells

    def _others_of(self, shown: int, index: int) -> tuple[SceneObject, ...]:
        """The distractors of what is shown, their cells aside."""
        row = self.design.rows[index]
        color = "" if self._is_real else str(row.get("color", _WHITE))
        look = (str(row["category"] if self._is_real else row["shape"]), color)
        seen = [other for other in self._looks if other[1] != str(row.get("background", _BLACK))]
        groups = distractors.candidates(look, seen, str(row.get("distractor_kind", "any")))
        names = distractors.chosen(groups, int(str(row["distractors"])), shown, self.seed)
        return tuple(self._other(name, row, shown, k) for k, name in enumerate(names))

    def _other(self, look: distractors.Look, row: Row, shown: int, k: int) -> SceneObject:
        def drawn(name: str) -> Value:
            values = self.design.values(name)
            return values[below(len(values), self.seed, f"distractor-{name}", shown, k)]

        size, cell = row.get("distractor_size") or drawn("size"), Cell(0, 0)
        if self._is_real:
            member = below(self.pools.objects().count(look[0]), self.seed, "distractor-member", shown, k)
            return SceneObject(look[0], None, "none", size, cell, member=member)
        color = next(value for value in self.design.values("color") if str(value) == look[1])
        turned = drawn("rotation")
        if not isinstance(color, Color) or not isinstance(turned, int | float):
            raise TypeError(f"a distractor's color and rotation are of another kind: {color}, {turned}")
        return SceneObject(look[0], color, str(drawn("sheen")), size, cell, turned)

    @cached_property
    def _looks(self) -> tuple[distractors.Look, ...]:
        return looks(self.design)

    def _jittered(self, scene: Scene, share: float, index: int) -> Scene:
        moved = tuple(self._moved(scene, thing, share, index, k) for k, thing in enumerate(scene.objects))
        return Scene(scene.size_px, scene.grid, moved, scene.background, scene.member, scene.fit, scene.anchor)

    def _moved(self, scene: Scene, thing: SceneObject, share: float, index: int, k: int) -> SceneObject:
        room = room_px(scene.grid, scene.size_px, placed(scene, thing, self.pools)[0])
        limits = [int(share * r) for r in room]
        dx, dy = (below(2 * r + 1, self.seed, "jitter", index, k, axis) - r for axis, r in enumerate(limits))
        return SceneObject(
            thing.name, thing.color, thing.sheen, thing.size, thing.cell, thing.rotation_deg, (dx, dy), thing.member
        )


def looks(design: SceneDesign) -> tuple[distractors.Look, ...]:
    """All that a description of the design's targets says: its shapes with their colours, or its categories."""
    if "category" in design.rows.factor_names:
        return tuple((str(value), "") for value in design.values("category"))
    found: dict[distractors.Look, None] = {}
    for part in design.rows.parts:
        colors = part.factor("color").values if "color" in part.factor_names else (_WHITE,)
        found |= {(str(shape), str(color)): None for shape in part.factor("shape").values for color in colors}
    return tuple(found)


def check_drawable(design: SceneDesign, size_px: int, pools: Pools) -> None:
    """Checks what can be checked without drawing all scenes.

    Raises:
        InputError: An object would be too small to tell, leave its cell, or not be seen; or there is nothing to
            draw it with; or rotations of a shape look the same.
    """
    names = design.rows.factor_names
    if CELL not in names or ("shape" in names) == ("category" in names):
        raise InputError(
            f"the design `{design.name}` has {', '.join(names)}: expected a cell, and a shape or category"
        )
    sides = [size_share(size) * cell_side_px(design.grid, size_px) for size in _sizes(design)]
    if round(min(sides)) < MIN_EXTENT_PX:
        fits = int(size_px * MIN_EXTENT_PX / min(sides)) + 1
        raise InputError(
            f"an image of `{size_px}` px is too small for a {design.grid} grid: a small object would have less than "
            f"{MIN_EXTENT_PX} px; choose a size of {fits} px or more, or a coarser grid"
        )
    for background in design.values("background"):
        pools.ground(background)
    if "category" in names:
        _check_categories(design, pools)
    else:
        _check_shapes(design, size_px, max(sides))
    _check_seen(design)
    _check_distractors(design)


def _sizes(design: SceneDesign) -> tuple[Value, ...]:
    return design.values("size") + design.values("distractor_size")


def _check_categories(design: SceneDesign, pools: Pools) -> None:
    missing = [str(value) for value in design.values("category") if not pools.objects().count(str(value))]
    if missing:
        raise InputError(
            f"the design `{design.name}` wants real objects of {', '.join(missing)}, of which none can be cut out: "
            f"expected some of {', '.join(pools.objects().categories)}"
        )


def _check_shapes(design: SceneDesign, size_px: int, side_px: float) -> None:
    turns = [float(str(value)) for value in design.values("rotation")]
    for shape in map(str, design.values("shape")):
        for k, turned in enumerate(turns):
            look = Look(shape, (255, 255, 255), "none", turned, design.fit, design.anchor)
            width, height = bounds_px(look, side_px, size_px % 2)
            if width > size_px / design.grid.cols + 1 or height > size_px / design.grid.rows + 1:
                raise InputError(
                    f"a {shape} turned by {turned:g} degrees is {width:.0f} x {height:.0f} px and leaves its cell of "
                    f"{size_px / design.grid.cols:.0f} x {size_px / design.grid.rows:.0f} px: choose smaller sizes, "
                    "or equal boxes (fit: box)"
                )
            twin = next((other for other in turns[:k] if same_when_rotated(SHAPES[shape], turned, other)), None)
            if twin is not None:
                raise InputError(
                    f"a {shape} turned by {turned:g} degrees looks as one turned by {twin:g}: leave out one of the "
                    "two rotations, or the shape"
                )


def _check_seen(design: SceneDesign) -> None:
    """An object in the colour of its plain background can't be seen."""
    for part in design.rows.parts:
        factors = {factor.name: factor.values for factor in part.product.factors}
        if "shape" not in factors:
            continue
        grounds = factors.get("background", (_BLACK,))
        for color in factors.get("color", (_WHITE,)):
            same = [g for g in grounds if isinstance(g, Color) and isinstance(color, Color) and g.rgb == color.rgb]
            if same:
                raise InputError(
                    f"the design `{design.name}` shows a {color} object on {same[0]}, which can't be seen: leave the "
                    f"combination out (without: [{{color: {spelled(color)}, background: {spelled(same[0])}}}])"
                )


def _check_distractors(design: SceneDesign) -> None:
    most = max(int(str(value)) for value in design.values("distractors"))
    if not most:
        return
    if most > len(design.grid) - 1:
        raise InputError(f"{most} distractors have no place on a {design.grid} grid beside the target: choose fewer")
    known = looks(design)
    for target in known:
        for kind in map(str, design.values("distractor_kind")):
            distractors.chosen(distractors.candidates(target, known, kind), most, 0, 0)


_BLACK = FACTORS["background"].default or ""
_WHITE = FACTORS["color"].default or ""
_LARGE = FACTORS["size"].default or ""
