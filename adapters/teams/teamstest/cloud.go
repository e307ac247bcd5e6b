package teamstest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// What a bot is registered with here.
const (
	AppID  = "11111111-aaaa-4bbb-8ccc-000000000001"
	Tenant = "22222222-aaaa-4bbb-8ccc-000000000002"
	Secret = "teams~client.secret-1"
	Issuer = "https://api.botframework.com"
	KeyID  = "connector-key-1"
)

// Keys of this process: the connector's, and one that nobody published.
var (
	ConnectorKey = sync.OnceValue(newKey)
	OtherKey     = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// A Cloud is the other side of one bot.
type Cloud struct {
	URL    string // of all its servers; the connector is below /amer
	server *httptest.Server
	t      testing.TB

	mu                     sync.Mutex
	endpoint               string // the bot's messaging endpoint
	client                 *http.Client
	n                      int
	secrets                []string // that the identity service takes
	tokens                 map[string]time.Time
	people                 map[string]*Person // by conversation
	channels               map[string]*Channel
	created                map[string]int // conversations that were made, by object id
	installs               []string       // object ids that the app was installed for
	creating               Fault          // of making a conversation with a person
	graphAsked             int
	graph                  int // status that Graph answers with, 0: it does what it is asked for
	graphSays              string
	roles                  []string // of a token for Graph
	order                  []*Person
	faults                 map[string]Fault
	stalls                 map[string]*stall
	held                   *Delivery
	refused                []string  // why something was not taken
	seen                   []Request // what the connector was asked
	elsewhere              []Request // requests with a token of the bot's to other paths
	sent                   [][]byte  // activities that were delivered to the bot
	answers                [][]byte  // bodies with which the bot answered invokes
	keys                   []map[string]any
	keysAsked, tokensAsked int
	membersAsked           int
	members                int  // status with which members are not told of; 0: they are
	AnyToken               bool // the connector wants no token, as an emulator's
	keysDown               bool
	NoDelete               bool // DELETE is not there, as in the Agents Playground
}

// A Request is one that the connector got.
type Request struct {
	Method, Path, Token string
	Body                []byte
}

// A Fault is how the connector treats messages to somebody.
type Fault int

// The faults.
const (
	Throttle Fault = iota + 1 // 429, Retry-After: 7
	Refuse                    // 400
	Blocked                   // 403 MessageWritesBlocked
	Away                      // 502, nothing was shown
	Cut                       // it is shown, and the connection ends
	Early                     // 412
	Removed                   // 403 BotNotInConversationRoster: it was uninstalled
	Lost                      // 404 of something in between
	Large                     // 413, of what has a picture inside
)

type stall struct{ begun, gate chan struct{} }

// New starts one, with nobody in it. It ends with t.
func New(t testing.TB) *Cloud {
	c := &Cloud{t: t, secrets: []string{Secret}, tokens: map[string]time.Time{}, people: map[string]*Person{}, channels: map[string]*Channel{}, created: map[string]int{}, roles: []string{"TeamsAppInstallation.ReadWriteSelfForUser.All"}, faults: map[string]Fault{}, stalls: map[string]*stall{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 60 * time.Second}}
	c.PublishKey(KeyID, ConnectorKey(), "msteams", "webchat")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys/openid", c.metadata)
	mux.HandleFunc("GET /keys/jwks", c.jwks)
	mux.HandleFunc("POST /login/{tenant}/oauth2/v2.0/token", c.token)
	mux.HandleFunc("GET /amer/v3/conversations/{conv}/members/{user}", c.authorized(c.member))
	mux.HandleFunc("POST /amer/v3/conversations", c.authorized(c.create))
	mux.HandleFunc("POST /graph/v1.0/users/{user}/teamwork/installedApps", c.install)
	mux.HandleFunc("POST /amer/v3/conversations/{conv}/activities", c.authorized(c.post))
	mux.HandleFunc("POST /amer/v3/conversations/{conv}/activities/{id}", c.authorized(c.post))
	mux.HandleFunc("PUT /amer/v3/conversations/{conv}/activities/{id}", c.authorized(c.put))
	mux.HandleFunc("DELETE /amer/v3/conversations/{conv}/activities/{id}", c.authorized(c.remove))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.elsewhere = append(c.elsewhere, Request{Method: r.Method, Path: r.URL.Path, Token: r.Header.Get("Authorization")})
		c.mu.Unlock()
		fail(w, http.StatusNotFound, "NotFound")
	})
	c.server = httptest.NewServer(mux)
	c.URL = c.server.URL
	t.Cleanup(func() {
		c.mu.Lock()
		for _, s := range c.stalls {
			select {
			case <-s.gate:
			default:
				close(s.gate)
			}
		}
		c.mu.Unlock()
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

// Service is the serviceUrl of its activities.
func (c *Cloud) Service() string { return c.URL + "/amer/" }

// KeysURL and LoginURL are what a bot is configured with.
func (c *Cloud) KeysURL() string  { return c.URL + "/keys/openid" }
func (c *Cloud) LoginURL() string { return c.URL + "/login" }

// Host is the host of the connector with its port.
func (c *Cloud) Host() string { return strings.TrimPrefix(c.URL, "http://") }

// Endpoint sets where the bot takes activities.
func (c *Cloud) Endpoint(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoint = address
}

// Accept sets the client secrets that the identity service takes.
func (c *Cloud) Accept(secrets ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets = secrets
}

// Revoke makes all tokens given so far worthless.
func (c *Cloud) Revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tokens)
}

