// Judges signed webhooks with the verifier of Standard Webhooks.
//
//   STANDARDWEBHOOKS_DIR=DIR node webhook-judge.mjs < LINES
//
// Each line is {"secret":"…","headers":{…},"body":"…"}. For each it prints
// "taken TYPE" or "refused".
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

const { Webhook } = createRequire(path.join(path.resolve(process.env.STANDARDWEBHOOKS_DIR), 'x.js'))('standardwebhooks');

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    console.log('taken', new Webhook(secret).verify(body, headers).type);
  } catch (e) {
    console.log('refused');
  }
}
