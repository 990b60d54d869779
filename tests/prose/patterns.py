r"""Idioms that make readers stumble, and the plain words to use instead.

A space in an expression matches any white space, so an idiom may go over a line break.
`\A` matches the start of a docstring, comment, message or test name. Case does not count.
"""

import re
from dataclasses import dataclass
from typing import Final

_LOOK_BEHIND: Final = re.compile(r"\(\?<[!=][^()]*\)")
"""Must have a fixed width, so a space in it matches one white space only."""

_START: Final = r"(?:\A\W*|(?<=[.;:!?]) )"
"""The start of a sentence."""

_PLACE: Final = "".join(
    rf"(?<!{noun}\s)"
    for noun in (
        "case", "cases", "place", "places", "point", "situation", "situations", "scenario",
        "scenarios", "position", "directory", "folder", "one", "those", "from", "to", "of",
        "know", "knows", "line", "module", "file", "class", "environments", "example", "that",
        "systems", "platforms", "column", "level", "mode", "context", "see", "world", "location",
    )
)  # fmt: skip
"""Before "where": not after the name of a place or case."""

_PROGRAM: Final = (
    r"(?:broker|client|fence|runtime|process|gateway|consumer|exporter|books|brokers|code|"
    r"provider|service|store|database|notifications|edge|ledger|inventory|log|leader|platform)"
)


@dataclass(frozen=True)
class Pattern:
    """An idiom, what finds it, and what to write instead."""

    name: str
    expression: re.Pattern[str]
    instead: str


def _pattern(name: str, expression: str, instead: str) -> Pattern:
    spaced = _LOOK_BEHIND.sub(lambda found: found[0].replace(" ", r"\s"), expression)
    spaced = spaced.replace(" ", r"\s+")
    return Pattern(name, re.compile(spaced, re.IGNORECASE), instead)


_CONDITIONS: Final = (
    _pattern(
        "none where",
        r"\b(?:none|nothing|false|true|zero|0|nan|empty|unknown) where\b",
        "if",
    ),
    _pattern("raise where", r"\braises?\b[^.;]{1,80}? where\b", "if"),
    _pattern("even where", r"\b(?:even|also|only|but|except) where\b", "if"),
    _pattern(
        "where there is",
        _PLACE + r"\bwhere (?:there (?:is|are|was|were)|nothing|none|nobody|no \w+|neither)\b",
        "if",
    ),
    _pattern(
        "where it is not",
        _PLACE + r"\bwhere (?:it|they|one|that|this|(?:the|a|an|its|some) \w+) "
        r"(?:is|are|(?:was|were)(?= not)|does|do|did|has|have|had|can|could|may|must|cannot|says?|"
        r"wants?)\b",
        "if",
    ),
    _pattern("where …,", _START + r"where (?!to|from)[^.,;?]{3,70},", "if"),
    _pattern("made where missing", r"\bwhere (?:missing|needed|wanted|known|given)\b", "if"),
    _pattern("be it", r"\bbe (?:it|its|they|their|he)\b(?! \w+ing)", "even if; whether or not"),
    _pattern("should it …, ", _START + r"should (?:a|the|it|they|one) [^.?]{3,60},", "if"),
    _pattern(
        "is it …, then",
        _START + r"(?:is|are|was|were) (?:it|the|a|there) [^.?;]{3,70}, (?!and|or)[^.?]*\.",
        "if it is …",
    ),
    _pattern("lest", r"\blest\b", "so that … not"),
)

_SPEECH: Final = (
    _pattern("says", r"\bsays\b(?!,)", "contains, returns, reports, names"),
    _pattern(
        "say so",
        r"\bsay (?:so|which|that|what|whether|how|why|where|nothing|of|it|once|who|whose|yes)\b",
        "report, return, state",
    ),
    _pattern("is said", r"\b(?:is|are|was|were|be|been|has|had|have|what \w+) said\b", "reported"),
    _pattern(
        "programs say",
        r"\b(?:may|must|can|does not|do not|did not|could|orders|batch|that|to) say\b"
        r"(?! the least)",
        "contain, report, return",
    ),
    _pattern("tell whether", r"\btells? whether\b", "return whether"),
    _pattern(
        "tells",
        r"\btells\b|\btell (?:of|what|which|where|how|why|behind|that|something|prometheus)\b",
        "shows, reports, returns",
    ),
    _pattern("is told", r"\b(?:is|are|was|were|be|been|as|amount|none) told\b", "receives"),
    _pattern("hears", r"\b(?:hears?|heard)\b", "receives; is called when"),
    _pattern("has a say", r"\b(?:has|have|had|no|a) say in\b|\bhave a say\b", "can affect"),
    _pattern("speaks of", r"\b(?:speaks?|spoken|spoke|talks?) of\b", "is about; mentions"),
    _pattern("in words", r"\bin (?:words|so many words)\b|\bhas words\b|\bhave words\b", "as text"),
    _pattern(
        "asked",
        r"\b(?:is|are|was|were|be|been|not|than|what) asked\b(?! to)",
        "queried, requested",
    ),
    _pattern(
        "programs know",
        rf"\b{_PROGRAM} (?:no longer |does not |do not |cannot )?knows?\b",
        "has, stores, supports",
    ),
    _pattern("knows of", r"\bknows? of\b|" + _START + r"knows\b", "has, stores"),
    _pattern("know it by", r"\bknows? (?:a|an|the|it|them) ?\w* by\b", "identify by"),
    _pattern("wanted", r"\b(?:is|are|was|were|those|than|samples|be) wanted\b", "requested"),
)

