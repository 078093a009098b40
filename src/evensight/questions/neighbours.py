"""The words that stand beside an option: what can lead to one, what can follow, and what gives it another sense.

They are data, in lower case; `mentions` and `other_senses` say what each set does.
"""

from evensight.questions.answer_words import NEGATORS, words

NUMBER_UNITS = words(
    "of quarters thirds halves fifths dozen times hundred thousand million percent degrees can by option choice"
)
"""What follows a number that is not how many there are ("one of them", "three quarters", "one can see")."""

ONE_OF = words("the this that each which any every no some other")
"""What stands before "one" where it is no number."""

POSSESSIVES = words("my your its our his her their")
"""Before a side these make it the side of something: "on its left" is where something else is."""
FILLERS = POSSESSIVES | words(
    """the a an this that these those very far extreme exact exactly precise precisely absolute dead direct directly
    immediate overall just only simply clearly definitely certainly obviously indeed actually"""
)
"""What may stand between a place and the word that leads to it."""

GOVERNORS = NEGATORS | words(
    """in at on to toward towards near within inside into onto is it's was were are be being been as located
    situated positioned placed found seen visible shown lies lie lying sits sit sitting stands stand standing
    appears appear looks seems resides rests resting occupies occupying fills filling hanging answer answers
    option choice choose chose select selected pick picked conclusion result response prediction position
    location area region so thus therefore hence and but that's object objects here there then yes ok okay sure
    final correct best it or either"""
)
"""What may lead to a place: after any other word, as in "a third from the top", it is not what the answer names."""

MEASURING = words("of from part with for than relative compared which what where how")
"""What leads to no place, though questions have it: "half of the top", "a third from the left"."""

PLACE_NOUNS = words(
    """side part corner edge half third area region section portion quadrant hand zone cell position location place
    end most square sector segment border boundary row column space spot point tile block direction"""
)
"""What a place may be called."""

AFTER_PLACES = PLACE_NOUNS | words(
    """of in on at as and but because since with where when within inside from near next by relative for which that
    though although while so against yet however instead not nor or either neither then thanks please again"""
)
"""What may follow a place: with any other word, as in "top shelf", it is the name of something else."""

PREDICATES = words("correct answer location position place option choice wrong it")
"""What follows "is" where a place is said to be the answer ("top left is the answer"), not to be something else."""

ADJECTIVES = words(
    """dark light bright deep pale vivid vibrant solid pure plain small large big tiny little tall short round
    glossy matte shiny metallic colored coloured painted color colour shape size number count total category
    same single lone nearest closest counted see show shows sees has have having with exactly only contain
    contains just finish surface sheen one perfect regular simple pointed much significantly noticeably texture
    red green blue yellow white black gray grey brown orange purple pink cyan magenta golden silver wooden metal
    plastic old young open empty nearby classified identified described read reads named called"""
)
"""What may stand before an option that is no place."""

HEADINGS = (
    GOVERNORS
    | PLACE_NOUNS
    | ADJECTIVES
    | words("solution output verdict label final total summary following description where what assistant bot model")
)
"""What a short heading may end on ("Location: top left"): under any other ("Trap: top left") nothing is answered."""

COPULAS = words("is was are were am")
"""What joins a side to that of which it is said."""
ASKED_FOR = words(
    """it it's object objects target item thing answer option choice position location place side direction response
    prediction result conclusion image picture photo"""
)
"""What a side can be said of without "on the": the words of the question are that, too."""
TRUE_BEFORE = words(
    """that's you're i'm he's she's they're we're all isn't wasn't doesn't aren't exactly quite just absolutely
    perfectly entirely totally completely precisely partly partially so very dead about"""
)
"""Before "right" at the end of a phrase these make it "true"."""
AGREEMENTS = words("yes yeah yep oh ah aha ok okay sure correct true exactly indeed well absolutely hm mm")
"""The same with a comma between."""
STRAIGHT_AFTER = words(
    "next beside near behind here there now away answer choice one thing after before back off up along enough"
)
"""After "right" these make it "straight", "at once" or "correct"."""
STRAIGHT_WITHOUT_ARTICLE = words("on as so then")
"""The same after a "right" without "the"."""
GONE_BEFORE = words(
    "has have had having been nothing nobody who never are were it he she they we just object objects"
)
"""Before "left" these make it "gone" or "remaining"."""
GONE_AFTER = words("out over blank behind empty unanswered unsaid alone off open")
"""The same after it."""
