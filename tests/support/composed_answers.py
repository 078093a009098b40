"""Answers of models, composed from parts: thousands that say nothing definite, hundreds that do, each by a seed.

What an answer is worth follows from how it is composed, never from the code that reads it. `{x}` and `{y}` stand for
two different options, `{at}` for the words that lead to one.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evensight.annotations import AREAS
from evensight.questions.relations import DIRECTIONS
from evensight.questions.tasks import COLUMNS, COUNTS, ROWS

COLORS = ("red", "green", "blue", "magenta", "yellow", "cyan", "white")
SIZES = ("larger", "smaller", "same size")
ANIMALS = ("zebra", "teddy bear", "bear", "wine glass", "cat")


@dataclass(frozen=True)
class Asked:
    """A question: its options, and the words that lead to one in a sentence."""

    options: tuple[str, ...]
    at: tuple[str, ...]


ASKED = (
    Asked(AREAS, ("in the ", "at the ", "located in the ")),
    Asked(COLUMNS, ("on the ", "at the ", "in the ")),
    Asked(ROWS, ("at the ", "in the ")),
    Asked(DIRECTIONS, ("", "positioned ")),
    Asked(COLORS, ("", "clearly ")),
    Asked(COUNTS, ("", "exactly ")),
    Asked(SIZES, ("", "the ")),
    Asked(ANIMALS, ("a ", "the ")),
)

DENIALS = (
    "not {x}", "Not {x}.", "It is not {at}{x}.", "It isn't {at}{x}", "it isn't {x}", "The answer is not {x}",
    "The object is never {at}{x}", "I don't think it is {at}{x}.", "I do not believe it's {x}",
    "Definitely not {x}!", "no {x}", "neither {x} nor {y}", "It is neither {at}{x} nor {at}{y}.", "{x} is wrong",
    "{x} is incorrect.", "{x} is not the answer", "{x} isn't correct", "{x}: false", "{x} - no", "{x}? No.",
    "{x}? no!", "anything but {x}", "Everything but {x}.", "all except {x}", "other than {x}", "It can't be {x}",
    "It cannot be {at}{x}.", "It couldn't be {x}", "It won't be {x}", "The opposite of {x}", "the reverse of {x}",
    "non-{x}", "un-{x}", "anti-{x}", "I would not say {x}", "Nobody would say it is {x}",
    "{x} can be ruled out; it is not {x}", "We can exclude {x}", "excluding {x}", "without {x}", "instead of {x}",
    "rather than {x}", "unlike {x}", "It's no longer {x}", "It is not true that it's {x}",
    "It is false that the answer is {x}", "I doubt it is {x}", "Unlikely: {x}", "❌ {x}", "✗ {x}", "🚫 {x}",
    "≠ {x}", "!= {x}", "!{x}", "¬{x}", "~~{x}~~", "<s>{x}</s>", "<del>{x}</del>", "Not:\n- {x}",
    "It is not\n\n{x}", "The following is not the answer:\n\n{x}", "Wrong answer: {x}", "Not the answer: {x}",
    "{x}, no", "{x}... wait, no.", "{x}. No, that's wrong.", "{x}. That is not right.",
    "{x}. Actually, it is not.", "{x} — scratch that", "{x}. Correction: I can't tell.",
    "{x}\n\nSorry, that was a mistake.", "{x}, which it is not", "not {x}, not {y}",
    "Not {x}, and not {y} either", "it isn't {x} and it isn't {y}", "[ ] {x}", "☐ {x}", "Final answer: not {x}",
    "**Answer:** not {x}", "Therefore, it is not {x}.", "Answer: none, certainly not {x}",
    "<answer>not {x}</answer>", "It is not <answer>{x}</answer>", "It is not \\boxed{{{x}}}",
    "\\boxed{{\\text{{not }}{x}}}", '{{"answer": "not {x}"}}', '{{"{x}": false}}', '{{"not": "{x}"}}',
    '{{"answer": null, "wrong": "{x}"}}', "far from {x}", "It lacks {x}", "hardly {x}", "barely {x}",
    "{x} is impossible", "{x} would be a mistake", "{x} is ruled out", "{x}: ruled out", "Ruled out: {x}",
    "I have ruled out {x}.", "{x} has been crossed out", "There is zero chance that it is {x}", "{x}: zero",
    "{x}, ruled out", "{x} was dismissed", "The trap: {x}",
)  # fmt: skip
DOUBTS = (
    "maybe {x}", "Perhaps {x}.", "possibly {x}", "probably {x}", "It might be {x}", "It could be {at}{x}.",
    "may be {x}", "It may be {x}", "{x}?", "{x}??", "{x}, maybe", "{x}, I guess", "{x} (not sure)",
    "{x}, but I'm not sure", "either {x}", "I'm unsure, {x}?", "I guess {x}", "my guess is {x}", "almost {x}",
    "nearly {x}", "roughly {x}", "approximately {x}", "about {x}", "around {x}", "kind of {x}", "sort of {x}",
    "somewhat {x}", "partly {x}", "{x}-ish", "likely {x}", "If it is visible, {x}", "{x} if I see it right",
    "{x} unless it is hidden", "Is it {x}?", "Could it be {x}?", "What about {x}", "Suppose it is {x}",
    "Assuming {x}", "For example, {x}", "e.g. {x}", "such as {x}", "{x} or not", "It depends: {x}",
    "whether it is {x}", "Some say {x}", "You said {x}", "the caption claims {x}", "it used to be {x}",
    "formerly {x}", "originally {x}", "{x} 60%", "60% {x}", "{x}: 0.4, or something else", "Hmm, {x}?", "{x} or",
    "or {x}", "can be {x}", "sometimes {x}", "usually {x}", "typically {x}", "Alternatively {x}",
    "one option is {x}", "as if {x}", "The options are {x}", "Choose from [{x}]", "possible answers: {x}",
    "Imagine it were {x}", "{x}, presumably", "apparently {x}", "seemingly {x}", "it tends to be {x}",
    "{x} should be considered", "ambiguous: {x}", "unclear, {x}", "It's hard to say, {x}",
    "I cannot tell if it is {x}", "n/a, {x}", "unknown ({x})", "All of them: {x}", "Every one of them, {x}",
    "{x}, as all of them", "each of them: {x}", "{x}, least of all", "The least plausible is {x}",
    "It would be {at}{x}", "That would be {at}{x}.", "It'd be {x}", "An answer cannot be given. {x}",
    "{x}. It cannot be determined.", "{x}. It couldn't be told.", "No answer: {x}", "{x}, but no answer fits",
    "{x} (confidence: 0.2)", "{x} with low confidence", "{x}, I hope", "a random pick: {x}", "{x}. Who knows.",
    "{x} by default", "{x}, at best", "{x} 80 percent",
)  # fmt: skip
BOTH = (
    "{x} or {y}", "{x} and {y}", "{x}, {y}", "{x}/{y}", "{x} / {y}", "{x}; {y}", "{x} {y}", "{x}\n{y}",
    "- {x}\n- {y}", "1. {x}\n2. {y}", "Either {x} or {y}.", "Both {x} and {y}", "between {x} and {y}",
    "from {x} to {y}", "{x} and/or {y}", "{x} (or {y})", "{x}, possibly {y}", "{x}. {y}.",
    "It is {at}{x} or {at}{y}.", "It is {at}{x}, or maybe {at}{y}", "Answer: {x} or {y}",
    "Answer: {x}. Answer: {y}", "Final answer: {x} / {y}", "<answer>{x}</answer><answer>{y}</answer>",
    '{{"answer": ["{x}", "{y}"]}}', '{{"answer": "{x}", "answer": "{y}"}}', '["{x}", "{y}"]', "{x} vs {y}",
    "{x} | {y}", "| {x} | {y} |", "{x}? {y}?", "{x} versus {y}", "{x}, {y}, {x}", "more {x} than {y}",
    "{x} to {y}", "{x} -> {y}", "{x} but also {y}", "{x}, then {y}", "not only {x} but also {y}",
    "\\boxed{{{x}}} \\boxed{{{y}}}", "{x} — {y}", "It is {at}{x}. It is {at}{y}.", "{x}\n\n{y}",
    "Therefore {x}, or {y}.", "the {x} and the {y}", "**{x}** **{y}**",
)  # fmt: skip
OTHER_LANGUAGES = (
    "nicht {x}", "Das ist {x}", "Es ist nicht {x}", "oben links", "unten rechts", "in der Mitte", "rechts", "rot",
    "drei", "vielleicht {x}", "{x} oder {y}", "pas {x}", "Ce n'est pas {x}", "en haut à gauche",
    "en bas à droite", "au centre", "Au centre de l'image", "à gauche", "le centre", "rouge", "trois",
    "peut-être {x}", "{x} ou {y}", "centro", "en el centro", "arriba a la izquierda", "no es {x}",
    "tal vez {x}, o no", "rojo", "tres", "abajo", "derecha", "al centro", "in alto a sinistra", "non è {x}",
    "nessuno, {x}", "sinistra", "rosso", "em cima à esquerda", "não é {x}", "talvez {x}", "linksboven",
    "niet {x}", "geen {x}", "midden", "rechtsonder", "ikke {x}", "inte {x}", "øverst til venstre", "nie {x}",
    "lewy górny róg", "nem {x}", "bal felső", "bukan {x}", "tidak {x}", "kiri atas", "hindi {x}", "sol üst",
    "{x} değil", "左上", "右下角", "不是{x}", "不是 {x}", "在中间", "{x}吗", "左", "红色", "三", "左上ではない",
    "{x}ではない", "中央", "왼쪽 위", "{x} 아님", "не {x}", "слева вверху", "в центре", "не знаю, {x}", "ليس {x}",
    "أعلى اليسار", "לא {x}", "όχι {x}", "nahi {x}", "{x} nahi hai", "केंद्र", "không phải {x}", "ไม่ใช่ {x}",
    "{x} nicht", "kein {x}", "weder {x} noch {y}", "ni {x} ni {y}", "jamais {x}", "{x} jest źle", "centrum",
    "zentral", "links oder {x}", "Zentrum", "centré",
)  # fmt: skip
REFUSALS = (
    "", " ", "...", "I can't tell.", "I cannot determine that.", "I'm sorry, but I can't help with that.",
    "I don't know", "As an AI language model, I cannot see images.", "unknown", "N/A", "None of the above",
    "No answer", "There is no image.", "The image is not visible.", "It is impossible to say.", "undefined",
    "null", "{}", "[]", "?", "!!!", "-", "0", "yes", "no", "The object", "Where is the object?",
    "Please provide the image.", "I see a picture", "here", "there", "nowhere", "all", "everything", "everywhere",
    "both", "neither", "either one", "any of them", "the first option", "option 3", "B", "(c)", "<think>",
    "</think>", "<answer></answer>", "\\boxed{}", "```\n```", '{"answer": ""}', '{"answer": true}', "Answer:",
    "error 404", "nan", "the same as before", "it depends", "I need more information to answer.", "[image]",
    "<image>",
)  # fmt: skip
TRICKS = (
    "\u202e{x}", "\u202d{x}\u202c", "\u2066{x}\u2069", "{x}\x08\x08\x08", "\x1b[8m{x}\x1b[0m", "{x}\x00",
    "<think>{x}", "<think>It is {x}", "<THINK>\n{x}\n", "<think>{x}</think>", "<think>{x}</think>\n",
    "<thinking>{x}", "{x}</think>", "<think>a</think><think>{x}", "<|begin_of_thought|>{x}", "◁think▷{x}",
    "{x}\u0336",
)  # fmt: skip

SAYINGS = (
    "{x}", "{x}.", "{x}!", "The {x}.", "It is {at}{x}.", "It's {at}{x}", "The object is {at}{x}.", "Answer: {x}",
    "answer is {x}", "The answer is {x}.", "The correct answer is {x}.", "Final answer: {x}", "**{x}**", "*{x}*",
    "__{x}__", "`{x}`", "- {x}", "* {x}", "> {x}", "# {x}", "```\n{x}\n```", "```text\n{x}\n```", '"{x}"',
    "'{x}'", "“{x}”", "‘{x}’", "({x})", "[{x}]", "{x}\n", "\n\n{x}", "\t{x}", "{x}, {x}", "{x}\n{x}",
    '{{"answer": "{x}"}}', "{{'answer': '{x}'}}", '```json\n{{"answer": "{x}"}}\n```',
    '{{"final_answer": "{x}", "confidence": 0.9}}', '{{"answer": ["{x}"]}}',
    'Here is the JSON: {{"answer": "{x}"}}', "<answer>{x}</answer>", "\\boxed{{{x}}}", "\\boxed{{\\text{{{x}}}}}",
    "<think>It could be {y} or {x}. No, not {y}.</think>{x}", "Let me see, {y} or {x}?</think>\n\n{x}",
    "Looking at the picture, {y} is one thing to consider.\nAnswer: {x}",
    "It may be {y}. Therefore, it is {at}{x}.", "First I thought of {y}, then of {x}. Final answer: {x}",
    "not {y}, but {x}", "Not {y}; it is {at}{x}.", "{x}, not {y}", "It is {at}{x}, not {at}{y}.",
    "It isn't {at}{y}. It is {at}{x}.", "{x} rather than {y}", "instead of {y}, {x}",
    "It is neither {y} nor anything like it, but {x}", "So the answer is {x}.", "I choose {x}", "ASSISTANT: {x}",
    "{x}<|im_end|>", "{x}</s>", "{x} ✅", "\ufeff{x}", "{x}\u200b", "~~{y}~~ {x}", "I think it is {at}{x}.",
    "It appears to be {at}{x}.", "Where is it? {x}.",
    "The object is {at}{x}. There are no other objects in the image.", "Sure! The answer is **{x}**.",
    "Answer: **{x}**", "**Answer:** {x}", "The answer: {x}", "Thus, the answer is {x}.",
)  # fmt: skip


def full_width(text: str) -> str:
    """The text in the wide letters of Chinese and Japanese fonts."""
    return "".join("\u3000" if c == " " else chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.capitalize)
LOOKALIKES = str.maketrans("aceopxyi", "асеорхуі")
"""Latin letters and the Cyrillic ones that look the same."""


def fill(template: str, asked: Asked, rng: random.Random) -> tuple[str, str]:
    """The template with two different options in it, and the first of them."""
    x, y = rng.sample(asked.options, 2)
    return template.format(x=x, y=y, at=rng.choice(asked.at)), x


def misspelled(name: str, rng: random.Random) -> str:
    """The name with one letter lost, doubled, exchanged, strange, or one too many."""
    k = rng.choice([k for k, c in enumerate(name) if c != " "])
    return rng.choice(
        (
            name[:k] + name[k + 1 :],
            name[:k] + 2 * name[k] + name[k:],
            name[:k] + "q" + name[k + 1 :],
            name[: k + 1] + "z" + name[k + 1 :],
            name.translate(LOOKALIKES),
            f"{name[:k]}\u0131{name[k + 1 :]}",
            f"{name}7",
            f"x{name}",
            name[:k] + name[k].upper() + "\u0301" + name[k + 1 :],
        )
    )


def _mangled(asked: Asked, rng: random.Random) -> str:
    name = rng.choice([option for option in asked.options if not option.isdigit()] or ["seven"])
    while True:
        said = misspelled(name, rng)
        if said.casefold() not in {*asked.options, name} and not said.startswith(name + " "):
            return rng.choice(("{}", "The answer is {}.", "It is {}", "**{}**")).format(said)


def _echo(asked: Asked, rng: random.Random) -> str:
    options = rng.sample(asked.options, len(asked.options))
    n = rng.randint(2, len(options))
    forms = (
        "{}",
        "[{}]",
        "Choose from [{}].",
        "Where is the object? Choose from [{}].",
        "The options are: {}",
        "{} ...",
    )
    return rng.choice(forms).format(rng.choice((", ", " / ", "\n", "; ", " | ", " or ")).join(options[:n]))


def _cut(asked: Asked, rng: random.Random) -> str:
    """A sentence that ends in the middle of an option's first word."""
    option = rng.choice([option for option in asked.options if not option.isdigit()] or ["three"])
    first = option.split()[0]
    return f"The object is {rng.choice(asked.at)}{first[: rng.randint(1, len(first) - 1)]}"


