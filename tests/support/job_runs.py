"""Run jobs in a test as the functions `job` and `minute` do."""

from chalicelib.api import background
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.jobs import run
from chalicelib.jobs.tables import Job
from chalicelib.termination import finish


def stored_jobs() -> list[Job]:
    """Return all jobs."""
    return list(Job.scan(consistent_read=True))


def run_jobs() -> None:
    """Restart the jobs that are due, and run slices of all jobs that don't wait, until none makes progress."""
    run.restart_overdue()
    tried: set[tuple[str, int]] = set()
    while True:
        current = [job for job in stored_jobs() if not job.waits and (job.id, job.version) not in tried]
        if not current:
            return
        for job in current:
            tried.add((job.id, job.version))
            finish.work_on([job.serialize()])


def job_record(event: str, job: Job) -> dynamodb.Json:
    """Return a record of the stream, as Lambda sends it."""
    return {
        "eventID": "1",
        "eventName": event,
        "awsRegion": "us-east-1",
        "eventSourceARN": background.JOBS_STREAM,
        "dynamodb": {
            "ApproximateCreationDateTime": 0,
            "Keys": {"id": {"S": job.id}},
            "NewImage": job.serialize(),
            "SequenceNumber": "1",
            "SizeBytes": 1,
            "StreamViewType": "NEW_IMAGE",
        },
    }
