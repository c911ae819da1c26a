"""The estimated number of guesses agrees with zxcvbn up to a million, and the estimate takes limited time."""

import gc
import time
from collections.abc import Callable
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS
from zxcvbn.matching import L33T_TABLE

from chalicelib.accounts import password_guessing, passwords
from tests.support import exhaustive

OWN = ["ada.lovelace@example.com", "ada.lovelace", "example.com", "Ada Lovelace", "AdaLovelace", "Ada", "Lovelace"]
SIGNS = "4@8({[<3691!|70$5+%2"
WORDS = st.sampled_from(FREQUENCY_LISTS["passwords"][:3_000] + FREQUENCY_LISTS["english_wikipedia"][:3_000])
ROWS = st.sampled_from(["qwertyuiop", "asdfgh", "zxcvbnm", "1qaz2wsx", "poiuyt", "abcdef", "98765", "789456"])
DATES = st.dates().map(lambda day: f"{day.day}/{day.month}/{day.year}")


@st.composite
def with_signs(draw: st.DrawFn) -> str:
    """Generate words of which some letters are replaced by look-alike characters."""
    word = draw(WORDS)
    return "".join(draw(st.sampled_from([letter, *L33T_TABLE.get(letter, [])])) for letter in word)


PARTS = st.one_of(
    WORDS,
    WORDS.map(lambda word: word[::-1]),
    WORDS.map(str.capitalize),
    WORDS.map(str.upper),
    with_signs(),
    ROWS,
    DATES,
    st.integers(0, 10**8).map(str),
    st.text("abXY09!$@", min_size=1, max_size=4),
    st.sampled_from(OWN),
)
PASSWORDS = st.builds(
    lambda parts, times: ("".join(parts) * times)[:20], st.lists(PARTS, min_size=1, max_size=3), st.integers(1, 3)
)


@settings(max_examples=exhaustive.examples(60), deadline=None)
@given(PASSWORDS)
def test_password_that_zxcvbn_calls_guessable_is_guessable(password: str) -> None:
    """Words in any spelling, keyboard walks, dates, repetitions and pairs of them are guessable."""
    if zxcvbn(password, user_inputs=OWN)["guesses"] < password_guessing.GUESSES_TOO_FEW:
        assert password_guessing.is_guessable(password, OWN)


@pytest.mark.parametrize(
    "password",
    [
        *(
            "rT7-zebra vault",
            "correct horse battery staple",
            "пурпурный єнот",
            " 山川草木鳥獣虫魚天地 ",
            "x9$Lq!72vbN#",
        ),
        *("Tr0ub4dour&3xyz", "kV3!jfPq9z_w", "twelve.monkeys.ate", "1n73rn4710n4l1z@710n-m4rk", SIGNS),
    ],
)
def test_password_of_three_parts_is_not_guessable(password: str) -> None:
    """A password of three parts or of six random characters is not guessable."""
    assert not password_guessing.is_guessable(password, OWN)


@pytest.mark.parametrize(
    "password",
    [
        *("p4$$w0rd1234", "p@55w0rdp@55w0rd", "dr0w$$@pdr0w$$@p", "qwertyuiop2017"),
        *("zaq1zaq1zaq1", "adalovelaceada", "ADA LOVELACE", "999999999999999999999999", "x7qx7qx7qx7q"),
    ],
)
def test_password_of_one_or_two_parts_is_guessable(password: str) -> None:
    """A password of one or two parts is guessable in any spelling."""
    assert password_guessing.is_guessable(password, OWN)


def test_characters_after_the_72nd_are_ignored() -> None:
    """Characters after the 72nd don't make a guessable beginning harder to guess."""
    assert password_guessing.is_guessable("password" * 9 + "rT7-zebra vault", [])


def measure_ns(check: Callable[[], object]) -> int:
    """Return the least CPU time of several runs, in nanoseconds."""
    gc.disable()
    try:
        times = []
        for _ in range(3):
            started = time.process_time_ns()
            check()
            times.append(time.process_time_ns() - started)
    finally:
        gc.enable()
    return min(times)


UNITS = f"{SIGNS} !1|7l+it 1|7 a ab aab 1 19 1/1/ qwertyuiop qazwsx abcdefghijkl É İ password P4$$w0rd @4 aA the"
MORE_UNITS = "elizabeth 6yhnjuik zxzxxzxz a1b2 aaaaaaab abaababaabaab 1212010 12.1.2010 li1|!7+ ()"


@lru_cache(maxsize=1)
def hashing_ns() -> int:
    """Return the CPU time of hashing a password, in nanoseconds."""
    return measure_ns(lambda: passwords.hash_password("aB3" * 24))


@pytest.mark.parametrize("unit", [*UNITS.split(" "), *MORE_UNITS.split(" ")])
def test_estimate_takes_no_longer_than_hashing(unit: str) -> None:
    """Estimating the guesses is faster than hashing, even for passwords for which zxcvbn takes seconds."""
    password = (unit * 72)[:72]
    for own in ([], OWN, ["4@" * 36, *(f"w{number}" for number in range(500))]):
        password_guessing.is_guessable(password, own)
        assert measure_ns(lambda own=own: password_guessing.is_guessable(password, own)) < hashing_ns()  # type: ignore[misc]


