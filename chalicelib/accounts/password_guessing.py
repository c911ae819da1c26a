"""Estimate whether a password is among the first million guesses, by zxcvbn's word lists and formulas, in bounded time.

zxcvbn tries every split of a password into parts, and every replacement of digits and signs by letters. For 72
characters that can take seconds, and anonymous callers could cause it. By zxcvbn's formula, guessing a password of n
parts takes at least 10,000 ** (n - 1) guesses, so a password that takes fewer than a million has at most two parts.
Each of two parts is a prefix or a suffix, so only prefixes and suffixes are checked. Words with signs in place of
letters are looked up in an index.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from math import inf
from typing import Any

from zxcvbn import matching, scoring
from zxcvbn.frequency_lists import FREQUENCY_LISTS

GUESSES_TOO_FEW = 1_000_000
READ_MAX = 72
"""The number of characters that are checked. All common passwords are shorter."""
OWN_WORDS_MAX = 60
"""The maximum number of words from the user's own address and name that are checked. Most users have fewer."""

_OF_A_CHARACTER = scoring.BRUTEFORCE_CARDINALITY
_TRIED_MAX = 5
_OF_ANOTHER_PART = scoring.MIN_GUESSES_BEFORE_GROWING_SEQUENCE
_DATE_MAX = 10
_TURNS_MAX = 8
"""Maximum number of turns of a keyboard walk. A walk with more turns takes over a million guesses, and computing its
number of guesses takes long.
"""
_CLASSES = ("a4@", "b8", "c({[<", "e3", "g69", "il1!|7t+", "o0", "s$5", "x%", "z2")
"""Classes of characters: a letter, followed by the signs that replace it in `matching.L33T_TABLE`. Letters that share
signs, such as i, l and t, form one class.
"""
_FOLD = str.maketrans({sign: each[0] for each in _CLASSES for sign in each[1:]})

Ranks = Mapping[str, int]


def is_guessable(password: str, own_words: Iterable[str]) -> bool:
    """Return whether an attacker who knows the user's `own_words` needs fewer than a million guesses to find
    `password`.
    """
    own: dict[str, int] = {}
    for rank, word in enumerate(islice(own_words, OWN_WORDS_MAX), 1):
        own.setdefault(word.lower()[:READ_MAX], rank)
    return _guesses(password[:READ_MAX], own) < GUESSES_TOO_FEW


def _guesses(text: str, own: Ranks) -> float:
    """Return the number of guesses for the easiest split of `text` into one or two parts; `inf` if no split is
    guessable.
    """
    firsts, lasts = _brute_force_guesses(text), _brute_force_guesses(text)
    for start, end, guesses in _parts(text, own):
        if start == 0:
            firsts[end] = min(guesses, firsts.get(end, inf))
        if end == len(text):
            lasts[len(text) - start] = min(guesses, lasts.get(len(text) - start, inf))
    of_two = (2 * guesses * lasts.get(len(text) - end, inf) + _OF_ANOTHER_PART for end, guesses in firsts.items())
    return min(firsts.get(len(text), inf), *of_two)


def _brute_force_guesses(text: str) -> dict[int, float]:
    """Return the number of brute-force guesses for a short part of `text`, by the length of the part."""
    lengths = range(1, min(len(text), _TRIED_MAX) + 1)
    return {length: float(max(_OF_A_CHARACTER**length, 1 + _minimum_guesses(length, text))) for length in lengths}


def _parts(text: str, own: Ranks) -> Iterator[tuple[int, int, float]]:
    """Yield the start, end and number of guesses of each prefix and suffix of `text` that matches a pattern."""
    end = len(text)
    longest = min(end, max([_longest(), *map(len, own)]))
    for length in range(1, longest + 1):
        for start in {0, end - length}:
            guesses = _word_guesses(text[start : start + length], own)
            if guesses < inf:
                yield start, start + length, max(guesses, _minimum_guesses(length, text))
    for match in (*matching.sequence_match(text), *matching.regex_match(text), *_walks(text), *_dates(text)):
        if match["i"] == 0 or match["j"] == end - 1:
            yield match["i"], match["j"] + 1, float(scoring.estimate_guesses(match, text))
    for length, period in _repeats(text):
        yield 0, length, _repeat_guesses(text[:period], length, text, own)
    for length, period in _repeats(text[::-1]):
        yield end - length, end, _repeat_guesses(text[end - period :], length, text, own)


