"""The factors of a scene and their values.

A factor is a name and the finite, ordered tuple of its values; a design (see `designs`) combines factors.
`FACTORS` lists the names that scenes know, how a value of each is written, and what a scene has that lacks the
factor. Colours by name are the paper's: corners of the RGB cube; any other is written `#1f77b4`, or
`teal=#008080` to give it the word that questions use.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan

from evensight.annotations import Cell, Grid
from evensight.errors import InputError, one_of
from evensight.scenes.shapes import SHAPES

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Color:
    """A colour and the word for it."""

    name: str
    rgb: RGB

    def __str__(self) -> str:
        return self.name

    @property
    def spelled(self) -> str:
        """How it is written in a design: the word alone where that says it all."""
        plain = NAMED_COLORS.get(self.name) == self.rgb or self.name == to_hex(self.rgb)
        return self.name if plain else f"{self.name}={to_hex(self.rgb)}"


Value = str | int | float | Color | Cell
"""A factor's value: a word, a number, a colour, or for the factor `cell` a cell of the grid."""

Values = tuple[Value, ...] | range
"""A factor's values, in order; a range where there are too many to list."""

COLORS: Mapping[str, RGB] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "white": (255, 255, 255),
}
PAPER_SHAPES = ("square", "circle", "triangle", "star", "plus")
BLACK = Color("black", (0, 0, 0))
NAMED_COLORS: Mapping[str, RGB] = {**COLORS, BLACK.name: BLACK.rgb}
"""The colours that a word alone stands for: those that objects have on black, and black."""
SHEENS = ("none", "matte", "glossy")
SIZES: Mapping[str, float] = {"large": 0.86, "small": 0.43}
"""A size's share of the cell's side: large leaves a border of 14 %, small is half of large."""
POOLED_GROUNDS = ("gradient", "noise", "texture", "photo")
"""The backgrounds that are pools of pictures; every other is a plain colour."""
DISTRACTOR_KINDS = ("any", "same-shape", "same-color", "hard")
MAX_DISTRACTORS = 8
MAX_REPLICATE = 10**9
MIN_SIZE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Factor:
    """A named, ordered, finite set of values."""

    name: str
    values: Values

    def __post_init__(self) -> None:
        n_different = len(self.values if isinstance(self.values, range) else set(self.values))
        if not self.values or n_different != len(self.values):
            raise ValueError(f"the factor `{self.name}` has one or more different values, got {self.values}")

    def __str__(self) -> str:
        if self._is_whole_grid():
            return f"cell{{{len(self.values)}}}"
        if isinstance(self.values, range):
            return f"{self.name}{{{self.values[0]} to {self.values[-1]}}}"
        separator = "; " if self.name == "cell" else ", "
        return f"{self.name}{{{separator.join(map(spelled, self.values))}}}"

    def _is_whole_grid(self) -> bool:
        last = self.values[-1]
        if self.name != "cell" or not isinstance(last, Cell):
            return False
        return self.values == tuple(Cell(row, col) for row in range(last.row + 1) for col in range(last.col + 1))

    def within(self, values: Iterable[Value]) -> "Factor | None":
        """This factor with those of its values alone that are among `values`; None if there are none."""
        if values == self.values:
            return self
        wanted = set(values)
        kept = tuple(value for value in self.values if value in wanted)
        return Factor(self.name, kept) if kept else None

    def without(self, values: Iterable[Value]) -> "Factor | None":
        """This factor with those of its values alone that are not among `values`; None if there are none."""
        unwanted = set(values)
        return self.within(value for value in self.values if value not in unwanted)


@dataclass(frozen=True, slots=True)
class FactorKind:
    """A factor that scenes know.

    Attributes:
        parse: Makes a value of what a user wrote, or raises a ValueError that says what is expected.
        default: What a scene has that lacks the factor; None where each scene must have it, or nothing.
        what: What it is, for the user.
    """

    parse: Callable[[object], Value]
    default: Value | None
    what: str


def factor(name: str, written: Iterable[object]) -> Factor:
    """The factor of that name with the values that a user wrote.

    Raises:
        InputError: There is no factor of that name, or a value isn't one, or is there twice.
    """
    if name not in FACTORS:
        raise one_of("the factor", name, FACTORS)
    values = [_parsed(name, value) for value in written]
    pixels = [value.rgb if isinstance(value, Color) else value for value in values]
    if not values or len(set(pixels)) != len(pixels):
        raise InputError(f"the factor `{name}` has {[*map(str, values)]}: expected one or more different values")
    return Factor(name, tuple(values))


def _parsed(name: str, written: object) -> Value:
    try:
        return FACTORS[name].parse(written)
    except (ValueError, TypeError) as error:
        raise InputError(f"`{quoted(written)}` is no {name}: {error}") from error


def quoted(written: object) -> str:
    """What a user wrote, as an error's message shows it: on one line, and not too much of it."""
    return " ".join(str(written).split())[:60]


def cell_factor(grid: Grid) -> Factor:
    """The factor `cell`: all the grid's cells, row by row."""
    return Factor("cell", grid.cells())


