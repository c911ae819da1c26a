"""Where people lie: the account, and the claim on its email that keeps an address from being taken twice."""

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection

from chalicelib.core.dynamodb import models


class Directory(GlobalSecondaryIndex["Account"]):
    """Every account that has a public profile, oldest first. Sparse: a deleted account leaves it."""

    class Meta:
        index_name = "directory"
        projection = AllProjection()

    listed = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ByEmail(GlobalSecondaryIndex["Account"]):
    """The same accounts by address, for administrators who know how one begins. What changes often isn't in it."""

    class Meta:
        index_name = "by_email"
        projection = IncludeProjection(["name", "tier", "status", "created_at"])

    listed = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute(range_key=True)


class Account(models.Table):
    """A person who can log in. Times are epoch milliseconds."""

    class Meta(models.Meta):
        table = "accounts"

    id = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute()
    # As it was typed, where that is another spelling: mail goes there.
    typed_email = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    tier = UnicodeAttribute()
    status = UnicodeAttribute(default="active")
    admin = BooleanAttribute(default=False)
    created_at = models.Integer()
    password_hash = UnicodeAttribute(null=True)
    email_verified_at = models.Integer(null=True)
    # Raised by whatever ends sessions: those of an earlier epoch are over.
    session_epoch = models.Integer(default=0)
    # Credentials made before this moment (ms) are over: one write ends them all.
    credentials_since = models.Integer(default=0)
    listed = UnicodeAttribute(null=True)
    # Each live key's end (ms; 0: never), so that one condition holds the number of keys down.
    live_keys: MapAttribute[str, int] = MapAttribute(default=dict)

    # How many OAuth applications it has registered, so that one condition holds their number down.
    applications = models.Integer(null=True)

    directory = Directory()
    by_email = ByEmail()

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


class Email(models.Table):
    """The claim of one account on one normalised address."""

    class Meta(models.Meta):
        table = "emails"

    email = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()


class OneTimeToken(models.Table):
    """A one-time secret under its digest. Consumed by a condition, never by a read and a later write."""

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    account_id = UnicodeAttribute()
    purpose = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    # The account's session_epoch when it was made: whatever ends sessions ends this, too.
    epoch = models.Integer(null=True)
    # Of a sign-up (see `pending_sign_up`): what the account is to be made of, which browser asked, where it was going.
    name = UnicodeAttribute(null=True)
    password_hash = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    expires_at = models.Integer()
    consumed_at = models.Integer(null=True)
    dies_at = models.DiesAt(null=True)


class ByHolder(GlobalSecondaryIndex["Session"]):
    """An account's sessions by age. Sparse: remembered devices aren't in it."""

    class Meta:
        index_name = "by_holder"
        projection = AllProjection()

    holder_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class Session(models.Table):
    """A console session, or a device that someone has logged in from, under the digest of its cookie."""

    class Meta(models.Meta):
        table = "sessions"

    digest = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    purpose = UnicodeAttribute()
    account_id = UnicodeAttribute()
    # The account again, of a session that is listed there.
    holder_id = UnicodeAttribute(null=True)
    # Where it was opened: the IPv4 /24 or IPv6 /48, and what the browser calls itself.
    network = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    epoch = models.Integer()
    created_at = models.Integer()
    seen_at = models.Integer()
    dies_at = models.DiesAt()

    by_holder = ByHolder()
