// A bot on the official client, for judging a double of Discord:
//
//   node .ci/discord-client.mjs http://127.0.0.1:1234/api TOKEN
//
// DISCORD_JS_DIR has node_modules/discord.js. It says on standard output, a line
// each, what happened. It answers each direct message with a picture and
// buttons, updates the message of a button, opens a form, answers a form and a
// command, and deletes a message when asked. It ends with standard input.
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.DISCORD_JS_DIR, 'x.js'));
const { Client, Events, GatewayIntentBits, Partials } = require('discord.js');
const say = (...words) => console.log(words.join(' '));

process.stdin.on('end', () => process.exit(0)).resume();

const client = new Client({
  intents: [GatewayIntentBits.DirectMessages],
  partials: [Partials.Channel],
  rest: { api: process.argv[2] },
});
client.on('error', (e) => say('error', e.message));
client.on(Events.Warn, (m) => say('warning', m));
client.on(Events.ShardResume, (_, n) => say('resumed', n));
client.on(Events.ShardReady, () => say('session'));
client.once(Events.ClientReady, (c) => say('ready', c.user.tag, c.application.id));

const row = (...buttons) => ({ type: 1, components: buttons.map(([label, custom_id]) => ({ type: 2, style: 1, label, custom_id })) });

client.on(Events.MessageCreate, async (m) => {
  if (m.author.bot) return;
  say('message', m.content);
  try {
    if (m.content === 'delete') {
      const last = (await m.channel.messages.fetch({ limit: 20 })).find((x) => x.author.id === client.user.id);
      await last.delete();
      say('deleted', last.id);
      return;
    }
    await m.channel.sendTyping();
    const sent = await m.channel.send({
      content: 'pong ' + m.content,
      files: [{ attachment: Buffer.from('a picture'), name: 'picture.png', description: 'What it shows' }],
      components: [row(['Done', 'done'], ['Form', 'form'])],
      nonce: 'n-' + m.id.slice(-20), enforceNonce: true, allowedMentions: { parse: [] },
    });
    say('sent', sent.id, sent.attachments.first().description.replaceAll(' ', '_'));
  } catch (e) {
    say('failed', e.message);
  }
});

client.on(Events.InteractionCreate, async (i) => {
  try {
    if (i.isButton() && i.customId === 'form') {
      await i.showModal({
        title: 'A form', custom_id: 'modal',
        components: [{ type: 18, label: 'A field', component: { type: 4, custom_id: 'v', style: 1, max_length: 40 } }],
      });
      say('form');
    } else if (i.isButton()) {
      await i.update({ content: 'pressed', components: [] });
      say('pressed', i.customId, i.locale);
    } else if (i.isModalSubmit()) {
      await i.reply({ content: 'thanks', flags: 64 });
      say('filled', i.fields.getTextInputValue('v'));
    } else if (i.isChatInputCommand()) {
      await i.deferReply({ flags: 64 });
      await i.editReply({ content: 'in private' });
      await i.followUp({ content: 'and more', flags: 64 });
      await i.deleteReply();
      say('command', i.commandName, i.options.getString('what'), i.context);
    }
  } catch (e) {
    say('failed', e.message);
  }
});

await client.login(process.argv[3]);