def indefinite(n: int, seed: int) -> Iterator[tuple[Asked, str]]:
    """`n` different answers, each of which names no option, more than one, or leaves doubt which."""
    rng = random.Random(seed)
    seen: set[tuple[Asked, str]] = set()
    kinds = (DENIALS, DENIALS, DOUBTS, DOUBTS, BOTH, OTHER_LANGUAGES, REFUSALS, TRICKS)
    while len(seen) < n:
        asked = rng.choice(ASKED)
        kind = rng.randrange(len(kinds) + 3)
        if kind < len(kinds):
            template = rng.choice(kinds[kind])
            raw = template if kinds[kind] is REFUSALS else fill(template, asked, rng)[0]
        else:
            raw = (_mangled, _echo, _cut)[kind - len(kinds)](asked, rng)
        raw = rng.choice(CASES)(raw)
        raw = rng.choice(("{}", "{}", "{} ", "\n{}", "  {}", "Well, {}", "Let me look at the image. {}")).replace(
            "{}", raw
        )
        if (asked, raw) not in seen and not _is_definite(asked, raw):
            seen.add((asked, raw))
            yield asked, raw


def _is_definite(asked: Asked, raw: str) -> bool:
    """Whether the parts happen to be an option together: "above" and "left" are, with or without "and" between."""
    words = (
        raw.casefold()
        .replace("*", "")
        .replace("let me look at the image. ", "")
        .replace("well, ", "")
        .replace(" and ", " ")
        .split()
    )
    return " ".join(words) in asked.options or " ".join(words[::-1]) in asked.options


def definite() -> Iterator[tuple[Asked, str, str]]:
    """Answers that name one option each, with that option: each saying with each question, in several forms."""
    rng = random.Random(0)
    for asked in ASKED:
        for saying in SAYINGS:
            for change in (str, str.upper, full_width):
                raw, x = fill(saying, asked, rng)
                is_code = any(sign in raw for sign in "{<\\")  # markup is not written in capitals or wide letters
                yield asked, raw if is_code else change(raw), x
