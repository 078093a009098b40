"""The words by which an answer is read: what denies, what hedges, what takes back.

They are data, in lower case; `statements` and `doubts` say what each set does. A word that is in doubt stands in the
set that makes an answer invalid. Two words that act as one are joined by `_` (`JOINED`). `neighbours` has the words
that stand beside options.
"""


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(f" {line.strip()} " for line in text.strip().splitlines())


SPLITTING_NEGATORS = words(
    """instead_of rather_than other_than opposed_to apart_from aside_from out_of far_from away_from anything_but
    anywhere_but everything_but nothing_but all_but any_but"""
)
"""What denies that which comes after it, and not that which comes before."""

_RULED_OUT = words("rule_out rules_out ruled_out ruling_out cross_out crossed_out crossing_out struck_out thrown_out")
_OTHER_PAIRS = words("each_other")
JOINED = {tuple(pair.split("_")): pair for pair in SPLITTING_NEGATORS | _RULED_OUT | _OTHER_PAIRS}
"""Pairs of words that act as one."""

_DENYING = words(
    """no not never nor neither none nothing nowhere without cannot isnt arent wasnt dont doesnt didnt cant couldnt
    wouldnt shouldnt wont aint non anti except excepting excluding excludes exclude excluded unlike outside
    beyond hardly barely scarcely rarely seldom lack lacks lacking absent missing avoid avoids avoiding avoided
    ignore ignoring forget disregard minus zero nil"""
)
NEGATORS = SPLITTING_NEGATORS | _RULED_OUT | _DENYING
"""What denies the options of its clause; so do words that end in "n't"."""

RETRACTIONS = words(
    """wrong wrongly incorrect incorrectly false falsely untrue mistaken mistake mistakenly error erroneous nope
    nah wait oops sorry correction retract scratch unsure uncertain unclear undetermined indeterminate ambiguous
    unknown maybe perhaps possibly possible probably probable presumably guess guessing guessed impossible
    unable unlikely doubt doubts doubtful doubtfully either whichever suppose supposing supposed supposedly
    assume assuming assumed imagine pretend hypothetically hypothetical opposite reverse reversed inverse
    inverted mirrored flipped alternatively alternative depends depending eg example instance versus vs refuse
    decline apologize apologise unidentifiable unanswerable swap swapped undecided unspecified irrelevant idk
    dunno hmm contrary unsupported unverified disagree deny denied denies reject rejected rejects eliminate
    eliminated disproved lied joke joking kidding jk sarcastically ironically that's_right
    dismissed discarded discounted refuted contradicted implausible improbable inconceivable inaccurate invalid
    disqualified negative misleading decoy trap distractor fake bogus random randomly arbitrary arbitrarily
    placeholder nonsense tentative tentatively provisional provisionally speculate speculation speculative
    speculatively hunch clue hope hopefully hoping"""
)
"""What makes all that stands beside it doubtful."""

RETRACTING_PHRASES = _phrases(
    """i can't
    i cannot
    we can't
    we cannot
    can not
    can't tell
    cannot tell
    can't determine
    cannot determine
    don't know
    do not know
    not sure
    not certain
    no idea
    hard to
    difficult to
    not visible
    not present
    no such
    not able
    not clear
    not enough
    not applicable
    not quite
    not only
    no longer
    as an ai
    language model
    options include
    choices include
    options are
    choices are
    options :
    options =
    options (
    options [
    choices :
    among the options is
    user :
    please choose
    please answer
    please select
    please say
    choose one
    select one
    pick one
    low confidence
    don't see
    do not see
    can't see
    cannot see
    choose from
    one option
    an option
    such as
    of the above
    n or a
    e . g
    second thought
    my mind
    made it up
    made that up
    made this up
    am lying
    i'm lying
    a lie
    just testing
    then again
    who knows
    beats me
    be sure
    be certain
    not positive
    not confident
    not convinced
    like hell
    my foot
    coin flip
    toss up
    bad answer
    poor answer
    no :
    no ;"""
)
"""The same in several words."""

HEDGES = words(
    """or might may could likely seemingly apparently somewhere partly partially mostly mainly primarily slightly
    somewhat almost nearly roughly approximately approx about around between halfway ish kinda sorta if unless
    whether formerly previously originally initially once usually often sometimes generally typically normally
    also said says say claim claims claimed claiming alleged allegedly asks ask asked asking quasi semi pseudo
    tends should until bet conceivably arguably want bordering another previous glance thought impression
    extends extending stretches points pointing moving moves heading headed facing shadow reflection least every
    each everywhere everything too included including chance
    chances odds etc default synonym synonyms yesterday"""
)
"""What leaves it open whether the options of its sentence are meant."""

HEDGING_PHRASES = _phrases(
    """kind of
    sort of
    half in
    half of
    more or less
    used to
    as if
    as though
    would have
    is it
    is that
    is this
    is the answer §
    can be §
    can be in
    can be on
    can be at
    can be the
    in theory
    you mean
    what about
    how about
    both §
    both the §
    the other object
    the other one
    were it
    had it
    were there
    had there
    at a stretch
    at best
    at most
    at first
    last choice
    second choice
    last time
    now and then
    and more
    and so on
    among others"""
)
"""The same in several words; § stands for an option."""

NUMBER_HEDGES = words("most more less fewer over under above below up minimum maximum min max dozen hundred half")
"""What makes a number a bound."""

FOREIGN = words(
    """nein nicht kein keine keinen weder noch oder und ist sind das der dem des ein eine einer einem ich
    vielleicht mit auf oben unten rechts links mitte bild befindet pas ne ni oui ou et est le la les du au aux
    un une dans sur je peut jamais aucun aucune ce cette gauche droite haut bas milieu zona parte el los las al
    del en es esta este ninguno ninguna nunca quizas izquierda derecha arriba abajo il gli di che nel nella sono
    nessuno forse sinistra destra nao ou uma os mais talvez esquerda direita em het een niet geen ofwel
    misschien midden ikke ingen eller og det ej inte och kanske nie albo jest nem vagy nebo neni ali nije bukan
    tidak atau mungkin kiri kanan tengah hindi ng ang nahi nahin hai mein degil veya yok hayir khong hoac nyet
    pravo levo ei tai ja vasen oikea bu hidari migi shita dewa nai desu"""
)
"""Words of other languages that English doesn't have: a text with one of them is not read."""

VERDICTS = words(
    """it is that this it's that's actually oh well really at all but and the answer correct right true quite
    exactly so there i do think does be was am are case any of them these would did here in on located
    positioned situated found to a an which ok okay yes he she they we you has have been object"""
)
"""With a negation, these words alone make a clause that takes back or denies what is beside it: "it is not"."""

SPOILED = frozenset("≠¬❌✗✘✖🚫⛔👎☐☒‽؟¿")
"""Signs that deny or ask."""
