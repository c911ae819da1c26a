"""The scenario of all operations: every route and page, every OAuth flow, the background functions, and errors."""

from dataclasses import replace

from chalicelib.core import settings
from tests.infra.every_operation.api_calls import ApiCalls
from tests.infra.every_operation.background_runs import BackgroundRuns
from tests.infra.every_operation.console_pages import ConsolePages
from tests.infra.every_operation.first_verifications import FirstVerifications
from tests.infra.every_operation.oauth_flows import OAuthFlows
from tests.support.webhook_receiver import PUBLIC_URL, run_receiver


class EveryOperation(ApiCalls, ConsolePages, OAuthFlows, FirstVerifications, BackgroundRuns):
    """All parts of the scenario."""

    def run_all(self) -> None:
        """Run all parts in order."""
        self.public_routes()
        self.users()
        self.members()
        self.keys()
        self.leaks()
        self.services()
        self.signing_up()
        self.choosing_what_ends()
        self.profile_page()
        self.accounts_page()
        self.member_pages()
        self.key_pages()
        self.webhook_pages()
        self.admin_pages()
        self.admin_application_pages()
        self.application_pages()
        self.code_flow()
        self.reuse()
        self.device_flow()
        self.client_for_itself()
        self.registration()
        self.leaving()
        self.first_verifications()
        self.jobs()
        with run_receiver() as receiver, settings.override(replace(settings.current(), public_url=PUBLIC_URL)):
            self.webhooks(receiver)
            self.background(receiver)
        self.anomalies()
