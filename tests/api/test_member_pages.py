"""Lists of members and invitations: items that are no longer valid leave no gaps in the pages."""

from chalicelib.accounts import members, roles
from chalicelib.accounts.tables import Account, Invitation, Member
from chalicelib.core import ids
from chalicelib.core.dynamodb import filtered_page
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

DAY_MS = 86_400_000
MEMBERS = "/settings/members"


def store_invitation(latchkey: TestApp, account_id: str, number: int, *, expires_in_ms: int = DAY_MS) -> str:
    """Store an invitation whose id sorts by `number`; return its address."""
    invitation = Invitation(
        account_id,
        f"inv_{number:020}",
        email=f"invited{number}@example.com",
        role=roles.VIEWER,
        invited_by=ids.new("usr"),
        created_at=latchkey.clock.now_ms,
        expires_at=latchkey.clock.now_ms + expires_in_ms,
        digest=f"digest{number}",
        dies_at=latchkey.clock.now_ms // 1000 + 30 * 86_400,
    )
    invitation.save()
    return invitation.email


def pages_of(latchkey: TestApp, path: str, secret: str, *, shown: str) -> list[list[str]]:
    """Return the field `shown` of all items of a list, by page."""
    found: list[list[str]] = []
    target = f"{path}?limit=2"
    while target:
        page = latchkey.call("GET", target, secret).json()
        found.append([row[shown] for row in page["data"]])
        target = f"{path}?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    return found


def test_expired_invitations_leave_no_gaps_in_pages(latchkey: TestApp) -> None:
    """DynamoDB deletes expired invitations days later. Until then, pages are filled with later invitations."""
    owner = latchkey.account()
    for number in range(6):
        store_invitation(latchkey, owner.id, number, expires_in_ms=-1)
    valid = [store_invitation(latchkey, owner.id, number) for number in range(6, 9)]
    secret = latchkey.key(owner, "read", "members").secret
    assert pages_of(latchkey, "/v1/invitations", secret, shown="email") == [valid[:2], valid[2:]]


def test_page_after_too_many_expired_invitations_is_shorter_but_has_a_cursor(latchkey: TestApp) -> None:
    """One request makes at most a fixed number of queries. The list continues at the cursor."""
    owner = latchkey.account()
    read_at_once = 3 * filtered_page.QUERIES_MAX
    for number in range(read_at_once):
        store_invitation(latchkey, owner.id, number, expires_in_ms=-1)
    valid = store_invitation(latchkey, owner.id, read_at_once)
    secret = latchkey.key(owner, "read", "members").secret
    assert pages_of(latchkey, "/v1/invitations", secret, shown="email") == [[], [valid]]


def test_members_from_before_the_first_verification_leave_no_gaps_in_pages(latchkey: TestApp) -> None:
    """Until a job has deleted invalid memberships, pages are filled with later members."""
    owner = latchkey.account()
    for _ in range(4):
        latchkey.member(owner, roles.VIEWER)
    latchkey.clock.forward(1)
    Account(owner.id).update(actions=[Account.credentials_since.set(latchkey.clock.now_ms)])
    Member(owner.id, owner.user_id).update(actions=[Member.since.set(latchkey.clock.now_ms)])
    later = [latchkey.member(owner, roles.VIEWER).user_id for _ in range(2)]
    expected = [sorted([owner.user_id, *later])[:2], sorted([owner.user_id, *later])[2:]]
    secret = latchkey.key(AccountOfTest(members.find(owner.user, owner.id)), "read", "members").secret
    assert pages_of(latchkey, "/v1/members", secret, shown="user_id") == expected
    assert pages_of(latchkey, "/v1/users", secret, shown="id") == expected


def test_console_shows_more_than_one_page_of_invitations(latchkey: TestApp) -> None:
    """Below 50 invitations, a link leads to the next ones, and from there another link to the first ones."""
    owner = new_account()
    invited = [store_invitation(latchkey, owner.id, number) for number in range(52)]
    console = log_in_as(latchkey, owner)
    first = console.open(MEMBERS)
    assert [row[0] for row in first.rows if row[0] in invited] == invited[:50]
    (more,) = [url for url in first.urls if "?invited=" in url]
    second = console.open(more[more.index(MEMBERS) :])
    assert [row[0] for row in second.rows if row[0] in invited] == invited[50:]
    assert ("More invitations" in second.text, "First invitations" in second.text) == (False, True)


def test_console_ignores_an_invitation_page_that_is_no_id(latchkey: TestApp) -> None:
    """A malformed position in the address of the page shows the first page."""
    owner = new_account()
    invited = store_invitation(latchkey, owner.id, 1)
    page = log_in_as(latchkey, owner).open(f"{MEMBERS}?invited=inv_%00")
    assert (page.status, invited in page.text) == (200, True)
