// Slack's own framework, Bolt, as a judge: of who signs requests as Slack does,
// and of who speaks Socket Mode as Slack does.
//
//   SLACK_BOLT_DIR=<folder with node_modules/@slack/bolt> node bolt.mjs http SECRET
//   SLACK_BOLT_DIR=...                                     node bolt.mjs socket API_URL APP_TOKEN BOT_TOKEN
//
// prints a line of JSON for each thing that it is told, the first one {"ready": ADDRESS}.
// It ends when its standard input ends.
import { createRequire } from 'node:module';
import path from 'node:path';

const { App, HTTPReceiver, LogLevel } = createRequire(path.resolve(process.env.SLACK_BOLT_DIR, 'node_modules', 'x.js'))('@slack/bolt');
const [, , way, first, appToken, botToken] = process.argv;
const tell = (v) => console.log(JSON.stringify(v));
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();

const common = { botId: 'B1', botUserId: 'U1', ignoreSelf: false, logLevel: LogLevel.ERROR };
let app;
if (way === 'http') {
  const receiver = new HTTPReceiver({ signingSecret: first, endpoints: ['/slack/events'], logLevel: LogLevel.ERROR });
  app = new App({ ...common, receiver, token: 'xoxb-unused', tokenVerificationEnabled: false });
} else {
  app = new App({ ...common, token: botToken, appToken, socketMode: true, clientOptions: { slackApiUrl: first } });
}
app.message(/.*/, async ({ message, say }) => {
  if (way === 'socket') await say('heard');
  tell({ got: 'message', text: message.text, channel: message.channel });
});
app.command('/sspr', async ({ ack, command }) => { await ack(`ok ${command.text}`); tell({ got: 'command', text: command.text }); });
app.action(/.*/, async ({ ack, body }) => { await ack(); tell({ got: 'action', text: body.actions[0].value, channel: body.channel.id }); });
app.view('entry', async ({ ack, view }) => { await ack(); tell({ got: 'view', text: view.state.values.entry.value.value }); });
app.event('app_home_opened', async ({ event }) => tell({ got: 'home', text: event.tab }));
app.error(async (e) => tell({ got: 'error', text: String(e) }));
const server = await app.start({ port: 0, host: '127.0.0.1' });
tell({ ready: way === 'http' ? `http://127.0.0.1:${server.address().port}/slack/events` : 'socket' });
