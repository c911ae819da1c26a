"""Whether mail leaves: what the stage is set to, and what SES says of its sender and of the account's sandbox."""

from infra import template
from infra.smoke import rights, target
from infra.smoke.run import Run

CHECK = "mail"


def check(run: Run) -> None:
    """Say what is seen. Nothing is sent."""
    sender = run.target.settings.mail_from
    if not run.target.stage:
        run.outcomes.left_out(CHECK, "an address alone doesn't tell: STAGE= does")
    elif run.target.stage == target.LOCAL:
        run.outcomes.left_out(CHECK, "a local run sends none: it keeps it in .local/mail")
    elif not sender:
        run.outcomes.seen(CHECK, "no sender is set: no mail leaves, and nobody has to confirm an address")
    else:
        with rights.asked(run.outcomes, CHECK):
            _look(run, sender)


def _look(run: Run, sender: str) -> None:
    import boto3

    client = boto3.client("sesv2")
    told = client.get_account()
    in_sandbox = "out of" if told.get("ProductionAccessEnabled") else "in"
    run.outcomes.seen(CHECK, f"the account is {in_sandbox} SES's sandbox in this region")
    is_sending = told.get("SendingEnabled", False)
    run.outcomes.expect("SES sends for this account", is_sending, expected="enabled", got="disabled")
    names = [each.removeprefix("identity/") for each in template.identities(sender) if each.startswith("identity/")]
    verified = [name for name in names if _is_verified(client, name)]
    run.outcomes.expect("the sender is verified", bool(verified), expected="its address or domain", got="neither")


def _is_verified(client: object, name: str) -> bool:
    try:
        told = client.get_email_identity(EmailIdentity=name)  # type: ignore[attr-defined]  # botocore makes its methods
    except client.exceptions.NotFoundException:  # type: ignore[attr-defined]  # as above
        return False
    return bool(told["VerifiedForSendingStatus"])
