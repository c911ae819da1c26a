"""The tables of accounts, users, memberships, email claims, one-time tokens and sessions."""

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute, UnicodeSetAttribute
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


class Account(models.Table):
    """An account: its tier, status, keys and counts. Times are epoch milliseconds."""

    class Meta(models.Meta):
        table = "accounts"

    id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    tier = UnicodeAttribute()
    # While this is recent, the counter items of every tier get invalidation marks (see `accounts.invalidation`).
    tier_changed_at = models.Integer(null=True)
    status = UnicodeAttribute(default=ACTIVE)
    created_at = models.Integer()
    # The user who created the account, or for whom the operator created it.
    created_by = UnicodeAttribute()
    # The number of owners, so that one condition can ensure that at least one remains.
    owners = models.Integer(default=1)
    # Credentials and memberships created before this time (ms) are no longer valid, so one write invalidates them all.
    credentials_since = models.Integer(default=0)
    listed = UnicodeAttribute(null=True)
    # The expiry of each active key by its id (ms; 0 means never), so that one condition can limit the number of keys.
    live_keys: MapAttribute[str, int] = MapAttribute(default=dict)

    # The number of registered OAuth applications, so that one condition can limit it.
    applications = models.Integer(null=True)

    directory = Directory()

    def predates_verification(self, made_at: int) -> bool:
        """Return whether an item that was created at `made_at` (ms) is invalid because it predates the first
        verification of the address of the account's creator.

        Another user may have created it.
        """
        return made_at < self.credentials_since


class UserDirectory(GlobalSecondaryIndex["User"]):
    """All users that are not deleted, oldest first. The index is sparse, like that of the accounts."""

    class Meta:
        index_name = "directory"
        projection = AllProjection()

    listed = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ByEmail(GlobalSecondaryIndex["User"]):
    """All users that are not deleted, by address, for searching by prefix.

    The index contains no attributes that change often.
    """

    class Meta:
        index_name = "by_email"
        projection = IncludeProjection(["name", "status", "created_at", "account_ids"])

    listed = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute(range_key=True)


class User(models.Table):
    """A human who logs in: address, password and flags. Times are epoch milliseconds."""

    class Meta(models.Meta):
        table = "users"

    id = UnicodeAttribute(hash_key=True)
    email = UnicodeAttribute()
    # The address as the user typed it, if it differs from the claim. Emails are sent to it.
    typed_email = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    status = UnicodeAttribute(default=ACTIVE)
    admin = BooleanAttribute(default=False)
    created_at = models.Integer()
    password_hash = UnicodeAttribute(null=True)
    email_verified_at = models.Integer(null=True)
    # Sessions with a lower epoch are no longer valid, so raising the epoch ends all sessions.
    session_epoch = models.Integer(default=0)
    # Credentials that this user created before this time (ms) are no longer valid.
    credentials_since = models.Integer(default=0)
    # The accounts of which the user is a member, at most 50. The transaction that changes a membership changes this,
    # too, so the list is consistent and one condition limits it.
    account_ids = UnicodeSetAttribute(null=True)
    listed = UnicodeAttribute(null=True)

    directory = UserDirectory()
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
        """Return whether an item that this user created at `made_at` (ms) is invalid because it predates the first
        verification of the address.

        Somebody else may have created it under this address.
        """
        return made_at < self.credentials_since


class Member(models.Table):
    """A user's membership of an account."""

    class Meta(models.Meta):
        table = "members"

    account_id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute(range_key=True)
    role = UnicodeAttribute()
    # The time (ms) since which the membership is valid. It ends if this is before the account's `credentials_since`.
    since = models.Integer()
    # The user who invited this one; absent on the account's creator.
    invited_by = UnicodeAttribute(null=True)


class Invitation(models.Table):
    """An invitation of an address to an account, beside the account's members under an id of its own."""

    class Meta(models.Meta):
        table = "members"

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True, attr_name="user_id")
    email = UnicodeAttribute()
    # The address as the inviter typed it, if it differs from the claim.
    typed_email = UnicodeAttribute(null=True)
    role = UnicodeAttribute()
    invited_by = UnicodeAttribute()
    # The key that invited for the service user. The invitation ends with it.
    invited_with = UnicodeAttribute(null=True)
    created_at = models.Integer()
    expires_at = models.Integer()
    # The digest of the link that accepts the invitation. A later link replaces it.
    digest = UnicodeAttribute()
    dies_at = models.DeleteAt()

    @property
    def mailbox(self) -> str:
        """Return the address to which the email is sent."""
        return self.typed_email or self.email


class EmailClaim(models.Table):
    """The claim of a user on a normalised email address. It ensures that no two users have the same address."""

    class Meta(models.Meta):
        table = "emails"

    email = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute()


class OneTimeToken(models.Table):
    """A one-time token, stored under the digest of its secret.

    A conditional write consumes it, so it is used only once.
    """

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    account_id = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    purpose = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    # The user's `session_epoch` when the token was created. Once the user's epoch is higher, the token is invalid.
    epoch = models.Integer(null=True)
    # Data of a sign-up (see `pending_sign_up`): the name and password of the new user, the browser that signed up,
    # and the URL at which the browser continues.
    name = UnicodeAttribute(null=True)
    password_hash = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    expires_at = models.Integer()
    consumed_at = models.Integer(null=True)
    dies_at = models.DeleteAt(null=True)


class ByHolder(GlobalSecondaryIndex["Session"]):
    """A user's sessions by age. The index is sparse: remembered devices have no `holder_id`."""

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
    user_id = UnicodeAttribute()
    # A copy of `user_id` for the index, present only on sessions.
    holder_id = UnicodeAttribute(null=True)
    # The network (IPv4 /24 or IPv6 /48), browser and operating system from which the session was started.
    network = UnicodeAttribute(null=True)
    browser = UnicodeAttribute(null=True)
    epoch = models.Integer()
    created_at = models.Integer()
    seen_at = models.Integer()
    dies_at = models.DeleteAt()

    by_holder = ByHolder()