// PublishKey adds a key to the key server, or replaces one.
func (c *Cloud) PublishKey(id string, k *rsa.PrivateKey, endorsements ...string) {
	raw, err := jose.JSONWebKey{Key: k.Public(), KeyID: id, Algorithm: "RS256", Use: "sig"}.MarshalJSON()
	if err != nil {
		c.t.Fatal(err)
	}
	one := map[string]any{}
	if err := json.Unmarshal(raw, &one); err != nil {
		c.t.Fatal(err)
	}
	one["endorsements"] = endorsements
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = append(slices.DeleteFunc(c.keys, func(k map[string]any) bool { return k["kid"] == id }), one)
}

// Members makes the connector refuse to tell of members, with a status; 0: it tells.
func (c *Cloud) Members(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = status
}

// MembersAsked is how often it was asked for a member.
func (c *Cloud) MembersAsked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.membersAsked
}

// KeysDown makes the key server fail, or answer again.
func (c *Cloud) KeysDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keysDown = down
}

// Asked is how often the key server and the identity service were asked.
func (c *Cloud) Asked() (keys, tokens int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keysAsked, c.tokensAsked
}

// Refused tells why the connector did not take something.
func (c *Cloud) Refused() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.refused)
}

// Requests are what the connector was asked, and requests elsewhere.
func (c *Cloud) Requests() (here, elsewhere []Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen), slices.Clone(c.elsewhere)
}

// Exchanged are the activities that were delivered to the bot, and the bodies of
// its answers to invokes.
func (c *Cloud) Exchanged() (sent, answers [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sent), slices.Clone(c.answers)
}

func (c *Cloud) metadata(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	c.keysAsked++
	down := c.keysDown
	c.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	reply(w, http.StatusOK, map[string]any{"issuer": Issuer, "jwks_uri": c.URL + "/keys/jwks", "id_token_signing_alg_values_supported": []string{"RS256"}})
}

func (c *Cloud) jwks(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"keys": c.keys})
}

// token is the identity service, as far as client credentials go.
func (c *Cloud) token(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokensAsked++
	if err := r.ParseForm(); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	f := r.PostForm
	switch {
	case r.PathValue("tenant") != Tenant && r.PathValue("tenant") != "botframework.com", f.Get("grant_type") != "client_credentials", f.Get("scope") != "https://api.botframework.com/.default" && f.Get("scope") != c.GraphURL()+"/.default":
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "AADSTS90002"})
	case f.Get("client_id") != AppID:
		reply(w, http.StatusBadRequest, map[string]any{"error": "unauthorized_client", "error_description": "AADSTS700016"})
	case !slices.Contains(c.secrets, f.Get("client_secret")):
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
	default:
		t := random(24)
		if f.Get("scope") == c.GraphURL()+"/.default" { // it says what it is good for
			claims, _ := json.Marshal(map[string]any{"aud": c.GraphURL(), "roles": c.roles})
			t = "e30." + base64.RawURLEncoding.EncodeToString(claims) + "." + t
			reply(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": t})
			return
		}
		c.tokens[t] = time.Now().Add(time.Hour)
		reply(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": t})
	}
}

