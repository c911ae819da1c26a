// simple-oauth2, configured with the server's URL only: its default paths are the server's.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { AuthorizationCode, ClientCredentials } from 'simple-oauth2';
import { allow, done, given } from './user.mjs';

const { issuer, clientId, clientSecret, method, bodyFormat, redirectUri, me } = given;
const config = {
  client: { id: clientId, secret: clientSecret },
  auth: { tokenHost: issuer },
  options: { authorizationMethod: method === 'client_secret_basic' ? 'header' : 'body', bodyFormat },
};

async function record(token) {
  return (await fetch(me, { headers: { Authorization: `Bearer ${token}` } })).json();
}

const client = new AuthorizationCode(config);
const verifier = randomBytes(32).toString('base64url');
const state = randomBytes(16).toString('base64url');
const callback = await allow(
  client.authorizeURL({
    redirect_uri: redirectUri,
    scope: ['read', 'write'],
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }),
);
assert.equal(callback.searchParams.get('state'), state);
const token = await client.getToken({
  code: callback.searchParams.get('code'),
  redirect_uri: redirectUri,
  code_verifier: verifier,
});
assert.equal(token.expired(), false);
const records = [await record(token.token.access_token)];
const refreshed = await token.refresh({ scope: 'read' });
assert.equal(refreshed.token.scope, 'read');
records.push(await record(refreshed.token.access_token));
await refreshed.revokeAll();

const own = await new ClientCredentials(config).getToken({ scope: 'read' });
records.push(await record(own.token.access_token));
await own.revoke('access_token');
done({ records, revoked: [token, refreshed, own].map((each) => each.token.access_token) });
