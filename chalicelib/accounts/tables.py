"""Where people lie: the account, and the claim on its email that keeps an address from being taken twice."""

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.core import tables


class Directory(GlobalSecondaryIndex["Account"]):
    """Every account that has a public profile, oldest first. Sparse: a deleted account leaves it."""

    class Meta:
        index_name = "directory"
        projection = AllProjection()

    listed = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class Account(tables.Table):
    """A person who can log in. Times are epoch milliseconds."""

    class Meta(tables.Meta):
        table = "accounts"

    id = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute()
    # As it was typed, where that is another spelling: mail goes there.
    typed_email = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    tier = UnicodeAttribute()
    status = UnicodeAttribute(default="active")
    admin = BooleanAttribute(default=False)
    created_at = tables.Whole()
    password_hash = UnicodeAttribute(null=True)
    email_verified_at = tables.Whole(null=True)
    # Raised by whatever ends sessions: those of an earlier epoch are over.
    session_epoch = tables.Whole(default=0)
    # Credentials made before this moment (ms) are over: one write ends them all.
    credentials_since = tables.Whole(default=0)
    listed = UnicodeAttribute(null=True)
    # Each live key's end (ms; 0: never), so that one condition holds the number of keys down.
    live_keys: MapAttribute[str, int] = MapAttribute(default=dict)

    # How many OAuth applications it has registered, so that one condition holds their number down.
    applications = tables.Whole(null=True)

    directory = Directory()

    @property
    def mailbox(self) -> str:
        """Return where mail to its person goes."""
        return self.typed_email or self.email

    @property
    def is_verified(self) -> bool:
        """Return whether its person has shown that the address is theirs."""
        return self.email_verified_at is not None

    def has_ended(self, made_at: int) -> bool:
        """Tell whether what was made at a time (ms) in its name is over.

        That was before the address was proven: maybe somebody else made it, of whose credentials none is good any more.
        """
        return made_at < self.credentials_since


class Email(tables.Table):
    """The claim of one account on one normalised address."""

    class Meta(tables.Meta):
        table = "emails"

    email = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()


class Ticket(tables.Table):
    """A one-time secret under its digest. Consumed by a condition, never by a read and a later write."""

    class Meta(tables.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    account_id = UnicodeAttribute()
    purpose = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    # The account's session_epoch when it was made: whatever ends sessions ends this, too.
    epoch = tables.Whole(null=True)
    # Of a sign-up (see `pending_sign_up`): what the account is to be made of, which browser asked, where it was going.
    name = UnicodeAttribute(null=True)
    password_hash = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    expires_at = tables.Whole()
    consumed_at = tables.Whole(null=True)
    dies_at = tables.DiesAt(null=True)


class Session(tables.Table):
    """A console session, or a device that someone has logged in from, under the digest of its cookie."""

    class Meta(tables.Meta):
        table = "sessions"

    digest = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    purpose = UnicodeAttribute()
    account_id = UnicodeAttribute()
    epoch = tables.Whole()
    created_at = tables.Whole()
    seen_at = tables.Whole()
    dies_at = tables.DiesAt(null=True)
