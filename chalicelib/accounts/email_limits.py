"""How many mails are sent that somebody asks for, counted before any is written.

An account's own user has an allowance of their own, so strangers who use up that of an address take nothing from them.
What anybody may ask for is counted by network and address first: one network uses up no other's share of an address.
"""

from chalicelib.accounts import sessions
from chalicelib.accounts.email_address import hashed, normalised
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.tables import Account
from chalicelib.core import telemetry
from chalicelib.limits.admission import Refused, admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import MailTier


def count_own(account: Account, tier: MailTier) -> Allowance:
    """Count a mail that an account's own user asks for, and return what is left to the account.

    Raises Refused when they asked for as many of this kind as they may in an hour.
    """
    return admit(f"mail_{account.id}", tier.own)


def count_address(address: str, tier: MailTier) -> None:
    """Count a mail to an address, whoever asks; raise Refused when it got as many of this kind as it may in an hour."""
    admit(_of(address), tier.address)


def has_room(address: str, networks: tuple[str, ...], tier: MailTier) -> bool:
    """Count a mail that anybody can ask for, from their `networks`; return False when it must not be sent.

    Then it is only pretended: what others asked for must not show. The address got several within the hour.
    """
    try:
        # By the widest network: a /48 has 65,536 narrower ones, which could have a share each.
        admit(f"{_of(address)}_{networks[-1]}", tier.share)
        count_address(address, tier)
    except Refused:
        telemetry.warning("mail_held_back", kind=tier.address.name)
        return False
    return True


def has_room_for(account: Account | None, address: str, caller: Caller, tier: MailTier) -> bool:
    """Do what `has_room` does, but count a mail that is asked for on the account's own device among the account's own.

    The device is looked for where no account has the address, too: one read less would tell.
    """
    if not sessions.knows_device(caller.device, account) or account is None:
        return has_room(address, caller.networks, tier)
    try:
        count_own(account, tier)
    except Refused:
        return False
    return True


def _of(address: str) -> str:
    # By what it claims: other spellings reach the same mailbox. Hashed, as for log-in attempts.
    return f"mail_{hashed(normalised(address))}"
