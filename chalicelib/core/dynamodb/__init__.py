"""A DynamoDB client that replaces boto3, because every request pays for the client's CPU time.

Measured by `make bench` (docs/performance.md, 27 November 2026): a whole authenticated request, including its admission
write, takes 170 µs of CPU, while a single `update_item` of boto3 takes 550 µs. At a cold start, pynamodb would also
spend two thirds of its import time on importing botocore.

For the calls of this service the client does the same as botocore, and tests compare the two: Signature Version 4,
DynamoDB's JSON, kept-alive connections, bounded retries, typed errors. It doesn't support endpoint discovery, proxies
or a credential chain; `LATCHKEY_WIRE=botocore` sends calls through botocore instead.
"""
