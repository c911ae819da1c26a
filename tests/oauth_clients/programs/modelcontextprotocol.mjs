// The MCP SDK for TypeScript: discovery and registration, starting with the API's URL only.
import assert from 'node:assert/strict';
import { auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { withOAuth } from '@modelcontextprotocol/sdk/client/middleware.js';
import { allow, done, given } from './user.mjs';

const { issuer, clientId, clientSecret, method, redirectUri, me } = given;

class Provider {
  asked = [];
  redirectUrl = redirectUri;
  clientMetadata = {
    client_name: 'MCP client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: method,
  };

  state = () => 'af0ifjsldkj';
  clientInformation = () => this.client;
  saveClientInformation = (client) => { this.client = client; };
  tokens = () => this.saved;
  saveTokens = (tokens) => { this.saved = tokens; };
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => { this.verifier = verifier; };
  redirectToAuthorization = (url) => { this.asked.push(url); };
}

async function byPerson() {
  const provider = new Provider();
  const call = withOAuth(provider, me)(fetch);
  await assert.rejects(call(me), { name: 'Error', message: /redirect initiated/ });
  const [url] = provider.asked;
  assert.equal(provider.client.token_endpoint_auth_method, method);
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
  assert.ok(url.searchParams.get('resource').startsWith(issuer));

  const callback = await allow(url);
  assert.equal(callback.searchParams.get('state'), 'af0ifjsldkj');
  const authorizationCode = callback.searchParams.get('code');
  assert.equal(await auth(provider, { serverUrl: me, authorizationCode }), 'AUTHORIZED');
  const records = [await (await call(me)).json()];

  const first = provider.saved;
  assert.equal(await auth(provider, { serverUrl: me }), 'AUTHORIZED');
  assert.notEqual(provider.saved.access_token, first.access_token);
  assert.notEqual(provider.saved.refresh_token, first.refresh_token);
  records.push(await (await call(me)).json());
  assert.equal(provider.asked.length, 1);
  return records;
}

async function byItself() {
  const provider = new ClientCredentialsProvider({ clientId, clientSecret, scope: 'read', expectedIssuer: issuer });
  return [await (await withOAuth(provider, me)(fetch)(me)).json()];
}

done({ records: clientId ? await byItself() : await byPerson(), revoked: [] });
