"""What examples say is in their pictures: the names that a question uses, of the target and of the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from evensight.annotations import Object
from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.progress import track

_NAMING = ("category", "shape")
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Described:
    """What an example says of its picture.

    Attributes:
        asked: The description of what is asked for ("cat", "red circle").
        attributes: The attributes that make the description, with their values.
        names: The descriptions of all that is annotated in the picture, `asked` among them.
    """

    asked: str
    attributes: tuple[tuple[str, str], ...]
    names: frozenset[str]


def target(example: Example) -> Object:
    """What is asked for, as an object in the picture.

    Raises:
        InputError: The example doesn't tell its name.
    """
    name = next((example.attributes[key] for key in _NAMING if example.attributes.get(key, _NONE) != _NONE), None)
    if name is None:
        raise InputError(
            f"`{example.id}` doesn't tell the name of what it asks for: expected one of the attributes "
            f"{', '.join(_NAMING)}, got {', '.join(example.attributes) or 'none'}"
        )
    color = example.attributes.get("color", _NONE)
    attributes = {} if color == _NONE or example.attributes.get("category", _NONE) != _NONE else {"color": color}
    return Object(name, example.box, attributes)


def describe(example: Example) -> Described:
    """What an example says of its picture.

    Raises:
        InputError: It doesn't tell the name of what it asks for.
    """
    thing = target(example)
    naming = tuple((key, example.attributes[key]) for key in (*_NAMING, "color") if key in example.attributes)
    others = (words for other in example.others for words in (other.name, other.description))
    return Described(thing.description, naming, frozenset((thing.description, *others)))


def describe_all(examples: ExampleSet, purpose: str) -> Iterator[tuple[Example, Described]]:
    """Each example with what it says of its picture; what is equal is kept once.

    Raises:
        InputError: One of them doesn't tell the name of what it asks for.
    """
    known: dict[Described, Described] = {}
    for example in track(examples, f"reading what is shown for {purpose}", len(examples), "questions"):
        found = describe(example)
        yield example, known.setdefault(found, found)
