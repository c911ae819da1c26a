"""The functions without an HTTP request: those of the stream, of every minute and of every hour."""

from chalicelib.accounts import change
from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.credentials import on_anomaly
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import counter_items, tiers
from chalicelib.uptime import incidents, states
from chalicelib.webhooks import endpoint_lock, endpoints, fan_out
from chalicelib.webhooks.states import BY_ACCOUNT
from chalicelib.webhooks.tables import Endpoint
from tests.detection.planted import NETWORK, item, used_for_days
from tests.infra.every_operation.scenario import Scenario
from tests.infra.recorder import HOUR, JOB, MINUTE, STREAM
from tests.support.console_client import new_account
from tests.support.job_runs import job_record, stored_jobs
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import SCHEDULED, images, stream_of


class BackgroundRuns(Scenario):
    """The part of the scenario that runs the background functions."""

    def background(self, receiver: Receiver) -> None:
        """Deliver webhooks: successfully, with retries, and after a crash. Also abandon deliveries."""
        incidents.update(incidents.open_incident("Slow", "Looking into it.", ["api"]).at, "Mended.", states.RESOLVED)
        for function, act in ((STREAM, self._streams), (MINUTE, _minute), (HOUR, _hour)):
            ada = new_account()
            hooks = [endpoints.create(ada.id, url=receiver.url, name=name, types=None) for name in ("A", "B", "C")]
            endpoints.disable(hooks[2], BY_ACCOUNT)
            for says in ([204, 500], [500, 204], [410]):
                receiver.statuses = says
                change.rename(ada.id, f"Ada {says}")
                if function == MINUTE:
                    fan_out.enqueue(_events(ada.id))
                    endpoint_lock.mark_backlogged(hooks[0])
                with self.recorder.within(function):
                    act(ada.id)
                self.latchkey.clock.forward(90)
            # The endpoint's lock is held by another function.
            later_ms = clock.now_ms() + clock.HOUR_S * 1000
            Endpoint(ada.id, hooks[0].id).update(actions=[Endpoint.busy_until.set(later_ms)])
            change.rename(ada.id, "Ada")
            with self.recorder.within(function):
                act(ada.id)
            for hook in hooks:
                endpoints.enable(hook)
                change.rename(ada.id, "Ada")
                fan_out.enqueue(_events(ada.id))
                endpoints.disable(hook, BY_ACCOUNT)
            change.set_tier_and_status(ada.id, tier=tiers.PRO, status=None, actor="operator")
            # The deletion is interrupted before its invalidation mark is set.
            self.latchkey.clock.forward(1)
            with models.transaction() as write:
                record.add_to(write, ada.id, kinds.ACCOUNT_DELETED, {})
            with self.recorder.within(function):
                act(ada.id)

    def jobs(self) -> None:
        """Finish the jobs of all earlier operations; the function `minute` restarts those that waited."""
        for _ in range(3):
            self.latchkey.clock.forward(90)
            with self.recorder.within(MINUTE):
                background.minute(SCHEDULED, None)
            while jobs := [job for job in stored_jobs() if not job.waits]:
                for job in jobs:
                    with self.recorder.within(JOB):
                        background.job({"Records": [job_record("MODIFY", job)]}, None)
        assert stored_jobs() == []

    def anomalies(self) -> None:
        """Run the hourly detection for anomalous keys with each policy."""
        for chosen in on_anomaly.ALL:
            account = new_account()
            issued = used_for_days(self.latchkey, account)
            Credential(issued.key.digest).update(actions=[Credential.on_anomaly.set(chosen)])
            counter = counter_items.counter_of(issued.key.id)
            new = {NETWORK: counter, "nBBBBBBBB": counter}
            item(account, clock.hour_of(clock.now_s()), {counter: 50}, new)
            with self.recorder.within(HOUR):
                _hour(account.id)

    def _streams(self, account_id: str) -> None:
        background.stream(stream_of(account_id), None)


def _minute(_account_id: str) -> None:
    background.minute(SCHEDULED, None)


def _hour(_account_id: str) -> None:
    background.hour(SCHEDULED, None)


def _events(account_id: str) -> list[Event]:
    return [Event.from_raw_data(image) for image in images(account_id)]
