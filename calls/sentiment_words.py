"""What praise and complaint sound like on the phone of a business: words, phrases and weights.

Symptoms (pain, fever, broken tooth) and the business of calling (cancel, bill, sorry, please) weigh
nothing. A word's weight is 1 where it hints, 2 where it says it, 3 where there is no doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final


def _weigh(**words_by_weight: str) -> dict[str, float]:
    signs = {"p": 1.0, "n": -1.0}
    return {
        word: signs[name[0]] * int(name[1])
        for name, words in words_by_weight.items()
        for word in words.split()
    }


WORDS: Final = _weigh(
    p3="""amazing awesome brilliant excellent fantastic incredible marvellous outstanding superb
        wonderful delighted thrilled perfect magnificent phenomenal terrific fabulous lifesaver
        impressed grateful""",
    p2="""great lovely love loved loves adore happy happier glad pleased appreciate appreciated
        enjoy enjoyed enjoying excited satisfied recommend recommended helpful kind nice gentle
        friendly beautiful best thrilling relieved relief delightful pleasure cheers splendid
        professional thoughtful thankful painless super legend star favourite favorite
        efficient comfortable lucky gorgeous""",
    p1="""good better thanks fine easy cool quick fast smooth smoothly handy warm ideal worked
        welcome yay sweet""",
    n3="""terrible horrible awful disgusting disgrace disgraceful ridiculous unacceptable appalling
        outrageous furious scandal worst hate pathetic filthy unbelievable useless incompetent
        fraud scam dreadful shambles""",
    n2="""angry annoyed annoying disappointed disappointing disappointment rude upset unhappy unfair
        complain complaint unprofessional frustrated frustrating frustration dirty ruined regret
        cheated overcharged ignored lied careless impossible refund dissatisfied unreliable
        inconvenient insulting nonsense joke mess wasted waste worse rushed scared nightmare
        misled unsatisfied impatient unsatisfactory""",
    n1="""poor wrong problem nobody never late shame complicated stop worried broken
        expected apology charged manager waited""",
)

NEGATIONS: Final = frozenset(
    [
        "not",
        "no",
        "never",
        "nothing",
        "nobody",
        "none",
        "without",
        "hardly",
        "don't",
        "doesn't",
        "didn't",
        "isn't",
        "wasn't",
        "aren't",
        "weren't",
        "won't",
        "wouldn't",
        "can't",
        "cannot",
        "couldn't",
        "shouldn't",
        "haven't",
        "hasn't",
        "hadn't",
        "ain't",
    ]
)
STRONG: Final = frozenset(
    [
        "very",
        "really",
        "so",
        "extremely",
        "absolutely",
        "totally",
        "completely",
        "truly",
        "quite",
        "incredibly",
        "just",
        "such",
        "honestly",
        "frankly",
    ]
)


def _phrases(pairs: Iterable[tuple[str, float]]) -> list[tuple[re.Pattern[str], float]]:
    return [(re.compile(rf"(?<![a-z]){pattern}(?![a-z])"), weight) for pattern, weight in pairs]


# Taken out of the text before words are weighed, in this order.
PHRASES: Final = _phrases(
    [
        # Courtesies and turns of phrase whose words mislead.
        (r"(?:no|not a|not any) (?:problem|worries|trouble)(?: at all)?", 0.5),
        (r"(?:can't|cannot|can not) thank (?:you|him|her|them) enough", 3),
        (r"(?:can't|cannot|couldn't|could not) (?:be|get) (?:any )?(?:better|happier)", 3),
        (r"(?:can't|couldn't|cannot) complain", 1),
        (r"(?:didn't|did not|doesn't) hurt(?: a bit| at all)?", 1.5),
        (r"thank (?:god|goodness|heavens)", 2),
        (r"thank you (?:so|very) much", 1.5),
        (r"(?:no|no,) thank you|no,? thanks", 0),
        (r"thanks a (?:lot|million)|many thanks|thank you kindly", 1.5),
        (r"thank you|thanks", 0.4),
        (r"looking forward", 1.5),
        (
            r"have a (?:\w+ )?(?:lovely|great|nice|good|wonderful) (?:day|one|evening|weekend|week)",
            1,
        ),
        (r"good (?:morning|afternoon|evening|day|bye)", 0),
        (r"(?:that's|that is|is|it's|sounds|all) (?:fine|okay|ok)(?: too| with me)?", 0),
        (r"would (?:like|love) to know", 0),
        (r"(?:i'd|i would|we'd|we would) rather", 0),
        (r"(?:good|great|best) (?:time|day) (?:to|for)", 0),
        (r"feels? (?:so |much |a lot )*better", 1.5),
        (r"(?:i'm|i am|you're|you are|they're) (?:so |very |really )*(?:kind|sweet)", 2),
        (r"(?:saved|made) my (?:day|week|life)", 2.5),
        (r"happy to (?:confirm|wait|come|pay|hold)", 0.5),
        # Complaints.
        (r"(?:sick|tired|fed up|sick and tired) (?:of|with)", -2.5),
        (r"(?:had|have had|i've had) enough", -2.5),
        (r"lost (?:my |all )?patience", -2.5),
        (r"let (?:me|us) down|feel let down", -2.5),
        (r"not (?:a )?(?:happy|satisfied|pleased|acceptable|good enough|impressed)", -2.5),
        (r"(?:never|not|won't be|not be|aren't) (?:coming|come|going|go) back", -2.5),
        (
            r"(?:go|going|find|look for|take my \w+) (?:to )?(?:somewhere else|elsewhere|another \w+)",
            -2,
        ),
        (r"waste of (?:my |our )?(?:time|money)", -2.5),
        (r"(?:my|our) money back|want a refund", -2.5),
        (
            r"(?:nobody|no one|no-one|none of you) (?:\w+ )?(?:answers?|answered|calls?|called|told|helps?|"
            r"helped|showed|came|apologi[sz]ed|cares?|listens?|listened|wants)",
            -2,
        ),
        (
            r"(?:didn't|did not|never) (?:even )?(?:show up|turn up|call(?:ed)? (?:me )?back|warn|listen|"
            r"apologi[sz]e|tell|told|keep)",
            -2,
        ),
        (r"(?:aren't|not|even|are you) (?:even )?listening", -2),
        (r"(?:doesn't|don't|didn't|does not|do not) (?:even )?(?:help|work|understand)", -1.5),
        (
            r"(?:talk|speak|give me|get me) (?:to )?(?:a |an |the |some )?(?:real |actual |human )*"
            r"(?:person|human|human being|manager|supervisor)",
            -1.5,
        ),
        (
            r"(?:don't|do not) want to (?:talk|speak) to (?:a |this )?(?:machine|robot|bot|computer)",
            -2,
        ),
        (r"(?:how many times|how hard can|why does nobody|why is it so|why do i have to)", -2),
        (r"(?:the )?(?:third|fourth|fifth|second|tenth) time (?:i|you|this|that|now)", -1.5),
        (
            r"(?:called|tried|been trying|calling|rung) (?:\w+ )?(?:two|three|four|five|six|many|several) "
            r"times",
            -1.5,
        ),
        (
            r"(?:waited|waiting|wait|on hold|stood|sat there) (?:\w+ ){0,2}?(?:for )?(?:an hour|\w+ hours|"
            r"(?:twenty|thirty|forty|fifty|sixty|\d\d) minutes)",
            -1.5,
        ),
        (r"(?:an|one|two) hours? (?:late|past|and)", -1),
        (
            r"(?:lost|cancelled|canceled|moved|forgot|changed) (?:on )?(?:my|me|our) ?"
            r"(?:booking|appointment|slot|reservation)? again",
            -2,
        ),
        (r"again\?", -1),
        (r"(?:won't|not|refuse to) (?:pay|paying) (?:that|it|this|for)", -1.5),
        (r"this is not the first", -1.5),
        (r"not what (?:i|we) (?:asked|ordered|paid|wanted|booked)", -2),
        (r"(?:expected|deserve) (?:more|better)", -2),
        (r"nothing at all", -1),
        (r"what did i pay for", -2),
        (r"could (?:cry|scream)", -2),
        (r"(?:charged|billed) (?:me |us )?(?:twice|double|too much)", -2),
        (r"(?:gone|got|getting|went) (?:down|worse|downhill)", -2),
        (r"because of you", -1.5),
        (r"you people", -1.5),
        (r"forget it|don't bother", -1.5),
        (r"(?:write|leave|post) (?:a |you )?(?:bad )?review", -1),
        (r"at the last minute", -0.5),
        (r"no idea what", -1.5),
        (r"without (?:even )?(?:asking|telling)", -1.5),
        (r"left immediately|walked out", -1.5),
        (r"wrong (?:address|date|day|time|number|place|invoice|bill)", -1),
    ]
)
