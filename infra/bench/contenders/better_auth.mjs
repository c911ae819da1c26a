// Measure better-auth's API-key plugin in its fastest setup: `verifyApiKey` with its rate limit, on in-memory SQLite.
//
// The function is called directly, without HTTP. The database is better-sqlite3 in memory, whose statements need neither
// a thread nor a disk. Logging and telemetry are off. Updates aren't deferred: deferred updates take the same CPU time
// and make the limit inexact. The number of keys is the same as in Latchkey's benchmark, and no key
// reaches its limit.
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import Database from 'better-sqlite3';

import { serve } from './serve.mjs';

const KEYS = 50;

const auth = betterAuth({
  baseURL: 'http://127.0.0.1',
  secret: 'a secret that only a benchmark would print',
  database: new Database(':memory:'),
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: true, timeWindow: 3_600_000, maxRequests: 10_000 } })],
});
await (await getMigrations(auth.options)).runMigrations();
const { internalAdapter } = await auth.$context;

const keys = [];
for (let number = 0; number < KEYS; number += 1) {
  const user = await internalAdapter.createUser({ email: `${number}@example.com`, name: 'Bench', emailVerified: true });
  keys.push((await auth.api.createApiKey({ body: { userId: user.id } })).key);
}

await serve({
  async operate(number) {
    return (await auth.api.verifyApiKey({ body: { key: keys[number % KEYS] } })).valid;
  },
});
