"""From a row of a design to a scene: all that a row leaves open is dealt or drawn here, by (seed, index) alone.

*Dealt*, so that it is even: which picture of a background's pool, and which of a category's real objects. In each
cell all members of a pool are used equally often, to one, and what is shown goes through the pool evenly as it goes
through the cells. *Drawn*: how far an object is moved in its cell. What else there is in the picture is dealt and
drawn by `distractors`; it is the same in whatever cell the target is.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from evensight.annotations import Cell, Grid
from evensight.errors import InputError
from evensight.randomness import below, shuffled
from evensight.scenes import distractors
from evensight.scenes.designs import CELL, Design, Part, Row, cells_crossed
from evensight.scenes.factors import FACTORS, POOLED_GROUNDS, Color, Value, Values, size_share, spelled
from evensight.scenes.pools import NO_POOLS, Pools
from evensight.scenes.render import Anchor, Fit, Scene, SceneObject, cell_side_px, placed, reach_of, room_px
from evensight.scenes.shapes import SHAPES, same_when_rotated
from evensight.scenes.sprites import Look, Reach, extent_px, reach_px

MIN_EXTENT_PX = 4
"""Below this, shapes can't be told apart."""
MIN_CONTRAST = 32
"""An object differs from its plain ground by this in a channel at least, of 255; else it can't be seen."""


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
        """How many rows show the same, one after the other, where the design is crossed."""
        return self.rows.parts[0].n_cells

    def cell(self, index: int) -> Cell:
        """The cell of scene `index`."""
        return cell_in(self.rows[index])

    def shown(self, index: int) -> int:
        """The number of what scene `index` shows, whatever the cell."""
        return self.rows.shown(index)[0]

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The names of what varies or is said beside the cell."""
        return tuple(name for name in self.rows.factor_names if name != CELL)

    def values(self, name: str) -> Values:
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
        self._one_nearest = one_nearest
        self._pattern = distractors.distinct_pattern if one_nearest else distractors.pattern
        self._cell_number = {cell: k for k, cell in enumerate(design.grid.cells())}
        self._is_real = "category" in design.rows.factor_names
        self._has_pool = any(value in POOLED_GROUNDS for value in design.values("background"))
        self._groups = lru_cache(maxsize=256)(self._groups_of)
        self._members = lru_cache(maxsize=1024)(self._members_of)
        check_drawable(design, size_px, pools)
        for background in design.values("background") if self._is_real else ():
            for category in design.values("category"):
                self._members("background", background, frozenset({str(category)}))

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (self.design, self.size_px, self.seed, self.pools, self._one_nearest)

    def scene(self, index: int) -> Scene:
        """Scene `index`."""
        return self.scene_of(self.design.rows[index], index)

    def scene_of(self, row: Row, index: int) -> Scene:
        """Scene `index`, whose row is known."""
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
        number = self.design.rows.shown_number_among(index, factor)
        order, offsets = self._members(factor, value, shown)
        return order[(number + offsets[self._cell_number[cell]]) % len(order)]

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
        grid, n = self.design.grid, int(str(row["distractors"]))
        shown, first = self.design.rows.shown(index)
        turn = self._turns[self._cell_number[target.cell]]
        names = distractors.chosen(self._groups(shown, first), n, turn)
        steps = self._pattern(grid, n, self._arrangement(row, index), self.seed)
        for k, (name, cell) in enumerate(zip(names, distractors.cells(grid, target.cell, steps), strict=True)):
            yield self._other(name, cell, row, shown, k)

    def _arrangement(self, row: Row, index: int) -> int:
        """The number of the distractors' pattern: the row's, else each next one for what is shown next."""
        if "arrangement" in row:
            return int(str(row["arrangement"])) - 1
        return self.design.rows.shown_number_among(index, "distractors")

    def _groups_of(self, shown: int, index: int) -> list[list[distractors.Look]]:
        """What the distractors of what is shown may look like."""
        row = self.design.rows[index]
        color = "" if self._is_real else str(row.get("color", _WHITE))
        look = (str(row["category"] if self._is_real else row["shape"]), color)
        ground = row.get("background", _BLACK)
        seen = [other for other, its_color in self._looks.items() if _is_seen(its_color, ground)]
        groups = distractors.candidates(look, seen, str(row.get("distractor_kind", "any")))
        return distractors.drawn(groups, shown, self.seed)

    @cached_property
    def _turns(self) -> list[int]:
        return shuffled(range(len(self._cell_number)), self.seed, "distractor-looks by cell")

    def _other(self, look: distractors.Look, cell: Cell, row: Row, shown: int, k: int) -> SceneObject:
        def drawn(name: str) -> Value:
            values = self.design.values(name)
            return values[below(len(values), self.seed, f"distractor-{name}", shown, k)]

        size = row.get("distractor_size") or drawn("size")
        if self._is_real:
            member = below(self.pools.objects().count(look[0]), self.seed, "distractor-member", shown, k)
            return SceneObject(look[0], None, "none", size, cell, member=member)
        color, turned = self._looks[look], drawn("rotation")
        if not isinstance(color, Color) or not isinstance(turned, int | float):
            raise TypeError(f"a distractor's color and rotation are of another kind: {color}, {turned}")
        return SceneObject(look[0], color, str(drawn("sheen")), size, cell, turned)

    @cached_property
    def _looks(self) -> dict[distractors.Look, Value]:
        return _colored_looks(self.design)

    def _jittered(self, scene: Scene, share: float, index: int) -> Scene:
        moved = (self._moved(scene, thing, share, index, k) for k, thing in enumerate(scene.objects))
        return replace(scene, objects=tuple(moved))

    def _moved(self, scene: Scene, thing: SceneObject, share: float, index: int, k: int) -> SceneObject:
        room = room_px(scene.grid, scene.size_px, placed(scene, thing, self.pools)[0])
        limits = [int(share * r) for r in room]
        dx, dy = (below(2 * r + 1, self.seed, "jitter", index, k, axis) - r for axis, r in enumerate(limits))
        return replace(thing, shift_px=(dx, dy))


def _made_again(design: SceneDesign, size_px: int, seed: int, pools: Pools, one_nearest: bool) -> Composer:
    return Composer(design, size_px, seed, pools, one_nearest=one_nearest)


def looks(design: SceneDesign) -> tuple[distractors.Look, ...]:
    """All that a description of the design's targets says: its shapes with their colours, or its categories."""
    return tuple(_colored_looks(design))


