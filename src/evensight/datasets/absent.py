"""The absent object: each question names something that is not in its picture."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from PIL import Image
from typing_extensions import override

from evensight.datasets.altered import Altered
from evensight.datasets.dealing import deal, n_repeated
from evensight.datasets.described import Described, describe_all
from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.questions.tasks import Question


class Absent(Altered):
    """The same pictures and options; the name is another question's, dealt so that each is asked for as often.

    What counts as right stays the place of the object that was asked for first: a high score says that the model
    points at what is conspicuous, whatever it is asked.
    """

    name: ClassVar = "absent"
    description: ClassVar = (
        "the question names something that is not in the picture: what is right here points at what is conspicuous, "
        "whatever it is asked"
    )

    def __init__(self, examples: ExampleSet, seed: int) -> None:
        """Deals the names and checks that each can be put into its question.

        Raises:
            InputError: A name isn't known, stands in its question more than once or not at all, or all the names
                that the set asks for are in one picture.
        """
        super().__init__(examples, seed)
        self._described: list[Described] = []
        for example, seen in describe_all(examples, self.name):
            _checked(example, seen.asked)
            self._described.append(seen)
        dealt = deal(len(examples), self._fits, lambda k: self._described[k].names, seed, self.name)
        self._dealt = [self._name(index, other) for index, other in enumerate(dealt)]
        self._n_repeated = n_repeated(dealt)

    @override
    def _notes(self) -> Mapping[str, Any]:
        return {"n_names_repeated": self._n_repeated}

    @override
    def _still_balanced(self, given: str, counted: str) -> bool:
        renamed = {key for seen in self._described for key, _ in seen.attributes}
        return not renamed & {given, counted}

    @override
    def _altered(self, index: int, example: Example) -> Example:
        mine, named = self._described[index], self._described[self._dealt[index]]
        return replace(
            example,
            question=_renamed(example.question, mine.asked, named.asked),
            attributes={**example.attributes, **dict(named.attributes)},
        )

    @override
    def image(self, index: int) -> Image.Image:
        return self._base.image(index)

    @override
    def encoded(self, index: int) -> bytes:
        return self._base.encoded(index)

    def _fits(self, index: int, other: int) -> bool:
        return self._described[other].asked not in self._described[index].names

    def _name(self, index: int, dealt: int | None) -> int:
        if dealt is None:
            raise InputError(
                f"`{self._base[index].id}` shows every name that `{self._base.info.name}` asks for, none is absent: "
                f"leave out the control `{self.name}`"
            )
        return dealt


def _parts(question: Question) -> tuple[str, str]:
    """The question's text before its options, and the rest."""
    options = f"[{', '.join(question.options)}]"
    at = question.text.rfind(options) if question.options else len(question.text)
    at = at if at >= 0 else len(question.text)
    return question.text[:at], question.text[at:]


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")


def _renamed(question: Question, old: str, new: str) -> Question:
    asked, options = _parts(question)
    return replace(question, text=_pattern(old).sub(lambda _: new, asked) + options)


def _checked(example: Example, name: str) -> None:
    n = len(_pattern(name).findall(_parts(example.question)[0]))
    if n != 1:
        raise InputError(
            f"`{example.id}` names `{name}` {n} times: expected once, to put the name of something absent there"
        )
