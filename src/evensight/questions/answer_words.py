"""The words by which an answer is read: what denies, what hedges, what takes back, what may stand beside a place.

They are data, in lower case; `statements`, `mentions` and `other_senses` say what each set does. A word that is in
doubt stands in the set that makes an answer invalid. Two words that act as one are joined by `_` (`JOINED`).
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(f" {line.strip()} " for line in text.strip().splitlines())


SPLITTING_NEGATORS = _words(
    """instead_of rather_than other_than opposed_to apart_from aside_from out_of far_from away_from anything_but
    anywhere_but everything_but nothing_but all_but any_but"""
)
"""What denies that which comes after it, and not that which comes before."""

_RULED_OUT = _words(
    "rule_out rules_out ruled_out ruling_out cross_out crossed_out crossing_out struck_out thrown_out"
)
_OTHER_PAIRS = _words("each_other")
JOINED = {tuple(pair.split("_")): pair for pair in SPLITTING_NEGATORS | _RULED_OUT | _OTHER_PAIRS}
"""Pairs of words that act as one."""

_DENYING = _words(
    """no not never nor neither none nothing nowhere without cannot isnt arent wasnt dont doesnt didnt cant couldnt
    wouldnt shouldnt wont aint non anti except excepting excluding excludes exclude excluded unlike outside
    beyond hardly barely scarcely rarely seldom lack lacks lacking absent missing avoid avoids avoiding avoided
    ignore ignoring forget disregard minus zero nil"""
)
NEGATORS = SPLITTING_NEGATORS | _RULED_OUT | _DENYING
"""What denies the options of its clause; so do words that end in "n't"."""

RETRACTIONS = _words(
    """wrong wrongly incorrect incorrectly false falsely untrue mistaken mistake mistakenly error erroneous nope
    nah wait oops sorry correction retract scratch unsure uncertain unclear undetermined indeterminate ambiguous
    unknown maybe perhaps possibly possible probably probable presumably guess guessing guessed impossible
    unable unlikely doubt doubts doubtful doubtfully either whichever suppose supposing supposed supposedly
    assume assuming assumed imagine pretend hypothetically hypothetical opposite reverse reversed inverse
    inverted mirrored flipped alternatively alternative depends depending eg example instance versus vs refuse
    decline apologize apologise unidentifiable unanswerable swap swapped undecided unspecified irrelevant idk
    dunno hmm contrary unsupported unverified disagree deny denied denies reject rejected rejects eliminate
    eliminated disproved lied joke joking kidding jk sarcastically ironically that's_right
    dismissed discarded discounted refuted contradicted"""
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
    my mind"""
)
"""The same in several words."""

