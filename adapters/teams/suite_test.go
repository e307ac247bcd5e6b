package teams_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
	"latchkey/flows/raster"
)

var phrases = adaptertest.Phrases{
	"en web.chat.page.form": "{title}: open the private page", "en web.chat.page.open": "Open the private page",
	"es web.chat.page.form": "{title}: abrir la página privada", "es web.chat.page.open": "Abrir la página privada", "es web.chat.page.qr": "Mostrar la imagen en una página privada",
	"en chat.key": "Key to type: {key}", "en chat.same_phone": "Link for an app on this phone: {link}", "en chat.pressed": "✓ {label}",
	"es chat.pressed": "✓ {label}", "en chat.no_picture": "No picture. Type the key.", "es chat.no_picture": "Sin imagen.", "en chat.send": "Send", "es chat.send": "Enviar", "en chat.no_page": "No page can be opened.", "en chat.open_page": "This opens a private page.",
	"en web.chat.page.qr": "Show the picture on a private page", "en chat.picture.gone": "(The picture was taken away.)", "en chat.expired": "That took too long.", "es chat.expired": "Eso tardó demasiado.",
	"en chat.not_ours": "I can only help people of {org}.", "es chat.not_ours": "Solo ayudo a {org}.", "en chat.no_files": "No files.", "es chat.no_files": "Sin archivos.",
	"en chat.group": "One at a time.", "es chat.group": "De uno en uno.", "en chat.in_channel.ask": "In private, please.", "es chat.in_channel.ask": "En privado, por favor.",
}

// TestContract holds the adapter to the contract, against the double of the
// connector.
func TestContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Harness{Name: "teams", Open: openTenant, Lacks: map[adaptertest.Ability]string{
		adaptertest.Forms:   "nothing private is typed into a card or a dialog, which show it: a button leads to a one-time page",
		adaptertest.Reveals: "what is shown once is shown on a one-time page",
		adaptertest.Finding: "the connector lists no messages; Microsoft Graph would, for a right to read all chats",
		adaptertest.Once:    "the connector takes no key with a message, so one whose answer was lost may be shown twice",
	}})
}

// tenant is an organisation with the bot, and its people.
type tenant struct {
	t       testing.TB
	house   *adaptertest.House
	cloud   *teamstest.Cloud
	server  *httptest.Server
	adapter atomic.Pointer[teams.Adapter]
	channel func() *teamstest.Channel // the one that the bot may write into
	forgot  atomic.Bool
}