def spelled(value: Value) -> str:
    """A value as a design writes it."""
    if isinstance(value, Cell):
        return f"{value.row},{value.col}"
    return value.spelled if isinstance(value, Color) else f"{value}"


def color(written: object) -> Color:
    """The colour that is written as a name of `COLORS`, `black`, `#rrggbb`, or `NAME=#rrggbb`.

    Raises:
        ValueError: It isn't one.
    """
    word, has_code, code = str(written).strip().lower().partition("=")
    known = NAMED_COLORS
    if not has_code and word in known:
        return Color(word, known[word])
    found = re.fullmatch(r"#([0-9a-f]{6})", code if has_code else word)
    if found is None or not re.fullmatch(r"#[0-9a-f]{6}|[a-z]+( [a-z]+)*", word):
        raise ValueError(f"expected one of {', '.join(known)}, or #rrggbb, or NAME=#rrggbb")
    rgb = tuple(bytes.fromhex(found[1]))
    if known.get(word, rgb) != rgb:
        raise ValueError(f"`{word}` is {to_hex(known[word])} here; choose another word")
    if not has_code:  # what has a name is called by it
        word = next((name for name, its in known.items() if its == rgb), word)
    return Color(word, (rgb[0], rgb[1], rgb[2]))


def to_hex(rgb: RGB) -> str:
    """A colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def size_share(value: Value) -> float:
    """A size's share of the cell's side."""
    return SIZES[value] if isinstance(value, str) else _number(value)


def _number(value: object) -> float:
    try:
        number = nan if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
    except (ValueError, OverflowError):
        number = nan
    if not isfinite(number):
        raise ValueError("expected a number")
    return number


def _choice(*choices: str) -> Callable[[object], Value]:
    def parse(written: object) -> Value:
        if written not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return str(written)

    return parse


def _whole(low: int, high: int) -> Callable[[object], Value]:
    def parse(written: object) -> Value:
        number = _number(written)
        if number != int(number) or not low <= number <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(number)

    return parse


def _between(low: float, high: float) -> Callable[[object], Value]:
    def parse(written: object) -> Value:
        number = _number(written)
        if not low <= number <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return int(number) if number == int(number) else number

    return parse


def _size(written: object) -> Value:
    if isinstance(written, str) and written in SIZES:
        return written
    try:
        number = _number(written)
    except ValueError:
        number = 0.0
    if not MIN_SIZE_SHARE <= number <= 1:
        raise ValueError(f"expected {', '.join(SIZES)}, or a share of the cell's side from {MIN_SIZE_SHARE} to 1")
    return int(number) if number == 1 else number


def _background(written: object) -> Value:
    if written in POOLED_GROUNDS:
        return str(written)
    try:
        return color(written)
    except ValueError as error:
        raise ValueError(f"{error}, or one of {', '.join(POOLED_GROUNDS)}") from error


def _category(written: object) -> Value:
    if not isinstance(written, str) or not written.strip() or not written.isprintable():
        raise ValueError("expected the name of a category")
    return written.strip()


def _angle(written: object) -> Value:
    value = _between(-360, 360)(written)
    turned = float(str(value)) % 360
    return int(turned) if turned == int(turned) else turned


FACTORS: Mapping[str, FactorKind] = {
    "shape": FactorKind(_choice(*SHAPES), None, f"one of {', '.join(SHAPES)}"),
    "category": FactorKind(
        _category, None, "a category of real objects, cut out of photographs, in place of a shape"
    ),
    "color": FactorKind(color, Color("white", COLORS["white"]), "a name, #rrggbb, or NAME=#rrggbb"),
    "sheen": FactorKind(_choice(*SHEENS), "none", f"one of {', '.join(SHEENS)}"),
    "size": FactorKind(_size, "large", "large, small, or a share of the cell's side"),
    "rotation": FactorKind(_angle, 0, "degrees, counter-clockwise"),
    "jitter": FactorKind(_between(0, 1), 0, "how much of the room that is left in the cell an object may move in"),
    "background": FactorKind(_background, BLACK, f"a colour, or one of {', '.join(POOLED_GROUNDS)}"),
    "distractors": FactorKind(_whole(0, MAX_DISTRACTORS), 0, f"how many other objects, 0 to {MAX_DISTRACTORS}"),
    "distractor_kind": FactorKind(
        _choice(*DISTRACTOR_KINDS), "any", "what the others share: nothing, the shape, the colour, or either (hard)"
    ),
    "distractor_size": FactorKind(_size, None, "the others' size; else it is drawn from the sizes of the design"),
    "arrangement": FactorKind(
        _whole(1, 10**6), None, "which way the others are placed around the target; all: every way once"
    ),
    "wording": FactorKind(_whole(1, 9), 1, "which wording of the question"),
    "replicate": FactorKind(
        _whole(1, MAX_REPLICATE), 1, "how often the same is shown, all that is drawn being drawn anew"
    ),
}
"""The factors that scenes know beside `cell`, in the order that a design's file best has them."""
