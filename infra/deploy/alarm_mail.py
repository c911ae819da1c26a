"""The addresses to which alarms are sent: each gets none before it has confirmed that it wants them."""

from collections.abc import Iterable, Iterator

import boto3


def unconfirmed(topics: Iterable[str]) -> Iterator[str]:
    """Yield the addresses that AWS has asked, and that haven't confirmed: after each topic that is made, all of it."""
    pages = boto3.client("sns").get_paginator("list_subscriptions_by_topic")
    for topic in topics:
        for page in pages.paginate(TopicArn=topic):
            for each in page["Subscriptions"]:
                if not each["SubscriptionArn"].startswith("arn:"):
                    yield each["Endpoint"]
