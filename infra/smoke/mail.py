"""Check that the stage can send emails: a sender is configured, and SES allows this account and sender to send."""

from typing import Any

from infra import template
from infra.smoke import rights, target
from infra.smoke.run import Run

CHECK = "mail"


def check(run: Run) -> None:
    """Check the setting and SES's status, without sending an email."""
    sender = run.target.settings.mail_from
    if not run.target.stage:
        run.outcomes.left_out(CHECK, "it requires STAGE=, since a URL alone doesn't reveal the setting")
    elif run.target.stage == target.LOCAL:
        run.outcomes.left_out(CHECK, "a local run sends no emails; it stores them in .local/mail")
    elif not sender:
        run.outcomes.seen(CHECK, "no sender is configured, so no emails are sent and addresses aren't verified")
    else:
        import boto3

        with rights.record_errors(run.outcomes, CHECK):
            look(run, boto3.client("sesv2"), sender)


def look(run: Run, client: Any, sender: str) -> None:
    """Check SES's status for the AWS account and for the sender."""
    account = client.get_account()
    in_sandbox = "out of" if account.get("ProductionAccessEnabled") else "in"
    run.outcomes.seen(CHECK, f"the account is {in_sandbox} SES's sandbox in this region")
    is_sending = account.get("SendingEnabled", False)
    run.outcomes.expect("SES sends for this account", is_sending, expected="enabled", got="disabled")
    verified = [name for name in identities(sender) if _is_verified(client, name)]
    run.outcomes.expect("the sender is verified", bool(verified), expected="its address or domain", got="neither")


def identities(sender: str) -> list[str]:
    """Return the sender's address, its domain and its parent domains. At least one must be a verified SES identity."""
    address = template.address(sender)
    labels = address.rpartition("@")[2].split(".")
    return [address, *(".".join(labels[at:]) for at in range(len(labels) - 1))]


def _is_verified(client: Any, name: str) -> bool:
    try:
        identity = client.get_email_identity(EmailIdentity=name)
    except client.exceptions.NotFoundException:
        return False
    return bool(identity["VerifiedForSendingStatus"])
