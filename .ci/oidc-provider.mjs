// An OpenID provider for tests: the certified package "oidc-provider" with its
// own development pages, one client, and every account that somebody types.
//
//   OIDC_PROVIDER_DIR=<folder with node_modules/oidc-provider> node oidc-provider.mjs PORT REDIRECT...
//
// prints "ready http://127.0.0.1:PORT" when it listens, on the loopback address only;
// that address is the issuer. PORT 0 takes a free one. It ends when its standard
// input ends, if that is a pipe.
//
//   client    latchkey, secret latchkey-oidc-secret, code flow with PKCE (S256)
//   redirect  only to the addresses given as REDIRECT
//   account   any login, any password: the login is the subject. "e-1001" gives
//             sub e-1001, employee_id e-1001, email e-1001@riverbend.example
//
// The claims are in the ID token, as the large providers do it. auth_time is
// there when max_age was asked for. There is no consent page, as with an
// application of the organisation's own; "[ Cancel ]" on the sign-in page sends
// the browser back with access_denied.
//
// Beside the package's own pages:
//   POST /_rig/rotate   signs with a new key from now on; the old one is gone.
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { pathToFileURL } from 'node:url';

globalThis.crypto ??= webcrypto; // Node.js 18 has it under this name only

const port = Number(process.argv[2] ?? NaN);
const redirects = process.argv.slice(3);
const dir = process.env.OIDC_PROVIDER_DIR;
if (!dir || !Number.isInteger(port) || redirects.length === 0) {
  console.error('usage: OIDC_PROVIDER_DIR=DIR node oidc-provider.mjs PORT REDIRECT...');
  process.exit(2);
}
const home = path.resolve(dir, 'node_modules', 'oidc-provider');
const { main } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8'));
const { default: Provider } = await import(pathToFileURL(path.join(home, main)));

const newKey = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') };
};

const start = (issuer) => {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'latchkey',
      client_secret: 'latchkey-oidc-secret',
      redirect_uris: redirects,
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    jwks: { keys: [newKey()] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'employee_id'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    ttl: { Session: 3600, Interaction: 3600, Grant: 3600, AccessToken: 600, IdToken: 600 },
    findAccount: (ctx, sub) => ({
      accountId: sub,
      claims: () => ({
        sub, name: sub, preferred_username: sub, employee_id: sub, email: `${sub}@riverbend.example`, email_verified: true,
      }),
    }),
    // The client is the organisation's own: what it asks for is granted.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  provider.on('server_error', (ctx, err) => console.error(err));
  return provider.callback();
};

let answer;
const server = http.createServer((req, res) => {
  if (req.method === 'POST' && req.url === '/_rig/rotate') {
    answer = start(issuer);
    res.writeHead(204).end();
    return;
  }
  answer(req, res);
});
let issuer;
server.listen(port, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  answer = start(issuer);
  console.log(`ready ${issuer}`);
});

const input = fs.fstatSync(0);
if (input.isFIFO() || input.isSocket()) {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.resume();
}
process.on('SIGTERM', () => process.exit(0));
