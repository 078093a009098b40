"""What a CIVET question asks, and its right answer, which follows from the objects in the picture.

A question names its object by words that the object's properties hold ("glossy red star", "star"); they must fit
the object that it is listed under and no other. Places and directions are those of the cells.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evensight.annotations import Annotation, Cell, Frame, Grid, Object
from evensight.questions.tasks import AbsolutePosition, ColumnPosition, Property, Question, RowPosition

_SHEEN = "Sheen is a measure of the reflected light from a material. "
_CHOICES = re.compile(r"(?P<sentence>.+\?) Choose from \[(?P<options>[^\[\]]+)\]\.", re.DOTALL)


class Unusable(Exception):  # noqa: N818 - not an error: the reason why an entry is counted and left out
    """An entry that can't be used; the message is the reason that it is counted under."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An object in a picture: the cell that CIVET put it in, and what is seen of it."""

    cell: Cell
    seen: Object


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is to be asked about: the picture's size and grid, and its objects by CIVET's ids."""

    frame: Frame
    grid: Grid
    objects: Mapping[str, Placed]


@dataclass(frozen=True, slots=True)
class _Asked:
    picture: Picture
    target: str
    words: Mapping[str, str]
    options: tuple[str, ...]

    @property
    def annotation(self) -> Annotation:
        others = (placed.seen for name, placed in self.picture.objects.items() if name != self.target)
        return Annotation(self.picture.frame, (self.picture.objects[self.target].seen, *others))

    @property
    def cell(self) -> Cell:
        return self.picture.objects[self.target].cell

    @property
    def other(self) -> Placed:
        """The object that the question names beside its own."""
        name = named(self.words["other"], self.picture.objects)
        if name == self.target:
            raise Unusable("question that compares an object with itself")
        return self.picture.objects[name]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of CIVET's questions: evensight's name of the task, the sentence, and the rule of the answer."""

    task: str
    sentence: re.Pattern[str]
    answer: Callable[[_Asked], str]


def question(kind: str, text: str, target: str, picture: Picture, instruction: str) -> Question:
    """The question with its right answer.

    Args:
        kind: Its kind, of `KINDS`.
        text: What `questions.json` says.
        target: The id of the object that it is listed under.
        picture: What is in the picture.
        instruction: What is put in front; empty for nothing.

    Raises:
        Unusable: It is not worded as CIVET does, doesn't single out that object, or has no right answer.
    """
    parts = _CHOICES.fullmatch(text)
    sentence = KINDS[kind].sentence.fullmatch(parts["sentence"]) if parts else None
    if parts is None or sentence is None:
        raise Unusable("question that is not worded as its kind is")
    if target not in picture.objects:
        raise Unusable("question about an object that is not in the picture")
    options = tuple(parts["options"].split(", "))
    if len(set(options)) != len(options):
        raise Unusable("question with an option twice")
    words = sentence.groupdict()
    if "target" not in words and len(picture.objects) > 1:
        raise Unusable("question that fits more than one object")
    if "target" in words and named(words["target"], picture.objects) != target:
        raise Unusable("question about another object than it is listed under")
    answer = KINDS[kind].answer(_Asked(picture, target, words, options))
    if answer not in options:
        raise Unusable("question without its right answer among the options")
    return Question(KINDS[kind].task, f"{instruction} {text}" if instruction else text, options, answer)


def named(words: str, objects: Mapping[str, Placed]) -> str:
    """The id of the one object whose properties hold all these words.

    Raises:
        Unusable: There is none, or more than one.
    """
    wanted = set(words.split())
    fitting = [name for name, placed in objects.items() if wanted and wanted <= set(placed.seen.attributes.values())]
    if not fitting:
        raise Unusable("question that names no object in the picture")
    if len(fitting) > 1:
        raise Unusable("question that fits more than one object")
    return fitting[0]


def _area(asked: _Asked) -> str:
    return AbsolutePosition(asked.picture.grid).answer(asked.annotation)


def _column(asked: _Asked) -> str:
    return ColumnPosition(asked.picture.grid).answer(asked.annotation)


def _row(asked: _Asked) -> str:
    return RowPosition(asked.picture.grid).answer(asked.annotation)


def _direction(asked: _Asked) -> str:
    there = asked.other.cell
    vertical = _by_sign(asked.cell.row - there.row, ("above", "", "below"))
    horizontal = _by_sign(asked.cell.col - there.col, ("left", "", "right"))
    both = [word for word in (vertical, horizontal) if word]
    return " ".join(both if len(both) == 2 else ("directly", *both))


def _by_sign(difference: int, words: tuple[str, str, str]) -> str:
    return words[(difference > 0) - (difference < 0) + 1]


def _size(asked: _Asked) -> str:
    ours, others = (seen.attributes["size"] == "large" for seen in (asked.annotation.objects[0], asked.other.seen))
    return _by_sign(int(ours) - int(others), ("smaller", "same", "larger"))


def _nearest(asked: _Asked) -> str:
    objects = {name: placed for name, placed in asked.picture.objects.items() if name != asked.target}
    distances = {option: _distance(asked.cell, objects[named(option, objects)].cell) for option in asked.options}
    nearest = [option for option, distance in distances.items() if distance == min(distances.values())]
    if len(nearest) > 1:
        raise Unusable("question with two objects equally near")
    return nearest[0]


def _distance(one: Cell, other: Cell) -> int:
    return (one.row - other.row) ** 2 + (one.col - other.col) ** 2


def _property(name: str) -> Callable[[_Asked], str]:
    def answer(asked: _Asked) -> str:
        if name not in asked.annotation.objects[0].attributes:
            raise Unusable("question about a property that the object doesn't have")
        return Property(name, asked.options).answer(asked.annotation)

    return answer


def _kinds(properties: Sequence[str]) -> dict[str, Kind]:
    where = re.compile(r"Where is the (?P<target>.+)\?")
    relative = re.compile(r"Where is the (?P<target>.+) positioned with respect to the (?P<other>.+)\?")
    size = re.compile(r"What is the size of the (?P<target>.+) with respect to the (?P<other>.+)\?")
    nearest = re.compile(r"What is the closest object to the (?P<target>.+)\?")
    asked_for = {
        name: (_SHEEN if name == "sheen" else "") + f"What is the {name} of the object?" for name in properties
    }
    return {
        **{
            f"properties-{name}": Kind(f"property-{name}", re.compile(re.escape(sentence)), _property(name))
            for name, sentence in asked_for.items()
        },
        "position_absolute": Kind("absolute-position", where, _area),
        "position_absolute_vert": Kind("column-position", where, _column),
        "position_absolute_hor": Kind("row-position", where, _row),
        "position_relative": Kind("relative-position", relative, _direction),
        "size_relative": Kind("relative-size", size, _size),
        "distance_relative": Kind("nearest-object", nearest, _nearest),
    }


KINDS: Mapping[str, Kind] = _kinds(("shape", "color", "sheen", "category"))
"""The kinds of questions by their keys in `questions.json`; those under `properties` with the property's name."""
