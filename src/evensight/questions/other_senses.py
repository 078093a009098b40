"""Words for places that mean something else: "right" for true or straight, "left" for gone or remaining.

"That's right", "right away" and "right in the middle" name no side, nor do "the cat has left" and "one is left".
Where only the grammar tells ("it is right", "the caption is right"), the word is a side if it is said of what was
asked for.
"""

from collections.abc import Collection, Sequence

from evensight.questions import neighbours
from evensight.questions.option_names import PLACE_WORDS, is_sign


def is_no_place(words: Sequence[str], k: int, known: Collection[str]) -> bool:
    """Whether the word for a place at `k` means something else here.

    Args:
        words: The text's tokens in lower case.
        k: Which of them.
        known: The words of the options and of the question.
    """
    before, after = _around(words, k)
    match words[k]:
        case "right":
            return is_affirmation(words, k, known) or _is_straight(words, k)
        case "left":
            is_gone = before in neighbours.GONE_BEFORE or _is_said_of_another(words, k, known)
            return after in neighbours.GONE_AFTER or is_gone
        case "top":
            return before == "on" and after == "of"
        case "center" | "centre" | "middle":
            return tuple(words[k + 1 : k + 3]) in {("of", w) for w in ("attention", "gravity", "mass", "focus")}
        case _:
            return False


def is_affirmation(words: Sequence[str], k: int, known: Collection[str]) -> bool:
    """Whether the word at `k` is a "right" that says "true" ("that's right"), which leaves open what is."""
    if words[k] != "right" or not k or (k + 1 < len(words) and not is_sign(words[k + 1])):
        return False
    before = words[k - 1]
    if before in neighbours.TRUE_BEFORE or _is_said_of_another(words, k, known):
        return True
    two_before = words[k - 2] if k > 1 else ""
    if before == "not":
        return two_before in neighbours.COPULAS | neighbours.TRUE_BEFORE | {"it's"}
    return before == "," and two_before in neighbours.AGREEMENTS


def _is_straight(words: Sequence[str], k: int) -> bool:
    """Whether the "right" at `k` goes with what follows: "right next to", "right now", "right in the middle"."""
    before, after = _around(words, k)
    if after in neighbours.STRAIGHT_AFTER:
        return True
    leads_to_a_place = after in {"in", "at"} and any(word in PLACE_WORDS for word in words[k + 2 : k + 4])
    return before != "the" and (leads_to_a_place or after in neighbours.STRAIGHT_WITHOUT_ARTICLE)


def _is_said_of_another(words: Sequence[str], k: int, known: Collection[str]) -> bool:
    """Whether a side at `k` is said of something that wasn't asked for: "that is right", "one was left"."""
    is_last = k + 1 == len(words) or is_sign(words[k + 1])
    if not is_last or not k or words[k - 1] not in neighbours.COPULAS:
        return False
    subject = words[k - 2] if k > 1 else "."
    return is_sign(subject) or (subject not in neighbours.ASKED_FOR and subject not in known)


def _around(words: Sequence[str], k: int) -> tuple[str, str]:
    """The words before and after the one at `k`; empty where there is none."""
    return words[k - 1] if k else "", words[k + 1] if k + 1 < len(words) else ""
