"""The part of a model's text that is its answer, as plain text: without thoughts, JSON and markup.

Nothing here knows the options. A text that plays tricks on the eye (control characters, letters that run backwards,
combining marks that strike out), or that is longer than an answer ever is, is no answer. Each pattern takes time in
proportion to the text.
"""

import re
import unicodedata

from evensight.questions.answer_words import NEGATORS, RETRACTIONS, SPOILED
from evensight.questions.json_answers import json_answer

MAX_CHARS = 20_000
"""A longer answer, thoughts not counted, is not read."""

_THOUGHT_START = re.compile(r"<(?:think|thinking|thought|reasoning)>|◁think▷|<\|begin_of_thought\|>", re.IGNORECASE)
_THOUGHT_END = re.compile(r"</(?:think|thinking|thought|reasoning)>|◁/think▷|<\|end_of_thought\|>", re.IGNORECASE)
_BACKWARDS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_DENIAL = re.compile(r"!=|(?<!\w)!(?=\w)|<>|\[ \]")
_STRUCK = re.compile(r"~~[^~]*~~|<(s|del|strike)>[^<]*</\1>", re.IGNORECASE)
_LINE_MARK = re.compile(r"^[^\S\n]*(?:[-*+•>#]+[^\S\n]+)+", re.MULTILINE)
_MARK = re.compile(r"\banswer\s*(?:[\"']\s*)?(?::|=|is\b)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_CHANGES = (
    (_STRUCK, " "),
    (re.compile(r"```\w*"), " "),
    (re.compile(r"<answer>|\\boxed\{", re.IGNORECASE), " final answer: "),
    (re.compile(r"</answer>|<\|[^<>|]{1,40}\|>|</s>", re.IGNORECASE), "\n\n"),
    (re.compile(r"</?[a-z][^<>]{0,60}>", re.IGNORECASE), " "),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|emph)\{"), " "),
    (_LINE_MARK, "\n"),
    (re.compile(r"(?<![\n\s])[^\S\n]*\n[^\S\n]*(?=[a-z])"), " "),
    (re.compile(r"\s---?\s|--+|(?<=\s)[-\u2010-\u2013](?=\s)|[\u2014\u2015]"), " — "),
    (re.compile(r"(?<=\w)[-\u2010-\u2013](?=\w)|_"), " "),
    (re.compile("[\u2018\u2019\u02bc`´]"), "'"),
    (re.compile(r"/"), " or "),
    (re.compile(r"\|"), " , "),
)
_TO_CHANGE = re.compile("[-_/|`<>~\\\\#+\n\u2010-\u2015\u2018\u2019\u02bc\u00b4\u2022]")
"""What any of the changes begins with."""


def plain_answer(raw: str) -> str | None:
    """The answer as plain text, upper and lower case kept; `None` if the text is none or can't be trusted."""
    text = _after_thoughts(raw)
    if text is None or len(text) > MAX_CHARS:
        return None
    text = json_answer(text)
    return None if text is None or is_trick(text) else plain(text)


def open_answer(raw: str) -> str | None:
    """The answer to an open question, as numbers are read from it; `None` if it is denied or can't be trusted.

    Where a final answer is marked, it begins with the line or sentence of the mark.
    """
    text = _after_thoughts(raw)
    if text is None or len(text) > MAX_CHARS or is_trick(text):
        return None
    text = unicodedata.normalize("NFKC", _visible(text))
    marks = [match.start() for match in _MARK.finditer(text)]
    if marks:
        text = text[max(text.rfind("\n", 0, marks[0]), text.rfind(". ", 0, marks[0])) + 1 :]
    words = set(_WORD.findall(text.casefold().replace("\u2019", "'")))
    in_doubt = words & (NEGATORS | RETRACTIONS | {"or"}) or any(word.endswith("n't") for word in words)
    return None if in_doubt else text


def is_trick(text: str) -> bool:
    """Whether the eye sees another text than the machine does, or signs deny what the words say."""
    if text.isascii():
        return _has_controls(text) or _has_denial(text)
    return (
        bool(_BACKWARDS.search(text))
        or _has_controls(text)
        or _has_denial(text)
        or any(map(_is_mark, _visible(text)))
    )


def plain(text: str) -> str:
    """The text in its compatibility form (NFKC), without markup, emphasis and invisible signs."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _visible(text)).replace("。", ".").replace("、", ",")
    if _TO_CHANGE.search(text):
        for pattern, instead in _CHANGES:
            text = pattern.sub(instead, text)
    return text


def _after_thoughts(raw: str) -> str | None:
    """What comes after the last thought; `None` if a thought was begun and not ended."""
    end = 0
    for match in _THOUGHT_END.finditer(raw):
        end = match.end()
    return None if _THOUGHT_START.search(raw, end) else raw[end:]


def _visible(text: str) -> str:
    """The text without what has no width, such as joiners and the marks that choose between two forms of a sign."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _has_controls(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in text)


def _has_denial(text: str) -> bool:
    return bool(_DENIAL.search(text)) or not SPOILED.isdisjoint(text)
