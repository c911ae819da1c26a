"""Paths and views of the console. The module of a view is imported by its first request."""

from functools import partial

from chalice.app import Blueprint

from chalicelib.accounts import roles
from chalicelib.api.console import render_response
from chalicelib.api.console.page import View, register_page, register_redirect
from chalicelib.api.routing import Route, register

blueprint = Blueprint(__name__)

PAGES = (
    ("GET", "/", "entry.show_landing"),
    ("GET", "/docs", "reference.show_docs"),
    ("GET", "/signup", "entry.show_sign_up"),
    ("POST", "/signup", "entry.sign_up"),
    ("GET", "/login", "entry.show_log_in"),
    ("POST", "/login", "entry.log_in"),
    ("POST", "/logout", "entry.log_out"),
    ("GET", "/forgot", "entry.show_forgot"),
    ("POST", "/forgot", "entry.forgot"),
    ("GET", "/password", "mail_links.show_password"),
    ("POST", "/password", "mail_links.set_password"),
    ("GET", "/verify", "mail_links.show_verify"),
    ("POST", "/verify", "mail_links.verify"),
    ("GET", "/settings", "account.show_settings"),
    ("GET", "/settings/keys", "keys.show_keys"),
    ("GET", "/settings/keys/new", "keys.show_new_key"),
    ("POST", "/settings/keys/new", "keys.generate"),
    ("GET", "/settings/keys/{key_id}", "keys.show_key"),
    ("POST", "/settings/keys/{key_id}/rename", "keys.rename"),
    ("GET", "/settings/keys/{key_id}/narrow", "keys.confirm_narrow"),
    ("POST", "/settings/keys/{key_id}/narrow", "keys.narrow"),
    ("POST", "/settings/keys/{key_id}/policy", "keys.choose_policy"),
    ("POST", "/settings/keys/{key_id}/usual", "keys.dismiss_alert"),
    ("GET", "/settings/keys/{key_id}/rotate", "keys.confirm_rotate"),
    ("POST", "/settings/keys/{key_id}/rotate", "keys.rotate_key"),
    ("GET", "/settings/keys/{key_id}/revoke", "keys.confirm_revoke"),
    ("POST", "/settings/keys/{key_id}/revoke", "keys.revoke_key"),
    ("GET", "/settings/usage", "usage.show_usage"),
    ("GET", "/settings/activity", "activity.show_activity"),
    ("GET", "/settings/webhooks", "webhooks.show_webhooks"),
    ("GET", "/settings/webhooks/new", "webhooks.show_new_webhook"),
    ("POST", "/settings/webhooks/new", "webhooks.add"),
    ("GET", "/settings/webhooks/{webhook_id}", "webhooks.show_webhook"),
    ("POST", "/settings/webhooks/{webhook_id}/change", "webhooks.change"),
    ("GET", "/settings/webhooks/{webhook_id}/secret", "webhooks.confirm_rotate_secret"),
    ("POST", "/settings/webhooks/{webhook_id}/secret", "webhooks.rotate_secret"),
    ("POST", "/settings/webhooks/{webhook_id}/test", "webhooks.test"),
    ("GET", "/settings/webhooks/{webhook_id}/status", "webhooks.confirm_disable"),
    ("POST", "/settings/webhooks/{webhook_id}/status", "webhooks.set_status"),
    ("GET", "/settings/webhooks/{webhook_id}/delete", "webhooks.confirm_delete"),
    ("POST", "/settings/webhooks/{webhook_id}/delete", "webhooks.delete"),
    ("GET", "/settings/webhooks/{webhook_id}/deliveries/{message_id}", "webhooks.show_delivery"),
    ("POST", "/settings/webhooks/{webhook_id}/deliveries/{message_id}/resend", "webhooks.resend"),
    ("GET", "/settings/members", "members.show_members"),
    ("POST", "/settings/members/invite", "members.invite"),
    ("POST", "/settings/members/invitations/{invitation_id}/resend", "members.resend"),
    ("GET", "/settings/members/invitations/{invitation_id}/withdraw", "members.confirm_withdraw"),
    ("POST", "/settings/members/invitations/{invitation_id}/withdraw", "members.withdraw"),
    ("GET", "/settings/members/{user_id}", "members.show_member"),
    ("POST", "/settings/members/{user_id}/role", "members.change_role"),
    ("GET", "/settings/members/{user_id}/transfer", "members.confirm_transfer"),
    ("POST", "/settings/members/{user_id}/transfer", "members.transfer"),
    ("POST", "/settings/members/{user_id}/remove", "members.remove"),
    ("GET", "/invitation", "invitation.show_invitation"),
    ("POST", "/invitation", "invitation.accept"),
    ("GET", "/settings/account", "account.show_account"),
    ("POST", "/settings/account/name", "account.rename"),
    ("POST", "/settings/account/delete", "account.delete"),
    ("GET", "/settings/accounts", "account.show_accounts"),
    ("POST", "/settings/accounts/open", "account.open_account"),
    ("POST", "/settings/accounts/new", "account.create_account"),
    ("GET", "/settings/accounts/leave", "account.confirm_leave"),
    ("POST", "/settings/accounts/leave", "account.leave"),
    ("GET", "/settings/profile", "profile.show_profile"),
    ("POST", "/settings/profile/name", "profile.rename"),
    ("POST", "/settings/profile/email", "profile.change_email"),
    ("POST", "/settings/profile/password", "profile.change_password"),
    ("POST", "/settings/profile/verification", "profile.send_verification"),
    ("POST", "/settings/profile/delete", "profile.delete"),
    ("GET", "/settings/profile/activity", "activity.show_own_activity"),
    ("GET", "/settings/profile/sessions", "sessions.show_sessions"),
    ("GET", "/settings/profile/sessions/{session_id}/end", "sessions.confirm_end"),
    ("POST", "/settings/profile/sessions/{session_id}/end", "sessions.end"),
    ("GET", "/settings/profile/log-out-everywhere", "sessions.confirm_log_out_everywhere"),
    ("POST", "/settings/profile/log-out-everywhere", "sessions.log_out_everywhere"),
    ("GET", "/settings/applications", "applications.show_applications"),
    ("GET", "/settings/applications/new", "applications.show_new_application"),
    ("POST", "/settings/applications/new", "applications.register"),
    ("GET", "/settings/applications/{client_id}", "applications.show_application"),
    ("POST", "/settings/applications/{client_id}/change", "applications.change"),
    ("GET", "/settings/applications/{client_id}/secret", "applications.confirm_rotate_secret"),
    ("POST", "/settings/applications/{client_id}/secret", "applications.rotate_secret"),
    ("GET", "/settings/applications/{client_id}/delete", "applications.confirm_delete"),
    ("POST", "/settings/applications/{client_id}/delete", "applications.delete"),
    ("GET", "/settings/connected", "applications.show_connected"),
    ("GET", "/settings/connected/disconnect", "applications.confirm_disconnect"),
    ("POST", "/settings/connected", "applications.disconnect"),
    ("GET", "/oauth/authorize", "consent.show_authorize"),
    ("POST", "/oauth/authorize", "consent.decide"),
    ("GET", "/device", "consent.show_device"),
    ("POST", "/device", "consent.decide_device"),
    ("GET", "/admin", "admin.show_accounts"),
    ("GET", "/admin/accounts/{account_id}", "admin.show_account"),
    ("POST", "/admin/accounts/{account_id}/tier", "admin.set_tier"),
    ("GET", "/admin/accounts/{account_id}/suspend", "admin.confirm_suspend"),
    ("POST", "/admin/accounts/{account_id}/suspend", "admin.suspend"),
    ("GET", "/admin/accounts/{account_id}/keys/{key_id}/revoke", "admin.confirm_revoke"),
    ("POST", "/admin/accounts/{account_id}/keys/{key_id}/revoke", "admin.revoke_key"),
    ("GET", "/admin/accounts/{account_id}/events", "admin.show_events"),
    ("POST", "/admin/accounts/{account_id}/reinstate", "admin.reinstate"),
    ("GET", "/admin/applications", "admin_applications.show_application"),
    ("GET", "/admin/applications/end", "admin_applications.confirm_end"),
    ("POST", "/admin/applications/end", "admin_applications.end"),
)
FORMS_ON = {
    f"{page_path}/{step}": page_path
    for page_path, steps in (
        ("/settings/keys/{key_id}", ("rename", "narrow", "policy", "usual")),
        ("/settings/webhooks/{webhook_id}", ("change", "test")),
        ("/settings/webhooks/{webhook_id}/deliveries/{message_id}", ("resend",)),
        ("/settings/members", ("invite", "invitations/{invitation_id}/resend")),
        ("/settings/members/{user_id}", ("role", "remove")),
        ("/settings/account", ("name", "delete")),
        ("/settings/accounts", ("open", "new")),
        ("/settings/profile", ("name", "email", "password", "verification", "delete")),
        ("/settings/applications/{client_id}", ("change",)),
        ("/admin/accounts/{account_id}", ("tier", "reinstate")),
    )
    for step in steps
} | {"/logout": "/"}
"""The page that contains a form, by the form's path. A GET request for that path is redirected to the page."""

