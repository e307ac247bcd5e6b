// A local stand-in for Twilio's REST API for tests: the package "emulate", seeded
// with one account and one number, and a small front that also plays the
// telephone network, which the package does not.
//
//   TWILIO_EMULATOR_DIR=<folder with node_modules/emulate> node twilio-emulator.mjs PORT
//
// prints "ready http://127.0.0.1:PORT" when it listens, on the loopback address only.
// PORT 0 takes a free one. It ends when its standard input ends, if that is a pipe.
//
//   account  AC00000000000000000000000000000000, token 0123456789abcdef0123456789abcdef
//   number   +15551234567
//
// Beside the package's own pages (/, /_twilio/simulate/...):
//   GET  /_rig/requests          what was sent to Messages.json and Calls.json, oldest first:
//                                [{"resource":"Calls","sid":"CA...","form":{"To":"+1...",...}}]
//   POST /_rig/answer            CallSid=CA...&Digits=1 (Digits may be missing): the person picks up.
//                                Asks the call's Url, presses Digits at the first Gather, and answers
//                                {"pages":["<Response>...", ...]}. Inline Twiml is one page.
//   POST /_rig/status            MessageSid=SM...&MessageStatus=undelivered&ErrorCode=30003: the signed
//                                status callback of a text, with an ErrorCode, which the package's own
//                                simulation does not have. Answers {"status":204}.
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { createHmac } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const sid = 'AC00000000000000000000000000000000';
const token = '0123456789abcdef0123456789abcdef';
const port = Number(process.argv[2] ?? 0);
const dir = process.env.TWILIO_EMULATOR_DIR;
if (!dir || !Number.isInteger(port)) {
  console.error('usage: TWILIO_EMULATOR_DIR=DIR node twilio-emulator.mjs PORT');
  process.exit(2);
}
const home = path.resolve(dir, 'node_modules', 'emulate');
const { exports } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8'));
const { createEmulator } = await import(pathToFileURL(path.join(home, exports['.'].import)));

// The package takes no port 0, so look for a free one.
const free = () => new Promise((done, fail) => {
  const probe = http.createServer().on('error', fail).listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});
const emulator = await createEmulator({
  service: 'twilio',
  port: await free(),
  hostname: '127.0.0.1',
  seed: { twilio: { account: { sid, auth_token: token }, phone_numbers: [{ phone_number: '+15551234567' }] } },
});
const behind = new URL(emulator.url).port;

const requests = [];

// X-Twilio-Signature as documented: the URL, then each parameter's name and value in order of name.
const signature = (url, form) =>
  createHmac('sha1', token).update(url + Object.keys(form).sort().map((k) => k + form[k]).join('')).digest('base64');

async function fetchPage(url, method, call, extra) {
  const form = {
    AccountSid: sid, ApiVersion: '2010-04-01', CallSid: call.sid, CallStatus: 'in-progress',
    Direction: 'outbound-api', From: call.form.From, To: call.form.To, ...extra,
  };
  if (method === 'GET') {
    const asked = new URL(url);
    for (const [k, v] of Object.entries(form)) asked.searchParams.append(k, v);
    url = asked.toString();
  }
  const res = await fetch(url, {
    method,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': signature(url, method === 'GET' ? {} : form),
    },
    body: method === 'GET' ? undefined : new URLSearchParams(form),
  });
  if (!res.ok) throw new Error(`${method} of the call's page: ${res.status}`);
  return res.text();
}

const unescape = (s) => s.replace(/&#(\d+);|&#x([0-9a-f]+);|&(amp|lt|gt|quot|apos);/gi, (_, d, x, n) =>
  d ? String.fromCodePoint(+d) : x ? String.fromCodePoint(parseInt(x, 16)) : { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[n]);

async function answer({ CallSid, Digits }) {
  const call = requests.find((r) => r.sid === CallSid && r.resource === 'Calls');
  if (!call) throw new Error(`no call ${CallSid}`);
  if (!call.form.Url) return [call.form.Twiml];
  const pages = [await fetchPage(call.form.Url, call.form.Method ?? 'POST', call, {})];
  const gather = /<Gather\b[^>]*\baction="([^"]*)"/.exec(pages[0]);
  if (Digits && gather) pages.push(await fetchPage(new URL(unescape(gather[1]), call.form.Url).toString(), 'POST', call, { Digits }));
  return pages;
}

async function report(form) {
  const text = requests.find((r) => r.sid === form.MessageSid && r.resource === 'Messages');
  if (!text?.form.StatusCallback) throw new Error(`no text ${form.MessageSid} with a StatusCallback`);
  const body = { AccountSid: sid, ApiVersion: '2010-04-01', SmsSid: form.MessageSid, SmsStatus: form.MessageStatus, To: text.form.To, ...form };
  const res = await fetch(text.form.StatusCallback, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature(text.form.StatusCallback, body) },
    body: new URLSearchParams(body),
  });
  return res.status;
}

const front = http.createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const json = (status, value) => {
    res.writeHead(status, { 'content-type': 'application/json' });
    res.end(JSON.stringify(value));
  };
  try {
    const where = new URL(req.url, 'http://127.0.0.1').pathname;
    if (where === '/_rig/requests') return json(200, requests);
    if (where === '/_rig/answer') return json(200, { pages: await answer(Object.fromEntries(new URLSearchParams(body.toString()))) });
    if (where === '/_rig/status') return json(200, { status: await report(Object.fromEntries(new URLSearchParams(body.toString()))) });
    const resource = req.method === 'POST' && /\/(Messages|Calls)\.json$/.exec(where)?.[1];
    const inner = http.request(
      { host: '127.0.0.1', port: behind, method: req.method, path: req.url, headers: req.headers },
      (back) => {
        const got = [];
        back.on('data', (chunk) => got.push(chunk));
        back.on('end', () => {
          const text = Buffer.concat(got);
          if (resource && back.statusCode === 201) {
            requests.push({ resource, sid: JSON.parse(text).sid, form: Object.fromEntries(new URLSearchParams(body.toString())) });
          }
          res.writeHead(back.statusCode, back.headers);
          res.end(text);
        });
      },
    );
    inner.on('error', (err) => json(502, { message: String(err) }));
    inner.end(body);
  } catch (err) {
    json(500, { message: String(err.message ?? err) });
  }
});
front.listen(port, '127.0.0.1', () => console.log(`ready http://127.0.0.1:${front.address().port}`));

const input = fs.fstatSync(0);
if (input.isFIFO() || input.isSocket()) {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.resume();
}
process.on('SIGTERM', () => process.exit(0));
