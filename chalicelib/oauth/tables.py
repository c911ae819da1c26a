"""Tables of clients, consents, grants and one-time tokens. Times are epoch milliseconds, except those for the TTL."""

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, ListAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.core import clock
from chalicelib.core.dynamodb import models


class ClientsByAccount(GlobalSecondaryIndex["Client"]):
    """The clients that an account registered, oldest first."""

    class Meta:
        index_name = "by_owner"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True, attr_name="owner_id")
    client_id = UnicodeAttribute(range_key=True)


class Client(models.Table):
    """An OAuth application."""

    class Meta(models.Meta):
        table = "clients"

    client_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    redirect_uris: ListAttribute[str] = ListAttribute(default=list)
    grant_types = UnicodeSetAttribute()
    scopes = UnicodeSetAttribute()
    auth_method = UnicodeAttribute()
    """The authentication method: `none` for a public client, else the method that it registered (RFC 7591 §2)."""
    registered_by = UnicodeAttribute()
    """The kind of registration: `account`, `self` (RFC 7591) or `document` (client ID metadata document)."""
    created_at = models.Integer()
    account_id = UnicodeAttribute(null=True, attr_name="owner_id")
    # The user who registered the client for the account.
    user_id = UnicodeAttribute(null=True)
    secret_digest = UnicodeAttribute(null=True)
    secret_hint = UnicodeAttribute(null=True)
    registration_digest = UnicodeAttribute(null=True)
    uri = UnicodeAttribute(null=True)
    pkce_required = BooleanAttribute(null=True)
    """Whether a confidential client must use PKCE. Its account decides this. All other clients must always use PKCE."""
    deleted_at = models.Integer(null=True)
    # The admin or operator who deleted the client, and the reason. Both are absent if the client was deleted in any
    # other way.
    ended_by = UnicodeAttribute(null=True)
    ended_because = UnicodeAttribute(null=True)
    # The time since which the client's account is suspended or deleted (see `accounts.owned_clients`).
    owner_suspended_at = models.Integer(null=True)
    fresh_until = models.Integer(null=True)
    """The end of a metadata document's freshness lifetime."""
    dies_at = models.DeleteAt(null=True)
    kept_until = models.Integer(null=True)
    """The epoch second until which the client of a metadata document is kept, once an account has approved it."""

    by_account = ClientsByAccount()

    @property
    def is_public(self) -> bool:
        """Return whether this is a public client (RFC 6749 §2.1)."""
        return self.auth_method == "none"

    @property
    def default_redirect_uri(self) -> str | None:
        """Return the redirect URI to use if a request contains none. Returns None unless exactly one is registered."""
        match list(self.redirect_uris):
            case [uri]:
                return uri
        return None

    @property
    def is_active(self) -> bool:
        """Return True if the client may get tokens and its tokens are accepted."""
        return self.deleted_at is None and self.owner_suspended_at is None

    @property
    def must_use_pkce(self) -> bool:
        """Return whether an authorization request without PKCE is an error.

        More lenient than OAuth 2.1: a confidential client that an account registered may omit PKCE, as the published
        authorization flow does, unless the account requires it.
        """
        return self.is_public or self.registered_by != "account" or bool(self.pkce_required)


class ConsentsByClient(GlobalSecondaryIndex["Consent"]):
    """An index of consents by client, to delete the consents to a deleted client."""

    class Meta:
        index_name = "by_client"
        projection = KeysOnlyProjection()

    client_id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute(range_key=True)


class Consent(models.Table):
    """A user's remembered consent that a client accesses one of the user's accounts."""

    class Meta(models.Meta):
        table = "consents"

    user_id = UnicodeAttribute(hash_key=True)
    # The account and the client, separated by `#`.
    grantee = UnicodeAttribute(range_key=True)
    client_id = UnicodeAttribute()
    allowed = UnicodeSetAttribute()
    """The entries of the consent. Each contains the recipient of the redirect, the resource ("" if the request named
    none) and the scope, separated by spaces. An entry combines the three, because a scope that was allowed to one
    recipient isn't allowed to another.
    """
    given_at = models.Integer()

    by_client = ConsentsByClient()

    @property
    def account_id(self) -> str:
        """Return the account that the client may access."""
        return self.grantee.partition("#")[0]

    @property
    def scopes(self) -> set[str]:
        """Return all allowed scopes, for any recipient and resource."""
        return {entry.rpartition(" ")[2] for entry in self.allowed}


class GrantsByAccount(GlobalSecondaryIndex["Grant"]):
    """The grants that give access to an account, oldest first."""

    class Meta:
        index_name = "by_account"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class GrantsByClient(GlobalSecondaryIndex["Grant"]):
    """The grants to a client, oldest first."""

    class Meta:
        index_name = "by_client"
        projection = AllProjection()

    client_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class Grant(models.Table):
    """One approval by a user, for one account. All tokens that are issued because of it can be revoked together."""

    class Meta(models.Meta):
        table = "grants"

    id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    # The user who approved.
    user_id = UnicodeAttribute()
    client_id = UnicodeAttribute()
    scopes = UnicodeSetAttribute()
    resources = UnicodeSetAttribute(null=True)
    created_at = models.Integer()
    expires_at = models.Integer()
    revoked_at = models.Integer(null=True)
    dies_at = models.DeleteAt()

    by_account = GrantsByAccount()
    by_client = GrantsByClient()

    def is_active(self) -> bool:
        """Return whether the grant is neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > clock.now_ms()


class OneTimeToken(models.Table):
    """An authorization code, refresh token or device code: it can be exchanged for tokens once."""

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    client_id = UnicodeAttribute()
    scopes = UnicodeSetAttribute(null=True)
    resources = UnicodeSetAttribute(null=True)
    expires_at = models.Integer()
    # The grant, with its account, its user, its time, and the time since which the user was a member of the account.
    account_id = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    member_since = models.Integer(null=True)
    grant_id = UnicodeAttribute(null=True)
    granted_at = models.Integer(null=True)
    consumed_at = models.Integer(null=True)
    redirect_uri = UnicodeAttribute(null=True)
    code_challenge = UnicodeAttribute(null=True)
    # A refresh token has this attribute after its rotation: the response, encrypted with a key that is derived from
    # the token (see `refresh_replay`).
    sealed = BinaryAttribute(null=True, legacy_encoding=False)
    # Only device codes have these attributes: user code, decision, last poll and polling interval. Only user codes have
    # `device_digest`.
    user_code = UnicodeAttribute(null=True)
    device_digest = UnicodeAttribute(null=True)
    decision = UnicodeAttribute(null=True)
    polled_at = models.Integer(null=True)
    interval_s = models.Integer(null=True)
    dies_at = models.DeleteAt(null=True)

    @property
    def is_expired(self) -> bool:
        """Return whether the code or token expired unused.

        A used one doesn't count as expired, because a second use is treated as reuse at any time (RFC 6749 §4.1.2).
        """
        return self.consumed_at is None and bool(self.expires_at <= clock.now_ms())
