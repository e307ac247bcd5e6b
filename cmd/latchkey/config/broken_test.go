package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/cmd/latchkey/config"
)

// secret stands wherever a secret could be put by mistake. It must never be
// printed.
const secret = "Tr0ub4dor-and-3-canary"

// org is the least that a file needs, so that each case has one problem.
const org = "org:\n  name: Example\n"

// site is a public address, in two lines.
const site = "http:\n  public_url: https://latchkey.example.org\n"

// hook is a desk and its webhook, without the secrets.
const hook = org + site + "desk:\n  enabled: true\n  webhook:\n    url: https://tickets.example.org/hooks\n"

// hookKeys are the secrets of a webhook, each by a letter, behind whsec_ or not.
func hookKeys(now, before, back string) (env []string) {
	for name, v := range map[string]string{"SECRET": now, "PREVIOUS_SECRET": before, "BACK_SECRET": back} {
		letter := strings.TrimPrefix(v, "whsec_")
		env = append(env, "LATCHKEY_DESK_WEBHOOK_"+name+"="+strings.TrimSuffix(v, letter)+strings.Repeat("sec"+letter, 8))
	}
	return env
}

// zammad is a Zammad, without its secrets, which zammadKeys are.
const zammad = "desk:\n  zammad:\n    url: https://zammad.example.org\n    group: Desk\n"

func zammadKeys(token, hook string) []string {
	return []string{"LATCHKEY_DESK_ZAMMAD_TOKEN=" + token, "LATCHKEY_DESK_ZAMMAD_WEBHOOK_SECRET=" + hook}
}

type broken struct {
	name string
	yaml string
	env  []string
	key  string // must be named
	line int    // must be named; 0 = none
	says string // must be in the problem
}