ONE_IDEA = (
    "password drowssap Password PASSWORD passwOrd pAssword paSSword PassworD p@ssword P4$$w0rd dr0w$$@p l0ve|ace"
    " 1ovelace E1!zabeth lovelace ecalevol adalovelace password1 1password password123 zebra x7 ab abc zq zqv zqvx"
    " zqvxk qwertyuiop zxcvbn 1qaz2wsx 1q2w3e4r5t zxcvfr4 qwedsazxc 7ujmnhy6 4rfv mnbvcxz abcdef 98765 13579 zyxwv"
    " acegik 1997 1850 19970513 13.5.1997 123456 111111 8aseball (ricket dra6on se%y 2ebra t0"
)
TWO_IDEAS = (
    "Lovelace1 ivxlcdm l10v3 passwordx xpassword passwordzq passwordzqv passwordzqvx zqpassword zqvpassword"
    " zqvxpassword passwordxy passwordzqvxk zqvxkpassword zebravault qwertypassword zebraqwerty password1997"
    " abcdefzebra zebraabcdef zebraab 123password asdfpassword passwordasdf drowssapzebra zebradrowssap p4sswordzebra"
    " zebrap4ssword Passwordzebra zebraPassword lovelaceada abababpassword passwordababab aaaazebra abcabczebra"
    " passwordpasswordzebra 13.05.1997zebra zebra13.05.1997 13/5/97zebra zebra13/5/97 1997-05-13password"
    " password1997-05-13 passwordevgeniya evgeniyapassword passwordstjean"
    " passworda zq13.5.97 !ovelace"
)


@pytest.mark.parametrize("password", [*ONE_IDEA.split(), *TWO_IDEAS.split()])
def test_guesses_for_one_or_two_parts_agree_with_zxcvbn(password: str) -> None:
    """The number of guesses equals zxcvbn's, except that zxcvbn adds one if the password is a single part."""
    own: dict[str, int] = {}
    for rank, word in enumerate(OWN, 1):
        own.setdefault(word.lower(), rank)
    said = zxcvbn(password, user_inputs=OWN)
    is_one = len(said["sequence"]) == 1
    assert is_one is (password in ONE_IDEA.split())
    assert password_guessing._guesses(password, own) == pytest.approx(float(said["guesses"]) - is_one, abs=1e-3)


@pytest.mark.parametrize(
    ("password", "guesses"),
    [("zebrazebra", 2 * 4_103), ("zebrazebrazebra", 3 * 4_103), ("xyxyxy", 3 * 52), ("1212", 16), ("aaaa", 40)],
)
def test_guesses_for_a_repetition_are_those_of_its_base_times_its_count(password: str, guesses: int) -> None:
    """Guessing a repetition takes as many guesses as the repeated text, multiplied by the number of repetitions."""
    assert password_guessing._guesses(password, {}) == guesses


def test_password_that_takes_a_million_guesses_is_accepted() -> None:
    """A password that takes a million guesses is accepted, and one that takes one guess fewer is rejected."""
    assert password_guessing._guesses("passwordevgeniya", {}) == 1_000_000
    assert not password_guessing.is_guessable("passwordevgeniya", [])
    assert password_guessing.is_guessable("passwordstjean", [])


def test_72_characters_are_checked() -> None:
    """The check covers the first 72 characters of a password and of the user's own words."""
    repeated = "gmctruck" * 9
    assert password_guessing.is_guessable(f"{repeated}Q", [])
    assert not password_guessing.is_guessable(f"{repeated[:71]}", [])
    own = "zqvxkjwpfy" * 8
    assert password_guessing.is_guessable(own[:72], [own])
    assert not password_guessing.is_guessable(own[:71], [own])


def test_sixty_own_words_are_ranked_in_order() -> None:
    """The first 60 of the user's own words are guessed in their order and in any case."""
    fillers = [f"filler{number}" for number in range(60)]
    assert password_guessing.is_guessable("zqvxkjwpfyhb", [*fillers[:59], "Zqvxkjwpfyhb"])
    assert not password_guessing.is_guessable("zqvxkjwpfyhb", [*fillers, "zqvxkjwpfyhb"])
    own = "zqvxkjwpfyzqvxkjwpfyzq"
    assert password_guessing.is_guessable("zQVXKJWPFyzqvxkjwpfyzq", [own])
    assert not password_guessing.is_guessable("zQVXKJWPFyzqvxkjwpfyzq", ["other", own])
    assert password_guessing.is_guessable("zQVXKJWPFyzqvxkjwpfyzq", [own, "other", own])
    assert not password_guessing.is_guessable("zQVXKJWPFYzqvxkjwpfyzq", [own])


def test_up_to_five_characters_are_guessed_by_brute_force() -> None:
    """Passwords of up to five characters are guessable by brute force; six characters take a million guesses."""
    assert password_guessing._guesses("zqvxk", {}) == 10**5
    assert password_guessing._guesses("zqvxkj", {}) > 10**6
    assert password_guessing._guesses("4", {"a": 1}) == 10
    assert password_guessing._guesses("z0", {"zo": 1}) == 2


def test_first_word_of_a_list_is_the_first_guess() -> None:
    """Ranks begin at 1: the first word of a list is the first guess."""
    assert min(password_guessing._ranks().values()) == 1