_PLACES: Final = (
    _pattern("stands", r"\bstands\b(?! (?:out|alone|up))|\bstood\b", "is; is stored"),
    _pattern(
        "stand", r"\bstand (?:behind|for|there|where|in|at|below|among|under|on|within)\b", "be"
    ),
    _pattern(
        "lies",
        r"\b(?:lies|lie|lay) (?:in|on|there|beside|between|whole|at|under|behind|below)\b"
        r"|\b(?:token|it|they|what|order) lies\b",
        "is; is stored",
    ),
    _pattern("nowhere", r"\bnowhere\b", "not … anywhere"),
    _pattern("beside", r"\bbeside\b", "next to, along with, as well as"),
    _pattern("goes on", r"\b(?:goes?|went|going) on\b(?! to\b| the\b)", "continues"),
)

_PEOPLE: Final = (
    _pattern("nobody", r"\bnobody(?:['\u2019]s)?\b", "no one; use the passive; unused"),
    _pattern("somebody", r"\bsomebody(?:['\u2019]s)?\b", "someone; another; name who"),
    _pattern("a person", r"\ba person\b", "an operator; someone"),
    _pattern("whoever", r"\bwho(?:ever|mever|soever)\b", "name who: the caller, the reader"),
    _pattern(
        "whatever",
        _START + r"whatever\b|\bwhatever (?:becomes?|became|it|they|its|their|the|happens)\b"
        r"|\b(?:in|of|by|from|for|with) whatever\b",
        "any; name the thing; even if",
    ),
    _pattern("whichever", r"\bwhichever\b", "either; the first of"),
    _pattern("of ours", r"\bof (?:ours|theirs|yours|hers|mine|his)\b", "our, your, their"),
    _pattern("ours", r"(?<!of )\b(?:ours|theirs|yours)\b", "our own; name the thing"),
)

_OUTCOMES: Final = (
    _pattern("became of", r"\b(?:became|becomes?|becoming) of\b", "the outcome, the result of"),
    _pattern("came of", r"\b(?:comes?|came|coming) of\b(?! age)", "results from; the result of"),
    _pattern(
        "what it came to",
        r"\bwhat (?:\w+ ){0,6}?(?:comes?|came) to\b|\bwhatever (?:\w+ )?comes? to\b",
        "the result of",
    ),
    _pattern("let go", r"\blet(?:s|ting)? (?:go|\w+ go)\b", "drop, release"),
    _pattern("anew", r"\banew\b", "again"),
    _pattern("once more", r"\bonce more\b|\bover again\b", "again"),
    _pattern("in vain", r"\bin vain\b", "without success"),
    _pattern("for ever", r"\bfor ever\b", "forever; permanently"),
    _pattern("gone", r"\b(?:is|are|was|were|be) gone\b", "no longer exists; was removed"),
    _pattern(
        "is kept",
        r"\b(?:is|are|was|were|be|been) kept(?=[.,:;]|\Z| whole| for ever| with| on| again| once)"
        r"|\bkept (?:deliver\w+|on|of)\b",
        "stored",
    ),
    _pattern(
        "taken in",
        r"\b(?:taken?|takes|took) (?:in|it in|them in)\b(?! (?:the|a|an|order|turns?|which)\b)"
        r"|\btaken (?:for|up)\b",
        "accepted; mistaken for",
    ),
    _pattern("mend", r"\bmend(?:s|ed|ing)?\b", "fix, repair, correct"),
    _pattern("time is over", r"\btime (?:is|was|has) (?:over|up|run out)\b", "expired"),
    _pattern("meanwhile", r"\bmeanwhile\b", "in the meantime; since; by then"),
    _pattern("in one go", r"\b(?:in one go|at a stretch|by hand)\b", "at once; manually"),
)

