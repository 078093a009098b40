"""Where an answer names options: by their names and by their labels, each in a place where a name can stand.

"half from the left", "the top shelf" and "the cat has left" hold words of options and name none. Of names inside a
longer one the longest counts; a run of words for places that is no option ("top center left") is a stray.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evensight.questions import answer_words, neighbours
from evensight.questions.open_answers import NUMBER_WORDS
from evensight.questions.option_names import HORIZONTAL, PLACE_WORDS, VERTICAL, OptionNames, is_sign
from evensight.questions.other_senses import is_no_place

_JOINS = {("and",), ("and", "to", "the"), ("and", "on", "the"), ("and", "at", "the"), ("to", "the")}
_BEFORE_LABELS = frozenset({"option", "choice", "letter", "number"})
_LEADING_TO_LABELS = _BEFORE_LABELS | {"answer", "is", "it's", "choose", "pick", "select", "chose", "or", "and"}
_AFTER_LABELS = frozenset({"or", "and", "because", "since"})
_TOTAL = ("total", "of")
_NUMBER_SIGNS = frozenset("-~<>≥≤≈±+%°×#⁄$€£^")
_FROM_AN_OBJECT = frozenset({"above", "below"})


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in an answer.

    Attributes:
        start: The first token.
        end: The token after the last.
        option: The option that it names; `None` for a stray.
        words: Its words, where it is a place.
    """

    start: int
    end: int
    option: str | None
    words: frozenset[str] = frozenset()


Item = str | Mention
"""A word, a sign, or a name of an option."""


def mentions(words: Sequence[str], cased: Sequence[str], names: OptionNames) -> list[Mention]:
    """All names in a text, in order.

    Args:
        words: Its tokens in lower case.
        cased: The same tokens as they were written.
        names: What the options may be called.
    """
    found = list(_places(words, names) if names.places else _named(words, names))
    return sorted([*found, *_labelled(cased, words, names)], key=lambda mention: (mention.start, mention.end))


def _places(words: Sequence[str], names: OptionNames) -> Iterator[Mention]:
    said = [
        PLACE_WORDS[word] if word in PLACE_WORDS and not is_no_place(words, k, names.known) else None
        for k, word in enumerate(words)
    ]
    for start, end in _runs(words, said, names):
        run = _once([place for place in said[start:end] if place])
        option = names.places.get(frozenset(run)) if _is_well_formed(run) else None
        fits = _may_lead(words, start, names) and _may_follow(words, end, run)
        yield Mention(start, end, option if fits else None, frozenset(run))


def _runs(words: Sequence[str], said: Sequence[str | None], names: OptionNames) -> Iterator[tuple[int, int]]:
    """The runs of words for places; "top and to the left" is one."""
    runs: list[tuple[int, int]] = []
    for k, place in enumerate(said):
        if place is None:
            continue
        if (runs and runs[-1][1] == k) or (runs and _joins(runs[-1], k, words, said, names)):
            runs[-1] = (runs[-1][0], k + 1)
        else:
            runs.append((k, k + 1))
    yield from runs


def _joins(
    run: tuple[int, int], k: int, words: Sequence[str], said: Sequence[str | None], names: OptionNames
) -> bool:
    """Whether the place at `k`, after a run of one, makes one name with it: a vertical and a horizontal word."""
    one, other = said[run[0]], said[k]
    pair = {one, other}
    return (
        run[1] - run[0] == 1
        and k - run[1] <= 3
        and tuple(words[run[1] : k]) in _JOINS
        and not VERTICAL.isdisjoint(pair)
        and not HORIZONTAL.isdisjoint(pair)
        and frozenset(place for place in pair if place) in names.places
        and (k + 1 == len(said) or said[k + 1] is None)
    )


def _is_well_formed(run: Sequence[str]) -> bool:
    """Whether the words make one place: each once, and not "right above", which means straight."""
    return len(set(run)) == len(run) and run not in (["right", "above"], ["right", "below"])


