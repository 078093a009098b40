"""What is where in an image: the one currency of evensight.

A scene that we draw and a photograph that somebody annotated both become an `Annotation`: the frame's size
and the objects in it, each with its box. Everything after that (areas, questions, answers, scores) reads
annotations alone, so a difference in score between scenes and photographs is never a difference in code.

The frame, once and for all: origin at the top left, x to the right, y down, units of pixels; boxes are
half-open, `x0 <= x < x1`, so a box's width is `x1 - x0` and a full image is `(0, 0, width, height)`.

A `Grid` cuts the frame into rows x cols cells of equal size. The cells fold into 3 x 3 areas, which have the
names of `AREAS` everywhere in evensight. The paper's grid (arXiv 2511.11440) is 9 x 9: `PAPER_GRID`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, isfinite
from types import MappingProxyType

AREAS: tuple[str, ...] = (
    "top left",
    "top center",
    "top right",
    "center left",
    "center",
    "center right",
    "bottom left",
    "bottom center",
    "bottom right",
)
"""The nine areas in reading order: area k is row k // 3, column k % 3 of the 3 x 3 areas."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of an image in pixels."""

    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"a frame is at least 1 x 1 pixels, got {self.width_px} x {self.height_px}")


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box in pixels: it covers `x0_px <= x < x1_px` and `y0_px <= y < y1_px`."""

    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float

    def __post_init__(self) -> None:
        if not all(map(isfinite, self.xyxy_px)):
            raise ValueError(f"a box has four finite edges, got {self.xyxy_px}")
        if self.x1_px <= self.x0_px or self.y1_px <= self.y0_px:
            raise ValueError(f"a box has x0 < x1 and y0 < y1, got {self.xyxy_px}")

    @property
    def xyxy_px(self) -> tuple[float, float, float, float]:
        """The edges, `(x0, y0, x1, y1)`."""
        return (self.x0_px, self.y0_px, self.x1_px, self.y1_px)

    @property
    def center_px(self) -> tuple[float, float]:
        """The centre, `(x, y)`."""
        return ((self.x0_px + self.x1_px) / 2, (self.y0_px + self.y1_px) / 2)

    @property
    def area_px(self) -> float:
        """The area in square pixels."""
        return (self.x1_px - self.x0_px) * (self.y1_px - self.y0_px)

    def share_of(self, frame: Frame) -> float:
        """The share of the frame that the box covers, 0 to 1; what is off the frame covers nothing."""
        width_px = min(self.x1_px, frame.width_px) - max(self.x0_px, 0)
        height_px = min(self.y1_px, frame.height_px) - max(self.y0_px, 0)
        return max(width_px, 0) * max(height_px, 0) / (frame.width_px * frame.height_px)

    def mirrored(self, frame: Frame) -> "Box":
        """The box in the frame's left-right mirror image."""
        return Box(frame.width_px - self.x1_px, self.y0_px, frame.width_px - self.x0_px, self.y1_px)


@dataclass(frozen=True, slots=True)
class Object:
    """One thing in an image.

    Attributes:
        name: The noun that a question uses: a shape ("circle") or a category ("cat").
        box: The bounds of its visible pixels.
        attributes: What else is known of it, by the factor's name (`color`, `size`, ...).
        mask_area_px: How many square pixels it covers, from its mask; none where no mask is known.
        centroid_px: The centre of gravity of its mask, `(x, y)`; none where no mask is known.
    """

    name: str
    box: Box
    attributes: Mapping[str, str] = field(default_factory=dict)
    mask_area_px: float | None = None
    centroid_px: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    @property
    def description(self) -> str:
        """The words that single it out: its colour, if it has one, and its name."""
        return f"{self.attributes['color']} {self.name}" if "color" in self.attributes else self.name


@dataclass(frozen=True, slots=True)
class Annotation:
    """An image's frame and the objects in it."""

    frame: Frame
    objects: tuple[Object, ...]


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A cell of a grid, counted from the top left: `row` downwards, `col` to the right."""

    row: int
    col: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A frame cut into `rows` x `cols` equal cells."""

    rows: int
    cols: int

    def __post_init__(self) -> None:
        if not all(isinstance(n, int) and n >= 3 for n in (self.rows, self.cols)):
            raise ValueError(f"a grid has at least 3 x 3 cells, so that each area has one; got {self}")

    def __len__(self) -> int:
        return self.rows * self.cols

    def __str__(self) -> str:
        return f"{self.rows}x{self.cols}"

    def cells(self) -> tuple[Cell, ...]:
        """All cells, row by row."""
        return tuple(Cell(row, col) for row in range(self.rows) for col in range(self.cols))

    def index(self, cell: Cell) -> int:
        """The cell's place in `cells()`."""
        return cell.row * self.cols + cell.col

    def cell_at(self, point_px: tuple[float, float], frame: Frame) -> Cell:
        """The cell that holds a point `(x, y)`; a point off the frame counts to the nearest cell."""
        x, y = point_px
        row = floor(self.rows * y / frame.height_px)
        col = floor(self.cols * x / frame.width_px)
        return Cell(min(max(row, 0), self.rows - 1), min(max(col, 0), self.cols - 1))

    def cell_of(self, obj: Object, frame: Frame) -> Cell:
        """The cell of an object: the one that holds the centre of its box, as in the paper."""
        return self.cell_at(obj.box.center_px, frame)

    def center_px(self, cell: Cell, frame: Frame) -> tuple[float, float]:
        """The cell's centre, `(x, y)`."""
        return (
            (cell.col + 0.5) * frame.width_px / self.cols,
            (cell.row + 0.5) * frame.height_px / self.rows,
        )

    def area_of(self, cell: Cell) -> str:
        """The name of the area that the cell folds into, one of `AREAS`: the one that its centre is in."""
        return AREAS[3 * self.third_of_row(cell) + self.third_of_col(cell)]

    def third_of_row(self, cell: Cell) -> int:
        """The third of the frame that the cell's centre is in, from the top: 0, 1 or 2."""
        return (6 * cell.row + 3) // (2 * self.rows)

    def third_of_col(self, cell: Cell) -> int:
        """The third of the frame that the cell's centre is in, from the left: 0, 1 or 2."""
        return (6 * cell.col + 3) // (2 * self.cols)

    @property
    def first_rows(self) -> tuple[int, int, int]:
        """The first row of each third, from the top: where the areas' borders are."""
        return _first_of_thirds(self.rows)

    @property
    def first_cols(self) -> tuple[int, int, int]:
        """The first column of each third, from the left."""
        return _first_of_thirds(self.cols)


def _first_of_thirds(n: int) -> tuple[int, int, int]:
    """The least k of each third t with (6 k + 3) / (2 n) >= t."""
    return 0, -((3 - 2 * n) // 6), -((3 - 4 * n) // 6)


PAPER_GRID = Grid(9, 9)
"""The reference's grid: 81 cells, nine to an area."""