_RIDDLES: Final = (
    _pattern(
        "what it comes to",
        r"\A\W*what (?:a|an|the|each|every|one) \w+ "
        r"(?:is|are|was|were|has|have|may|can|does|came|knows)\b"
        r"|\A\W*who (?:is|has|knows|can|may)\b(?![^.]*\?)",
        "start with a noun or a verb",
    ),
    _pattern(
        "what makes it",
        _START + r"(?:return|take|name|make|run|have)s? what "
        r"(?:makes|reads|compares|applies|renders|writes|keeps|does|became|came|tells|stands)\b",
        "name the thing",
    ),
    _pattern(
        "of its own",
        r"\b(?:a|an|with|in|and) \w+ of (?:its|their|our) own\b|\bof our own\b",
        "its own; separate",
    ),
    _pattern("have it done", r"\A\W*have (?!been\b|to\b|you\b|a look)", "use the verb itself"),
    _pattern(
        "is no",
        r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|such\b|different\b|other\b|need\b|"
        r"way\b|reason\b|guarantee\b|less\b|point\b|problem\b|one\b|good\b|better\b|easy\b|op\b|"
        r"matter\b|big\b|real\b|shortcut\b)[a-z]\w*",
        "is not a",
    ),
    _pattern("is none", r"(?<!there )\b(?:is|are|was|were) (?-i:none)\b(?! of)", "is missing"),
    _pattern("no such … is", r"\bno such \w+ (?:is|has|does|can)\b", "no … is"),
    _pattern("it is not … that", r"\bit is not [^.,;]{3,40} that\b", "say it directly"),
    _pattern("is to be", r"\b(?:is|are|was|were|one) to be\b", "must be; will be"),
    _pattern(
        "has to be there", r"\b(?:has|have) to be there\b|\b(?:what|as) it has to\b", "required"
    ),
    _pattern(
        "inversion",
        _START + r"(?:nor|never|neither|not|so|only then|just so) "
        r"(?:is|are|was|were|does|do|did|has|have|had|can|may|must|it has|it is)\b(?! not\b)",
        "subject first",
    ),
    _pattern("whereupon", r"\b(?:where|there|here)(?:upon|of|in|by|after|to)\b", "then; of it"),
    _pattern("upon", r"\b(?:upon|thus|hence|shall)\b(?! entry| request)", "on; so; must"),
    _pattern(
        "of no matter", r"\bof (?:no )?(?:matter|use|concern|interest) (?:to|here)\b", "matters"
    ),
    _pattern("as it stands", r"\bas (?:it|they) (?:was|were|came|comes|lies)\b", "unchanged"),
    _pattern("so it has", _START + r"(?:so )?it (?:has|is|was|does)[.,]", "name the state"),
)

_HABITS: Final = (
    _pattern("behind what", r"\b(?:behind|among|under|beside|by|with|at) what\b", "name the thing"),
    _pattern("stays so", r"\bstays? (?:so|where|as)\b", "remains"),
    _pattern("wants it", r"(?<!user )(?<!one )(?<!who )(?<!you )\bwants\b(?! to)", "needs"),
    _pattern("whose it is", r"\bwhose (?:it|they|stock|order|money) (?:is|are)\b", "the owner of"),
    _pattern("oneself", r"\boneself\b|\bone another\b|\bwhom\b", "you; each other; who"),
    _pattern(
        "a try",
        r"\b(?:a|one|each|every|this|next|last|earlier|another|later|of the|first|what the) try\b"
        r"(?! block| to|/|-)|\b(?:the|its|their|between|of) tries\b",
        "attempt",
    ),
    _pattern(
        "a look", r"\b(?:a|each|every|one|two|between|next|last|the) looks?\b(?! and)", "check"
    ),
    _pattern("to be had", r"\b(?:be|are|is|were) had\b", "happen; be available"),
    _pattern(
        "starts with what",
        r"\A\W*(?:(?:by|on|of|with|to|from|for) )?(?:what|who|whom|whose|those)\b"
        r"(?![^.]*\?)(?!['\u2019])",
        "start with a noun or a verb",
    ),
    _pattern(
        "return what",
        _START + r"(?:return|note|write|read|take|forget|remember|lay|store|send|apply|show|make|"
        r"log|count|verify|carry|begin with|drop|keep|put|give|set|print|remove|refuse|fill|place|"
        r"raise|yield|learn|change|decide|claim)s? (?:\w+ )?(?:what|whose|whom)\b",
        "name the thing",
    ),
    _pattern(
        "named for what it is",
        r"\b(?:as|for|than|not|into|to) what (?:it|they|has|\w+ has|\w+ is|is)\b",
        "name the thing",
    ),
    _pattern("of now", r"\bof (?:now|today|then)\b", "current"),
    _pattern("else", r"[.;] else\b(?! (?:if|:))", "otherwise"),
    _pattern("so many", r"\bso (?:many|much)\b(?! that)(?! so\b)", "this many; name the number"),
    _pattern(
        "connects to nothing",
        r"\b(?:to|for|tells?|knows?|shows?|with|says?|leads to|takes?|does) "
        r"nothing\b(?! else| but)",
        "does not …",
    ),
    _pattern(
        "nothing of it",
        r"\b(?:nothing|fetched|known|read|bytes?|pieces?|reads|much|left|any|some|little) of it\b",
        "name the thing",
    ),
    _pattern("may not", r"\bmay not\b", "must not; might not"),
    _pattern("the one after", r"\bone (?:after|below|behind) (?:the other|another)\b", "in order"),
)
"""Right now and then, tiring as a habit."""

PATTERNS: Final = (*_CONDITIONS, *_SPEECH, *_PLACES, *_PEOPLE, *_OUTCOMES, *_RIDDLES)
"""What every check looks for."""

STRICT_PATTERNS: Final = (*PATTERNS, *_HABITS)
"""What a strict check looks for."""