func openTenant(t testing.TB, house *adaptertest.House) adaptertest.Platform {
	p := &tenant{t: t, house: house, cloud: teamstest.New(t)}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := p.adapter.Load(); a != nil {
			a.Handler().ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	p.cloud.Endpoint(p.server.URL)
	p.channel = sync.OnceValue(func() *teamstest.Channel { return p.cloud.Channel("") })
	t.Cleanup(func() { p.server.CloseClientConnections(); p.server.Close() })
	return p
}

// believing is a house that knows everybody, until it forgets them.
type believing struct {
	*adaptertest.House
	forgot *atomic.Bool
}

func (b believing) Vouch(context.Context, bot.ChannelID, string, bot.Vouch) (bot.Level, error) {
	if b.forgot.Load() {
		return 0, bot.ErrNotFound
	}
	return bot.L2, nil
}

// Forget implements adaptertest.Forgetful: nobody is in the directory, and the
// connector does not tell of members.
func (p *tenant) Forget() (remember func()) {
	p.forgot.Store(true)
	p.cloud.Members(http.StatusServiceUnavailable)
	return func() { p.cloud.Members(0) }
}

// options are those of an adapter for the double.
func options(cloud *teamstest.Cloud, house teams.House) teams.Options {
	return teams.Options{
		Options: chat.Options{Channel: "teams-contoso", Phrases: phrases, Org: "Contoso", BotName: "Latchkey", Lang: "en"},
		House:   house,
		AppID:   teamstest.AppID, Tenant: teamstest.Tenant, ClientSecret: func() []bot.Secret { return []bot.Secret{teamstest.Secret} },
		LoginURL: cloud.LoginURL(), KeysURL: cloud.KeysURL(), ServiceHosts: []string{cloud.Host()}, ServiceURL: cloud.Service(), GraphURL: cloud.GraphURL(), PublicURL: "https://latchkey.example",
	}
}

// Connect implements adaptertest.Platform.
func (p *tenant) Connect(t testing.TB) bot.Adapter {
	o := options(p.cloud, believing{p.house, &p.forgot})
	o.Log = p.house.Log
	o.Picture = func(name string) ([]byte, bool) { // as the command draws them
		svg, ok := p.house.Picture(name)
		if !ok {
			return nil, false
		}
		png, err := raster.PNG(svg, 480)
		return png, err == nil
	}
	a, err := teams.New(o)
	if err != nil {
		t.Fatal(err)
	}
	teams.Unpaced(a)
	p.adapter.Store(a)
	return a
}

// Person implements adaptertest.Platform.
func (p *tenant) Person(n int) adaptertest.Person { return client{p.cloud.Person(n)} }

// client is a person as the suite sees one.
type client struct{ *teamstest.Person }

func (c client) ID() string     { return c.ObjectID }
func (c client) Locale() string { return c.Lang }
func (c client) Open() error    { return errors.New("there are no private forms in Teams") }
func (c client) Fill(...string) error {
	return errors.New("there are no private forms in Teams")
}
func (c client) Screen() (string, error) { return c.Person.Screen(), nil }

func (c client) Sees() (all []adaptertest.Shown, err error) {
	for _, v := range c.Views() {
		s := adaptertest.Shown{Text: v.Text, Lang: v.Lang, Active: v.Active}
		for _, b := range v.Buttons {
			s.Buttons = append(s.Buttons, adaptertest.Button{Label: b.Title, Primary: b.Primary})
		}
		for _, l := range v.Links {
			s.Links = append(s.Links, adaptertest.Link{Label: l[0], To: l[1]})
		}
		for _, i := range v.Images {
			s.Pictures = append(s.Pictures, adaptertest.Picture{Alt: i.Alt, Fetch: func() ([]byte, error) {
				for _, now := range c.Views() {
					if now.ID == v.ID && len(now.Images) > 0 {
						return i.PNG, nil
					}
				}
				return nil, nil
			}})
		}
		all = append(all, s)
	}
	return all, nil
}

// Hold implements adaptertest.Wire.
func (p *tenant) Hold(act func() error) (adaptertest.Packet, error) { return p.cloud.Hold(act) }

// Deliver implements adaptertest.Wire.
func (p *tenant) Deliver(packet adaptertest.Packet) (bool, error) {
	status, _, err := p.cloud.Deliver(packet.(teamstest.Delivery))
	return status >= 200 && status < 300, err
}

// Forge implements adaptertest.Forger. The connector does not sign the body: it
// vouches for it by its token and by TLS, so a packet cannot be changed by
// others, and a token says for which service it is.
func (p *tenant) Forge(_, _ adaptertest.Person, packet adaptertest.Packet) (map[string]adaptertest.Packet, error) {
	body := packet.(teamstest.Delivery).Body
	lies := map[string]adaptertest.Packet{}
	for why, token := range badTokens(p.cloud) {
		lies[why] = teamstest.Delivery{Body: body, Token: func() string { return token }}
	}
	elsewhere := bytes.ReplaceAll(body, []byte(p.cloud.Service()), []byte("https://evil.example/amer/"))
	lies["answers wanted elsewhere"] = teamstest.Delivery{Body: elsewhere}
	claims := p.cloud.Claims()
	claims["serviceurl"] = "https://evil.example/amer/"
	lies["answers wanted elsewhere, with a token for it"] = teamstest.Delivery{Body: elsewhere, Token: func() string {
		return teamstest.Sign(teamstest.ConnectorKey(), teamstest.KeyID, claims)
	}}
	lies["from another tenant"] = teamstest.Delivery{Body: bytes.ReplaceAll(body, []byte(teamstest.Tenant), []byte("99999999-aaaa-4bbb-8ccc-000000000002"))}
	lies["from another channel"] = teamstest.Delivery{Body: bytes.ReplaceAll(body, []byte(`"msteams"`), []byte(`"webchat"`))}
	return lies, nil
}

// badTokens are tokens that nobody must believe, by what is wrong with them.
func badTokens(c *teamstest.Cloud) map[string]string {
	good := c.Claims()
	spoil := func(k string, v any) string {
		claims := maps.Clone(good)
		if v == nil {
			delete(claims, k)
		} else {
			claims[k] = v
		}
		return teamstest.Sign(teamstest.ConnectorKey(), teamstest.KeyID, claims)
	}
	now := good["nbf"].(int64)
	whole := c.Token()
	parts := strings.Split(whole, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	payload, _ := json.Marshal(good)
	return map[string]string{
		"no token":                    "",
		"not a token":                 "abc",
		"no signature":                parts[0] + "." + parts[1] + ".",
		"algorithm none":              b64([]byte(`{"alg":"none","typ":"JWT","kid":"`+teamstest.KeyID+`"}`)) + "." + b64(payload) + ".",
		"HS256 with the public key":   hmacToken(c, good),
		"RS512":                       otherAlgorithm(jose.RS512, good),
		"PS256":                       otherAlgorithm(jose.PS256, good),
		"another audience":            spoil("aud", "99999999-aaaa-4bbb-8ccc-000000000001"),
		"no audience":                 spoil("aud", nil),
		"two audiences":               spoil("aud", []string{teamstest.AppID, "x"}),
		"another issuer":              spoil("iss", "https://sts.windows.net/"+teamstest.Tenant+"/"),
		"the government's issuer":     spoil("iss", "https://api.botframework.us"),
		"no issuer":                   spoil("iss", nil),
		"expired":                     spoil("exp", now-400),
		"no expiry":                   spoil("exp", nil),
		"not valid yet":               spoil("nbf", now+400),
		"another service":             spoil("serviceurl", "https://smba.trafficmanager.net/emea/"),
		"no service":                  spoil("serviceurl", nil),
		"another key by the same id":  teamstest.Sign(teamstest.OtherKey(), teamstest.KeyID, good),
		"a key that nobody published": teamstest.Sign(teamstest.OtherKey(), "unknown", good),
		"no key id":                   teamstest.Sign(teamstest.ConnectorKey(), "", good),
		"a changed claim":             parts[0] + "." + b64(bytes.Replace(payload, []byte("3600"), []byte("9999"), 1)) + "x." + parts[2],
		"a changed signature": parts[0] + "." + parts[1] + "." + strings.Map(func(r rune) rune {
			if r == 'A' {
				return 'B'
			}
			return 'A'
		}, parts[2]),
	}
}

// hmacToken is signed with the published key taken for a shared secret.
func hmacToken(c *teamstest.Cloud, claims map[string]any) string {
	r, err := http.Get(c.URL + "/keys/jwks")
	if err != nil {
		panic(err)
	}
	defer r.Body.Close()
	var set struct{ Keys []json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&set); err != nil {
		panic(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(set.Keys[0])}, (&jose.SignerOptions{}).WithHeader("kid", teamstest.KeyID))
	if err != nil {
		panic(err)
	}
	t, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return t
}

func otherAlgorithm(alg jose.SignatureAlgorithm, claims map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: teamstest.ConnectorKey()}, (&jose.SignerOptions{}).WithHeader("kid", teamstest.KeyID))
	if err != nil {
		panic(err)
	}
	t, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return t
}