func brokenConfigs(dir string) []broken {
	open := filepath.Join(dir, "open")
	os.WriteFile(open, []byte(secret), 0o644)
	short := filepath.Join(dir, "short")
	os.WriteFile(short, []byte("abc"), 0o600)
	empty := filepath.Join(dir, "empty")
	os.WriteFile(empty, nil, 0o600)
	big := filepath.Join(dir, "big")
	os.WriteFile(big, make([]byte, 2<<20), 0o600)

	cases := []broken{
		// Not a configuration at all.
		{"not yaml", org + "smtp: [\n", nil, "", 0, "is not YAML"},
		{"tab", org + "smtp:\n\thost: a\n", nil, "", 4, "is not YAML"},
		{"list at the top", "- a\n- b\n", nil, "", 1, "a list"},
		{"word at the top", "hello\n", nil, "", 1, "a single value"},
		{"two documents", org + "---\na: 1\n", nil, "", 0, "more than one document"},
		{"binary", "\x00\x01\x02", nil, "", 0, "is not YAML"},
		{"utf-16", "o\x00r\x00g\x00:\x00", nil, "", 0, "is not YAML"},
		{"empty", "", nil, "org.name", 0, "is not set"},
		{"comments only", "# nothing\n", nil, "org.name", 0, "is not set"},
		{"empty section", "org:\n", nil, "org.name", 0, "is not set"},

		{"a target of nobody", org + "desk:\n  first_answer: 30m\n", nil, "desk.first_answer", 4, "is set without desk.enabled"},
		{"a target too near", org + "desk:\n  enabled: true\n  solve: 5m\n", nil, "desk.solve", 5, "below the floor"},

		// One key for two directions, or as the one of before, however it is written.
		{"channel without an id", org + "desk:\n  enabled: true\n  channels: slack-acme\n", nil, "desk.channels", 5, "not an account and a channel"},
		{"channel of no account", org + "desk:\n  enabled: true\n  channels: slack-acme C0123ABCD\n", nil, "desk.channels", 5, "the account slack-acme"},
		{"campaigns in a channel of no account", org + "campaigns:\n  channels: discord-acme 200000000000000001\n", nil, "campaigns.channels", 4, "the account discord-acme"},
		{"campaigns in a channel of Slack", org + "campaigns:\n  channels: slack-acme C0123ABCD\n", nil, "campaigns.channels", 4, "people are written to one by one"},
		{"channel without a desk", org + "desk:\n  channels: slack-acme C0123ABCD\n", nil, "desk.channels", 4, "without desk.enabled"},
		{"a Zammad without a token", org + "desk:\n  zammad:\n    url: https://zammad.example.org\n", nil, "desk.zammad.url", 5, "is set without desk.zammad.token"},
		{"two systems for tickets", hook + "  zammad:\n    url: https://zammad.example.org\n    group: Desk\n", append(hookKeys("a", "b", ""), "LATCHKEY_DESK_ZAMMAD_TOKEN=x"), "desk.zammad.url", 10, "is set beside desk.webhook.url"},
		{"a Zammad that nobody may write back from", org + zammad, zammadKeys("x", strings.Repeat("y", 24)), "desk.zammad.webhook_secret", 0, "is set without desk.enabled"},
		{"one key for both ways of Zammad", org + "desk:\n  enabled: true\n" + strings.TrimPrefix(zammad, "desk:\n"), zammadKeys(strings.Repeat("y", 24), strings.Repeat("y", 24)), "desk.zammad.webhook_secret", 0, "is desk.zammad.token"},
		{"a key of Zammad that can be guessed", org + "desk:\n  enabled: true\n" + strings.TrimPrefix(zammad, "desk:\n"), zammadKeys("x", "tickets"), "desk.zammad.webhook_secret", 0, "is short enough to be guessed"},
		{"key of both ways", hook, hookKeys("a", "b", "a"), "desk.webhook.back_secret", 0, "is desk.webhook.secret"},
		{"key of both ways, written otherwise", hook, hookKeys("a", "b", "whsec_a"), "desk.webhook.back_secret", 0, "is desk.webhook.secret"},
		{"key of before for the way back", hook, hookKeys("a", "whsec_b", "b"), "desk.webhook.back_secret", 0, "is desk.webhook.previous_secret"},
		{"key of before is the key", hook, hookKeys("whsec_a", "a", "b"), "desk.webhook.previous_secret", 0, "is desk.webhook.secret"},

		// Unknown keys, with what was meant.
		{"unknown key", org + "  nmae: x\n", nil, "org.nmae", 3, "did you mean org.name?"},
		{"unknown section", org + "stroe:\n  path: x\n", nil, "stroe", 3, "did you mean store?"},
		{"key at the top", org + "help_phone: x\n", nil, "help_phone", 3, "did you mean org.help_phone?"},
		{"key in the wrong section", org + "http:\n  host: x\n", nil, "http.host", 4, "did you mean smtp.host?"},
		{"upper case", org + "smtp:\n  Host: x\n", nil, "smtp.Host", 4, "did you mean smtp.host?"},
		{"unknown policy group", org + "policy:\n  code:\n    tries: 5\n", nil, "policy.code", 4, "did you mean policy.codes?"},
		{"unknown policy key", org + "policy:\n  codes:\n    trys: 5\n", nil, "policy.codes.trys", 5, "did you mean policy.codes.tries?"},
		{"nothing like it", org + "zzzzzzzzzzzz: 1\n", nil, "zzzzzzzzzzzz", 3, "is not a key"},
		{"dotted key", org + "smtp.host: x\n", nil, "smtp.host", 3, ""},
		{"a key below a key", org + "store:\n  path:\n    file: x\n", nil, "store.path", 4, "a group of keys"},
		{"unknown in environment", org, []string{"LATCHKEY_ORG_NAMES=x"}, "LATCHKEY_ORG_NAMES", 0, "did you mean LATCHKEY_ORG_NAME?"},
		{"misspelt in environment", org, []string{"LATCHKEY_SMPT_HOST=x"}, "LATCHKEY_SMPT_HOST", 0, "did you mean LATCHKEY_SMTP_HOST?"},
		{"misspelt secret key", org + "twilio:\n  auth_tokn: " + secret + "\n", nil, "twilio.auth_tokn", 4, "did you mean twilio.auth_token"},

		// Wrong types.
		{"text as list", "org:\n  name: [a, b]\n", nil, "org.name", 2, "a list"},
		{"text as group", "org:\n  name:\n    a: b\n", nil, "org.name", 2, "a group"},
		{"text as null", "org:\n  name:\n", nil, "org.name", 2, "has no value"},
		{"text empty", "org:\n  name: \"\"\n", nil, "org.name", 2, "is empty"},
		{"number as word", org + "smtp:\n  port: five\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "not a whole number"},
		{"number as list", org + "smtp:\n  port: [25]\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "a list"},
		{"number as fraction", org + "smtp:\n  port: 2.5\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "not a whole number"},
		{"section as text", org + "smtp: localhost\n", nil, "smtp", 3, "a single value"},
		{"section as list", org + "smtp: [localhost]\n", nil, "smtp", 3, "a list"},
		{"section as false", org + "twilio: false\n", nil, "twilio", 3, "a single value"},
		{"list with a group", org + "  domains:\n    - a: b\n", nil, "org.domains", 4, "a group"},
		{"list with nothing", org + "  domains:\n    - \n", nil, "org.domains", 4, "empty"},
		{"duration without a unit", org + "smtp:\n  timeout: 30\n  host: localhost\n  from: a@b.example\n", nil, "smtp.timeout", 4, "not a duration"},
		{"duration as word", org + "twilio:\n  timeout: soon\n", nil, "twilio.timeout", 4, "not a duration"},
		{"policy number as word", org + "policy:\n  codes:\n    tries: many\n", nil, "policy.codes.tries", 5, "whole number"},
		{"policy number as list", org + "policy:\n  codes:\n    tries: [5]\n", nil, "policy.codes.tries", 5, "a list"},
		{"policy switch as word", org + "policy:\n  methods:\n    questions: maybe\n", nil, "policy.methods.questions", 5, "true nor false"},
		{"policy limit as number", org + "policy:\n  sends:\n    mail_user: 5\n", nil, "policy.sends.mail_user", 5, "not a limit"},
		{"policy duration as number", org + "policy:\n  codes:\n    life: 600\n", nil, "policy.codes.life", 5, "not a duration"},
		{"policy group as text", org + "policy: strict\n", nil, "policy", 3, "a single value"},
		{"environment number as word", org, []string{"LATCHKEY_SMTP_PORT=five"}, "LATCHKEY_SMTP_PORT", 0, "whole number"},
		{"environment empty", org, []string{"LATCHKEY_ORG_NAME="}, "LATCHKEY_ORG_NAME", 0, "is empty"},
		{"line break", "org:\n  name: \"a\\nb\"\n", nil, "org.name", 2, "line break"},
		{"zero byte", "org:\n  name: \"a\\0b\"\n", nil, "org.name", 2, "zero byte"},
		{"very long", "org:\n  name: " + strings.Repeat("x", 5000) + "\n", nil, "org.name", 2, "longer than"},
		{"long name", "org:\n  name: " + strings.Repeat("x", 121) + "\n", nil, "org.name", 2, "longer than 120"},

		// Set twice, aliases, merges.
		{"twice", "org:\n  name: a\n  name: b\n", nil, "org.name", 3, "first in line 2"},
		{"section twice", org + "org:\n  name: b\n", nil, "org", 3, "first in line 1"},
		{"alias", "org: &o\n  name: a\nsmtp: *o\n", nil, "smtp", 3, "alias"},
		{"merge", "org: &o\n  name: a\nsmtp:\n  <<: *o\n", nil, "smtp", 4, "no plain name"},
		{"key as list", org + "? [a]\n: b\n", nil, "", 3, "no plain name"},

		// Values out of bounds.
		{"port 0", org + "smtp:\n  port: 0\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "below the floor 1"},
		{"port negative", org + "smtp:\n  port: -25\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "below the floor 1"},
		{"port too high", org + "smtp:\n  port: 70000\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "above the cap 65535"},
		{"timeout too long", org + "smtp:\n  timeout: 1h\n  host: localhost\n  from: a@b.example\n", nil, "smtp.timeout", 4, "above the cap 2m"},
		{"timeout zero", org + "smtp:\n  timeout: 0s\n  host: localhost\n  from: a@b.example\n", nil, "smtp.timeout", 4, "below the floor 1s"},
		{"tries over the cap", org + "policy:\n  codes:\n    tries: 500\n", nil, "policy.codes.tries", 5, "500 is above the cap 10"},
		{"tries zero", org + "policy:\n  codes:\n    tries: 0\n", nil, "policy.codes.tries", 5, "below the floor 1"},
		{"tries negative", org + "policy:\n  codes:\n    tries: -1\n", nil, "policy.codes.tries", 5, "below the floor 1"},
		{"code of four digits", org + "policy:\n  codes:\n    digits: 4\n", nil, "policy.codes.digits", 5, "below the floor 6"},
		{"code that lives for a day", org + "policy:\n  codes:\n    life: 24h\n", nil, "policy.codes.life", 5, "above the cap"},
		{"mail code for a week", org + "policy:\n  codes:\n    life_mail: 7d\n", nil, "policy.codes.life_mail", 5, "above the cap"},
		{"wide window", org + "policy:\n  totp:\n    window: 5\n", nil, "policy.totp.window", 5, "above the cap 1"},
		{"short key of an authenticator", org + "policy:\n  totp:\n    secret_bytes: 10\n", nil, "policy.totp.secret_bytes", 5, "below the floor"},
		{"weak hash", org + "policy:\n  hash:\n    memory_kib: 1024\n", nil, "policy.hash.memory_kib", 5, "below the floor"},
		{"one pass", org + "policy:\n  hash:\n    passes: 1\n", nil, "policy.hash.passes", 5, "below the floor"},
		{"too many texts", org + "policy:\n  sends:\n    sms_number: [100/10m]\n", nil, "policy.sends.sms_number", 5, "more than the cap"},
		{"no required method", org + "policy:\n  methods:\n    required: 0\n", nil, "policy.methods.required", 5, "below the floor"},
		{"recommended below required", org + "policy:\n  methods:\n    required: 2\n    recommended: 1\n", nil, "policy.methods.recommended", 6, "is below policy.methods.required"},
		{"country as word", org + "policy:\n  numbers:\n    countries: [Germany]\n", nil, "policy.numbers.countries", 5, "two-letter"},
		{"no country", org + "policy:\n  numbers:\n    countries: []\n", nil, "policy.numbers.countries", 5, "names no country"},
		{"default country not allowed", org + "policy:\n  numbers:\n    default_country: DE\n", nil, "policy.numbers.default_country", 5, "is not among"},
		{"policy by environment", org, []string{"LATCHKEY_POLICY_CODES_TRIES=500"}, "policy.codes.tries", 0, "500 is above the cap 10"},

		// Accounts on chat platforms.
		{"workspace without anything", org + site + "channels:\n  slack:\n    acme:\n      sso: true\n", nil, "channels.slack.acme", 7, "needs bot_token"},
		{"workspace without a way in", org + site + "channels:\n  slack:\n    acme:\n      team: T0123ABCD\n      bot_token_env: TOKEN\n", []string{"TOKEN=xoxb-" + secret}, "channels.slack.acme", 7, "no way in"},
		{"wrong sort of token", org + site + "channels:\n  slack:\n    acme:\n      bot_token_env: TOKEN\n", []string{"TOKEN=xoxp-" + secret}, "channels.slack.acme.bot_token", 8, "begins with xoxb-"},
		{"three tokens", org + site + "channels:\n  slack:\n    acme:\n      bot_token_env: TOKEN\n", []string{"TOKEN=xoxb-11111111 xoxb-22222222 xoxb-33333333"}, "channels.slack.acme.bot_token", 8, "more than two"},
		{"token in the file", org + site + "channels:\n  slack:\n    acme:\n      bot_token: xoxb-" + secret + "\n", nil, "channels.slack.acme.bot_token", 8, "must not stand"},
		{"name of an account", org + site + "channels:\n  slack:\n    Acme:\n      sso: true\n", nil, "channels.slack.Acme", 7, "not a name for an account"},
		{"account as text", org + site + "channels:\n  slack:\n    acme: yes\n", nil, "channels.slack.acme", 7, "a single value"},
		{"key of another platform", org + site + "channels:\n  slack:\n    acme:\n      app_id: x\n", nil, "channels.slack.acme.app_id", 8, "is not a key"},
		{"platform as text", org + site + "channels:\n  teams: true\n", nil, "channels.teams", 6, "a single value"},
		{"command without a slash", org + site + "channels:\n  slack:\n    acme:\n      command: sspr\n", nil, "channels.slack.acme.command", 8, "not a slash command"},
		{"tenant by name", org + site + "channels:\n  teams:\n    d:\n      tenant: example.org\n", nil, "channels.teams.d.tenant", 8, "Microsoft's kind"},
		{"tenant without an app", org + site + "channels:\n  teams:\n    d:\n      tenant: 00000000-0000-0000-0000-000000000002\n", nil, "channels.teams.d", 7, "needs app_id"},
		{"an app to install, and nobody to write to", org + site + "channels:\n  teams:\n    d:\n      catalog_app: 00000000-0000-0000-0000-000000000003\n", nil, "channels.teams.d.catalog_app", 8, "set desk.enabled"},
		{"desk as a word", org + "desk:\n  enabled: small\n", nil, "desk.enabled", 4, ""},
		{"emulator for everybody", org + site + "channels:\n  teams:\n    d:\n      emulator: true\n", nil, "channels.teams.d.emulator", 8, "takes requests from anybody"},
		{"service host as an address", org + site + "channels:\n  teams:\n    d:\n      service_hosts: [https://smba.trafficmanager.net]\n", nil, "channels.teams.d.service_hosts", 8, "not the name of a host"},
		{"public key too short", org + site + "channels:\n  discord:\n    s:\n      public_key: abcd\n", nil, "channels.discord.s.public_key", 8, "not a public key"},
		{"server by name", org + site + "channels:\n  discord:\n    s:\n      guild: Staff\n", nil, "channels.discord.s.guild", 8, "Discord's kind"},
		{"chat without pages", org + "channels:\n  discord:\n    s:\n      application_id: 100000000000000001\n", nil, "channels.discord.s", 5, "needs http.public_url"},
		{"api in the clear", org + site + "channels:\n  slack:\n    acme:\n      api_url: http://slack.example.org/\n", nil, "channels.slack.acme.api_url", 8, "use https"},

		// Parts that pretend, where somebody else could reach them.
		{"demo directory for everybody", org + "http:\n  addr: 0.0.0.0:8443\ndirectory:\n  kind: demo\n", nil, "directory.kind", 6, "http.addr must be on this machine"},
		{"demo directory behind a proxy", org + site + "directory:\n  kind: demo\n", nil, "directory.kind", 6, "http.public_url must be on this machine"},
		{"demo directory on a named interface", org + "http:\n  addr: helpdesk:8080\ndirectory:\n  kind: demo\n", nil, "directory.kind", 6, "must be on this machine"},
		{"demo directory with real texts", org + "twilio:\n  account_sid: AC00000000000000000000000000000000\n  auth_token_env: TOKEN\n  from: '+15555550100'\ndirectory:\n  kind: demo\n",
			[]string{"TOKEN=" + strings.Repeat("0", 32)}, "directory.kind", 8, "cannot stand beside twilio"},
		{"demo directory with real mail", org + "smtp:\n  host: mail.example.org\n  from: it@example.org\ndirectory:\n  kind: demo\n", nil, "directory.kind", 7, "cannot stand beside smtp"},
		{"emulated texts for everybody", org + site + "twilio:\n  base_url: http://127.0.0.1:4010\n  account_sid: AC00000000000000000000000000000000\n  auth_token_env: TOKEN\n  from: '+15555550100'\n",
			[]string{"TOKEN=" + strings.Repeat("0", 32)}, "twilio.base_url", 6, "it is an emulator"},
		{"emulated workspace for everybody", org + site + "channels:\n  slack:\n    acme:\n      api_url: http://localhost:4020/\n", nil, "channels.slack.acme.api_url", 8, "it is an emulator"},

		// Addresses.
		{"public http", org + "http:\n  public_url: http://latchkey.example.org\n", nil, "http.public_url", 4, "use https"},
		{"public ftp", org + "http:\n  public_url: ftp://latchkey.example.org\n", nil, "http.public_url", 4, "not a web address"},
		{"public without a host", org + "http:\n  public_url: https://\n", nil, "http.public_url", 4, "not a web address"},
		{"public without a scheme", org + "http:\n  public_url: latchkey.example.org\n", nil, "http.public_url", 4, "not a web address"},
		{"public with a password", org + "http:\n  public_url: https://a:" + secret + "@latchkey.example.org\n", nil, "http.public_url", 4, "has a user"},
		{"public with a query", org + "http:\n  public_url: https://latchkey.example.org?a=b\n", nil, "http.public_url", 4, "a query"},
		{"listen without a port", org + "http:\n  addr: localhost\n", nil, "http.addr", 4, "not host and port"},
		{"listen on a named port", org + "http:\n  addr: localhost:web\n", nil, "http.addr", 4, "no port between"},
		{"listen too high", org + "http:\n  addr: localhost:99999\n", nil, "http.addr", 4, "no port between"},
		{"api over http", org + "twilio:\n  base_url: http://api.twilio.com\n", nil, "twilio.base_url", 4, "use https"},
		{"mail host as address", org + "smtp:\n  host: https://smtp.example.org\n  from: a@b.example\n", nil, "smtp.host", 4, "not a host name"},
		{"mail host with a port", org + "smtp:\n  host: smtp.example.org:25\n  from: a@b.example\n", nil, "smtp.host", 4, "not a host name"},
		{"sender", org + "smtp:\n  host: localhost\n  from: nobody\n", nil, "smtp.from", 5, "not a mail address"},
		{"two senders", org + "smtp:\n  host: localhost\n  from: a@b.example, c@d.example\n", nil, "smtp.from", 5, "not a mail address"},
		{"help mail", org + "  help_email: help at example\n", nil, "org.help_email", 3, "not a mail address"},
		{"domain with @", org + "  domains: ['@example.org']\n", nil, "org.domains", 3, "not a mail domain"},
		{"domain in capitals", org + "  domains: [Example.org]\n", nil, "org.domains", 3, "lower case"},
		{"domain alone", org + "  default_domain: localhost\n", nil, "org.default_domain", 3, "not a mail domain"},
		{"default domain elsewhere", org + "  domains: [a.example]\n  default_domain: b.example\n", nil, "org.default_domain", 4, "not among"},
		{"language as word", org + "  default_language: English\n", nil, "org.default_language", 3, "not a language code"},
		{"twilio sid", org + "twilio:\n  account_sid: XX1\n", nil, "twilio.account_sid", 4, "not a Twilio SID"},
		{"name in apps", "org:\n  name: Example\n  app_name: " + strings.Repeat("学", 7) + "\n", nil, "org.app_name", 3, "phones cannot read"},
		{"twilio number", org + "twilio:\n  from: 555-0100\n", nil, "twilio.from", 4, "international form"},
		{"twilio calls without a number", org + "twilio:\n  account_sid: AC" + strings.Repeat("0", 32) + "\n  auth_token_env: TOK\n  from: Example\n", []string{"TOK=" + strings.Repeat("a1", 16)}, "twilio.account_sid", 4, "twilio.voice_from"},
		{"discard as word", org + "twilio:\n  discard_content: yes please\n", nil, "twilio.discard_content", 4, "true or false"},

		// Choices.
		{"security", org + "smtp:\n  security: ssl\n  host: localhost\n  from: a@b.example\n", nil, "smtp.security", 4, "starttls, tls, none"},
		{"log level", org + "log:\n  level: loud\n", nil, "log.level", 4, "debug, info, warn, error"},
		{"log format", org + "log:\n  format: xml\n", nil, "log.format", 4, "text, json"},
		{"qr", org + "secrets:\n  qr: mail\n", nil, "secrets.qr", 4, "chat, page"},
		{"directory", org + "directory:\n  kind: ldap\n", nil, "directory.kind", 4, "none, oidc, entra, demo"},
		{"embedding site with a path", org + "channels:\n  web:\n    embed: https://intranet.example.org/start\n", nil, "channels.web.embed", 5, "without a path"},
		{"embedding site in the clear", org + "channels:\n  web:\n    embed: http://intranet.example.org\n", nil, "channels.web.embed", 5, "origin"},
		{"proxy by name", org + "http:\n  trusted_proxies: proxy.example.org\n", nil, "http.trusted_proxies", 4, "10.0.0.0/8"},
		{"person by address", org + "oidc:\n  person_claim: email\n", nil, "oidc.person_claim", 4, "change hands"},
		{"person by login", org + "oidc:\n  person_claim: preferred_username\n", nil, "oidc.person_claim", 4, "change hands"},
		{"a second factor of its own kind", org + "oidc:\n  second_factor: sometimes\n", nil, "oidc.second_factor", 4, "neither amr nor acr:VALUE"},
		{"a second factor of Entra at another provider", org + "oidc:\n  second_factor: c1\n", nil, "oidc.second_factor", 4, "entra.second_factor"},
		{"a class of sign-ins without a name", org + "oidc:\n  second_factor: 'acr:'\n", nil, "oidc.second_factor", 4, "neither amr nor acr:VALUE"},
		{"an authentication context that is none", org + "entra:\n  second_factor: c100\n", nil, "entra.second_factor", 4, "c1 to c99"},
		{"a second factor that Entra does not tell", org + "entra:\n  second_factor: amr\n", nil, "entra.second_factor", 4, "authentication context"},
		{"provider in the clear", org + "oidc:\n  issuer: http://id.example.org\n", nil, "oidc.issuer", 4, "use https"},

		// What does not fit together.
		{"web chat without an address", org + "channels:\n  web:\n    enabled: true\n", nil, "channels.web.enabled", 5, "needs http.public_url"},
		{"web chat under a path", org + "http:\n  public_url: https://example.org/latchkey\nchannels:\n  web:\n    enabled: true\n", nil, "http.public_url", 4, "host of their own"},
		{"kiosk without the chat", org + "channels:\n  web:\n    kiosk: true\n", nil, "channels.web.kiosk", 5, "the web chat is off"},
		{"embedding without the chat", org + "channels:\n  web:\n    embed: https://intranet.example.org\n", nil, "channels.web.embed", 5, "the web chat is off"},
		{"provider that is not used", org + "oidc:\n  issuer: https://id.example.org\n  client_id: latchkey\n", nil, "oidc.issuer", 4, "directory.kind is none"},
		{"no provider", org + "http:\n  public_url: https://example.org\ndirectory:\n  kind: oidc\n", nil, "directory.kind", 6, "oidc.issuer and oidc.client_id"},
		{"provider without a way back", org + "directory:\n  kind: oidc\noidc:\n  issuer: https://id.example.org\n  client_id: x\n", nil, "directory.kind", 4, "http.public_url"},
		{"provider without openid", org + "oidc:\n  issuer: https://id.example.org\n  client_id: x\n  scopes: profile\n", nil, "oidc.scopes", 6, "lacks openid"},
		{"both stores", org + "store:\n  path: a.db\n  postgres_env: DSN\n", []string{"DSN=postgres://u:" + secret + "@h/d"}, "store.path", 4, "keep one"},
		{"both stores, one by environment", org + "store:\n  path: a.db\n", []string{"LATCHKEY_STORE_POSTGRES=postgres://u:" + secret + "@h/d"}, "store.path", 4, "keep one"},
		{"mail in the clear", org + "smtp:\n  host: smtp.example.org\n  from: a@b.example\n  security: none\n", nil, "smtp.security", 6, "in the clear"},
		{"mail without a sender", org + "smtp:\n  host: localhost\n", nil, "smtp.from", 4, "smtp.host: is set without smtp.from"},
		{"mail without a host", org + "smtp:\n  port: 25\n", nil, "smtp.host", 4, "smtp.port: is set without smtp.host"},
		{"mail user without a password", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n", nil, "smtp.password", 6, "without smtp.password"},
		{"twilio without a token", org + "twilio:\n  account_sid: AC" + strings.Repeat("0", 32) + "\n  from: '+15555550100'\n", nil, "twilio.auth_token", 4, "without twilio.auth_token"},
		{"twilio without a number", org + "twilio:\n  account_sid: AC" + strings.Repeat("0", 32) + "\n  auth_token_env: TOK\n", []string{"TOK=" + strings.Repeat("a1", 16)}, "twilio.from", 4, "without twilio.from"},
		{"page without a server", org + "secrets:\n  qr: page\n", nil, "secrets.qr", 4, "needs http.public_url"},

		// Secrets.
		{"literal secret", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password: " + secret + "\n", nil, "smtp.password", 7, "must not stand in this file"},
		{"literal token", org + "twilio:\n  auth_token: " + secret + "\n", nil, "twilio.auth_token", 4, "auth_token_env"},
		{"literal connection", org + "store:\n  postgres: postgres://u:" + secret + "@h/d\n", nil, "store.postgres", 4, "must not stand"},
		{"secret as a variable's name", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_env: " + secret + "\n", nil, "smtp.password_env", 7, "not the name of"},
		{"variable not set", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_env: NOT_SET\n", nil, "smtp.password_env", 7, "not set"},
		{"variable empty", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_env: EMPTY\n", []string{"EMPTY="}, "smtp.password_env", 7, "not set"},
		{"secret as a file's name", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_file: " + secret + "\n", nil, "smtp.password_file", 7, "cannot be read"},
		{"secret file open to all", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_file: " + open + "\n", nil, "smtp.password_file", 7, "chmod 600"},
		{"secret file is a folder", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_file: /\n", nil, "smtp.password_file", 7, ""},
		{"secret file empty", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_file: " + empty + "\n", nil, "smtp.password_file", 7, "is empty"},
		{"secret file huge", org + "smtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_file: " + big + "\n", nil, "smtp.password_file", 7, "larger than"},
		{"weak token", org + "twilio:\n  auth_token_file: " + short + "\n", nil, "twilio.auth_token_file", 4, "too short"},
		{"weak token by environment", org, []string{"LATCHKEY_TWILIO_AUTH_TOKEN=abc"}, "LATCHKEY_TWILIO_AUTH_TOKEN", 0, "too short"},
		{"both ways", org + "twilio:\n  auth_token_env: TOK\n  auth_token_file: " + short + "\n", []string{"TOK=" + strings.Repeat("a1", 16)}, "twilio.auth_token_file", 5, "already"},
		{"reference as list", org + "twilio:\n  auth_token_env: [TOK]\n", nil, "twilio.auth_token_env", 4, "a list"},
		{"reference as null", org + "twilio:\n  auth_token_env:\n", nil, "twilio.auth_token_env", 4, "empty"},
		{"connection of another database", org + "store:\n  postgres_env: DSN\n", []string{"DSN=mysql://u:" + secret + "@h/d"}, "store.postgres_env", 4, "not a PostgreSQL address"},
		{"connection with a line break", org + "store:\n  postgres_env: DSN\n", []string{"DSN=postgres://u:" + secret + "\n@h/d"}, "store.postgres_env", 4, "line break"},
		{"secret in a number", org + "smtp:\n  port: " + secret + "\n  host: localhost\n  from: a@b.example\n", nil, "smtp.port", 4, "whole number"},
	}
	return cases
}

func TestBrokenConfigs(t *testing.T) {
	t.Parallel()
	cases := brokenConfigs(t.TempDir())
	if len(cases) < 100 {
		t.Errorf("only %d broken configurations, want 100", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := config.Parse("/etc/latchkey/latchkey.yaml", []byte(c.yaml), c.env)
			var ps config.Problems
			if !errors.As(err, &ps) || cfg != nil || len(ps) == 0 {
				t.Fatalf("accepted, or another kind of error: %v", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is printed:\n%v", err)
			}
			found := false
			for _, p := range ps {
				s := p.String()
				lineOK := c.line == 0 || strings.HasPrefix(s, fmt.Sprintf("/etc/latchkey/latchkey.yaml:%d: ", c.line))
				if strings.Contains(s, c.key) && strings.Contains(s, c.says) && lineOK {
					found = true
				}
				if !strings.ContainsAny(p.Msg, ";?") {
					t.Errorf("no fix in: %s", s)
				}
			}
			if !found {
				t.Errorf("want a problem with key %q, line %d, %q; got:\n%v", c.key, c.line, c.says, err)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("f.yaml", []byte("org:\n  nmae: x\nsmtp:\n  port: five\npolicy:\n  codes:\n    tries: 500\n"), []string{"LATCHKEY_LOG_LEVEL=loud"})
	var ps config.Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	for _, want := range []string{"f.yaml:2: org.nmae", "f.yaml:4: smtp.port", "f.yaml:7: policy.codes.tries", "f.yaml: org.name", "environment: LATCHKEY_LOG_LEVEL"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in\n%v", want, err)
		}
	}
}

func TestEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("f.yaml", []byte(org+"  department: d\n  address: a\n  help_phone: p\n  help_hours: h\n  domains: [a.example]\nsmtp:\n  host: localhost\n  from: a@b.example\n  username: u\n  password_env: NOT_SET\n"), []string{
		"LATCHKEY_ORG_NAME=Other", "LATCHKEY_ORG_DOMAINS=x.example, y.example", "LATCHKEY_SMTP_PASSWORD=hunter2",
		"LATCHKEY_POLICY_CODES_TRIES=3", "LATCHKEY_SERVICE_HOST=10.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Org.Name != "Other" || len(c.Org.Domains) != 2 || c.Org.Domain != "x.example" || string(c.SMTP.Password) != "hunter2" || c.Policy.CodeTries != 3 {
		t.Errorf("the environment did not go over the file: %+v", c)
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	for _, f := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		_, err := config.Load(f, nil)
		if err == nil || !strings.HasPrefix(err.Error(), f+": cannot be read: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range brokenConfigs(f.TempDir()) {
		f.Add([]byte(c.yaml))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := config.Parse("f.yaml", b, nil)
		if (c == nil) == (err == nil) {
			t.Errorf("neither a configuration nor an error: %v %v", c, err)
		}
	})
}