// authorized wants a token that was given, and notes the request.
func (c *Cloud) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			fail(w, http.StatusBadRequest, "BadSyntax")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c.mu.Lock()
		c.seen = append(c.seen, Request{r.Method, r.URL.Path, token, b})
		until, ok := c.tokens[token]
		c.mu.Unlock()
		if !c.AnyToken && (!ok || time.Now().After(until)) {
			fail(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		next(w, r)
	}
}

func (c *Cloud) member(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.membersAsked++
	if c.members != 0 {
		fail(w, c.members, "ServiceError")
		return
	}
	p := c.people[r.PathValue("conv")]
	if p == nil || p.UserID != r.PathValue("user") {
		fail(w, http.StatusNotFound, "ConversationNotFound")
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"id": p.UserID, "name": p.name, "aadObjectId": p.ObjectID, "userPrincipalName": p.UPN, "email": p.UPN, "tenantId": p.Tenant, "userRole": p.Role,
	})
}

// post takes an activity of the bot's.
func (c *Cloud) post(w http.ResponseWriter, r *http.Request) {
	conv := r.PathValue("conv")
	c.mu.Lock()
	p, s := c.people[conv], c.stalls[conv]
	c.mu.Unlock()
	if strings.HasPrefix(conv, "19:") {
		c.answer(w, r)
		return
	}
	if p == nil {
		fail(w, http.StatusNotFound, "ConversationNotFound")
		return
	}
	if s != nil {
		select {
		case <-s.begun:
		default:
			close(s.begun)
		}
		select {
		case <-s.gate:
		case <-r.Context().Done():
			return
		}
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails(w, c.faults[conv]) {
		return
	}
	if c.faults[conv] == Large && bytes.Contains(b, []byte("data:image/")) {
		fail(w, http.StatusRequestEntityTooLarge, "MessageSizeTooBig")
		return
	}
	a, why := read(b)
	if why == "" && a["conversation"].(map[string]any)["id"] != conv {
		why = "the activity is for another conversation"
	}
	if why != "" {
		c.refused = append(c.refused, why)
		status, code := http.StatusBadRequest, "BadSyntax"
		if strings.HasPrefix(why, "too large") {
			status, code = http.StatusRequestEntityTooLarge, "MessageSizeTooBig"
		}
		fail(w, status, code)
		return
	}
	id := c.id()
	if a["type"] == "typing" {
		p.typing++
	} else {
		p.screen = append(p.screen, &message{id: id, raw: b, activity: a})
	}
	if c.faults[conv] == Cut {
		panic(http.ErrAbortHandler)
	}
	reply(w, http.StatusCreated, map[string]any{"id": id})
}

// fails answers as a fault wants it. c.mu is held.
func (c *Cloud) fails(w http.ResponseWriter, f Fault) bool {
	switch f {
	case Throttle:
		w.Header().Set("Retry-After", "7")
		fail(w, http.StatusTooManyRequests, "TooManyRequests")
	case Refuse:
		fail(w, http.StatusBadRequest, "BadSyntax")
	case Blocked:
		reply(w, http.StatusForbidden, map[string]any{"errorCode": 209, "message": `{"subCode":"MessageWritesBlocked","details":null,"errorCode":null,"errorSubCode":null}`})
	case Away:
		fail(w, http.StatusBadGateway, "")
	case Removed:
		fail(w, http.StatusForbidden, "BotNotInConversationRoster")
	case Lost:
		w.WriteHeader(http.StatusNotFound)
	case Early:
		fail(w, http.StatusPreconditionFailed, "")
	default:
		return false
	}
	return true
}

func (c *Cloud) put(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.find(r)
	a, why := read(b)
	switch {
	case m == nil:
		fail(w, http.StatusNotFound, "ActivityNotFoundInConversation")
	case why != "":
		c.refused = append(c.refused, why)
		fail(w, http.StatusBadRequest, "BadSyntax")
	default:
		m.raw, m.activity, m.edits = b, a, m.edits+1
		reply(w, http.StatusOK, map[string]any{"id": m.id})
	}
}

func (c *Cloud) remove(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.find(r)
	switch {
	case c.NoDelete:
		fail(w, http.StatusInternalServerError, "")
	case m == nil:
		fail(w, http.StatusNotFound, "ActivityNotFoundInConversation")
	default:
		if p := c.people[r.PathValue("conv")]; p != nil {
			p.screen = slices.DeleteFunc(p.screen, func(o *message) bool { return o == m })
		}
		for _, ch := range c.channels {
			ch.messages = slices.DeleteFunc(ch.messages, func(o *posted) bool { return o.message == m })
		}
		w.WriteHeader(http.StatusOK)
	}
}

// find gives the bot's message of a path. c.mu is held.
func (c *Cloud) find(r *http.Request) *message {
	if id, root, ok := strings.Cut(r.PathValue("conv"), ";messageid="); ok && c.channels[id] != nil {
		for _, m := range c.channels[id].messages {
			if m.id == r.PathValue("id") && (m.root == root || m.root == "" && m.id == root) {
				return m.message
			}
		}
		return nil
	}
	p := c.people[r.PathValue("conv")]
	if p == nil {
		return nil
	}
	for _, m := range p.screen {
		if m.id == r.PathValue("id") && m.activity != nil {
			return m
		}
	}
	return nil
}

// Fault makes the connector treat messages to somebody so, until mend is called.
func (c *Cloud) Fault(p *Person, f Fault) (mend func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[p.Conversation] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.faults, p.Conversation)
	}
}

