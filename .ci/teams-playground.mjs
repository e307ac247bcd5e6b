// A whole enrollment in a real Microsoft client: `latchkey serve` in emulator mode,
// Microsoft's Agents Playground beside it, and Chromium, in which the cards are
// clicked. The QR is read from a screenshot as a phone's camera would, the codes
// come from a Twilio emulator, a mail server and oathtool.
//
// For anybody to run, and no part of CI: the Playground's licence is for evaluation.
//
//   . .ci/rigs.sh
//   mkdir /tmp/playground && npm install --prefix /tmp/playground @microsoft/m365agentsplayground@0.2.28 playwright-core@1.64.1
//   PLAYGROUND_DIR=/tmp/playground node .ci/teams-playground.mjs FOLDER
//
// DELIVERY_MODE=expectReplies has it ask for the answers in the HTTP responses.
//
// FOLDER gets a screenshot of every step, the program's log and what went over the
// wire. LATCHKEY may name a built program; without it, one is built. Everything is
// bound to the loopback address, and ends with this script.
import { spawn, execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? '');
const { PLAYGROUND_DIR, TWILIO_EMULATOR_DIR, MAILPIT, CHROMIUM = '/usr/bin/chromium' } = process.env;
if (!process.argv[2] || !PLAYGROUND_DIR || !TWILIO_EMULATOR_DIR || !MAILPIT) {
  console.error('usage: . .ci/rigs.sh; PLAYGROUND_DIR=DIR node .ci/teams-playground.mjs FOLDER  (see the head of this file)');
  process.exit(2);
}
const require = createRequire(path.join(path.resolve(PLAYGROUND_DIR), 'x.js'));
const { chromium } = require('playwright-core');
fs.mkdirSync(out, { recursive: true });
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'latchkey-playground-'));

const children = [];
const ended = new Promise((_, fail) => {
  globalThis.watch = (name, child) => {
    children.push(child);
    child.on('exit', (code) => { if (!globalThis.closing) fail(new Error(`${name} ended with ${code}`)); });
  };
});
ended.catch(() => {});
const run = (name, cmd, args, options = {}) => {
  const log = fs.openSync(path.join(out, `${name}.log`), 'w');
  const child = spawn(cmd, args, { stdio: ['pipe', options.read ? 'pipe' : log, log], cwd: work, ...options, env: { ...process.env, ...options.env } });
  watch(name, child);
  return child;
};
const port = () => new Promise((done, fail) => {
  const probe = net.createServer().on('error', fail).listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => done(port)); });
});
const until = async (what, fn, ms = 30_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const v = await fn().catch((e) => { if (Date.now() > end) throw e; });
    if (v) return v;
    if (Date.now() > end) throw new Error(`waited too long for ${what}`);
    await new Promise((r) => setTimeout(r, 150));
  }
};
const json = async (url, options) => (await fetch(url, options)).json();

const tenant = '22222222-aaaa-4bbb-8ccc-000000000002';
const ada = { id: '33333333-aaaa-4bbb-8ccc-000000000001', user: 'user-ada', name: 'Ada Okafor' };
const account = 'AC00000000000000000000000000000000', token = '0123456789abcdef0123456789abcdef';

const shots = [];
const codes = () => json(`${twilio}/_rig/requests`, { headers: { authorization: 'Basic ' + Buffer.from(`${account}:${token}`).toString('base64') } });
let twilio, page, browser;

