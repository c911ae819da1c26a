"""A DynamoDB client, because every request pays for the client that it uses.

Measured by `make bench` (docs/performance.md, 27 November 2026): a whole authenticated request, including its admission
write, takes 170 µs of CPU, and one `update_item` of boto3 alone 550 µs. botocore and pynamodb's connection are also two
thirds of the time that importing pynamodb takes at a cold start.

It does what botocore does for these calls, which the tests check by making calls both ways: Signature Version 4,
DynamoDB's JSON, kept-alive connections, bounded retries, typed errors. It has no endpoint discovery, no proxies and no
credential chain of its own; `LATCHKEY_WIRE=botocore` sends calls through botocore instead.

- `client`: one call, its retries, and its typed errors
- `codec`: DynamoDB's JSON
- `sigv4`: signatures
- `connection_pool` and `http_response`: connections, and reading responses
- `endpoint`: region, URL and credentials, from Lambda's environment or botocore's chain
- `models` and `pynamodb_base`: pynamodb's models on this client
- `tracing`: X-Ray subsegments of calls
"""