LEAST_ROLES = (
    ("/settings/keys", roles.DEVELOPER),
    ("/settings/members/invite", roles.ADMIN),
    ("/settings/members/invitations", roles.ADMIN),
    ("/settings/members/{user_id}/role", roles.ADMIN),
    ("/settings/members/{user_id}/transfer", roles.OWNER),
    ("/settings/members", roles.VIEWER),
    ("/settings/webhooks", roles.ADMIN),
    ("/settings/applications", roles.ADMIN),
    ("/settings/account/name", roles.ADMIN),
    ("/settings/account/delete", roles.OWNER),
    ("/settings/accounts", ""),
    ("/settings/account", roles.VIEWER),
    ("/settings/usage", roles.VIEWER),
    ("/settings/activity", roles.VIEWER),
    ("/settings/connected", roles.VIEWER),
)
"""The least role in the account that a page needs, by the beginning of its path; the first match counts.

Pages that aren't listed, or have "", belong to the user and not to an account.
"""


def least_role(path: str) -> str:
    """Return the least role that a page needs, "" if it belongs to no account."""
    return next((role for beginning, role in LEAST_ROLES if f"{path}/".startswith(f"{beginning}/")), "")


PAGE_OF_PATH = {path: View(path, view, least_role(path)) for method, path, view in PAGES if method == "GET"}


for method, path, view in PAGES:
    form_page = PAGE_OF_PATH.get(FORMS_ON.get(path, path)) if method == "POST" else None
    register_page(blueprint, method, View(path, view, least_role(path)), form_page)

for path, page_path in FORMS_ON.items():
    if path not in PAGE_OF_PATH:
        register_redirect(blueprint, path, page_path)

_Uncounted = partial(Route, rate_limited=False, cross_origin=False, is_documented=False)

register(
    blueprint,
    (
        _Uncounted("GET", "/status", "status.show_status", error_response=render_response.plain_error_page),
        _Uncounted("GET", "/static/{name}", "static_files.static"),
    ),
    "chalicelib.api.console",
)
