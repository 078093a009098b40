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
from evensight.questions.mentions import Mention, mentions
from evensight.questions.option_names import OptionNames
from evensight.questions.other_senses import is_affirmation

Item = str | Mention
"""A word, a sign, or a name of an option."""

_ENDS = frozenset(".!?\n")
_PARTS = frozenset(",;()[]—") | frozenset(["but", "however", "yet", "though", "although", "whereas", "while"])
_MARKERS = (
    re.compile(r" final answer "),
    re.compile(r" (?:answer|assistant|response|prediction|conclusion|result) (?:: |= |is |would be )"),
)
_THEREFORE = re.compile(r" (?:therefore|thus|hence|in conclusion|in summary|so ,) ")
_WEIGHED = re.compile(r" § (?:\) )?(?:: |= )?(?:[0-9]|n |f )| from (?:the )?§ to ")
"""A number beside an option is its weight ("top left: 0.4"); "from left to right" is a way, no place."""
_ALL = re.compile(r" (?<!at )(?<!after )all (?![.,;!?)\n]|there |$)")
"""What holds for all holds for none above others: "all of them", "in all rows"; "3 in all", "not at all" are left."""
_WOULD = re.compile(r" would |(?<= )\w+'d (?:\w+ )?be ")
_WOULD_SAY = re.compile(
    r" (?:i|we) would (?:say|choose|go|pick|select|answer|call|describe) "
    r"| (?:answer|choice|option|response|guess) would be "
)
"""The conditional of politeness; any other speaks of what isn't the case."""
_UNABLE = re.compile(
    r" (?:\w+n't|cannot|not|never) be (?:\w+ly )?(?:given|determined|answered|said|told|seen|identified|located|made|"
    r"found|inferred|established|known|decided|read|confirmed|verified|distinguished|discerned|ascertained|specified|"
    r"stated|provided|assessed|recognized|recognised|detected) "
)
_NO_ANSWER = re.compile(r" no (?:\w+ )?(?:answer|choice|option|decision|conclusion|position|location) ")
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
    if any(each.in_doubt for each in said) or _takes_back(spoken, names):
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
    lines = [_line(sentence) for sentence in sentences]
    for marker in _MARKERS:
        marked = [k for k, line in enumerate(lines) if marker.search(line)]
        if marked:
            return sentences[marked[0] :]
    inferred = [k for k, line in enumerate(lines) if _THEREFORE.search(line)]
    rest = sentences[inferred[-1] :] if inferred else []
    return rest if any(isinstance(item, Mention) for sentence in rest for item in sentence) else sentences


def _line(items: Sequence[Item]) -> str:
    """The items as a text in which § stands for a name, with a space around each."""
    return f" {' '.join('§' if isinstance(item, Mention) else item for item in items)} "


def _takes_back(items: Sequence[Item], names: OptionNames) -> bool:
    words = {item for item in items if isinstance(item, str)}
    if words & answer_words.RETRACTIONS:
        return True
    strange = (words & answer_words.FOREIGN) | {w for w in words if not w.isascii() and any(map(str.isalpha, w))}
    if strange and strange - names.known:
        return True
    line = _line(items)
    if _UNABLE.search(line) or _NO_ANSWER.search(line):
        return True
    return any(phrase in line for phrase in answer_words.RETRACTING_PHRASES)


def _reading(sentence: Sequence[Item], names: OptionNames) -> _Said:
    found = [item for item in sentence if isinstance(item, Mention)]
    if sentence[:1] == ["or"] or (found and _is_hedged(sentence, names)):
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


def _is_hedged(sentence: Sequence[Item], names: OptionNames) -> bool:
    words = {item for item in sentence if isinstance(item, str)}
    if words & answer_words.HEDGES or "?" in words:
        return True
    if names.are_numbers and words & answer_words.NUMBER_HEDGES:
        return True
    line = _line(sentence)
    if _WEIGHED.search(line) or _ALL.search(line) or len(_WOULD.findall(line)) > len(_WOULD_SAY.findall(line)):
        return True
    return ("%" in words and " 100 % " not in line) or any(p in line for p in answer_words.HEDGING_PHRASES)


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
