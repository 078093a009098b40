"""Plurals, for questions that count."""

_IRREGULAR = {
    "person": "people",
    "sheep": "sheep",
    "skis": "skis",
    "scissors": "scissors",
    "broccoli": "broccoli",
    "mouse": "mice",
    "knife": "knives",
}
"""The nouns of COCO's categories that follow no rule; shapes all follow one."""


def plural(noun: str) -> str:
    """The plural of a noun, of its last word where it has several ("wine glass": "wine glasses")."""
    first, space, last = noun.rpartition(" ")
    return f"{first}{space}{_plural_word(last)}"


def _plural_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"