async function main() {
  // The house and its counterparties.
  const [web, smtp, mailWeb, chat] = [await port(), await port(), await port(), await port()];
  const bin = process.env.LATCHKEY ?? path.join(work, 'latchkey');
  if (!process.env.LATCHKEY) execFileSync('go', ['build', '-o', bin, './cmd/latchkey'], { cwd: path.join(here, '..'), stdio: 'inherit' });
  const emulator = run('twilio', process.execPath, [path.join(here, 'twilio-emulator.mjs'), '0'], { read: true });
  twilio = await new Promise((done) => emulator.stdout.once('data', (b) => done(String(b).trim().replace('ready ', ''))));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', 'key.pem', '-out', 'cert.pem'], { cwd: work, stdio: 'ignore' });
  fs.writeFileSync(path.join(work, 'auth.txt'), 'bot:mail-secret\n');
  run('mailpit', MAILPIT, ['--smtp', `127.0.0.1:${smtp}`, '--listen', `127.0.0.1:${mailWeb}`, '--disable-version-check', '--smtp-require-starttls',
    '--smtp-tls-cert', 'cert.pem', '--smtp-tls-key', 'key.pem', '--smtp-auth-file', 'auth.txt', '--database', 'mail.db']);
  fs.writeFileSync(path.join(work, 'latchkey.yaml'), `org: {name: Riverbend Schools, department: Technology Services, address: "1 School Lane, Riverbend", help_phone: (555) 010-0199, help_hours: "Monday to Friday, 7:30 to 16:30", domains: [riverbend.example]}
store: {path: latchkey.db}
directory: {kind: demo}
log: {level: debug}
http: {addr: "127.0.0.1:${web}", public_url: "http://127.0.0.1:${web}"}
smtp: {host: localhost, port: ${smtp}, ca_file: cert.pem, username: bot, password_env: PG_MAIL, from: "Help Desk <no-reply@riverbend.example>"}
twilio: {base_url: "${twilio}", account_sid: ${account}, auth_token_env: PG_TWILIO, from: "+15551234567"}
channels: {teams: {riverbend: {app_id: 11111111-aaaa-4bbb-8ccc-000000000001, tenant: ${tenant}, emulator: true}}}
policy: {chat: {burst: 60/10s, rate: 5/1s}}
`);
  fs.writeFileSync(path.join(work, 'staff.csv'), `id,username,email,name,given_name,language,department\n${ada.id},ada,ada.okafor@riverbend.example,${ada.name},Ada,en,Library\n`);
  const env = { PG_MAIL: 'mail-secret', PG_TWILIO: token };
  const latchkey = (...args) => execFileSync(bin, args, { cwd: work, env: { ...process.env, ...env }, encoding: 'utf8' });
  latchkey('keys', 'new', 'latchkey.keys');
  latchkey('people', 'import', 'staff.csv', '--config', 'latchkey.yaml');
  run('latchkey', bin, ['serve', '--config', 'latchkey.yaml'], { env });
  await until('latchkey', async () => (await fetch(`http://127.0.0.1:${web}/readyz`)).ok);

  // The Playground listens on every address unless it is told otherwise.
  fs.writeFileSync(path.join(work, 'loopback.cjs'), `const net = require('node:net'); const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...a) {
  if (a[0] && typeof a[0] === 'object') { if (a[0].port !== undefined && !a[0].host) a[0].host = '127.0.0.1'; }
  else if (/^\\d+$/.test(String(a[0])) && typeof a[1] !== 'string') a.splice(1, 0, '127.0.0.1');
  return listen.apply(this, a);
};\n`);
  const other = (n, name) => `  - {id: user-${n}, name: ${name}, userPrincipleName: u${n}@example.com, aadObjectId: 33333333-aaaa-4bbb-8ccc-00000000010${n}, givenName: U, surname: U, email: u${n}@example.com}\n`;
  fs.writeFileSync(path.join(work, '.m365agentsplayground.yml'), `version: "0.1.1"
tenantId: ${tenant}
bot: {id: bot-1, name: Latchkey}
currentUser: {id: ${ada.user}, name: ${ada.name}, userPrincipleName: ada.okafor@riverbend.example, aadObjectId: ${ada.id}, givenName: Ada, surname: Okafor, email: ada.okafor@riverbend.example}
users:
${['Ben Hale', 'Carmen Ruiz', 'Dana Fox', 'Eli Moss', 'Fay Lund'].map((name, n) => other(n + 1, name)).join('')}personalChat: {id: personal-chat-1}
groupChat: {id: group-chat-1, name: Group Chat}
team: {id: team-1, name: My Team, aadGroupId: 00000000-0000-0000-0000-000000000031, channels: [{id: channel-1, name: Announcements}]}
`);
  run('playground', process.execPath, [path.join(path.resolve(PLAYGROUND_DIR), 'node_modules/.bin/agentsplayground'), '-e', `http://127.0.0.1:${web}/in/teams-riverbend`, '-c', 'msteams',
    '-p', String(chat), '--disable-telemetry', '--enable-events-recording', ...(process.env.DELIVERY_MODE ? ['--delivery-mode', process.env.DELIVERY_MODE] : [])], { env: { NODE_OPTIONS: `--require ${path.join(work, 'loopback.cjs')}` } });
  await until('the Playground', async () => (await fetch(`http://127.0.0.1:${chat}/`)).ok);

  // The person.
  browser = await chromium.launchPersistentContext(path.join(work, 'browser'), {
    executablePath: CHROMIUM, headless: true, viewport: { width: 1280, height: 1000 },
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1'],
  });
  page = browser.pages()[0];
  page.setDefaultTimeout(20_000);
  await page.goto(`http://127.0.0.1:${chat}/`);

  await sees('Hello Ada');
  await shot('hello');
  await press('Start');
  await sees('First the authenticator app');
  await sees('✓ Start'); // the used button is gone
  await shot('started');
  await press('Next');
  await press('Yes, it is here');
  await press('I have the app');
  await sees('tap the plus sign');
  await press('Next');
  await sees('kind of account');
  await press('Next');
  await sees('square picture');
  await page.waitForTimeout(1000);
  await shot('qr');
  const uri = execFileSync('zbarimg', ['-q', '--raw', '--nodbus', shots.at(-1)], { encoding: 'utf8' }).trim();
  const secret = new URL(uri).searchParams.get('secret');
  if (!secret) throw new Error(`the picture reads ${uri}`);
  console.log('the QR on the screen reads as a key for', decodeURIComponent(new URL(uri).pathname));
  await enter('000000');
  await sees('These digits do not match');
  await shot('wrong-code');
  await enter(execFileSync('oathtool', ['--totp', '--base32', secret], { encoding: 'utf8' }).trim());
  await sees('The authenticator app is set up.');
  await sees('The picture was taken away');
  if ((await page.content()).includes(secret)) throw new Error('the key still stands in the page');
  await shot('app-done');

  await press('Text me a code');
  await sees('Which number?');
  await shot('number');
  await enter('(201) 555-0123');
  await sees('•••• 23. Is that right?');
  await press('Send the code');
  await sees('on its way to •••• 23');
  const text = await until('the text', async () => (await codes()).findLast((x) => x.resource === 'Messages' && x.form.To === '+12015550123'));
  await shot('code');
  await say(/\b\d{6}\b/.exec(text.form.Body)[0]); // typed into the chat, this time
  await sees('Setup is now complete');
  await shot('complete');

  // More: questions on the one-time page, mail, recovery codes.
  await press('Add another method');
  await press('Security questions');
  for (const q of ['What was the first concert that you went to?', 'In what town was your first job?', 'What was the nickname of your first pet?']) await press(q);
  await sees('private page');
  await shot('page-button');
  const own = await opens('Save the answers');
  await own.screenshot({ path: path.join(out, 'page-opened.png') });
  await own.getByRole('button').first().click();
  await own.locator('input[type=password], input[type=text]').first().waitFor();
  const fields = own.locator('input[type=password], input[type=text]');
  const answers = ['Bluebird Lane', 'Aunt Philomena', 'Maple Harbor 9'];
  for (let i = 0; i < 3; i++) await fields.nth(i).fill(answers[i]);
  await own.screenshot({ path: path.join(out, 'page-filled.png') });
  await own.getByRole('button', { name: 'Save the answers' }).click();
  await sees('Your security questions are set up.');
  await own.close();
  await shot('questions-done');

  await press('Private e-mail');
  await sees('Which private e-mail address');
  await enter('ada.private@example.net');
  await sees('Is that right?');
  await press('Send the code');
  await sees('good for 30 minutes');
  const mail = await until('the mail', async () => {
    const list = await json(`http://127.0.0.1:${mailWeb}/api/v1/search?query=${encodeURIComponent('to:ada.private@example.net')}`);
    return list.messages?.length && json(`http://127.0.0.1:${mailWeb}/api/v1/message/${list.messages[0].ID}`);
  });
  await enter(/\b\d{6}\b/.exec(mail.Text)[0]);
  await sees('is set up.');
  await shot('mail-done');

  await say('my methods');
  await sees('Security questions');
  await shot('methods');

  // In a group and in a channel it only answers briefly.
  await page.locator('[role=treeitem]').nth(1).click();
  await page.waitForTimeout(1000);
  await mention('hello');
  await sees('I only talk to one person at a time');
  await shot('group');

  const shown = latchkey('people', 'show', 'ada', '--config', 'latchkey.yaml');
  if (!/enrolled/.test(shown)) throw new Error(`the operator sees:\n${shown}`);
  console.log(shown);
  const log = fs.readFileSync(path.join(out, 'latchkey.log'), 'utf8');
  for (const bad of [secret, ...answers, 'ada.private', '5550123']) if (log.includes(bad)) throw new Error(`the log has ${bad}`);
  if (!log.includes('emulator mode')) throw new Error('the log does not warn of emulator mode');
  const errors = log.split('\n').filter((l) => /level=(ERROR|WARN)/.test(l) && !/emulator mode|directory.kind is demo/.test(l));
  if (errors.length) console.log('the log complains:\n' + errors.join('\n'));
}