// Rename implements adaptertest.Renamer.
func (p *tenant) Rename(who adaptertest.Person, name string) error {
	who.(client).Person.Rename(name)
	return nil
}

// Fault implements adaptertest.Faulty.
func (p *tenant) Fault(who adaptertest.Person, what adaptertest.Ability) func() {
	return p.cloud.Fault(who.(client).Person, map[adaptertest.Ability]teamstest.Fault{
		adaptertest.Throttle: teamstest.Throttle, adaptertest.Refuse: teamstest.Refuse, adaptertest.Leave: teamstest.Blocked,
		adaptertest.Break: teamstest.Away, adaptertest.Doubt: teamstest.Cut, adaptertest.Bare: teamstest.Large,
	}[what])
}

// Stall implements adaptertest.Staller.
func (p *tenant) Stall(who adaptertest.Person) (<-chan struct{}, func()) {
	return p.cloud.Stall(who.(client).Person)
}

// Mangle sends what the connector would never send.
func (p *tenant) Mangle(rng *rand.Rand, word string) (int, error) {
	who := p.cloud.Person(0)
	d := teamstest.Delivery{Body: who.Body("message", map[string]any{"text": word})}
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + mangleToken(p.cloud)}}
	d.Header = header
	change := func(old, new string) { d.Body = bytes.Replace(d.Body, []byte(old), []byte(new), 1) }
	switch rng.IntN(15) {
	case 0:
		d.Body = d.Body[:rng.IntN(len(d.Body))]
	case 1:
		id := fmt.Sprintf(`"id":%q`, who.UserID)
		change(id, pick(rng, `"id":7`, `"id":null`, `"id":{}`, `"id":""`, `"id":[[]]`, `"id":"`+strings.Repeat("x", 600)+`"`, `"id":"a\u0000b"`, `"id":true`))
	case 2:
		change(`"aadObjectId":"`+who.ObjectID+`"`, pick(rng, `"aadObjectId":7`, `"aadObjectId":""`, `"aadObjectId":"../../x"`, `"aadObjectId":"`+strings.Repeat("a", 300)+`"`, `"aadObjectId":"a b"`, `"aadObjectId":[]`, `"x":1`))
	case 3:
		change(`"type":"message"`, pick(rng, `"type":""`, `"type":7`, `"type":"messageUpdate"`, `"type":"messageDelete"`, `"type":"typing"`, `"type":"event"`, `"type":"endOfConversation"`, `"type":"`+word+`"`, `"type":null`))
	case 4:
		d.Body = make([]byte, 1+rng.IntN(2000))
		for i := range d.Body {
			d.Body[i] = byte(rng.IntN(256))
		}
	case 5:
		d.Body = bytes.Repeat([]byte(pick(rng, "[", `{"a":`, `{"value":{"data":[`)), 1+rng.IntN(5000))
	case 6:
		d.Body = who.Body("invoke", map[string]any{"name": pick(rng, "task/fetch", "task/submit", "adaptiveCard/action", "signin/verifyState", word), "value": map[string]any{
			"data": pickAny(rng, nil, 7, word, []any{word}, map[string]any{"latchkey": word}, map[string]any{"latchkey": map[string]any{"p": "x", "c": word}}, map[string]any{"latchkey": map[string]any{"p": -1, "e": word}, "value": word}, map[string]any{"latchkey": map[string]any{"p": 1}, "value": 7}),
		}})
	case 7:
		header.Set("Authorization", pick(rng, "", "Bearer", "Bearer ", "Bearer a.b.c", "Basic "+word, "Bearer "+strings.Repeat("A", 20000), "bearer\t"+word, "Bearer "+mangleToken(p.cloud)+"x", "Bearer eyJhbGciOiJub25lIn0.e30."))
	case 8:
		header.Set("Content-Type", pick(rng, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";;;", "application/xml"))
	case 9:
		change(p.cloud.Service(), pick(rng, "", "https://evil.example/", "http://169.254.169.254/", "file:///etc/passwd", p.cloud.URL+"@evil.example/", "//"+p.cloud.Host(), p.cloud.Service()+"?x="+word, "javascript:1"))
	case 10:
		change(`"text":"`+word, `"text":"`+strings.Repeat(word, 300<<10/len(word)))
	case 11:
		change(`"channelId":"msteams"`, pick(rng, `"channelId":""`, `"channelId":"slack"`, `"channelId":7`, `"channelId":"webchat"`, `"channelId":null`))
	case 12:
		change(`"text":"`+word+`"`, pick(rng, `"text":7`, `"text":["`+word+`"]`, `"text":{}`, `"text":"   "`, `"text":null`, "\"text\":\"\xff\xfe\"", `"value":"`+word+`"`, `"value":[7]`, `"attachments":7`, `"membersAdded":{}`))
	case 13:
		change(`"tenantId":"`+teamstest.Tenant+`"`, pick(rng, `"tenantId":7`, `"tenantId":"`+word+`"`, `"tenantId":{}`, `"tenantId":"00000000-0000-0000-0000-000000000000"`))
	case 14:
		d.Body = who.Body(pick(rng, "conversationUpdate", "installationUpdate"), map[string]any{
			"action":       pick(rng, "remove", "remove-upgrade", word, ""),
			"membersAdded": pickAny(rng, nil, []any{}, []any{map[string]any{"id": who.UserID}}, []any{map[string]any{"id": ""}}, []any{7}, word),
		})
	}
	status, _, err := p.cloud.Deliver(d)
	if err != nil {
		return 0, err
	}
	if status >= 500 {
		return 0, fmt.Errorf("answered with %d: %.300s", status, d.Body)
	}
	return 0, nil
}

var tokens sync.Map // of *teamstest.Cloud

// mangleToken is a true token, made once: signing takes long.
func mangleToken(c *teamstest.Cloud) string {
	if t, ok := tokens.Load(c); ok {
		return t.(string)
	}
	t := c.Token()
	tokens.Store(c, t)
	return t
}

func pick(rng *rand.Rand, all ...string) string { return all[rng.IntN(len(all))] }
func pickAny(rng *rand.Rand, all ...any) any    { return all[rng.IntN(len(all))] }
