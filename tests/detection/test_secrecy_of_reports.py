"""No secret of a leak report is stored, logged or sent."""

import io
import logging
from pathlib import Path

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import telemetry
from chalicelib.credentials.find import owned_key
from chalicelib.detection import leaks
from tests.api.test_secrecy import dump_of_all_tables
from tests.detection.leak_events import leak_events
from tests.detection.signing import Signer, alert, report, trust_signers
from tests.support.harness import TestApp
from tests.support.mailbox import collect_emails


def test_long_or_malformed_location_does_not_prevent_revocation(latchkey: TestApp) -> None:
    """A secret is revoked even if its reported location is too long or malformed."""
    long = "https://github.com/o/r/blob/main/" + "d/" * 1_000
    accounts = [latchkey.account(name=name) for name in ("Ada", "Bea", "Cleo")]
    keys = [latchkey.key(account) for account in accounts]
    places = [{"url": long}, {"url": "", "source": "s" * 101}, {"url": "\ud800", "source": "\ud800"}]
    response = report(latchkey, *(alert(key.secret) | place for key, place in zip(keys, places, strict=True)))
    assert response.status == 200
    assert [owned_key(key.key.account_id, key.key.id).state for key in keys] == ["revoked"] * 3
    recorded = [leak_events(account)[0]["changed"] for account in accounts]
    assert [each.get("url") for each in recorded] == [long[: leaks.URL_MAX], None, None]
    assert [each.get("source") for each in recorded] == ["commit", "s" * leaks.SOURCE_MAX, None]


def test_secret_at_truncation_point_is_not_recorded_in_part(latchkey: TestApp) -> None:
    """A location is checked for secrets before it is truncated, so that no part of a secret is recorded."""
    account = latchkey.account()
    issued = latchkey.key(account)
    place = "https://example.com/" + "d" * (leaks.URL_MAX - 40) + issued.secret
    report(latchkey, alert(issued.secret, url=place) | {"source": "s" * (leaks.SOURCE_MAX - 20) + issued.secret})
    recorded = leak_events(account)[0]["changed"]
    assert not {"url", "source"} & recorded.keys()


def test_secret_is_in_no_log_event_email_or_response(
    latchkey: TestApp, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The reported secret is in no log, event, email or response, even if URL or source contain it."""
    caplog.set_level(logging.DEBUG)
    log = io.StringIO()
    telemetry.write_to(log)
    issued, other, third = (latchkey.key(latchkey.account()) for _ in range(3))
    seen = []
    with collect_emails(tmp_path / "mail") as box:
        for key, url in (
            (issued, f"https://example.com/{issued.secret}"),
            (other, f"https://{other.secret}:x@example.com/page?key={other.secret}#{other.secret}"),
            (third, "javascript:alert(1)"),
        ):
            report(latchkey, alert(key.secret, url=url, source=key.secret))
        report(latchkey, alert(issued.secret) | {"public": issued.secret})
        latchkey.call("POST", "/v1/leaks", json_body=[alert(issued.secret)])
        emails_sent = box.take()
    seen += [repr(leaks.Alert(issued.secret, "key")), *(email.text for email in emails_sent)]
    everything = "\n".join((log.getvalue(), caplog.text, "".join(capfd.readouterr()), dump_of_all_tables(), *seen))
    for secret in latchkey.secrets:
        assert secret[-36:-6] not in everything
    assert [leak_events(Account(each.key.account_id))[0]["changed"].get("url") for each in (issued, other, third)] == [
        None,
        "https://example.com/page",
        None,
    ]


def test_source_and_url_with_secret_are_not_recorded(latchkey: TestApp, tmp_path: Path) -> None:
    """The source or the URL of a report is not recorded if it contains a secret."""
    github, account = Signer("one"), latchkey.account()
    issued, other = latchkey.key(account).secret, latchkey.key(account).secret
    with trust_signers(tmp_path, github):
        report(
            latchkey,
            alert(f"K={issued}") | {"source": f"see {other}", "url": f"https://x.example/{other}/a"},
            signer=github,
        )
    assert other not in dump_of_all_tables()
