// The parameters of a program, and its requests to the user over standard output.
import { createInterface } from 'node:readline';

export const given = JSON.parse(process.env.GIVEN);

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Send a request to the user and return the reply. */
export async function ask(what, about = null) {
  console.log(JSON.stringify({ ask: what, about }));
  const { value } = await answers.next();
  return JSON.parse(value);
}

/** Have the user approve an authorization URL; resolves to the redirect location. */
export async function allow(url) {
  return new URL(await ask('allow', String(url)));
}

/** Return the redirect location with another server's `iss`, as in a mix-up attack. */
export function ofAnotherIssuer(callback) {
  const changed = new URL(callback);
  changed.searchParams.set('iss', 'https://mix-up.example.com');
  return changed;
}

/** Write the results and exit. */
export function done(results) {
  console.log(JSON.stringify({ done: results }));
  process.exit(0);
}
