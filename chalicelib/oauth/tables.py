"""Where clients, consents, grants and tickets lie. Times are epoch milliseconds, but for the TTL."""

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, ListAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.core import clock
from chalicelib.core.dynamodb import models


class ByOwner(GlobalSecondaryIndex["Client"]):
    """The clients that an account registered, oldest first."""

    class Meta:
        index_name = "by_owner"
        projection = AllProjection()

    owner_id = UnicodeAttribute(hash_key=True)
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
    """`none` for a public client, else how it says it sends its secret."""
    registered_by = UnicodeAttribute()
    """`account`, `self` (RFC 7591) or `document` (client ID metadata document)."""
    created_at = models.Integer()
    owner_id = UnicodeAttribute(null=True)
    secret_digest = UnicodeAttribute(null=True)
    secret_hint = UnicodeAttribute(null=True)
    registration_digest = UnicodeAttribute(null=True)
    uri = UnicodeAttribute(null=True)
    pkce_required = BooleanAttribute(null=True)
    """What its owner chose for a confidential client; others must use PKCE whatever stands here."""
    deleted_at = models.Integer(null=True)
    # Who ended it, if that was an admin or the operator, and why.
    ended_by = UnicodeAttribute(null=True)
    ended_because = UnicodeAttribute(null=True)
    # Since when its owner's account is suspended or deleted (see `accounts.owned_clients`).
    owner_suspended_at = models.Integer(null=True)
    fresh_until = models.Integer(null=True)
    """Of a document: when it is to be fetched again."""
    dies_at = models.DiesAt(null=True)
    kept_until = models.Integer(null=True)
    """Of a document that an account approved: the epoch second until which it is kept at least."""

    by_owner = ByOwner()

    @property
    def is_public(self) -> bool:
        """Tell whether it keeps no secret (RFC 6749 §2.1)."""
        return self.auth_method == "none"

    @property
    def only_redirect_uri(self) -> str | None:
        """Return where it is answered if a request names no redirect URI: only one that has a single one may do so."""
        match list(self.redirect_uris):
            case [uri]:
                return uri
        return None

    @property
    def is_active(self) -> bool:
        """Tell whether anything may be issued to it, and what it was issued works."""
        return self.deleted_at is None and self.owner_suspended_at is None

    @property
    def must_use_pkce(self) -> bool:
        """Return whether an authorization request without PKCE is refused.

        More lenient than OAuth 2.1: a confidential client that an account registered may leave it out, as the published
        authorization flow does, unless its owner requires it.
        """
        return self.is_public or self.registered_by != "account" or bool(self.pkce_required)


class ConsentsByClient(GlobalSecondaryIndex["Consent"]):
    """The accounts that have a remembered yes to a client: for its end."""

    class Meta:
        index_name = "by_client"
        projection = KeysOnlyProjection()

    client_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute(range_key=True)


class Consent(models.Table):
    """An account's remembered yes to a client."""

    class Meta(models.Meta):
        table = "consents"

    account_id = UnicodeAttribute(hash_key=True)
    client_id = UnicodeAttribute(range_key=True)
    allowed = UnicodeSetAttribute()
    """What was said yes to, a line each: the place that is answered, the resource ("" for none named), the scope.

    Not scopes, resources and places apart: a yes to one scope here and to another there is none to both in one place.
    """
    given_at = models.Integer()

    by_client = ConsentsByClient()

    @property
    def scopes(self) -> set[str]:
        """Return every scope that was allowed, wherever and for whatever."""
        return {line.rpartition(" ")[2] for line in self.allowed}


class GrantsByAccount(GlobalSecondaryIndex["Grant"]):
    """The grants that an account gave, oldest first."""

    class Meta:
        index_name = "by_account"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class GrantsByClient(GlobalSecondaryIndex["Grant"]):
    """The grants that a client was given, oldest first."""

    class Meta:
        index_name = "by_client"
        projection = AllProjection()

    client_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class Grant(models.Table):
    """One approval's family of tokens."""

    class Meta(models.Meta):
        table = "grants"

    id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    client_id = UnicodeAttribute()
    scopes = UnicodeSetAttribute()
    resources = UnicodeSetAttribute(null=True)
    created_at = models.Integer()
    expires_at = models.Integer()
    revoked_at = models.Integer(null=True)
    dies_at = models.DiesAt()

    by_account = GrantsByAccount()
    by_client = GrantsByClient()

    def is_live(self) -> bool:
        """Tell whether its tokens may still work."""
        return self.revoked_at is None and self.expires_at > clock.now_ms()


class Ticket(models.Table):
    """A one-time secret exchanged for tokens: authorization code, refresh token, device code."""

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    client_id = UnicodeAttribute()
    scopes = UnicodeSetAttribute(null=True)
    resources = UnicodeSetAttribute(null=True)
    expires_at = models.Integer()
    account_id = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    granted_at = models.Integer(null=True)
    consumed_at = models.Integer(null=True)
    redirect_uri = UnicodeAttribute(null=True)
    code_challenge = UnicodeAttribute(null=True)
    # A rotated refresh token: its last answer, sealed with a key that only its holder can derive (see `sealed`).
    sealed = BinaryAttribute(null=True, legacy_encoding=False)
    # A device code: what the person is asked to type, how it was decided, and how often the device may ask.
    user_code = UnicodeAttribute(null=True)
    device_digest = UnicodeAttribute(null=True)
    decision = UnicodeAttribute(null=True)
    polled_at = models.Integer(null=True)
    interval_s = models.Integer(null=True)
    dies_at = models.DiesAt(null=True)

    @property
    def is_expired(self) -> bool:
        """Return whether its time is over and it was never spent.

        One that was spent counts however old it is: its second use is reuse whenever it comes (RFC 6749 §4.1.2).
        """
        return self.consumed_at is None and bool(self.expires_at <= clock.now_ms())
