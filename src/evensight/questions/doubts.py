"""What leaves it open which option is meant: hedges and weights in its sentence, and what takes an answer back.

Words and phrases are in `answer_words`; here are the patterns that need more. A sentence is looked at as a line of
words in which § stands for an option.
"""

import re
from collections.abc import Sequence

from evensight.questions import answer_words
from evensight.questions.mentions import Item, Mention
from evensight.questions.neighbours import HEADINGS
from evensight.questions.option_names import OptionNames

_WEIGHED = re.compile(
    r" § (?:\) )?(?:: |= )?(?:[0-9]|n |f )| § (?:\( )?[×x] | [~^] § | from (?:the )?§ to "
    r"| (?:confidence|certainty|probability|likelihood) (?:level )?(?:: |= |of |is )*(?:[0-9]|low |little |medium )"
    r"| (?:low|little|medium|limited|moderate) (?:confidence|certainty|probability|likelihood) "
)
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
_SHARES = frozenset(["%", "percent"])
_WHOLE = re.compile(r" 100 (?:%|percent) ")


def line_of(items: Sequence[Item]) -> str:
    """The items as a text in which § stands for a name, with a space around each."""
    return f" {' '.join('§' if isinstance(item, Mention) else item for item in items)} "


def takes_back(items: Sequence[Item], names: OptionNames) -> bool:
    """Whether a word, a phrase or a strange language makes all that is said doubtful."""
    words = {item for item in items if isinstance(item, str)}
    if words & answer_words.RETRACTIONS:
        return True
    strange = (words & answer_words.FOREIGN) | {w for w in words if not w.isascii() and any(map(str.isalpha, w))}
    if strange and strange - names.known:
        return True
    line = line_of(items)
    if _UNABLE.search(line) or _NO_ANSWER.search(line):
        return True
    return any(phrase in line for phrase in answer_words.RETRACTING_PHRASES)


def is_hedged(sentence: Sequence[Item], names: OptionNames) -> bool:
    """Whether a sentence leaves it open if the options in it are meant."""
    words = {item for item in sentence if isinstance(item, str)}
    if words & answer_words.HEDGES or "?" in words:
        return True
    if names.are_numbers and words & answer_words.NUMBER_HEDGES:
        return True
    line = line_of(sentence)
    if _WEIGHED.search(line) or _ALL.search(line) or len(_WOULD.findall(line)) > len(_WOULD_SAY.findall(line)):
        return True
    if _is_under_a_strange_heading(sentence, names):
        return True
    is_share = not words.isdisjoint(_SHARES) and not _WHOLE.search(line)
    return is_share or any(p in line for p in answer_words.HEDGING_PHRASES)


def _is_under_a_strange_heading(sentence: Sequence[Item], names: OptionNames) -> bool:
    """Whether an option stands behind up to three words and a colon that don't announce an answer ("Trap: left")."""
    k = sentence.index(":") if ":" in sentence[:4] else 0
    if not k or not isinstance(sentence[k + 1] if k + 1 < len(sentence) else ":", Mention):
        return False
    last = sentence[k - 1]
    return isinstance(last, str) and last.isalpha() and last not in HEADINGS | names.known
