"""The first verification of an address whose user had invited others to somebody else's account."""

from dataclasses import replace

from chalicelib.accounts import email_links, roles, tables
from chalicelib.core import settings
from tests.infra.every_operation.scenario import Scenario
from tests.oauth.flow import User, new_user
from tests.support.console_client import hash_of, new_account
from tests.support.harness import AccountOfTest
from tests.termination.test_undone_membership import create_everything, join


class FirstVerifications(Scenario):
    """The part of the scenario in which a chain of invitations ends."""

    def first_verifications(self) -> None:
        """Verify two addresses: in a request, and in one that is interrupted before its first batch."""
        self._squatter().verify_email()
        user = tables.User.get(self._squatter().account.user_id)
        secret = email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch)
        email_links.set_password(email_links.find_link(secret, email_links.SET_PASSWORD), user, hash_of("another"))

    def _squatter(self) -> User:
        """Return a user with an unverified address, at the beginning of a chain of three members."""
        host, squatter = new_account(), new_user(self.latchkey, "Eve", verified=False)
        # While email is disabled, a user can create items without verifying the address.
        with settings.override(replace(settings.current(), mail_from="")):
            member: AccountOfTest = host
            for user_id in (squatter.account.user_id, *(new_account().user_id for _ in range(2))):
                self.latchkey.clock.forward(1)
                member = join(host, user_id, roles.ADMIN, member)
                create_everything(self.latchkey, member)
        self.latchkey.clock.forward(1)
        return squatter
