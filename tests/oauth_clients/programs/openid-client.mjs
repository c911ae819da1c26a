// openid-client: all of its functions for OAuth 2.
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { allow, ask, done, given, ofAnotherIssuer } from './user.mjs';

const { issuer, clientId, clientSecret, method, redirectUri, me } = given;
const server = new URL(issuer);
const insecure = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };

function authentication(secret) {
  if (method === 'none') return client.None();
  return method === 'client_secret_post' ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
}

async function discoveredOrRegistered() {
  if (clientId) return client.discovery(server, clientId, undefined, authentication(clientSecret), insecure);
  const described = {
    client_name: 'openid-client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: method,
  };
  return client.dynamicClientRegistration(server, described, authentication(undefined), insecure);
}

const config = await discoveredOrRegistered();
assert.equal(config.serverMetadata().issuer, issuer);

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: 'read write',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  resource: `${issuer}/v1`,
});
const callback = await allow(url);
const checks = { pkceCodeVerifier, expectedState };
await assert.rejects(client.authorizationCodeGrant(config, ofAnotherIssuer(callback), checks), ({ cause }) => /iss/.test(cause.message));
const tokens = await client.authorizationCodeGrant(config, callback, checks);
assert.equal(tokens.scope, 'read write');
assert.equal(tokens.expires_in, 3600);

async function record(token) {
  return (await client.fetchProtectedResource(config, token, new URL(me), 'GET')).json();
}

const records = [await record(tokens.access_token)];
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
records.push(await record(refreshed.access_token));

if (method !== 'none') {
  const live = await client.tokenIntrospection(config, refreshed.access_token);
  assert.equal(live.active, true);
  assert.deepEqual(live.aud, [`${issuer}/v1`]);
}
await client.tokenRevocation(config, refreshed.refresh_token, { token_type_hint: 'refresh_token' });
if (method !== 'none') {
  assert.deepEqual(await client.tokenIntrospection(config, refreshed.access_token), { active: false });
}

if (clientId) {
  const shown = await client.initiateDeviceAuthorization(config, { scope: 'read' });
  await ask('connect', shown.verification_uri_complete);
  // The user has decided already, so the first poll needn't wait.
  const polled = await client.pollDeviceAuthorizationGrant(config, { ...shown, interval: 0.01 });
  records.push(await record(polled.access_token));
}
if (clientId && method !== 'none') {
  const own = await client.clientCredentialsGrant(config, { scope: 'read' });
  records.push(await record(own.access_token));
}
done({ records, revoked: [refreshed.access_token] });
