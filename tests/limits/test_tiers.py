"""The tiers' numbers equal those in the documentation."""

import re
from pathlib import Path

import pytest

from chalicelib.limits import tiers
from chalicelib.limits.tiers import EmailTier, Tier, hourly

DOCS = Path(__file__).parents[2] / "docs"
TIERS = [value for value in vars(tiers).values() if isinstance(value, Tier)]
MAILS = [value for value in vars(tiers).values() if isinstance(value, EmailTier)]
EVERY_TIER = [*TIERS, *(tier for mails in MAILS for tier in mails)]
BY_THE_HOUR = [tiers.SIGN_UPS, tiers.FURTHER_ACCOUNTS, tiers.INVITATIONS, *(tier for mails in MAILS for tier in mails)]


def read_page(page: str) -> str:
    """Return the text of a page with single spaces."""
    return " ".join((DOCS / page).read_text().split())


def read_rows(page: str) -> dict[str, tuple[int | None, int]]:
    """Return quota and burst by tier, from the table rows of a page that contain both."""
    found = re.findall(r"^\| ([\w-]+) \| ([\d,]+|unlimited) \| ([\d,]+) \|", (DOCS / page).read_text(), re.MULTILINE)
    return {
        name.lower(): (None if quota == "unlimited" else int(quota.replace(",", "")), int(burst.replace(",", "")))
        for name, quota, burst in found
    }


def test_every_tier_matches_the_architecture_page() -> None:
    """The table lists every tier whose quota and burst differ; text below the table describes the others."""
    limits = {tier.name: (tier.quota, tier.burst) for tier in TIERS if tier not in BY_THE_HOUR}
    assert read_rows("architecture.md") == limits


def test_account_tiers_match_the_contract() -> None:
    """The limits that customers read in the published documentation are those of the tiers."""
    assert read_rows("authentication.md") == {tier.name: (tier.quota, tier.burst) for tier in tiers.OF_ACCOUNTS}
    assert [tier.name for tier in tiers.OF_ACCOUNTS] == ["free", "pro", "enterprise"]


def test_anonymous_limits_match_the_contract() -> None:
    """The published limits of anonymous callers, for each hour and second, are those of the tier."""
    assert f"{tiers.ANONYMOUS.quota:,} an hour, {tiers.ANONYMOUS.burst} a second." in read_page("authentication.md")


def test_oauth_limits_match_their_page() -> None:
    """The limits in docs/oauth.md are those of the tiers."""
    page = read_page("oauth.md")
    for sentence in (
        f"has {tiers.CLIENT.quota:,} requests an hour and a burst of {tiers.CLIENT.burst} to the endpoints for clients",
        f"{tiers.ANONYMOUS.quota:,} an hour, a burst of {tiers.ANONYMOUS.burst}.",
        f"Registering is limited to {tiers.REGISTRATIONS.quota} an hour from one network",
        f"starting the device flow with such a client to {tiers.DEVICE_STARTS.quota}",
        f"fetch metadata documents to {tiers.DOCUMENT_FETCHES.quota};",
    ):
        assert sentence in page


def test_sign_up_and_email_limits_match_the_architecture_page() -> None:
    """The architecture page states the limits of sign-ups, invitations and emails.

    The limits of all five types of email are equal.
    """
    page = read_page("architecture.md")
    (own,), (share,), (address,), (network,) = ({tier.quota for tier in kind} for kind in zip(*MAILS, strict=True))
    assert len(MAILS) == 5
    assert f"({tiers.SIGN_UPS.quota} an hour and network)" in page
    assert f"further accounts of a user ({tiers.FURTHER_ACCOUNTS.quota} an hour and user;" in page
    assert f"by network ({network} an hour;" in page
    assert f"by address and network ({share}) and by address ({address}), the latter two silently" in page
    assert f"is counted by user instead ({own})," in page
    by_account = f"Invitations are counted by account ({tiers.INVITATIONS.quota} an hour)"
    assert f"{by_account}, by network ({network}), by account and address ({share}) and by address ({address})." in page


@pytest.mark.parametrize("tier", BY_THE_HOUR, ids=lambda tier: tier.name)
def test_hourly_attempts_may_come_in_one_second(tier: Tier) -> None:
    """All attempts of an hour may be made within one second."""
    assert tier.quota == tier.burst


def test_hourly_tier_allows_its_attempts() -> None:
    """A tier that the function `hourly` returns has equal quota and burst, and its counters are kept for two hours."""
    assert hourly("guesses", 7) == Tier("guesses", 7, 7, kept_s=7_200)


@pytest.mark.parametrize("tier", EVERY_TIER, ids=lambda tier: tier.name)
def test_account_counters_are_kept_31_days_and_others_2_hours(tier: Tier) -> None:
    """Counters of accounts are kept for a month of usage, and all others for two hours."""
    page = read_page("architecture.md")
    assert "counters for 31 days (anonymous ones and log-in attempts for two hours)" in page
    assert tier.kept_s == (31 * 86_400 if tier in tiers.OF_ACCOUNTS else 2 * 3_600)


def test_no_two_tiers_share_counters() -> None:
    """The names of tiers, which are part of the counters' keys, are unique."""
    assert len({tier.name for tier in EVERY_TIER}) == len(EVERY_TIER)


def test_tiers_are_found_by_name() -> None:
    """The tiers of accounts and anonymous callers can be looked up by their name."""
    assert tiers.BY_NAME == {
        "free": tiers.FREE,
        "pro": tiers.PRO,
        "enterprise": tiers.ENTERPRISE,
        "anonymous": tiers.ANONYMOUS,
    }
