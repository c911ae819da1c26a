// oauth4webapi: its functions validate each response of the server separately.
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { allow, ask, done, given, ofAnotherIssuer } from './user.mjs';

const { issuer, method, redirectUri, me } = given;
const insecure = { [oauth.allowInsecureRequests]: true };

const resource = new URL(`${issuer}/v1`);
const api = await oauth.processResourceDiscoveryResponse(
  resource,
  await oauth.resourceDiscoveryRequest(resource, insecure),
);
const issuerUrl = new URL(api.authorization_servers[0]);
const as = await oauth.processDiscoveryResponse(
  issuerUrl,
  await oauth.discoveryRequest(issuerUrl, { algorithm: 'oauth2', ...insecure }),
);

async function registered() {
  if (given.clientId) return { client_id: given.clientId, client_secret: given.clientSecret };
  const described = {
    client_name: 'oauth4webapi',
    redirect_uris: [redirectUri],
    // A self-registered client has no account to act for in its own name.
    grant_types: as.grant_types_supported.filter((kind) => kind !== 'client_credentials'),
    token_endpoint_auth_method: method,
  };
  return oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(as, described, insecure),
  );
}

const client = await registered();
const authentication = {
  none: () => oauth.None(),
  client_secret_basic: () => oauth.ClientSecretBasic(client.client_secret),
  client_secret_post: () => oauth.ClientSecretPost(client.client_secret),
}[method]();

async function record(token) {
  return (await oauth.protectedResourceRequest(token, 'GET', new URL(me), undefined, undefined, insecure)).json();
}

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const url = new URL(as.authorization_endpoint);
url.search = new URLSearchParams({
  client_id: client.client_id,
  redirect_uri: redirectUri,
  response_type: 'code',
  scope: 'read write',
  state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  resource: resource.href,
});

const refusal = new URL(await ask('deny', url.href));
assert.throws(() => oauth.validateAuthResponse(as, client, refusal, state), { error: 'access_denied' });

const callback = await allow(url);
assert.throws(() => oauth.validateAuthResponse(as, client, ofAnotherIssuer(callback), state), /iss/);
const parameters = oauth.validateAuthResponse(as, client, callback, state);

async function redeem(codeVerifier) {
  const answer = await oauth.authorizationCodeGrantRequest(
    as, client, authentication, parameters, redirectUri, codeVerifier, insecure,
  );
  return oauth.processAuthorizationCodeResponse(as, client, answer);
}

await assert.rejects(redeem(oauth.generateRandomCodeVerifier()), { error: 'invalid_grant' });
const tokens = await redeem(verifier);
const records = [await record(tokens.access_token)];

async function refresh(token) {
  const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, token, {
    additionalParameters: { scope: 'read', resource: resource.href },
    ...insecure,
  });
  return oauth.processRefreshTokenResponse(as, client, answer);
}

const refreshed = await refresh(tokens.refresh_token);
assert.equal(refreshed.scope, 'read');
records.push(await record(refreshed.access_token));

async function introspect(token) {
  const answer = await oauth.introspectionRequest(as, client, authentication, token, insecure);
  return oauth.processIntrospectionResponse(as, client, answer);
}

if (method !== 'none') assert.equal((await introspect(refreshed.access_token)).scope, 'read');
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, authentication, refreshed.refresh_token, insecure),
);
if (method !== 'none') assert.deepEqual(await introspect(refreshed.refresh_token), { active: false });
await assert.rejects(refresh(refreshed.refresh_token), { error: 'invalid_grant' });

const shown = await oauth.processDeviceAuthorizationResponse(
  as,
  client,
  await oauth.deviceAuthorizationRequest(as, client, authentication, { scope: 'read' }, insecure),
);

async function poll() {
  const answer = await oauth.deviceCodeGrantRequest(as, client, authentication, shown.device_code, insecure);
  return oauth.processDeviceCodeResponse(as, client, answer);
}

await assert.rejects(poll(), { error: 'authorization_pending' });
await assert.rejects(poll(), { error: 'slow_down' });
await ask('connect', shown.verification_uri_complete);
await ask('wait', shown.interval + 5);
const connected = await poll();
records.push(await record(connected.access_token));
await assert.rejects(poll(), { error: 'invalid_grant' });

if (given.clientId && method !== 'none') {
  const own = await oauth.processClientCredentialsResponse(
    as,
    client,
    await oauth.clientCredentialsGrantRequest(as, client, authentication, { scope: 'read' }, insecure),
  );
  records.push(await record(own.access_token));
}
done({ records, revoked: [tokens.access_token, refreshed.access_token, connected.access_token] });
