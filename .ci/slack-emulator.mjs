// A local stand-in for Slack's Web API and Events API for tests: the package
// "emulate", seeded with a workspace, told where events go (which its own seed
// cannot), and with a look into its store.
//
//   SLACK_EMULATOR_DIR=<folder with node_modules/emulate> node slack-emulator.mjs EVENTS_URL
//
// prints "ready http://127.0.0.1:PORT" when it listens, on the loopback address only.
// It ends when its standard input ends, if that is a pipe.
//
//   signing secret  8f742231b10e8888abcd99yyyzzz85a5
//   bot             U0LATCHKEY, token xoxb-emulated-bot-token
//   people          ada, carmen, ben, dora: token xoxp-NAME
//
// Beside the package's own pages (/, /api/..., /files-pri/...):
//   GET /_rig/COLLECTION   all rows of views, files, messages, users, ephemeralMessages
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const events = process.argv[2];
const dir = process.env.SLACK_EMULATOR_DIR;
if (!dir || !events) {
  console.error('usage: SLACK_EMULATOR_DIR=DIR node slack-emulator.mjs EVENTS_URL');
  process.exit(2);
}
const dist = path.resolve(dir, 'node_modules', 'emulate', 'dist');
const file = fs.readdirSync(dist).find((n) => /^dist-.*\.js$/.test(n) && fs.readFileSync(path.join(dist, n), 'utf8').includes('"/api/chat.postMessage"'));
const { slackPlugin, getSlackStore } = await import(pathToFileURL(path.join(dist, file)));
const { createEmulator } = await import(pathToFileURL(path.join(dist, 'api.js')));

const free = () => new Promise((done, fail) => {
  const probe = http.createServer().on('error', fail).listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});

const register = slackPlugin.register;
slackPlugin.register = function (app, store, webhooks, ...rest) {
  webhooks.register({ url: events, events: ['*'], active: true, owner: 'slack' });
  app.get('/_rig/:collection', (c) => {
    const rows = getSlackStore(store)[c.req.param('collection')];
    return rows ? c.json(rows.all()) : c.json([], 404);
  });
  return register.call(this, app, store, webhooks, ...rest);
};

const scopes = ['app_mentions:read', 'channels:history', 'chat:write', 'commands', 'files:write', 'groups:history', 'im:history', 'im:read', 'im:write', 'files:read', 'reactions:write', 'users:read', 'users:read.email'];
const people = [['ada', 'Ada Okafor'], ['carmen', 'Carmen Ruiz'], ['ben', 'Ben Hale'], ['dora', 'Dora Lind']];
const slack = await createEmulator({
  service: 'slack',
  port: await free(),
  hostname: '127.0.0.1',
  seed: {
    slack: {
      team: { name: 'Riverbend', domain: 'riverbend' },
      signing_secret: '8f742231b10e8888abcd99yyyzzz85a5',
      strict_scopes: true,
      users: people.map(([name, real_name]) => ({ name, real_name, email: `${real_name.toLowerCase().replace(' ', '.')}@riverbend.example` })),
      oauth_apps: [{
        client_id: '1.1', client_secret: 'unused', name: 'latchkey', redirect_uris: ['http://127.0.0.1/unused'], app_id: 'A0LATCHKEY',
        bot_id: 'B0LATCHKEY', bot_user_id: 'U0LATCHKEY', bot_name: 'latchkey', scopes,
      }],
      tokens: [
        { token: 'xoxb-emulated-bot-token', user_id: 'U0LATCHKEY', bot_id: 'B0LATCHKEY', app_id: 'A0LATCHKEY', type: 'bot', scopes },
        ...people.map(([name]) => ({ token: `xoxp-${name}`, user: name })),
      ],
    },
  },
});
console.log(`ready ${slack.url.replace('localhost', '127.0.0.1')}`);

const input = fs.fstatSync(0);
if (input.isFIFO() || input.isSocket()) {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.resume();
}
process.on('SIGTERM', () => process.exit(0));
