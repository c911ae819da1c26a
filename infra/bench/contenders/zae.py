"""Measure zae-limiter in its fastest setup: the asyncio limiter with speculative writes and cached limits.

Each entity has an hourly and a one-second limit, like an account in Latchkey's benchmark, and there are as many
entities as accounts. zae-limiter creates its own table. One decision is one `acquire`, whose speculative write is one
UpdateItem.
"""

import asyncio
import os
from contextlib import suppress

from zae_limiter import (  # type: ignore[import-not-found]  # installed only in the benchmark's environment
    Limit,
    RateLimiter,
    RateLimitExceeded,
    Repository,
)

from infra.bench.contender import AsyncWork, serve_async

ENTITIES = 50
PER_HOUR, PER_SECOND = 10_000, 200
AMOUNT = {"hour": 1, "second": 1}


def main() -> None:
    """Measure how long zae-limiter takes to decide whether a request is within its limits."""
    with asyncio.Runner() as runner:
        repository = runner.run(_repository())
        limiter = RateLimiter(repository=repository, speculative_writes=True)
        made = 0

        def count(**_: object) -> None:
            nonlocal made
            made += 1

        async def operate(number: int) -> bool:
            try:
                async with limiter.acquire(f"account-{number % ENTITIES}", "api", AMOUNT):
                    return True
            except RateLimitExceeded:
                return False

        async def ready() -> None:
            (await repository._get_client()).meta.events.register_first("before-call.dynamodb", count)

        runner.run(ready())
        serve_async(runner, AsyncWork(operate, lambda: made))
        with suppress(Exception):
            runner.run(repository.close())


async def _repository() -> Repository:
    named = {"stack": "zae-limiter", "region": "us-east-1", "endpoint_url": os.environ["AWS_ENDPOINT_URL"]}
    table = Repository(named["stack"], named["region"], named["endpoint_url"], _skip_deprecation_warning=True)
    await table.create_table()
    await table.close()
    # The version check calls Lambda, so it is skipped with the local database.
    repository = await Repository.open(**named)
    limits = [Limit.per_hour("hour", PER_HOUR), Limit.per_second("second", PER_SECOND)]
    await repository.set_system_defaults(limits)
    return repository


if __name__ == "__main__":
    main()
