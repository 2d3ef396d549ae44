// A real OpenID Connect provider for tests: the package oidc-provider, on a free port of this machine, which it prints.
// Usage: node provider.mjs PATH_OF_NODE_MODULES
//
// People sign in without a page: the cookie `person` says who it is. Besides what every provider has, it
// - POST /mint {claims, header?, key?}: signs any claims, with its own key, or with another under the same key id
//   ("foreign"), with its public key as a shared secret ("public"), or not at all ("none");
// - POST /bend {claims?, key?}: from now on changes the identity tokens that it gives for codes in the same ways.
import { createHmac, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider } = await load("oidc-provider");
const { SignJWT, decodeJwt } = await load("jose");

// Its advice to those who run it for others goes nowhere: nobody reads on after the address.
console.info = console.warn = () => {};

const KID = "of-tests";
const pair = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const own = pair();
const foreign = pair();
const jwk = { ...own.privateKey.export({ format: "jwk" }), kid: KID, use: "sig", alg: "RS256" };

const PEOPLE = {
  ann: { preferred_username: "ann", email: "ann@acme.example", groups: ["acme-web", "acme-all"] },
  bob: { preferred_username: "bob", groups: ["acme-review"] },
  eve: { preferred_username: "eve", groups: [] },
  mallory: { preferred_username: "ann", groups: ["acme-web"] },
  odd: { preferred_username: "no name/at all", groups: ["acme-web"] },
};

async function signed(claims, header = {}, key = "own") {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  if (key === "none") return `${part({ alg: "none", ...header })}.${part(claims)}.`;
  if (key === "public") {
    const text = `${part({ alg: "HS256", kid: KID, ...header })}.${part(claims)}`;
    const secret = own.publicKey.export({ type: "spki", format: "pem" });
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  }
  const { privateKey } = key === "foreign" ? foreign : own;
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: KID, ...header }).sign(privateKey);
}

// The port is in the issuer, so it is taken first.
const server = createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

let bend = null;
const provider = new Provider(issuer, {
  jwks: { keys: [jwk] },
  clients: [
    {
      client_id: "airlock",
      client_secret: "the-secret-of-airlock",
      // Native: of an address on this machine the port may be any, which nobody knows yet. Source: RFC 8252, 7.3.
      application_type: "native",
      redirect_uris: ["http://127.0.0.1/-/airlock/oidc/callback"],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
  cookies: { keys: ["of-tests"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  findAccount: (_, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
  // Consent is given before it is asked for.
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
  renderError: (ctx, out) => {
    ctx.body = out;
  },
});

const body = async (request) => {
  let text = "";
  for await (const piece of request) text += piece;
  return JSON.parse(text || "{}");
};

provider.use(async (ctx, next) => {
  if (ctx.path === "/mint") {
    const { claims, header, key } = await body(ctx.req);
    ctx.body = { token: await signed({ iss: issuer, ...claims }, header, key) };
    return;
  }
  if (ctx.path === "/bend") {
    bend = await body(ctx.req);
    ctx.body = bend;
    return;
  }
  if (ctx.path.startsWith("/interaction/")) {
    const person = ctx.cookies.get("person", { signed: false });
    const { prompt } = await provider.interactionDetails(ctx.req, ctx.res);
    const agreed = prompt.name === "consent" ? { consent: {} } : { login: { accountId: person } };
    const result = person ? agreed : { error: "access_denied" };
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
    ctx.respond = false;
    return;
  }
  await next();
  if (ctx.path === "/token" && bend && ctx.body?.id_token) {
    ctx.body.id_token = await signed({ ...decodeJwt(ctx.body.id_token), ...bend.claims }, bend.header, bend.key);
  }
});

server.on("request", provider.callback());
console.log(issuer);
