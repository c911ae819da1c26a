"""A DynamoDB client of our own, because every request pays for the client's CPU time.

Measured by `make bench` (docs/performance.md, 27 November 2026): a whole authenticated request, including its admission
write, takes 170 µs of CPU, and one `update_item` of boto3 alone 550 µs. botocore and pynamodb's connection also take
two thirds of the time to import pynamodb at a cold start.

It does what botocore does for these calls, and the tests compare the two: Signature Version 4, DynamoDB's JSON,
kept-alive connections, bounded retries, typed errors. It has no endpoint discovery, no proxies and no credential chain
of its own; `LATCHKEY_WIRE=botocore` sends calls through botocore instead.
"""
