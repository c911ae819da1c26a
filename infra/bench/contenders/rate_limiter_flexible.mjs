// Measure rate-limiter-flexible in its fastest setup: a union of an hourly and a one-second limiter.
//
// Both limiters use one table, which is created beforehand. The SDK's client is created once and keeps its connections
// open, which is its default. An exhausted limit is cached in memory. The limits are those of a Pro account, and the
// number of keys is the number of accounts in Latchkey's benchmark.
import { DynamoDB } from '@aws-sdk/client-dynamodb';
import { RateLimiterDynamo, RateLimiterUnion } from 'rate-limiter-flexible';

import { serve } from './serve.mjs';

const KEYS = 50;
const TABLE = 'rate-limiter-flexible';

const client = new DynamoDB({ endpoint: process.env.AWS_ENDPOINT_URL, region: 'us-east-1' });
let made = 0;
client.middlewareStack.add((next) => (call) => { made += 1; return next(call); }, { step: 'initialize' });

await client.createTable({
  TableName: TABLE,
  AttributeDefinitions: [{ AttributeName: 'key', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
});

const stored = { storeClient: client, tableName: TABLE, tableCreated: true };
const limiter = (keyPrefix, points, duration) => new Promise((resolve, reject) => {
  const one = new RateLimiterDynamo(
    { ...stored, keyPrefix, points, duration, inMemoryBlockOnConsumed: points },
    (error) => (error ? reject(error) : resolve(one)),
  );
});
const union = new RateLimiterUnion(await limiter('hour', 10_000, 3_600), await limiter('second', 200, 1));

await serve({
  calls: () => made,
  async operate(number) {
    try {
      await union.consume(`account-${number % KEYS}`);
      return true;
    } catch (refusal) {
      if (refusal instanceof Error) throw refusal;
      return false;
    }
  },
});
client.destroy();