def _colored_looks(design: SceneDesign) -> dict[distractors.Look, Value]:
    """The looks of the design's targets, each with its colour; with an empty word for real objects."""
    if "category" in design.rows.factor_names:
        return {(str(value), ""): "" for value in design.values("category")}
    found: dict[distractors.Look, Value] = {}
    for part in design.rows.parts:
        colors = part.factor("color").values if "color" in part.factor_names else (_WHITE,)
        found |= {(str(shape), str(color)): color for shape in part.factor("shape").values for color in colors}
    return found


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
    len(design)  # raises if there are too many
    sides = [size_share(size) * cell_side_px(design.grid, size_px) for size in _sizes(design)]
    if extent_px(min(sides), size_px % 2) < MIN_EXTENT_PX:
        fits = int(MIN_EXTENT_PX * max(design.grid.rows, design.grid.cols) / min(map(size_share, _sizes(design)))) + 1
        raise InputError(
            f"an image of `{size_px}` px is too small for a {design.grid} grid: a small object would have less than "
            f"{MIN_EXTENT_PX} px; choose a size of {fits} px or more, or a coarser grid"
        )
    for background in design.values("background"):
        pools.ground(background)
    if "category" in names:
        _check_categories(design, size_px, pools)
    else:
        _check_shapes(design, size_px, max(sides))
    _check_told_apart(design, size_px)
    _check_seen(design)
    _check_distractors(design)


def _sizes(design: SceneDesign) -> tuple[Value, ...]:
    return (*design.values("size"), *design.values("distractor_size"))


def _check_categories(design: SceneDesign, size_px: int, pools: Pools) -> None:
    painted = [name for name in ("color", "sheen", "rotation") if name in design.rows.factor_names]
    if painted:
        raise InputError(
            f"the design `{design.name}` has real objects, which have no {', '.join(painted)} to choose: leave it out"
        )
    missing = [str(value) for value in design.values("category") if not pools.objects().count(str(value))]
    if missing:
        raise InputError(
            f"the design `{design.name}` wants real objects of {', '.join(missing)}, of which none can be cut out: "
            f"expected some of {', '.join(pools.objects().categories)}"
        )
    if design.anchor == "centroid":  # else the box is in the middle, and no larger than the cell
        largest = max(_sizes(design), key=size_share)
        for category in map(str, design.values("category")):
            for k in range(pools.objects().count(category)):
                thing = SceneObject(category, None, "none", largest, Cell(0, 0), member=k)
                scene = Scene(size_px, design.grid, (thing,), fit=design.fit, anchor=design.anchor)
                drawn, _, _ = placed(scene, thing, pools)
                _check_fits(design, size_px, f"`{pools.objects().member_name(category, k)}`", reach_of(drawn))


def _check_shapes(design: SceneDesign, size_px: int, side_px: float) -> None:
    turns = [float(str(value)) for value in design.values("rotation")]
    for shape in map(str, design.values("shape")):
        for k, turned in enumerate(turns):
            look = Look(shape, (255, 255, 255), "none", turned, design.fit, design.anchor)
            reach = reach_px(look, side_px, size_px % 2)
            _check_fits(design, size_px, f"a {shape} turned by {turned:g} degrees", reach)
            twin = next((other for other in turns[:k] if same_when_rotated(SHAPES[shape], turned, other)), None)
            if twin is not None:
                raise InputError(
                    f"a {shape} turned by {turned:g} degrees looks as one turned by {twin:g}: leave out one of the "
                    "two rotations, or the shape"
                )


