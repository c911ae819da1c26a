"""The tables of accounts, email claims, one-time tokens and sessions."""

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection

from chalicelib.accounts.states import ACTIVE
from chalicelib.core.dynamodb import models


class Directory(GlobalSecondaryIndex["Account"]):
    """All accounts that are not deleted, oldest first. The index is sparse: only these accounts have the attribute
    `listed`.
    """

    class Meta:
        index_name = "directory"
        projection = AllProjection()

    listed = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ByEmail(GlobalSecondaryIndex["Account"]):
    """All accounts that are not deleted, by address, for searching by prefix.

    The index contains no attributes that change often.
    """

    class Meta:
        index_name = "by_email"
        projection = IncludeProjection(["name", "tier", "status", "created_at"])

    listed = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute(range_key=True)


class Account(models.Table):
    """An account: its user's login, its tier, its flags and its counts. Times are epoch milliseconds."""

    class Meta(models.Meta):
        table = "accounts"

    id = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute()
    # The address as the user typed it, if it differs from the claim. Emails are sent to it.
    typed_email = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    tier = UnicodeAttribute()
    status = UnicodeAttribute(default=ACTIVE)
    admin = BooleanAttribute(default=False)
    created_at = models.Integer()
    password_hash = UnicodeAttribute(null=True)
    email_verified_at = models.Integer(null=True)
    # Sessions with a lower epoch are no longer valid, so raising the epoch ends all sessions.
    session_epoch = models.Integer(default=0)
    # Credentials created before this time (ms) are no longer valid, so one write invalidates them all.
    credentials_since = models.Integer(default=0)
    listed = UnicodeAttribute(null=True)
    # The expiry of each active key by its id (ms; 0 means never), so that one condition can limit the number of keys.
    live_keys: MapAttribute[str, int] = MapAttribute(default=dict)

    # The number of registered OAuth applications, so that one condition can limit it.
    applications = models.Integer(null=True)

    directory = Directory()
    by_email = ByEmail()

    @property
    def mailbox(self) -> str:
        """Return the address to which emails are sent."""
        return self.typed_email or self.email

    @property
    def is_verified(self) -> bool:
        """Return whether the email address is verified."""
        return self.email_verified_at is not None

    def predates_verification(self, made_at: int) -> bool:
        """Return whether an item that was created at `made_at` (ms) is invalid because it predates the first
        verification of the address.

        Another user may have created it.
        """
        return made_at < self.credentials_since


class EmailClaim(models.Table):
    """The claim of an account on a normalised email address. It ensures that no two accounts have the same address."""

    class Meta(models.Meta):
        table = "emails"

    email = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()


class OneTimeToken(models.Table):
    """A one-time token, stored under the digest of its secret.

    A conditional write consumes it, so it is used only once.
    """

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    account_id = UnicodeAttribute()
    purpose = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    # The account's `session_epoch` when the token was created. Once the account's epoch is higher, the token is
    # invalid.
    epoch = models.Integer(null=True)
    # Data of a sign-up (see `pending_sign_up`): the name and password of the new account, the browser that signed up,
    # and the URL at which the browser continues.
    name = UnicodeAttribute(null=True)
    password_hash = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    expires_at = models.Integer()
    consumed_at = models.Integer(null=True)
    dies_at = models.DeleteAt(null=True)


class ByHolder(GlobalSecondaryIndex["Session"]):
    """An account's sessions by age. The index is sparse: remembered devices have no `holder_id`."""

    class Meta:
        index_name = "by_holder"
        projection = AllProjection()

    holder_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class Session(models.Table):
    """A console session or a remembered device, stored under the digest of its cookie."""

    class Meta(models.Meta):
        table = "sessions"

    digest = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    purpose = UnicodeAttribute()
    account_id = UnicodeAttribute()
    # A copy of `account_id` for the index, present only on sessions.
    holder_id = UnicodeAttribute(null=True)
    # The network (IPv4 /24 or IPv6 /48), browser and operating system from which the session was started.
    network = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    epoch = models.Integer()
    created_at = models.Integer()
    seen_at = models.Integer()
    dies_at = models.DeleteAt()

    by_holder = ByHolder()