const sees = (text) => Promise.race([page.getByText(text).last().waitFor(), ended]).catch(async (e) => { await shot('failed'); throw new Error(`not seen: ${text}\n${e.message}`); });
const shot = async (name) => {
  await page.waitForTimeout(400);
  shots.push(path.join(out, `${String(shots.length + 1).padStart(2, '0')}-${name}.png`));
  await page.screenshot({ path: shots.at(-1) });
};
const press = async (name) => {
  await page.getByRole('button', { name, exact: true }).last().click().catch(async (e) => { await shot('failed'); throw new Error(`no button: ${name}\n${e.message}`); });
  console.log('pressed', name);
};
const box = () => page.locator('[data-lexical-editor=true][role=textbox]').first();
const say = async (text) => { await box().click(); await page.keyboard.type(text); await page.keyboard.press('Enter'); };
// mention writes to the bot in a group, where it is only told what mentions it.
const mention = async (text) => {
  await box().click();
  await page.keyboard.type('@Latch');
  await page.waitForTimeout(700);
  await page.getByText('Latchkey', { exact: true }).last().click();
  await page.keyboard.type(' ' + text);
  await page.getByRole('button', { name: 'Send Message' }).first().click();
};
// enter types into the field of the newest card and sends it with the button below.
const enter = async (text) => {
  const field = page.locator('input[placeholder]:visible').last();
  await field.fill(text);
  await field.locator('xpath=following::button[1]').click();
  console.log('entered a value');
};
// opens follows a link button, by its wire form: the browser of this script may only open this machine.
const opens = async (name) => {
  const [fresh] = await Promise.all([browser.waitForEvent('page'), page.getByRole('button', { name, exact: true }).or(page.getByRole('link', { name, exact: true })).last().click()]);
  await fresh.waitForLoadState();
  return fresh;
};

try {
  await Promise.race([main(), ended]);
  console.log(`all seen; ${shots.length} screenshots in ${out}`);
} catch (e) {
  console.error(e.message);
  process.exitCode = 1;
} finally {
  globalThis.closing = true;
  await browser?.close().catch(() => {});
  for (const c of children.reverse()) c.kill();
  for (const f of fs.globSync?.(path.join(work, 'devTools', '*.log')) ?? []) fs.copyFileSync(f, path.join(out, path.basename(f)));
  if (!fs.globSync && fs.existsSync(path.join(work, 'devTools'))) for (const f of fs.readdirSync(path.join(work, 'devTools'))) fs.copyFileSync(path.join(work, 'devTools', f), path.join(out, f));
  fs.rmSync(work, { recursive: true, force: true });
  process.exit();
}
