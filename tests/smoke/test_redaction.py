"""The report of a smoke run contains no secrets and no identities."""

import pytest

from infra.smoke.outcomes import Outcomes
from infra.smoke.redaction import Redaction


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("got lk_live_0123456789abcdefghijABCDEFGHIJ012345", "got <secret>"),
        ("got acme_at_0123456789abcdefghijABCDEFGHIJ012345.", "got <secret>."),
        ("mail to Ada.Lovelace+smoke@mail.example.co.uk failed", "mail to <email> failed"),
        ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com/api/login", "https://<host>/api/login"),
        ('resource_metadata="http://127.0.0.1:8000/.well-known/x"', 'resource_metadata="https://<host>/.well-known/x"'),
        ("from 203.0.113.9, 2001:db8::1 and 2001:db8:0:0:1:2:3:4", "from <ip>, <ip> and <ip>"),
        ("arn:aws:sns:eu-central-1:123456789012:alarms", "arn:aws:sns:eu-central-1:<account>:alarms"),
        ("User: arn:aws:sts::123456789012:assumed-role/ops/ada", "User: arn:aws:sts::<account>:<user>"),
        ("AKIAIOSFODNN7EXAMPLE", "<aws key>"),
        ("account acc_0VcHWsDDL4kbQuuCWr6O", "account <acc id>"),
        ("expected 429 at 12:40:11, got 1638354000000 ms", "expected 429 at 12:40:11, got 1638354000000 ms"),
    ],
)
def test_secrets_and_identities_are_redacted(text: str, shown: str) -> None:
    """Secrets, email and IP addresses, hosts, ids and AWS accounts are redacted by their form; times and numbers
    aren't.
    """
    assert Redaction().of(text) == shown


def test_hidden_secret_is_redacted() -> None:
    """A hidden secret without a recognisable form is redacted, and longer secrets are redacted before shorter ones."""
    said: list[str] = []
    redaction = Redaction()
    for secret in ("correct horse", "correct horse battery", ""):
        redaction.hide(secret)
    outcomes = Outcomes(redaction, said.append)
    outcomes.differs("log in with correct horse battery", expected="correct horse", got="no")
    assert said == ["differs  log in with <secret>: expected <secret>, got no"]
    assert outcomes.found[0].found == "expected <secret>, got no"


def test_outcome_has_a_line_for_each_difference() -> None:
    """A check without a difference is one line with `ok`, and two differences are two lines."""
    said: list[str] = []
    outcomes = Outcomes(Redaction(), said.append)
    outcomes.judge("404", [])
    outcomes.judge("401", ["expected status 401, got 403", "header Allow: expected none, got GET"])
    assert said == [
        "ok       404",
        "differs  401: expected status 401, got 403",
        "differs  401: header Allow: expected none, got GET",
    ]
