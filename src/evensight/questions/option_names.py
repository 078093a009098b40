"""The names that options have in an answer: their words, words that mean the same, and labels such as "B" or "2)".

Options that are places (all their words are "top", "middle", "left", ...) are known by the set of their words, so
that "left-top" and "upper left" are "top left". Other options are known word by word; numbers by their word, too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from evensight.questions.answer_text import plain
from evensight.questions.answer_words import JOINED
from evensight.questions.open_answers import NUMBER_WORDS

VERTICAL = frozenset({"top", "bottom", "above", "below"})
HORIZONTAL = frozenset({"left", "right"})
PLACE_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("top", "upper", "topmost", "uppermost"), "top"),
    **dict.fromkeys(("bottom", "lower", "bottommost", "lowermost", "lowest"), "bottom"),
    **dict.fromkeys(("center", "centre", "middle", "central", "mid", "centermost"), "center"),
    **dict.fromkeys(("left", "lefthand", "leftmost"), "left"),
    **dict.fromkeys(("right", "righthand", "rightmost"), "right"),
    "above": "above",
    **dict.fromkeys(("below", "beneath", "underneath"), "below"),
}
"""The words for places, each with the one that options have."""
_SAME = (("gray", "grey"), ("larger", "bigger"))
_UNSAID = frozenset({"directly"})

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*[^\W_]*|[^\W_]+(?:'[^\W_]+)*|\n\s*|[^\w\s*\"`{}\\$#|“”«»]|#(?=\d)")
_LABEL = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]|[0-9]{1,2})\s?[.):\]]{1,2}\s{0,2}$")
_OWN_LABEL = re.compile(r"[(\[]?([A-Za-z]|[0-9]{1,2})[.):\]]+\s+(\S.*)")
_BARE_QUOTE = "'"


def tokens(text: str) -> list[str]:
    """The words and signs of a plain text in order, case kept; every break of a line is one sign, a newline.

    Signs that only set off (quotes, stars, braces) are left out, so they break no name.
    """
    found = ("\n" if token[0] == "\n" else token for token in _TOKEN.findall(text))
    return [token for token in found if token != _BARE_QUOTE]


def joined(words: Sequence[str]) -> list[str]:
    """The words with pairs that act as one made one."""
    found: list[str] = []
    for word in words:
        pair = JOINED.get((found[-1].casefold(), word.casefold())) if found else None
        if pair:
            found[-1] = pair
        else:
            found.append(word)
    return found


def is_sign(token: str) -> bool:
    """Whether a token is no word and no number: it sets off a name on either side."""
    return not token[0].isalnum()


@dataclass(frozen=True, eq=False)
class OptionNames:
    """How the options of a question may be called.

    Attributes:
        places: The options by the set of their words, where all are places; else empty.
        words: The options by their words in order, where they are no places.
        labels: The options by their labels in lower case, where they have any.
        own: The words of the options.
        question: The question's text; empty where only the options are known.
    """

    places: Mapping[frozenset[str], str]
    words: Mapping[tuple[str, ...], str]
    labels: Mapping[str, str]
    own: frozenset[str]
    question: str = ""

    @cached_property
    def known(self) -> frozenset[str]:
        """The words of the options and of the question: never strange, whatever the language."""
        return self.own.union(_lower(self.question))

    @property
    def are_numbers(self) -> bool:
        """Whether the options are whole numbers."""
        return bool(self.words) and all(option.isdigit() for option in self.words.values())


def option_names(options: tuple[str, ...], question: str) -> OptionNames:
    """The names of some options, listed in a question's text; without a text they have labels only of their own."""
    names = _alone(tuple(sorted(options)))
    return replace(names, labels=names.labels or _labels(question, options), question=question)


@lru_cache(maxsize=512)
def _alone(options: tuple[str, ...]) -> OptionNames:
    """What the options are called without a question."""
    bare, labels = _without_labels(options)
    split = {option: tuple(joined(_lower(name))) for option, name in zip(options, bare, strict=True)}
    places = _places(split)
    own = frozenset(word for words in split.values() for word in words)
    return OptionNames(places, {} if places else _by_words(split), labels, own)


def _lower(text: str) -> list[str]:
    return [token.casefold() for token in tokens(plain(text))]


def _places(split: Mapping[str, tuple[str, ...]]) -> dict[frozenset[str], str]:
    """The options by the places that their words are; empty unless each is one of its own."""
    found = {}
    for option, words in split.items():
        said = [word for word in words if word not in _UNSAID]
        if not said or any(word not in PLACE_WORDS for word in said):
            return {}
        found[frozenset(PLACE_WORDS[word] for word in said)] = option
    return found if len(found) == len(split) else {}


def _by_words(split: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    word_of = {str(number): word for word, number in NUMBER_WORDS.items()} | {"0": "zero"}
    others: dict[tuple[str, ...], str] = {(word_of[option],): option for option in split if option in word_of}
    for one, other in (*_SAME, *(pair[::-1] for pair in _SAME)):
        others |= {
            tuple(other if word == one else word for word in words): option
            for option, words in split.items()
            if one in words
        }
    return others | {words: option for option, words in split.items() if words}


def _without_labels(options: Sequence[str]) -> tuple[Sequence[str], dict[str, str]]:
    """The options without the labels that they begin with, and the labels; as they are unless all have one."""
    found = [_OWN_LABEL.fullmatch(option.strip()) for option in options]
    labels = [match[1].casefold() for match in found if match]
    if len(labels) < len(options) or not _is_series(labels):
        return options, {}
    return [match[2] for match in found if match], dict(zip(labels, options, strict=True))


def _labels(question: str, options: Sequence[str]) -> dict[str, str]:
    """The labels that stand before the options in the question's text; none unless all have one, in a row."""
    found: dict[str, str] = {}
    for option in options:
        label = _label_before(option, question)
        if label is None:
            return {}
        found[label] = option
    return found if len(found) == len(options) and _is_series(sorted(found, key=lambda k: (len(k), k))) else {}


def _label_before(option: str, question: str) -> str | None:
    start = question.find(option)
    while start >= 0:
        match = _LABEL.search(question[max(start - 8, 0) : start])
        end = start + len(option)
        if match and not question[end : end + 1].isalnum():
            return match[1].casefold()
        start = question.find(option, start + 1)
    return None


def _is_series(labels: Sequence[str]) -> bool:
    """Whether the labels are a, b, c, ... or 1, 2, 3, ..., at least two of them."""
    letters = [chr(ord("a") + k) for k in range(26)]
    numbers = [str(k + 1) for k in range(99)]
    return len(labels) > 1 and list(labels) in (letters[: len(labels)], numbers[: len(labels)])