HEDGES = _words(
    """or might may could likely seemingly apparently somewhere partly partially mostly mainly primarily slightly
    somewhat almost nearly roughly approximately approx about around between halfway ish kinda sorta if unless
    whether formerly previously originally initially once usually often sometimes generally typically normally
    also said says say claim claims claimed claiming alleged allegedly asks ask asked asking quasi semi pseudo
    tends should until bet conceivably arguably want bordering another previous glance thought impression
    extends extending stretches points pointing moving moves heading headed facing shadow reflection least every
    each everywhere everything too included including"""
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
    had there"""
)
"""The same in several words; § stands for an option."""

NUMBER_UNITS = _words(
    "of quarters thirds halves fifths dozen times hundred thousand million percent degrees can by option choice"
)
"""What follows a number that is not how many there are ("one of them", "three quarters", "one can see")."""

ONE_OF = _words("the this that each which any every no some other")
"""What stands before "one" where it is no number."""

NUMBER_HEDGES = _words("most more less fewer over under above below up minimum maximum min max dozen hundred half")
"""What makes a number a bound."""

FOREIGN = _words(
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

ARTICLES = _words("the a an this that these those my your its our his her their")
FILLERS = ARTICLES | _words(
    """very far extreme exact exactly precise precisely absolute dead direct directly immediate overall just only
    simply clearly definitely certainly obviously indeed actually"""
)
"""What may stand between a place and the word that leads to it."""

GOVERNORS = NEGATORS | _words(
    """in at on to toward towards near within inside into onto is it's was were are be being been as located
    situated positioned placed found seen visible shown lies lie lying sits sit sitting stands stand standing
    appears appear looks seems resides rests resting occupies occupying fills filling hanging answer answers
    option choice choose chose select selected pick picked conclusion result response prediction position
    location area region so thus therefore hence and but that's object objects here there then yes ok okay sure
    final correct best it or either"""
)
"""What may lead to a place: after any other word, as in "a third from the top", it is not what the answer names."""

MEASURING = _words("of from part with for than relative compared which what where how")
"""What leads to no place, though questions have it: "half of the top", "a third from the left"."""

PLACE_NOUNS = _words(
    """side part corner edge half third area region section portion quadrant hand zone cell position location place
    end most square sector segment border boundary row column space spot point tile block direction"""
)
"""What a place may be called."""

AFTER_PLACES = PLACE_NOUNS | _words(
    """of in on at as and but because since with where when within inside from near next by relative for which that
    though although while so against yet however instead not nor or either neither then thanks please again"""
)
"""What may follow a place: with any other word, as in "top shelf", it is the name of something else."""

PREDICATES = _words("correct answer location position place option choice wrong it")
"""What follows "is" where a place is said to be the answer ("top left is the answer"), not to be something else."""

ADJECTIVES = _words(
    """dark light bright deep pale vivid vibrant solid pure plain small large big tiny little tall short round
    glossy matte shiny metallic colored coloured painted color colour shape size number count total category
    same single lone nearest closest counted see show shows sees has have having with exactly only contain
    contains just finish surface sheen one perfect regular simple pointed much significantly noticeably texture
    red green blue yellow white black gray grey brown orange purple pink cyan magenta golden silver wooden metal
    plastic old young open empty nearby classified identified described read reads named called"""
)
"""What may stand before an option that is no place."""

VERDICTS = _words(
    """it is that this it's that's actually oh well really at all but and the answer correct right true quite
    exactly so there i do think does be was am are case any of them these would did here in on located
    positioned situated found to a an which ok okay yes he she they we you has have been object"""
)
"""With a negation, these words alone make a clause that takes back or denies what is beside it: "it is not"."""

COPULAS = _words("is was are were am")
"""What joins a side to that of which it is said."""
ASKED_FOR = _words(
    """it it's object objects target item thing answer option choice position location place side direction response
    prediction result conclusion image picture photo"""
)
"""What a side can be said of without "on the": the words of the question are that, too."""
TRUE_BEFORE = _words(
    """that's you're i'm he's she's they're we're all isn't wasn't doesn't aren't exactly quite just absolutely
    perfectly entirely totally completely precisely partly partially so very dead about"""
)
"""Before "right" at the end of a phrase these make it "true"."""
AGREEMENTS = _words("yes yeah yep oh ah aha ok okay sure correct true exactly indeed well absolutely hm mm")
"""The same with a comma between."""
STRAIGHT_AFTER = _words(
    "next beside near behind here there now away answer choice one thing after before back off up along enough"
)
"""After "right" these make it "straight", "at once" or "correct"."""
STRAIGHT_WITHOUT_ARTICLE = _words("on as so then")
"""The same after a "right" without "the"."""
GONE_BEFORE = _words(
    "has have had having been nothing nobody who never are were it he she they we just object objects"
)
"""Before "left" these make it "gone" or "remaining"."""
GONE_AFTER = _words("out over blank behind empty unanswered unsaid alone off open")
"""The same after it."""

SPOILED = frozenset("≠¬❌✗✘✖🚫⛔👎☐☒")
"""Signs that deny."""
