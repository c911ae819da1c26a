"""The limits of the tiers, as the documents promise them."""

import re
from pathlib import Path

import pytest

from chalicelib.limits import tiers
from chalicelib.limits.tiers import MailTier, Tier, hourly

DOCS = Path(__file__).parents[2] / "docs"
TIERS = [value for value in vars(tiers).values() if isinstance(value, Tier)]
MAILS = [value for value in vars(tiers).values() if isinstance(value, MailTier)]
EVERY_TIER = [*TIERS, *(tier for mails in MAILS for tier in mails)]
BY_THE_HOUR = [tiers.SIGN_UPS, *(tier for mails in MAILS for tier in mails)]


def text(page: str) -> str:
    """Return a page on one line."""
    return " ".join((DOCS / page).read_text().split())


def rows(page: str) -> dict[str, tuple[int | None, int]]:
    """Return the quota and the burst of each row that has both, by the tier's name."""
    found = re.findall(r"^\| ([\w-]+) \| ([\d,]+|unlimited) \| ([\d,]+) \|", (DOCS / page).read_text(), re.MULTILINE)
    return {
        name.lower(): (None if quota == "unlimited" else int(quota.replace(",", "")), int(burst.replace(",", "")))
        for name, quota, burst in found
    }


def test_every_tier_is_in_the_architecture_page_with_its_numbers() -> None:
    """Those that may be used up in one second are described in words below the table."""
    limits = {tier.name: (tier.quota, tier.burst) for tier in TIERS if tier not in BY_THE_HOUR}
    assert rows("architecture.md") == limits


def test_tiers_of_accounts_are_those_of_the_contract() -> None:
    """Customers get the numbers that they read."""
    assert rows("authentication.md") == {tier.name: (tier.quota, tier.burst) for tier in tiers.OF_ACCOUNTS}
    assert [tier.name for tier in tiers.OF_ACCOUNTS] == ["free", "pro", "enterprise"]


def test_anonymous_limits_are_those_of_the_contract() -> None:
    """By the address, an hour and a second."""
    assert f"{tiers.ANONYMOUS.quota:,} an hour, {tiers.ANONYMOUS.burst} a second." in text("authentication.md")


def test_limits_of_oauth_are_those_of_its_page() -> None:
    """Each number that the page names."""
    page = text("oauth.md")
    for sentence in (
        f"has {tiers.CLIENT.quota:,} requests an hour and a burst of {tiers.CLIENT.burst} to the endpoints for clients",
        f"{tiers.ANONYMOUS.quota:,} an hour, a burst of {tiers.ANONYMOUS.burst}.",
        f"Registering is limited to {tiers.REGISTRATIONS.quota} an hour from one network",
        f"starting the device flow with such a client to {tiers.DEVICE_STARTS.quota}",
        f"fetch metadata documents to {tiers.DOCUMENT_FETCHES.quota};",
    ):
        assert sentence in page


def test_sign_ups_and_mails_are_limited_as_the_architecture_page_says() -> None:
    """Each kind of mail alike, by whoever asks."""
    page = text("architecture.md")
    (own,), (share,), (address,), (network,) = ({tier.quota for tier in kind} for kind in zip(*MAILS, strict=True))
    assert len(MAILS) == 4
    assert f"({tiers.SIGN_UPS.quota} an hour and network)" in page
    assert f"by network ({network} an hour;" in page
    assert f"by address and network ({share}) and by address ({address}), the latter two silently" in page
    assert f"is counted by account instead ({own})," in page


@pytest.mark.parametrize("tier", BY_THE_HOUR, ids=lambda tier: tier.name)
def test_attempts_by_the_hour_may_come_in_one_second(tier: Tier) -> None:
    """Their burst is the whole quota."""
    assert tier.quota == tier.burst


def test_hourly_tier_allows_so_many_attempts() -> None:
    """Under its own name, and kept as long as its hour matters."""
    assert hourly("guesses", 7) == Tier("guesses", 7, 7, kept_s=7_200)


@pytest.mark.parametrize("tier", EVERY_TIER, ids=lambda tier: tier.name)
def test_counters_of_accounts_are_kept_for_31_days_and_all_others_for_2_hours(tier: Tier) -> None:
    """A month of usage can be shown; a network is forgotten when its hour is over."""
    page = text("architecture.md")
    assert "counters for 31 days (anonymous ones and log-in attempts for two hours)" in page
    assert tier.kept_s == (31 * 86_400 if tier in tiers.OF_ACCOUNTS else 2 * 3_600)


def test_no_two_tiers_share_counters() -> None:
    """A counter's key ends with the name of its tier."""
    assert len({tier.name for tier in EVERY_TIER}) == len(EVERY_TIER)


def test_tiers_are_found_by_their_names() -> None:
    """Those that an account or a principal can be under."""
    assert tiers.BY_NAME == {
        "free": tiers.FREE,
        "pro": tiers.PRO,
        "enterprise": tiers.ENTERPRISE,
        "anonymous": tiers.ANONYMOUS,
    }