def _once(run: Sequence[str]) -> Sequence[str]:
    """The run without its repetitions ("top left top left", "center center")."""
    size = next(k for k in range(1, len(run) + 1) if list(run[:k]) * (len(run) // k) == list(run))
    return run[:size]


def _may_lead(words: Sequence[str], start: int, names: OptionNames) -> bool:
    """Whether what stands before a place can lead to it."""
    k = start - 1
    while k >= 0 and words[k] in neighbours.FILLERS:
        if words[start] in HORIZONTAL and words[k] in neighbours.POSSESSIVES:
            return False
        k -= 1
    if k == start - 1 and words[k] == "to" and (k == 0 or is_sign(words[k - 1])):
        return False  # "to center" may be half of "top center"
    if k < 0 or is_sign(words[k]) or words[k] in neighbours.GOVERNORS or words[k].endswith("n't"):
        return True
    if words[k] in {"with", "for"}:
        return k > 0 and words[k - 1] in {"go", "going", "went"}
    is_thing = words[k] in names.known and words[k] not in PLACE_WORDS and words[k] not in neighbours.MEASURING
    return is_thing and k == start - 1 and words[start] != "left"  # "the star left" has gone


def _may_follow(words: Sequence[str], end: int, run: Sequence[str]) -> bool:
    """Whether what stands after a place leaves it one."""
    k = end
    while k < len(words) and words[k] in neighbours.PLACE_NOUNS:
        k += 1
    if k == len(words) or is_sign(words[k]) or words[k] in neighbours.AFTER_PLACES:
        return True
    if words[k] in neighbours.FILLERS and not _FROM_AN_OBJECT.isdisjoint(run):
        return True  # "below the plus"
    if words[k] in {"is", "isn't", "was"}:
        return any(word in neighbours.PREDICATES for word in words[k + 1 : k + 3])
    return words[k] in answer_words.SPLITTING_NEGATORS or words[k] in answer_words.RETRACTIONS


def _named(words: Sequence[str], names: OptionNames) -> Iterator[Mention]:
    """The names word by word, without those inside a longer one; where numbers are asked for, others are strays."""
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for name in names.words:
        by_first.setdefault(name[0], []).append(name)
    reached = -1
    for start, word in enumerate(words):
        lengths = [len(name) for name in by_first.get(word, ()) if tuple(words[start : start + len(name)]) == name]
        end = start + max(lengths, default=0)
        if end > max(start, reached):
            reached = end
            option = names.words[tuple(words[start:end])]
            yield Mention(start, end, option if _may_be_named(words, start, end, names) else None)
        elif names.are_numbers and _is_number(word) and words[start + 1 : start + 2] != ["%"]:
            yield Mention(start, start + 1, None)


def _may_be_named(words: Sequence[str], start: int, end: int, names: OptionNames) -> bool:
    """Whether an option that is no place can be named here."""
    before, after = words[start - 1] if start else "\n", words[end] if end < len(words) else "\n"
    if names.are_numbers and not _is_a_count(words[start], before, after):
        return False
    if after == "of" and end - start == 1 and words[start] in answer_words.NEGATORS:
        return False  # "none of them"
    if is_sign(before) or before.endswith("n't") or before in neighbours.GOVERNORS | neighbours.FILLERS:
        return True
    return before in neighbours.ADJECTIVES or before in names.known or tuple(words[start - 2 : start]) == _TOTAL


def _is_number(word: str) -> bool:
    return word in NUMBER_WORDS or word == "zero" or word.replace(",", "").replace(".", "").isdigit()


def _is_a_count(word: str, before: str, after: str) -> bool:
    if before in _NUMBER_SIGNS or after in _NUMBER_SIGNS or before in _BEFORE_LABELS:
        return False
    return after not in neighbours.NUMBER_UNITS and not (word == "one" and before in neighbours.ONE_OF)


def _labelled(cased: Sequence[str], words: Sequence[str], names: OptionNames) -> Iterator[Mention]:
    """The labels: "B", "(b)", "option b", "the answer is B"; a letter before another word is none ("a red star")."""
    for k, word in enumerate(words if names.labels else ()):
        if word not in names.labels:
            continue
        before, after = words[k - 1] if k else "\n", words[k + 1] if k + 1 < len(words) else "\n"
        leads = is_sign(before) or before in _LEADING_TO_LABELS
        ends = is_sign(after) or after in _AFTER_LABELS
        is_set_off = leads and ends and (cased[k] != "a" or before in _BEFORE_LABELS or len(words) <= 3)
        if is_set_off or before in _BEFORE_LABELS:
            yield Mention(k, k + 1, names.labels[word])
