package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"latchkey/bot/typed"
)

// maxFile is the most that is read of a configuration or a secret, in bytes.
const maxFile = 1 << 20

// Load reads file and lets environ ("NAME=value", as os.Environ gives it) go
// over it. It fails with Problems, all at once.
func Load(file string, environ []string) (*Config, error) {
	b, err := readSome(file)
	if err != nil {
		return nil, Problems{{File: file, Msg: "cannot be read: " + cause(err) + "; give the right path with --config, or make one with `latchkey config describe`"}}
	}
	return Parse(file, b, environ)
}

// Parse is Load for a file that was read already; file names it.
func Parse(file string, b []byte, environ []string) (*Config, error) {
	r := &reader{file: file, c: Default(), env: map[string]string{}, line: map[string]int{}}
	r.c.File = file
	keys := Keys()
	for i := range keys {
		if !keys[i].sample {
			r.keys = append(r.keys, &keys[i])
		}
	}
	for _, e := range environ {
		if k, v, ok := strings.Cut(e, "="); ok {
			r.env[k] = v
		}
	}
	r.readFile(b)
	r.readEnvironment()
	r.together()
	if len(r.probs) > 0 {
		slices.SortStableFunc(r.probs, func(a, b Problem) int {
			if a.File != b.File {
				return strings.Compare(b.File, a.File)
			}
			return a.Line - b.Line
		})
		return nil, r.probs
	}
	r.c.resolve()
	return r.c, nil
}

// reader collects a configuration and what is wrong with it.
type reader struct {
	file  string
	c     *Config
	keys  []*Key
	env   map[string]string
	line  map[string]int // where a key was set; 0 = by the environment
	probs Problems
}

func (r *reader) bad(line int, key, format string, args ...any) {
	r.probs = append(r.probs, Problem{r.file, line, key, fmt.Sprintf(format, args...)})
}

// badKey puts a problem to where the key was set, or to the file as a whole.
func (r *reader) badKey(key, format string, args ...any) {
	line, set := r.line[key]
	if set && line == 0 {
		r.probs = append(r.probs, Problem{"environment", 0, key, fmt.Sprintf(format, args...)})
		return
	}
	r.bad(line, key, format, args...)
}

func (r *reader) isSet(key string) bool { _, ok := r.line[key]; return ok }

var yamlLine = regexp.MustCompile(`line (\d+)`)

func (r *reader) readFile(b []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return // an empty file
	}
	if err != nil {
		line := 0
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		r.bad(line, "", "is not YAML: %s; look for a missing colon, a tab or wrong indentation near this line",
			strings.TrimPrefix(yamlLine.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), ""), ": "))
		return
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.bad(0, "", "has more than one document in it; keep the part before the line ---")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	r.mapping("", root)
}