def _check_fits(design: SceneDesign, size_px: int, what: str, reach: Reach) -> None:
    """An object stays in its cell, whose middle its anchor is put on; half a pixel more on each side is rounding."""
    sideways, upright = max(reach.left_px, reach.right_px), max(reach.up_px, reach.down_px)
    width, height = size_px / design.grid.cols, size_px / design.grid.rows
    is_alone = design.values("distractors") == (0,)
    room = [side + 1 if is_alone else int(side) + 1e-6 for side in (width, height)]  # neighbours may not overlap
    if 2 * sideways > room[0] or 2 * upright > room[1]:
        raise InputError(
            f"{what} reaches {sideways:.1f} px sideways and {upright:.1f} px up or down from what is put in the "
            f"middle of its cell, and leaves the cell of {width:.0f} x {height:.0f} px: choose smaller sizes, or "
            "equal boxes in the middle of the cell (fit: box, anchor: box)"
        )


def _check_told_apart(design: SceneDesign, size_px: int) -> None:
    """Two values of a factor must differ in the picture, and in the words of a question."""
    side = cell_side_px(design.grid, size_px)
    keys: dict[str, Callable[[Value], tuple[object, ...]]] = {
        "color": lambda value: (str(value), _rgb(value)),
        "background": lambda value: (str(value), _rgb(value)),
        "size": lambda value: (extent_px(size_share(value) * side, size_px % 2),),
    }
    for name, key in keys.items():
        met: dict[object, Value] = {}
        for value in design.values(name):
            for each in key(value):
                other = met.setdefault(each, value)
                if other is not value:
                    raise InputError(
                        f"the design `{design.name}` has the {name} `{spelled(other)}` and `{spelled(value)}`, which "
                        "can't be told apart: leave out one of them"
                    )


def _rgb(value: Value) -> object:
    return value.rgb if isinstance(value, Color) else value


def _is_seen(color: Value, ground: Value) -> bool:
    """Whether an object of a colour can be seen on a ground; a ground that is a picture shows it somewhere."""
    if not isinstance(color, Color) or not isinstance(ground, Color):
        return True
    return max(abs(a - b) for a, b in zip(color.rgb, ground.rgb, strict=True)) >= MIN_CONTRAST


def _check_seen(design: SceneDesign) -> None:
    """An object in about the colour of its plain background can't be seen."""
    for part in design.rows.parts:
        factors = {factor.name: factor.values for factor in part.product.factors}
        if "shape" not in factors:
            continue
        grounds = factors.get("background", (_BLACK,))
        for color in factors.get("color", (_WHITE,)):
            same = [ground for ground in grounds if not _is_seen(color, ground)]
            if same:
                raise InputError(
                    f"the design `{design.name}` shows a {color} object on {same[0]}, which can't be seen: leave the "
                    f"combination out (without: [{{color: {spelled(color)}, background: {spelled(same[0])}}}])"
                )


def _check_distractors(design: SceneDesign) -> None:
    numbers = [int(str(value)) for value in design.values("distractors")]
    if max(numbers) > len(design.grid) - 1:
        raise InputError(
            f"{max(numbers)} distractors have no place on a {design.grid} grid beside the target: choose fewer"
        )
    for name in ("distractor_kind", "distractor_size"):
        if min(numbers) == 0 and len(design.values(name)) > 1:
            raise InputError(
                f"the design `{design.name}` varies `{name}` also where there are no distractors, so some of its "
                f"scenes are the same: leave out `0` of `distractors`, or give `{name}` one value"
            )
    known = _colored_looks(design)
    for part in design.rows.parts:
        _check_enough(part, known)


def _check_enough(part: Part, known: Mapping[distractors.Look, Value]) -> None:
    """Every target of a part has enough others beside it that can be seen on its ground."""
    factors = {factor.name: factor.values for factor in part.product.factors}
    most = max(int(str(value)) for value in factors.get("distractors", (0,)))
    targets = [look for look in known if look[0] in factors.get("shape", factors.get("category", ()))]
    for ground in factors.get("background", (_BLACK,)):
        seen = [look for look, color in known.items() if _is_seen(color, ground)]
        for target in targets:
            if target in seen and known[target] in factors.get("color", (_WHITE, "")):
                for kind in map(str, factors.get("distractor_kind", ("any",))):
                    distractors.chosen(distractors.candidates(target, seen, kind), most, 0)


_BLACK = FACTORS["background"].default or ""
_WHITE = FACTORS["color"].default or ""
_LARGE = FACTORS["size"].default or ""
