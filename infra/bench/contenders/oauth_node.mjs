// Measure the token and introspection endpoints of node-oidc-provider in its fastest setup, for a confidential client
// with PKCE.
//
// Requests go through the provider's own callback without a socket: it gets Node.js's request and response objects with
// the body already available, and the response is read where it would be written. Data is stored in the provider's own
// in-memory adapter. Tokens are opaque, and no scope is `openid`, so nothing is signed. Refresh tokens rotate. Codes and
// refresh tokens are created by the provider's models, each with its own grant, because the adapter goes through all
// tokens of a grant for every new token. The adapter keeps the newest thousand entries, enough for 200 operations.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { stringify } from 'node:querystring';

import { Provider } from 'oidc-provider';

import { serve } from './serve.mjs';

const ACCOUNT = 'account-1';
const CALLBACK = 'https://app.example.com/cb';
const CLIENT = { client_id: 'bench', client_secret: randomBytes(32).toString('base64url') };
const HOUR_S = 3_600;
const DAYS_90_S = 90 * 24 * HOUR_S;
const SCOPE = 'read write';
const VERIFIER = randomBytes(32).toString('base64url');
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
// Operations to run before the measurement, because V8 compiles only code that ran often.
const WARMED_BY = 2_000;
const PREPARED_AT_ONCE = 100;

// The provider warns if no signing key is set. This key signs nothing.
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

const provider = new Provider('https://auth.example.com', {
  clients: [{
    ...CLIENT,
    id_token_signed_response_alg: 'ES256',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    redirect_uris: [CALLBACK],
    response_types: ['code'],
    scope: SCOPE,
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    userinfo: { enabled: false },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  jwks: { keys: [key] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: SCOPE.split(' '),
  ttl: { AccessToken: HOUR_S, AuthorizationCode: 60, ClientCredentials: HOUR_S, Grant: DAYS_90_S, RefreshToken: DAYS_90_S },
});
provider.on('server_error', (_ctx, error) => { throw error; });
const answered = provider.callback();

class Answer extends ServerResponse {
  constructor(request, done) {
    super(request);
    this.done = done;
  }

  // The head isn't serialized, because the other contenders' measurements don't include this either.
  end(body) {
    this.body = body;
    this.emit('finish');
    this.done(this);
  }
}

const connection = { encrypted: true, remoteAddress: '203.0.113.7' };
const basic = Buffer.from(`${CLIENT.client_id}:${CLIENT.client_secret}`).toString('base64');

function post(path, parameters) {
  const body = Buffer.from(stringify(parameters));
  const headers = {
    accept: '*/*',
    authorization: `Basic ${basic}`,
    'content-length': `${body.length}`,
    'content-type': 'application/x-www-form-urlencoded',
    host: 'auth.example.com',
  };
  return { path, headers, body };
}

function send({ path, headers, body }) {
  return new Promise((resolve) => {
    const request = new IncomingMessage(connection);
    Object.assign(request, { method: 'POST', url: path, httpVersionMajor: 1, httpVersionMinor: 1, headers });
    request.push(body);
    request.push(null);
    request.complete = true;
    answered(request, new Answer(request, resolve));
  });
}

async function grant() {
  const made = new provider.Grant({ accountId: ACCOUNT, clientId: CLIENT.client_id });
  made.addOIDCScope(SCOPE);
  const client = await provider.Client.find(CLIENT.client_id);
  return { accountId: ACCOUNT, client, grantId: await made.save(), gty: 'authorization_code', scope: SCOPE };
}

const token = (grantType, more) => post('/token', { grant_type: grantType, ...more });

async function code() {
  const { gty, ...of } = await grant();
  const made = new provider.AuthorizationCode({
    ...of, redirectUri: CALLBACK, codeChallenge: CHALLENGE, codeChallengeMethod: 'S256',
  });
  return token('authorization_code', { code: await made.save(), code_verifier: VERIFIER, redirect_uri: CALLBACK });
}

async function refresh() {
  const made = new provider.RefreshToken({ ...await grant(), rotations: 0 });
  return token('refresh_token', { refresh_token: await made.save() });
}

const introspected = await new provider.AccessToken(await grant()).save();

// The request of each operation, and a text that every successful response contains.
const OPERATIONS = {
  client_credentials: [() => token('client_credentials', { scope: 'read' }), '"access_token":'],
  code: [code, '"refresh_token":'],
  refresh: [refresh, '"refresh_token":'],
  introspect: [() => post('/token/introspection', { token: introspected, token_type_hint: 'access_token' }), '"active":true'],
};
const [request, says] = OPERATIONS[process.argv[2]];

async function prepare(count) {
  const requests = [];
  for (let number = 0; number < count; number += 1) requests.push(await request());
  return requests;
}

async function operate(asked) {
  const { statusCode, body } = await send(asked);
  if (statusCode !== 200 || !body.includes(says)) throw new Error(`${statusCode} ${body}`);
  return true;
}

for (let done = 0; done < WARMED_BY; done += PREPARED_AT_ONCE) {
  for (const asked of await prepare(PREPARED_AT_ONCE)) await operate(asked);
}
await serve({ operate, prepare });
