"""Every page of the console, opened once, and every form, submitted once."""

from dataclasses import replace

from chalicelib.accounts import change, email_links, find, roles
from chalicelib.accounts.states import SUSPENDED
from chalicelib.core import settings
from chalicelib.detection import leak_policy
from chalicelib.events.tables import Event
from chalicelib.jobs.progress import BATCH
from chalicelib.oauth import grants
from chalicelib.termination import member_removal, password_reset
from chalicelib.webhooks import deliver, endpoints, fan_out
from tests.infra.every_operation.scenario import Scenario, ok
from tests.oauth.flow import (
    CALLBACK,
    new_user,
    register_client,
)
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.webhook_receiver import PUBLIC_URL, run_receiver
from tests.webhooks.told import images

OTHER = "harmonica wolverine custard"
ACCOUNT, ACCOUNTS, PROFILE = "/settings/account", "/settings/accounts", "/settings/profile"
MEMBERS = "/settings/members"


class ConsolePages(Scenario):
    """The part of the scenario that opens every page and submits every form of the console."""

    def signing_up(self) -> None:
        """Sign up, log out, log in, and reset the password."""
        console = ConsoleClient(self.latchkey)
        ok(console.submit("/signup", email="grace@example.com", name="Grace", password=PASSWORD))
        ok(console.submit(self.link()), console.open("/login"))
        ok(console.submit("/logout", on=ACCOUNT), console.log_in("grace@example.com"))
        ok(ConsoleClient(self.latchkey).submit("/signup", email="grace@example.com", name="Eve", password=PASSWORD))
        for email in ("grace@example.com", "nobody@example.com"):
            ok(ConsoleClient(self.latchkey).submit("/forgot", email=email))
            assert ConsoleClient(self.latchkey).log_in(email, "not the password").status == 401
        self.recorder.emails.pop()  # Discard the email to the unknown address.
        ok(ConsoleClient(self.latchkey).submit(self.link(), password=OTHER))
        ok(ConsoleClient(self.latchkey).log_in("grace@example.com", OTHER))

    def choosing_what_ends(self) -> None:
        """Reset the password and revoke the chosen keys, applications and webhooks, once with an interruption and once
        without.
        """
        for is_killed in (True, False):
            ada = new_user(self.latchkey)
            app = register_client(self.latchkey, owner=ada.account)
            url, maker = "https://example.com/", ada.account.user_id
            hook = endpoints.create(ada.account.id, url=url, name="Ledger", types=None, user_id=maker)
            chosen = {self.latchkey.key(ada.account).key.id, app.id, hook.id}
            new_user(self.latchkey).grant(app)
            ada.grant(register_client(self.latchkey))
            if is_killed:
                password_reset.new(ada.account.user_id, chosen | {password_reset.CONNECTED}, by="digest").save()
                continue
            user = ada.account.user
            ticket = email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch)
            ok(ConsoleClient(self.latchkey).submit(f"/password?ticket={ticket}", password=OTHER, end=chosen))

    def profile_page(self) -> None:
        """Change a user's name, address and password, and end sessions."""
        ada = new_user(self.latchkey, verified=False)
        ok(ada.open("/settings"), ada.submit(f"{PROFILE}/verification", on=PROFILE), ada.submit(self.link()))
        ada.log_in_again()
        ok(ada.submit(f"{PROFILE}/name", on=PROFILE, name="Ada L"))
        ok(ada.submit(f"{PROFILE}/email", on=PROFILE, email="l@example.com", password=PASSWORD))
        ok(ada.submit(self.link()))
        ok(ada.submit(f"{PROFILE}/password", on=PROFILE, password=PASSWORD, new_password=OTHER))
        ok(ada.open(PROFILE), ada.open(f"{PROFILE}/activity"))
        ok(ada.open(f"{PROFILE}/sessions"), ada.submit(f"{PROFILE}/sessions/{ada.session_id}/end"))
        ada.log_in_again()
        ok(ada.submit(f"{PROFILE}/log-out-everywhere"))

    def accounts_page(self) -> None:
        """Rename an account, look at its usage, create a second one, switch, and delete both and the user."""
        ada = new_user(self.latchkey)
        ok(ada.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="Ledger"))
        self.latchkey.clock.forward(3600)
        ok(ada.open(ACCOUNT), ada.open("/settings/usage"), ada.open("/settings/activity"))
        ok(ada.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="Second"), ada.open(ACCOUNTS))
        ok(ada.submit(f"{ACCOUNTS}/open", on=ACCOUNTS, open=ada.account.id))
        for _ in range(2):
            ada.delete_account()
        ok(ada.open(ACCOUNTS), ada.submit(f"{PROFILE}/delete", on=PROFILE, password=PASSWORD))

    def member_pages(self) -> None:
        """Invite, resend, withdraw, join as a user and as a new one, change a role, remove a member, and leave."""
        ada, grace = new_user(self.latchkey), new_user(self.latchkey, "Grace")
        for email in (grace.account.email, "joins@example.com"):
            ok(ada.submit(f"{MEMBERS}/invite", on=MEMBERS, email=email, role=roles.DEVELOPER))
            again = next(form.action for form in ada.open(MEMBERS).content.forms if form.action.endswith("/resend"))
            ok(ada.submit(again, on=MEMBERS))
            if email == grace.account.email:
                ok(grace.open(self.link()), grace.submit("/invitation", on=self.link()))
            else:
                new = ConsoleClient(self.latchkey)
                ok(new.submit("/invitation", on=self.link(), name="Joe", password=PASSWORD))
        ok(ada.submit(f"{MEMBERS}/invite", on=MEMBERS, email="never@example.com", role=roles.VIEWER))
        path = next(url for url in ada.open(MEMBERS).urls if url.endswith("/withdraw"))
        ok(ada.submit(path))
        joe = find.user_by_email("joins@example.com")
        for user_id in (grace.account.user_id, joe.id):
            one = f"{MEMBERS}/{user_id}"
            ok(ada.open(one), ada.submit(f"{one}/role", on=one, role=roles.ADMIN))
        ok(ada.submit(f"{MEMBERS}/{joe.id}/remove", on=f"{MEMBERS}/{joe.id}", keys=member_removal.MOVE))
        ok(grace.submit(f"{ACCOUNTS}/open", on=ACCOUNTS, open=ada.account.id))
        ok(ada.submit(f"{MEMBERS}/{grace.account.user_id}/transfer"))
        own, hers = f"{MEMBERS}/{grace.account.user_id}", f"{MEMBERS}/{ada.account.user_id}"
        ok(grace.submit(f"{hers}/transfer"), ada.submit(f"{own}/remove", on=own, keys=member_removal.REVOKE))
        leaving = log_in_as(self.latchkey, self.latchkey.member(ada.account, roles.VIEWER))
        change.set_tier_and_status(ada.account.id, tier=None, status=SUSPENDED, actor="operator")
        ok(leaving.submit(f"{ACCOUNTS}/leave", on=f"{ACCOUNTS}/leave?leave={ada.account.id}"))

    def key_pages(self) -> None:
        """Use the pages of keys."""
        ada = new_user(self.latchkey)
        ok(ada.submit("/settings/keys/new", name="CI", scopes=["read", "write"]), ada.open("/settings/keys"))
        path = next(url for url in ada.open("/settings/keys").urls if "/settings/keys/key_" in url)
        ok(ada.submit(f"{path}/rename", on=path, name="Web"), ada.submit(f"{path}/narrow", on=path, scopes=["read"]))
        ok(ada.submit(f"{path}/policy", on=path, on_anomaly="revoke"))
        leak_policy.act(ada.account.id, path.rpartition("/")[2], policy="tell", why="requests from a new network")
        ok(ada.submit(f"{path}/usual", on=path))
        ok(ada.submit(f"{path}/rotate", on=path, grace="in 1 hour"), ada.submit(f"{path}/revoke"))

    def webhook_pages(self) -> None:
        """Use the pages of webhooks."""
        ada = new_user(self.latchkey)
        place = "/settings/webhooks"
        ok(ada.open(place), ada.open(f"{place}/new"))
        with run_receiver() as receiver, settings.override(replace(settings.current(), public_url=PUBLIC_URL)):
            made = endpoints.create(ada.account.id, url=receiver.url, name="Ledger", types=None)
            sent = deliver.send_test(made)
        path = f"{place}/{made.id}"
        hook = {"url": "https://127.0.0.1.nip.invalid/", "name": "Audit"}
        ok(ada.submit(f"{place}/new", on=f"{place}/new", **hook))
        ok(ada.open(path), ada.submit(f"{path}/change", on=path, **hook), ada.submit(f"{path}/secret", on=path))
        one = f"{path}/deliveries/{sent.id}"
        ok(ada.submit(f"{path}/test", on=path), ada.open(one), ada.submit(f"{one}/resend", on=one))
        ok(ada.submit(f"{path}/status", on=path), ada.submit(f"{path}/status", on=path))
        ok(ada.submit(f"{path}/delete", on=path))

    def admin_pages(self) -> None:
        """Use the pages on which admins manage accounts."""
        root, ada = new_user(self.latchkey, "Root", admin=True), new_account()
        path = f"/admin/accounts/{ada.id}"
        ok(root.open("/admin"), root.open(f"/admin?find={ada.email}"), root.open(path))
        key = self.latchkey.key(ada)
        ok(root.open("/admin?find=ada"), root.open(f"{path}/events"))
        ok(root.submit(f"{path}/keys/{key.key.id}/revoke", reason="Found on a forum"))
        ok(root.submit(f"{path}/tier", on=path, tier="pro", reason="Paid"))
        ok(root.submit(f"{path}/suspend", on=path, reason="Abuse"))
        ok(root.submit(f"{path}/reinstate", on=path, reason="A mistake"))

    def admin_application_pages(self) -> None:
        """Use the pages on which admins manage OAuth clients."""
        root, app, latchkey = (
            new_user(self.latchkey, "Root", admin=True),
            register_client(self.latchkey),
            "/admin/applications",
        )
        new_user(self.latchkey).grant(app)
        ok(
            root.open(latchkey),
            root.open(f"{latchkey}?client_id={app.id}"),
            root.open(f"{latchkey}/end?client_id={app.id}"),
        )
        for client_id in (app.id, "https://app.example.com/unheard-of.json"):
            ok(root.submit(f"{latchkey}/end?client_id={client_id}", client_id=client_id, reason="Phishing"))

    def application_pages(self) -> None:
        """Use the pages of applications."""
        ada, new = new_user(self.latchkey), "/settings/applications/new"
        ok(ada.submit(new, name="Photos", redirect_uris=CALLBACK, kind="confidential", scopes=["read"]))
        path = next(url for url in ada.open("/settings/applications").urls if "/settings/applications/app_" in url)
        ok(ada.submit(f"{path}/change", on=path, name="Pictures", redirect_uris=CALLBACK))
        ok(ada.submit(f"{path}/secret", on=path), ada.submit(f"{path}/delete", on=path))

    def leaving(self) -> None:
        """Delete an account with a key, an application and a grant."""
        ada = new_user(self.latchkey)
        self.latchkey.key(ada.account)
        ada.grant(register_client(self.latchkey, owner=ada.account))
        endpoints.create(ada.account.id, url="https://example.com/", name="Ledger", types=None)
        fan_out.enqueue(_events(ada.account.id))
        email_links.new_link(
            ada.account.user_id,
            email_links.CHANGE_EMAIL,
            email="next@example.com",
            epoch=ada.account.user.session_epoch,
        )
        self.latchkey.clock.forward(1)
        ada.delete_account()
        # There is one user more than a batch, so a job must invalidate the tokens of the last user.
        app = register_client(self.latchkey)
        for _ in range(BATCH + 1):
            grants.new(ada.account.id, ada.account.user_id, app.id, scopes={"read"}, resources=set()).save()
        change.set_tier_and_status(str(app.client.account_id), tier=None, status=SUSPENDED, actor="operator")


def _events(account_id: str) -> list[Event]:
    return [Event.from_raw_data(image) for image in images(account_id)]
