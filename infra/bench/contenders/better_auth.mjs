// better-auth's API-key plugin at its best: `verifyApiKey`, its rate limit on, in this process, on SQLite in memory.
//
// No HTTP is between: the function is called as a server calls it. Its database is better-sqlite3, whose statements
// need no thread, in memory, so that no disk is waited for. Logging and telemetry are off. Updates are not deferred:
// deferred ones cost the same time of the processor, and a limit that they keep isn't exact. As many keys as ours, all
// below their limit.
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
