// What somebody writes against the types of /openapi.json; it must compile under `tsc --strict` and then run.
import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };
const [url, secret] = process.argv.slice(2) as [string, string];
const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${secret}` } });

const made = await api.POST("/v1/keys", { body: { name: "Typed", scopes: ["read"] } });
if (made.error) throw new Error(`${made.error.error}: ${made.error.message}`);
const { key }: { key?: components["schemas"]["Key"] } = { key: made.data };
const shown = await api.GET("/v1/keys/{key_id}", { params: { path: { key_id: made.data.id } } });

// @ts-expect-error a scope that there is not
void (() => api.POST("/v1/keys", { body: { name: "Typed", scopes: ["fly"] } }));
// @ts-expect-error a body without its name
void (() => api.POST("/v1/keys", { body: { scopes: ["read"] } }));
// @ts-expect-error a path that there is not
void (() => api.GET("/v1/nowhere"));

const client = await api.POST("/oauth/register", { body: { redirect_uris: ["https://app.example.com/cb"] } });
if (client.error) throw new Error(client.error.error_description);
const { client_id, client_secret } = client.data;
const refused = await api.POST("/oauth/token", {
  body: { grant_type: "refresh_token", refresh_token: "none", client_id, client_secret },
  headers: { "Content-Type": "application/x-www-form-urlencoded", Authorization: null },
});
console.log(JSON.stringify({ key: key?.name, shown: shown.data?.id === made.data.id, refused: refused.error?.error }));