// mapping reads a section.
func (r *reader) mapping(prefix string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.bad(n.Line, strings.TrimSuffix(prefix, "."), "is %s where keys with values belong; indent its keys below it", nodeKind(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		kn, vn := n.Content[i], n.Content[i+1]
		path := prefix + kn.Value
		if kn.Kind != yaml.ScalarNode || kn.Tag == "!!merge" {
			r.bad(kn.Line, strings.TrimSuffix(prefix, "."), "has a key that is no plain name; write every key out")
			continue
		}
		if first, ok := seen[kn.Value]; ok {
			r.bad(kn.Line, path, "is set twice, first in line %d; remove one", first)
			continue
		}
		seen[kn.Value] = kn.Line
		if p, name, ok := account(path); ok && vn.Kind != yaml.AliasNode {
			if vn.Kind == yaml.ScalarNode && vn.Tag == "!!null" {
				continue // everything in it is commented out
			}
			if vn.Kind != yaml.MappingNode || !r.openAccount(p, name, kn.Line) {
				if vn.Kind != yaml.MappingNode {
					r.bad(kn.Line, path, "is %s where keys with values belong; indent its keys below it", nodeKind(vn))
				}
				continue
			}
		}
		switch {
		case vn.Kind == yaml.AliasNode:
			r.bad(kn.Line, path, "is an alias; write the value out")
		case r.isSection(path):
			if vn.Kind == yaml.ScalarNode && vn.Tag == "!!null" {
				continue // everything in it is commented out
			}
			r.mapping(path+".", vn)
		default:
			r.leaf(path, kn, vn)
		}
	}
}

func (r *reader) isSection(path string) bool {
	return ofPlatform(path) || slices.ContainsFunc(r.keys, func(k *Key) bool { return strings.HasPrefix(k.Path, path+".") })
}

func (r *reader) find(path string) *Key {
	for _, k := range r.keys {
		if k.Path == path {
			return k
		}
	}
	return nil
}

// leaf reads one key with its value.
func (r *reader) leaf(path string, kn, vn *yaml.Node) {
	k := r.find(path)
	if k != nil && k.Secret() {
		r.bad(kn.Line, path, "a secret must not stand in this file; write %[1]s_env: NAME_OF_A_VARIABLE or %[1]s_file: PATH instead, and change the secret if others could read this file", kn.Value)
		return
	}
	if k == nil {
		for _, way := range []string{"_env", "_file"} {
			base, ok := strings.CutSuffix(path, way)
			if s := r.find(base); ok && s != nil && s.Secret() {
				r.reference(s, path, way, kn, vn)
				return
			}
		}
		r.unknown(path, kn.Line)
		return
	}
	r.line[path] = kn.Line
	var vs []string
	switch {
	case vn.Kind == yaml.ScalarNode && vn.Tag == "!!null":
		r.bad(kn.Line, path, "has no value; give it one, or remove the key")
		return
	case vn.Kind == yaml.ScalarNode:
		vs = []string{vn.Value}
	case vn.Kind == yaml.SequenceNode && k.list:
		for _, item := range vn.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				r.bad(item.Line, path, "has an item that is %s; write single values", nodeKind(item))
				return
			}
			vs = append(vs, item.Value)
		}
	default:
		want := "one value"
		if k.list {
			want = "a list of single values"
		}
		r.bad(kn.Line, path, "is %s; give it %s", nodeKind(vn), want)
		return
	}
	if k.list && len(vs) == 0 {
		vs = []string{""}
	}
	if err := k.set(r.c, vs...); err != nil {
		r.bad(kn.Line, path, "%v", err)
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reference reads smtp.password_env or smtp.password_file. What it holds might
// be the secret itself, put in the wrong place, so it is never printed.
func (r *reader) reference(k *Key, path, way string, kn, vn *yaml.Node) {
	if vn.Kind != yaml.ScalarNode || vn.Tag == "!!null" || vn.Value == "" {
		r.bad(kn.Line, path, "is %s; give it one value", nodeKind(vn))
		return
	}
	if r.isSet(k.Path) {
		r.bad(kn.Line, path, "%s is set in line %d already; keep _env or _file", k.Path, r.line[k.Path])
		return
	}
	r.line[k.Path] = kn.Line
	if _, over := r.env[k.Env()]; over {
		return
	}
	var v string
	if way == "_env" {
		if !envName.MatchString(vn.Value) {
			r.bad(kn.Line, path, "is not the name of an environment variable; write the name here and the secret into the variable")
			return
		}
		if v = r.env[vn.Value]; v == "" {
			r.bad(kn.Line, path, "names an environment variable that is not set; set it before the start, or use %s_file", lastPart(k.Path))
			return
		}
	} else {
		c := Config{File: r.file, Org: Org{Logo: vn.Value}}
		c.resolve()
		if st, err := os.Stat(c.Org.Logo); err == nil && st.Mode().Perm()&0o007 != 0 && !platformSecret(c.Org.Logo) {
			r.bad(kn.Line, path, "names a file that everybody on this machine can read; chmod 600 it")
			return
		}
		b, err := readSome(c.Org.Logo)
		if err != nil {
			r.bad(kn.Line, path, "names a file that cannot be read: %s; check the path and its permissions", cause(err))
			return
		}
		v = strings.TrimRight(string(b), "\r\n")
	}
	if err := k.set(r.c, v); err != nil {
		r.bad(kn.Line, path, "the secret %v", err)
	}
}

// platformSecret reports whether a container platform put the file there, with
// its own mode inside the container.
func platformSecret(path string) bool {
	return strings.HasPrefix(path, "/run/secrets/") || strings.HasPrefix(path, "/var/run/secrets/")
}

// unknown names what was probably meant.
func (r *reader) unknown(path string, line int) {
	var full, all []string
	parent := path[:strings.LastIndex(path, ".")+1]
	for _, k := range r.keys {
		names := []string{k.Path}
		if k.Secret() {
			names = []string{k.Path + "_env", k.Path + "_file"}
		}
		for _, n := range names {
			if rest, ok := strings.CutPrefix(n, parent); ok {
				head, _, _ := strings.Cut(rest, ".")
				full = append(full, parent+head)
			}
			if lastPart(n) == lastPart(path) {
				all = append(all, n)
			}
		}
	}
	near := nearest(path, full)
	switch {
	case near == "" && len(all) > 0:
		near = all[0]
	case near == "":
		for _, k := range r.keys {
			all = append(all, k.Path)
		}
		near = nearest(path, all)
	}
	if near != "" {
		r.bad(line, path, "is not a key; did you mean %s?", near)
		return
	}
	r.bad(line, path, "is not a key; remove it, `latchkey config describe` lists them all")
}

// readEnvironment lets LATCHKEY_... go over the file. Only near misses of a
// key's name are complained about: platforms set variables of their own that
// begin with a service's name.
func (r *reader) readEnvironment() {
	known := map[string]bool{}
	var names []string
	for _, k := range r.keys {
		known[k.Env()] = true
		names = append(names, k.Env())
		v, ok := r.env[k.Env()]
		if !ok {
			continue
		}
		r.line[k.Path] = 0
		if err := k.set(r.c, v); err != nil {
			r.probs = append(r.probs, Problem{"environment", 0, k.Env(), err.Error()})
		}
	}
	for _, name := range sortedKeys(r.env) {
		if !strings.HasPrefix(name, "LATCHKEY_") || known[name] {
			continue
		}
		for _, n := range names {
			if typed.Distance(name, n) <= 2 {
				r.probs = append(r.probs, Problem{"environment", 0, name, "is not a key; did you mean " + n + "?"})
				break
			}
		}
	}
}

// together checks what no single key can know.
func (r *reader) together() {
	c := r.c
	for _, k := range r.keys {
		if k.required && !r.isSet(k.Path) {
			r.bad(0, k.Path, "is not set; write it, for example %s: %s", lastPart(k.Path), k.Example)
		}
	}
	if r.isSet("store.postgres") {
		if r.isSet("store.path") {
			r.badKey("store.path", "store.postgres is set too; keep one of the two stores")
		}
		c.Store.Path = ""
	}
	if c.Org.Domain == "" && len(c.Org.Domains) > 0 {
		c.Org.Domain = c.Org.Domains[0]
	}
	if r.isSet("org.default_domain") && c.Org.Domain != "" && len(c.Org.Domains) > 0 && !slices.Contains(c.Org.Domains, c.Org.Domain) {
		r.badKey("org.default_domain", "is not among org.domains; add it there")
	}
	r.needs("smtp.", "smtp.host", "smtp.from")
	r.needs("desk.webhook.", "desk.webhook.url", "desk.webhook.secret")
	r.needs("desk.zammad.", "desk.zammad.url", "desk.zammad.token", "desk.zammad.group")
	if r.isSet("smtp.username") != r.isSet("smtp.password") {
		set, missing := "smtp.username", "smtp.password"
		if r.isSet("smtp.password") {
			set, missing = missing, set
		}
		r.badKey(set, "is set without %s; set both or neither", missing)
	}
	if c.SMTP.Security == "none" && c.SMTP.Host != "" && !loopback(c.SMTP.Host) {
		r.badKey("smtp.security", "none would send codes in the clear to another machine; use starttls or tls")
	}
	if len(c.Alerts) > 0 && c.SMTP.Host == "" {
		r.badKey("alerts.mail", "is set without smtp.host; set that too, or remove it")
	}
	const nobody = "is set without desk.enabled, so there is no agent of whom it could be wanted; set that too, or remove it"
	if c.Desk.Answer > 0 && !c.Desk.Enabled {
		r.badKey("desk.first_answer", nobody)
	}
	if c.Desk.Solve > 0 && !c.Desk.Enabled {
		r.badKey("desk.solve", nobody)
	}
	if c.Desk.Webhook.Back != "" && !c.Desk.Enabled {
		r.badKey("desk.webhook.back_secret", "is set without desk.enabled, so nobody could be written to; set that too, or remove it")
	}
	zammad := c.Desk.Zammad
	switch {
	case zammad.URL != "" && c.Desk.Webhook.URL != "":
		r.badKey("desk.zammad.url", "is set beside desk.webhook.url, and tickets go to one system; remove one of the two sections")
	case zammad.Hook != "" && !c.Desk.Enabled:
		r.badKey("desk.zammad.webhook_secret", "is set without desk.enabled, so nobody could be written to; set that too, or remove it")
	case zammad.Hook != "" && zammad.Hook == zammad.Token:
		r.badKey("desk.zammad.webhook_secret", "is desk.zammad.token: whoever knows one could do what the other lets; make another one")
	case zammad.Hook != "" && len(zammad.Hook) < 24:
		r.badKey("desk.zammad.webhook_secret", "is short enough to be guessed; make one: openssl rand -base64 32")
	}
	hook := c.Desk.Webhook
	switch {
	case sameHookKey(hook.Back, hook.Secret):
		r.badKey("desk.webhook.back_secret", "is desk.webhook.secret: whoever knows one could do what the other lets; make another one")
	case sameHookKey(hook.Back, hook.Previous):
		r.badKey("desk.webhook.back_secret", "is desk.webhook.previous_secret: whoever knows one could do what the other lets; make another one")
	}
	if sameHookKey(hook.Secret, hook.Previous) {
		r.badKey("desk.webhook.previous_secret", "is desk.webhook.secret, so nothing was changed; make another secret, or remove it")
	}
	if c.Desk.Mail != "" && c.SMTP.Host == "" {
		r.badKey("desk.mail", "is set without smtp.host; set that too, or remove it")
	}
	if len(c.Desk.Channels) > 0 && !c.Desk.Enabled {
		r.badKey("desk.channels", "is set without desk.enabled, so there are no agents; set that too, or remove it")
	}
	for key, rooms := range map[string][]string{"desk.channels": c.Desk.Channels, "campaigns.channels": c.Campaigns.Channels} {
		for i, room := range rooms {
			account, _, ok := strings.Cut(room, " ")
			switch {
			case ok && key == "campaigns.channels" && !strings.HasPrefix(account, "discord-"):
				r.badKey(key, "names %s, where people are written to one by one; only Discord needs a message in a channel", account)
			case ok && !slices.ContainsFunc(c.Accounts(), func(a Account) bool { return string(a.Channel()) == account }):
				r.badKey(key, "names the account %s, which is not under channels; write slack-, teams- or discord- and the account's name", account)
			case slices.Contains(rooms[:i], room):
				r.badKey(key, "names %s twice; remove one of them", room)
			}
		}
	}
	r.needs("twilio.", "twilio.account_sid", "twilio.auth_token")
	switch tw := c.Twilio; {
	case tw.AccountSID != "" && tw.From == "" && tw.MessagingService == "":
		r.badKey("twilio.account_sid", "is set without twilio.from and twilio.messaging_service; set one of them to what Twilio gave you")
	case tw.AccountSID != "" && tw.VoiceFrom == "" && !e164Shape.MatchString(tw.From):
		r.badKey("twilio.account_sid", "is set without a number that calls can come from; set twilio.voice_from")
	}
	c.HTTP.PublicURL = strings.TrimRight(c.HTTP.PublicURL, "/")
	for _, page := range []struct {
		key, why string
		wanted   bool
	}{
		{"secrets.qr", "page needs http.public_url; set it, or leave chat", c.Secrets.QR == "page"},
		{"http.public_url", "", c.Chats()},
		{"channels.web.enabled", "true needs http.public_url; set it to how people reach this server", c.Web.Enabled},
		{"directory.kind", c.Directory + " needs http.public_url, where the provider sends people back to; set it", c.SignsIn()},
	} {
		switch u, err := url.Parse(c.HTTP.PublicURL); {
		case !page.wanted || err != nil:
		case c.HTTP.PublicURL == "" && page.why == "": // each account says so
		case c.HTTP.PublicURL == "":
			r.badKey(page.key, "%s", page.why)
		case u.Path != "":
			r.badKey("http.public_url", "has a path; pages need a host of their own, like https://latchkey.example.org")
		}
	}
	if len(c.Web.Embed) > 0 && !c.Web.Enabled {
		r.badKey("channels.web.embed", "is set, but the web chat is off; set channels.web.enabled to true")
	}
	if c.Web.Kiosk && !c.Web.Enabled {
		r.badKey("channels.web.kiosk", "is set, but the web chat is off; set channels.web.enabled to true")
	}
	r.needs("oidc.", "oidc.issuer", "oidc.client_id")
	switch {
	case c.Directory == "oidc" && c.OIDC.Issuer == "":
		r.badKey("directory.kind", "oidc needs oidc.issuer and oidc.client_id; set them")
	case c.Directory != "oidc" && c.OIDC.Issuer != "":
		r.badKey("oidc.issuer", "is set, but directory.kind is %s; set that to oidc", c.Directory)
	}
	if c.OIDC.Issuer != "" && !slices.Contains(c.OIDC.Scopes, "openid") {
		r.badKey("oidc.scopes", "lacks openid; add it")
	}
	r.needs("entra.", "entra.tenant", "entra.client_id")
	switch e := c.Entra; {
	case c.Directory == "entra" && e.Tenant == "":
		r.badKey("directory.kind", "entra needs entra.tenant and entra.client_id; set them")
	case e.Tenant != "" && e.ClientSecret == "" && e.Certificate == "" && e.Federated == "":
		r.badKey("entra.tenant", "is set without a credential that can be read; set entra.certificate_file, entra.federated_token_file or entra.client_secret_file")
	}
	r.accounts()
	r.pretending()
	for _, p := range c.Policy.Check() {
		r.badKey(p.Key, "%s", strings.TrimPrefix(p.Error(), p.Key+": "))
	}
}

// needs wants the other keys when any key of a section is set.
func (r *reader) needs(prefix string, keys ...string) {
	for _, k := range r.keys {
		if !strings.HasPrefix(k.Path, prefix) || !r.isSet(k.Path) {
			continue
		}
		for _, n := range keys {
			if !r.isSet(n) {
				r.badKey(k.Path, "is set without %s; set that too, or remove the section", n)
			}
		}
		return
	}
}

func readSome(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.New("it is larger than 1 MiB")
	}
	return b, err
}

// cause is an error without the path in it.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func nodeKind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null" || n.Value == "":
		return "empty"
	}
	return "a single value"
}

func lastPart(path string) string { return path[strings.LastIndex(path, ".")+1:] }

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
