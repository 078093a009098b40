"""How answers to open questions are written and read: a cell ("row 3, column 7") and a point ("(168, 120)").

Rows and columns are counted from 1 at the top left, and a cell without words is the row and then the column; a
point is x and then y, in pixels or on a scale from 0 to 1000 over the picture's width and height. The question says
all that. What is written down is read as it is: a place off the picture is wrong, not invalid. A text that holds
two different cells or points, or a list of more than two numbers (a box, say), can't be read.
"""

import re

from evensight.annotations import Box, Cell, Frame

CELL_TASK = "exact-cell"
POINT_SCALES: dict[str, int | None] = {"point": None, "point-1000": 1000}
"""The tasks that ask for a point, each with the scale of the answer; None stands for pixels."""
OPEN_TASKS = frozenset({CELL_TASK, *POINT_SCALES})
"""The tasks whose questions list no options."""

Point = tuple[float, float]
"""`(x, y)`, in the units that the question asks for."""

_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
NUMBER_WORDS = {word: number for number, word in enumerate(_CARDINALS, start=1)}
"""The numbers from 1 to 12 by their words."""
_VALUES = NUMBER_WORDS | {word: number for number, word in enumerate(_ORDINALS, start=1)}

_DECIMALS = 6
_VALUE = r"[-+]?[0-9]+(?:\.[0-9]+)?"
_NUMBER = rf"(?<![\w.]){_VALUE}(?:\s*(?:px|pixels?)(?!\w)|(?![\w%]|\.[0-9]))"
_LIST = re.compile(rf"{_NUMBER}(?:(?:\s*[,;]\s*|\s+){_NUMBER})+")
_BARE_VALUE = re.compile(_VALUE)
_X, _Y = (re.compile(rf"\b{axis}(?:[\s-]coordinate)?[\"']?\s*(?:=|:|is)\s*[\"']?({_VALUE})") for axis in "xy")

_HEADING = re.compile(r"\brow\s*(?:,|/|and)\s*col(?:umn)?\b")
_COUNT = rf"([0-9]{{1,9}}(?![0-9]|\.[0-9]|st|nd|rd|th)|(?:{'|'.join(_CARDINALS)})\b)"
_ORDINAL = rf"\b([0-9]{{1,9}}(?=st|nd|rd|th)|{'|'.join(_ORDINALS)})(?:st|nd|rd|th)?\s+"
_LABEL = r"[\s\"'*=:#]*(?:(?:number|is)\s+)?"
_ROW = re.compile(rf"(?<![a-z])(?:r|row{_LABEL}){_COUNT}|{_ORDINAL}row\b")
_COL = re.compile(rf"(?<![a-z])(?:c|col(?:umn)?{_LABEL}){_COUNT}|{_ORDINAL}col(?:umn)?\b")


def format_cell(cell: Cell) -> str:
    """The cell as an answer, counted from 1: "row 3, column 7"."""
    return f"row {cell.row + 1}, column {cell.col + 1}"


def read_cell(raw: str) -> Cell | None:
    """The one cell that a text names ("row 3, column 7", "column 7, row 3", "(3, 7)", "third row, 7th column")."""
    text = _HEADING.sub(" ", raw.casefold())
    rows, cols = _labelled(_ROW, text), _labelled(_COL, text)
    lists = _lists(text)
    cells = {(values[0], values[-1]) for values in lists}
    if rows or cols:  # a row without a column leaves open what any other number means
        if len(rows) != 1 or len(cols) != 1:
            return None
        cells.add((rows.pop(), cols.pop()))
    if len(cells) != 1 or any(len(values) > 2 for values in lists):
        return None
    row, col = cells.pop()
    return Cell(int(row) - 1, int(col) - 1) if row.is_integer() and col.is_integer() else None


def format_point(point: Point) -> str:
    """The point as an answer, without needless zeros: "(168, 120.5)"."""
    return f"({_plain(point[0])}, {_plain(point[1])})"


def read_point(raw: str) -> Point | None:
    """The one point that a text names ("(168, 120)", "x=168, y=120", "<point>168 120</point>", "168.5, 120 px")."""
    text = raw.casefold()
    xs, ys = ({float(match[1]) for match in axis.finditer(text)} for axis in (_X, _Y))
    lists = _lists(text)
    points = {(values[0], values[-1]) for values in lists}
    if xs or ys:
        if len(xs) != 1 or len(ys) != 1:
            return None
        points.add((xs.pop(), ys.pop()))
    if len(points) != 1 or any(len(values) > 2 for values in lists):
        return None
    return points.pop()


def center_of(box: Box, frame: Frame, scale: int | None) -> Point:
    """The box's centre as a point, with the fewest decimals that keep it inside the box.

    Args:
        box: The object's box in pixels.
        frame: The picture's size.
        scale: What the width and the height are worth; None for pixels.
    """
    x, y = box.center_px
    if scale is not None:
        x, y = x * scale / frame.width_px, y * scale / frame.height_px
    rounded = ((round(x, digits), round(y, digits)) for digits in range(_DECIMALS + 1))
    return next((point for point in rounded if is_inside(point, box, frame, scale)), (x, y))


def is_inside(point: Point, box: Box, frame: Frame, scale: int | None) -> bool:
    """Whether the half-open box holds the point, which is in pixels or on a scale."""
    x, y = point
    if scale is not None:
        x, y = x * frame.width_px / scale, y * frame.height_px / scale
    return box.x0_px <= x < box.x1_px and box.y0_px <= y < box.y1_px


def _lists(text: str) -> list[list[float]]:
    """The numbers of the text that stand next to one another, with nothing but commas or spaces between them."""
    return [[float(value) for value in _BARE_VALUE.findall(match[0])] for match in _LIST.finditer(text)]


def _labelled(pattern: re.Pattern[str], text: str) -> set[float]:
    found = ((match[1] or match[2]) for match in pattern.finditer(text))
    return {float(_VALUES.get(value, value)) for value in found}


def _plain(value: float) -> str:
    shown = f"{value:.{_DECIMALS}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
