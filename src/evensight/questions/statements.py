"""What an answer says of the options that it names: which one it asserts, if it is one and nothing is left in doubt.

A text is parted into sentences and these into clauses. A negation denies the options of its clause ("not the left,
the right"), a hedge leaves those of its sentence open ("left or right"), and a word that takes back ("wrong",
"maybe") spoils the whole. Where a final answer is marked ("Answer: ...", "therefore ..."), only what follows counts.
Denied options are left; of the others there has to be exactly one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evensight.questions import answer_words
from evensight.questions.doubts import is_hedged, line_of, takes_back
from evensight.questions.mentions import Item, Mention, mentions
from evensight.questions.option_names import OptionNames
from evensight.questions.other_senses import is_affirmation

_ENDS = frozenset(".!?\n")
_PARTS = frozenset(",;()[]—") | frozenset(["but", "however", "yet", "though", "although", "whereas", "while"])
_MARKERS = (
    re.compile(r" final answer "),
    re.compile(r" (?:answer|assistant|response|prediction|conclusion|result) (?:: |= |is |would be )"),
)
_THEREFORE = re.compile(r" (?:therefore|thus|hence|in conclusion|in summary|so ,) ")
_DANGLING = frozenset(["in", "on", "at", "the", "a", "an", "to", "of", "is", "be", "located", ":"])


@dataclass(frozen=True, slots=True)
class _Said:
    """What a part of the answer says: the names asserted and denied, and whether it leaves doubt."""

    asserted: tuple[Mention, ...] = ()
    denied: tuple[Mention, ...] = ()
    in_doubt: bool = False


def asserted_option(words: Sequence[str], cased: Sequence[str], names: OptionNames) -> str | None:
    """The one option that a text asserts; `None` if there is none, or doubt.

    Args:
        words: Its tokens in lower case, pairs that act as one joined.
        cased: The same tokens as they were written.
        names: What the options may be called.
    """
    found = mentions(words, cased, names)
    sentences = _sentences(list(_items(words, found, names)))
    part = _conclusion(sentences)
    said = [_reading(sentence, names) for sentence in part]
    spoken = [item for sentence in part for item in sentence]
    if any(each.in_doubt for each in said) or takes_back(spoken, names):
        return None
    return _decided([m for each in said for m in each.asserted], [m for each in said for m in each.denied], names)


def _items(words: Sequence[str], found: Sequence[Mention], names: OptionNames) -> Iterator[Item]:
    """The text with each name as one item; of names in one place all stand there."""
    said = ["that's_right" if is_affirmation(words, k, names.known) else word for k, word in enumerate(words)]
    end = 0
    for mention in found:
        yield from said[end : mention.start]
        yield mention
        end = max(end, mention.end)
    yield from said[end:]


def _sentences(items: Sequence[Item]) -> list[list[Item]]:
    sentences: list[list[Item]] = [[]]
    for item in items:
        if sentences[-1] and sentences[-1][-1] in _ENDS and item not in _ENDS:
            sentences.append([])
        sentences[-1].append(item)
    return sentences


def _conclusion(sentences: list[list[Item]]) -> list[list[Item]]:
    """From the first sentence that marks a final answer; else from the last "therefore"; else all."""
    lines = [line_of(sentence) for sentence in sentences]
    for marker in _MARKERS:
        marked = [k for k, line in enumerate(lines) if marker.search(line)]
        if marked:
            return sentences[marked[0] :]
    inferred = [k for k, line in enumerate(lines) if _THEREFORE.search(line)]
    rest = sentences[inferred[-1] :] if inferred else []
    return rest if any(isinstance(item, Mention) for sentence in rest for item in sentence) else sentences


def _reading(sentence: Sequence[Item], names: OptionNames) -> _Said:
    found = [item for item in sentence if isinstance(item, Mention)]
    if sentence[:1] == ["or"] or (found and is_hedged(sentence, names)):
        return _Said(in_doubt=True)
    asserted: list[Mention] = []
    denied: list[Mention] = []
    neither = False
    for clause in _clauses(sentence):
        named = [item for item in clause if isinstance(item, Mention)]
        words = {item for item in clause if isinstance(item, str)}
        neither = ("but" not in words) and (neither or "neither" in words)
        negated = neither or any(map(_denies, words))
        if not named and any(map(_denies, words)) and _spoils(clause, words, names, is_first=not asserted):
            return _Said(in_doubt=True)
        (denied if negated else asserted).extend(named)
    return _Said(tuple(asserted), tuple(denied))


def _denies(word: str) -> bool:
    return word in answer_words.NEGATORS or word.endswith("n't")


def _clauses(sentence: Sequence[Item]) -> list[list[Item]]:
    clauses: list[list[Item]] = [[]]
    for k, item in enumerate(sentence):
        begins = item in _PARTS or item in answer_words.SPLITTING_NEGATORS
        if begins or (item == "and" and k + 1 < len(sentence) and sentence[k + 1] == "not"):
            clauses.append([])
        clauses[-1].append(item)
    return clauses


def _spoils(clause: Sequence[Item], words: set[str], names: OptionNames, *, is_first: bool) -> bool:
    """Whether a negated clause without a name takes back or denies what is beside it ("no, wait", "it is not:")."""
    spoken = [item for item in clause if isinstance(item, str) and (item.isalnum() or "'" in item or item == ":")]
    others = {word for word in words if not _denies(word) and word[0].isalnum()}
    if not others and words & {"no"} and len(spoken) == 1:
        return not is_first
    return others <= answer_words.VERDICTS | names.known or (bool(spoken) and _is_open(spoken[-1]))


def _is_open(word: str) -> bool:
    return word in _DANGLING or _denies(word)


def _decided(asserted: Sequence[Mention], denied: Sequence[Mention], names: OptionNames) -> str | None:
    """The one option asserted, unless it is denied as well or stray words of places speak against it."""
    options = {mention.option for mention in asserted if mention.option is not None}
    if len(options) != 1:
        return None
    option = options.pop()
    if any(mention.option == option for mention in denied):
        return None
    words = next((words for words, name in names.places.items() if name == option), frozenset[str]())
    strays = [mention for mention in asserted if mention.option is None]
    if not names.places:
        return None if strays else option
    against = any(not stray.words <= words or names.places.get(stray.words, option) != option for stray in strays)
    denied_words = any(stray.words & words for stray in denied if stray.option is None)
    return None if against or denied_words else option
