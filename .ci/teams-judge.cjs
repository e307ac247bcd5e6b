// Judges payloads of the Teams adapter and of its double with Microsoft's packages:
// activities with @microsoft/agents-activity (its schema), Adaptive Cards with the
// parser of adaptivecards.
//
//   AGENTS_ACTIVITY_DIR=DIR ADAPTIVECARDS_DIR=DIR node teams-judge.cjs < LINES
//
// Each line is {"name":"…","activity":{…}} or {"name":"…","card":{…}}. It prints a line
// for each thing that is wrong, and "judged N" at the end.
const { createRequire } = require('node:module');
const { isDeepStrictEqual } = require('node:util');
const path = require('node:path');
const from = (dir) => createRequire(path.join(path.resolve(dir), 'x.js'));
const { Activity } = from(process.env.AGENTS_ACTIVITY_DIR)('@microsoft/agents-activity');
const cards = from(process.env.ADAPTIVECARDS_DIR)('adaptivecards/dist/adaptivecards.js'); // the other build does not load in Node.js

const problems = (card) => {
  // Its pattern for languages remembers where it was, and refuses every second one.
  cards.AdaptiveCard.langProperty.regEx.lastIndex = 0;
  const c = new cards.AdaptiveCard();
  c.hostConfig = new cards.HostConfig({ actions: { maxActions: 6 } }); // as in Teams
  const context = new cards.SerializationContext(cards.Versions.v1_5);
  c.parse(card, context);
  const found = [];
  for (let i = 0; i < context.eventCount; i++) found.push(context.getEventAt(i).message);
  for (const e of c.validateProperties().validationEvents) found.push(e.message);
  // What the parser does not know, it drops in silence: what it read must be what was written.
  const count = (v) => (Array.isArray(v) ? v.reduce((n, x) => n + count(x), 0) : v && typeof v === 'object' ? (typeof v.type === 'string' ? 1 : 0) + Object.entries(v).reduce((n, [k, x]) => n + (k === 'data' ? 0 : count(x)), 0) : 0);
  const [wrote, read] = [count(card), count(c.toJSON())];
  if (wrote !== read) found.push(`${wrote} elements were written, ${read} are understood`);
  return found;
};

let n = 0;
for (const line of require('node:fs').readFileSync(0, 'utf8').split('\n')) {
  if (!line) continue;
  const { name, activity, card } = JSON.parse(line);
  n++;
  const found = [];
  const all = card ? [card] : [];
  if (activity) {
    try {
      const a = Activity.fromObject(activity);
      const back = JSON.parse(a.toJsonString());
      for (const k of Object.keys(activity)) if (!isDeepStrictEqual(back[k], activity[k])) found.push(`${k} is not understood as it was written`);
    } catch (e) {
      found.push(e.message.replace(/\s+/g, ' ').slice(0, 300));
    }
    for (const x of activity.attachments ?? []) if (x.contentType === 'application/vnd.microsoft.card.adaptive') all.push(x.content);
  }
  for (const c of all) found.push(...problems(c));
  for (const f of found) console.log(`${name}: ${f}`);
}
console.log(`judged ${n}`);