// Stall holds up whatever is sent to somebody until release is called.
func (c *Cloud) Stall(p *Person) (begun <-chan struct{}, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &stall{make(chan struct{}), make(chan struct{})}
	c.stalls[p.Conversation] = s
	return s.begun, sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.stalls, p.Conversation)
		close(s.gate)
	})
}

// id is a new id of an activity: in Teams, milliseconds. c.mu is held.
func (c *Cloud) id() string {
	c.n++
	return fmt.Sprint(1_795_000_000_000 + int64(c.n))
}

// A Delivery is an activity on its way to the bot.
type Delivery struct {
	Body []byte
	// Token makes the bearer token at the time of delivery; nil: the true one.
	Token func() string
	// Header is sent as it is, when not nil, instead of the usual ones.
	Header http.Header
}

// Sign makes a token as the connector does. change may spoil the claims.
func Sign(k *rsa.PrivateKey, kid string, claims map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid))
	if err != nil {
		panic(err)
	}
	t, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return t
}

// Claims are those of a true token.
func (c *Cloud) Claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": Issuer, "aud": AppID, "nbf": now - 10, "exp": now + 3600, "serviceurl": c.Service()}
}

// Token is a true token.
func (c *Cloud) Token() string { return Sign(ConnectorKey(), KeyID, c.Claims()) }

// Deliver posts an activity once.
func (c *Cloud) Deliver(d Delivery) (status int, body []byte, err error) {
	c.mu.Lock()
	endpoint := c.endpoint
	c.sent = append(c.sent, d.Body)
	c.mu.Unlock()
	q, err := http.NewRequest(http.MethodPost, endpoint, bytes.NewReader(d.Body))
	if err != nil {
		return 0, nil, err
	}
	if d.Header != nil {
		q.Header = d.Header
	} else {
		q.Header.Set("Content-Type", "application/json; charset=utf-8")
		token := ""
		if d.Token != nil {
			token = d.Token()
		} else {
			token = c.Token()
		}
		if token != "" {
			q.Header.Set("Authorization", "Bearer "+token)
		}
	}
	r, err := c.client.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	if len(body) > 0 && r.StatusCode == http.StatusOK {
		c.mu.Lock()
		c.answers = append(c.answers, body)
		c.mu.Unlock()
	}
	return r.StatusCode, body, err
}

// deliver does so until the bot has taken it, as the connector does.
func (c *Cloud) deliver(d Delivery) ([]byte, error) {
	c.mu.Lock()
	held := c.held
	c.mu.Unlock()
	if held != nil {
		*held = d
		return nil, nil
	}
	for n := 0; ; n++ {
		status, body, err := c.Deliver(d)
		switch {
		case err == nil && status >= 200 && status < 300:
			return body, nil
		case err == nil && status < 500:
			return nil, fmt.Errorf("the bot answers %d", status)
		case n > 2000:
			return nil, fmt.Errorf("never taken: %d %v", status, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Hold has somebody do something and keeps what would be delivered for it.
func (c *Cloud) Hold(act func() error) (Delivery, error) {
	var d Delivery
	c.mu.Lock()
	c.held = &d
	c.mu.Unlock()
	err := act()
	c.mu.Lock()
	c.held = nil
	c.mu.Unlock()
	return d, err
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, code string) {
	if code == "" {
		w.WriteHeader(status)
		return
	}
	reply(w, status, map[string]any{"error": map[string]any{"code": code, "message": "no"}})
}

func random(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}
