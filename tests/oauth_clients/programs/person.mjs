// What a client needs from outside: what it was given at its start, and the person whom it asks over standard output.
import { createInterface } from 'node:readline';

export const given = JSON.parse(process.env.GIVEN);

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Ask for something and wait for the answer. */
export async function ask(what, about = null) {
  console.log(JSON.stringify({ ask: what, about }));
  const { value } = await answers.next();
  return JSON.parse(value);
}

/** Send the person to an authorization URL; resolves to the URL at which the client is answered. */
export async function allows(url) {
  return new URL(await ask('allow', String(url)));
}

/** The same answer, but of another server: what a mix-up would make of it. */
export function ofAnotherIssuer(callback) {
  const changed = new URL(callback);
  changed.searchParams.set('iss', 'https://mix-up.example.com');
  return changed;
}

/** Say what came of it, and end. */
export function done(results) {
  console.log(JSON.stringify({ done: results }));
  process.exit(0);
}
