"""Check that emails can be sent: the stage's setting, and SES's status of its sender and of the sandbox."""

from typing import Any

from infra import template
from infra.smoke import rights, target
from infra.smoke.run import Run

CHECK = "mail"


def check(run: Run) -> None:
    """Record the status. Nothing is sent."""
    sender = run.target.settings.mail_from
    if not run.target.stage:
        run.outcomes.left_out(CHECK, "an address alone doesn't tell: STAGE= does")
    elif run.target.stage == target.LOCAL:
        run.outcomes.left_out(CHECK, "a local run sends none: it keeps it in .local/mail")
    elif not sender:
        run.outcomes.seen(CHECK, "no sender is set: no email is sent, and addresses need no confirmation")
    else:
        import boto3

        with rights.asked(run.outcomes, CHECK):
            look(run, boto3.client("sesv2"), sender)


def look(run: Run, client: Any, sender: str) -> None:
    """Record SES's status of an account and of a sender."""
    account = client.get_account()
    in_sandbox = "out of" if account.get("ProductionAccessEnabled") else "in"
    run.outcomes.seen(CHECK, f"the account is {in_sandbox} SES's sandbox in this region")
    is_sending = account.get("SendingEnabled", False)
    run.outcomes.expect("SES sends for this account", is_sending, expected="enabled", got="disabled")
    verified = [name for name in identities(sender) if _is_verified(client, name)]
    run.outcomes.expect("the sender is verified", bool(verified), expected="its address or domain", got="neither")


def identities(sender: str) -> list[str]:
    """Return the identities that SES may have verified for a sender: its address, its domain, and parent domains."""
    address = template.address(sender)
    labels = address.rpartition("@")[2].split(".")
    return [address, *(".".join(labels[at:]) for at in range(len(labels) - 1))]


def _is_verified(client: Any, name: str) -> bool:
    try:
        identity = client.get_email_identity(EmailIdentity=name)
    except client.exceptions.NotFoundException:
        return False
    return bool(identity["VerifiedForSendingStatus"])