def _minimum_guesses(length: int, text: str) -> int:
    """Return the minimum number of guesses for a part of `text` with this length.

    A part that is shorter than `text` takes at least zxcvbn's minimum, because the attacker doesn't know where it ends.
    """
    if length == len(text):
        return 1
    return scoring.MIN_SUBMATCH_GUESSES_SINGLE_CHAR if length == 1 else scoring.MIN_SUBMATCH_GUESSES_MULTI_CHAR


def _word_guesses(token: str, own: Ranks) -> float:
    """Return the number of guesses for `token`; `inf` if it is neither a listed word nor one of the user's `own` words.

    Reversed words, and words with signs in place of letters, are recognised.
    """
    word, best = token.lower(), inf
    for spelled, factor in ((word, 1), (word[::-1], 2)):
        rank = min(_ranks().get(spelled, inf), own.get(spelled, inf))
        if rank < inf:
            best = min(best, rank * factor * _variations(token))
    for spelled, rank in _readings(word, own):
        signs = {sign: letter for sign, letter in zip(word, spelled, strict=True) if sign != letter}
        if signs and all(sign in matching.L33T_TABLE.get(letter, ()) for sign, letter in signs.items()):
            match: Any = {"token": token, "rank": rank, "l33t": True, "sub": signs}
            best = min(best, scoring.dictionary_guesses(match))
    return best


def _variations(token: str) -> int:
    match: Any = {"token": token}
    return int(scoring.uppercase_variations(match))


def _readings(word: str, own: Ranks) -> Iterator[tuple[str, int]]:
    """Yield each listed word and each of the user's `own` words that `word` may represent, with its rank.

    The yielded word differs from `word` only where a sign may replace a letter.
    """
    if word.isalpha():
        return
    folded = word.translate(_FOLD)
    for spelled in _index_by_fold().get(folded, "").split("\n"):
        if len(spelled) == len(word) > 1:
            yield spelled, _ranks()[spelled]
    for spelled, rank in own.items():
        if len(spelled) == len(word) > 1 and spelled.translate(_FOLD) == folded:
            yield spelled, rank


def _walks(text: str) -> Iterator[Any]:
    return (match for match in matching.spatial_match(text) if match["turns"] <= _TURNS_MAX)


def _dates(text: str) -> Iterator[Any]:
    """Yield the dates at the start of `text` and those within its last 10 characters.

    The rest isn't searched, because zxcvbn compares all pairs of dates, which is slow in a long text.
    """
    yield from (match for match in matching.date_match(text[:_DATE_MAX]) if match["i"] == 0)
    after = max(0, len(text) - _DATE_MAX)
    for match in matching.date_match(text[after:]):
        yield {**match, "i": match["i"] + after, "j": match["j"] + after}


def _repeats(text: str) -> Iterator[tuple[int, int]]:
    """For each prefix of `text` that consists of one part repeated, yield the length of the prefix and the length of
    the part.

    This takes one pass, with the prefix function of Knuth, Morris and Pratt.
    """
    borders = [0]
    for end in range(2, len(text) + 1):
        border = borders[-1]
        while border and text[border] != text[end - 1]:
            border = borders[border - 1]
        borders.append(border + (text[border] == text[end - 1]))
        period = end - borders[-1]
        if period < end and end % period == 0:
            yield end, period


def _repeat_guesses(base: str, length: int, text: str, own: Ranks) -> float:
    return max(_guesses(base, own) * (length // len(base)), _minimum_guesses(length, text))


@cache
def _ranks() -> Ranks:
    """Return the rank of every listed word: the best one if several lists contain the word."""
    ranks: dict[str, int] = {}
    for words in FREQUENCY_LISTS.values():
        for rank, word in enumerate(words, 1):
            ranks[word] = min(rank, ranks.get(word, rank))
    return ranks


@cache
def _longest() -> int:
    return max(map(len, _ranks()))


@cache
def _index_by_fold() -> Mapping[str, str]:
    """Return an index of the listed words by their folded form, in which each character of a class is replaced by its
    letter.

    Words with the same folded form are joined by newlines.
    """
    index: dict[str, str] = {}
    for word in _ranks():
        folded = word.translate(_FOLD)
        index[folded] = f"{index[folded]}\n{word}" if folded in index else word
    return index
