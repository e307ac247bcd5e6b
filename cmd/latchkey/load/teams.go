package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	kit "latchkey/adapters/chat"
	"latchkey/adapters/teams"
	"latchkey/bot"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/store"
)

// What the load's Teams calls itself.
const (
	teamsTenant  = "00000000-0000-0000-0000-000000000002"
	teamsApp     = "00000000-0000-0000-0000-000000000001"
	teamsChannel = bot.ChannelID("teams-load")
)

// TeamsOptions of Teams.
type TeamsOptions struct {
	People int // each speaks Turns once
	Conc   int // people at once, each with a connection of its own
	Warm   int // people before the measurement
	// InResponse asks for the answer in the HTTP response (deliveryMode
	// expectReplies) instead of by the connector.
	InResponse bool
	// Command starts TeamsPeer; Processes of them (0 is 1) share one database, and
	// connections go to each in turn.
	Command   func() *exec.Cmd
	Processes int
	// Against is the messaging endpoint of another bot with the same dialogue,
	// on this machine, which is measured instead. It may answer with texts or
	// cards, and is not started or ended here.
	Against string
}

// TeamsReport is what Teams measured.
type TeamsReport struct {
	Turns     int     `json:"turns"`
	PerSecond float64 `json:"turns_s"`
	P50       float64 `json:"p50_ms"` // from the request to the answer
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	CPU       float64 `json:"server_cpu_us_per_turn,omitempty"`
	Syncs     float64 `json:"syncs_per_turn,omitempty"`
	Allocs    float64 `json:"server_allocs_per_turn,omitempty"`
	RSS       float64 `json:"server_rss_mb,omitempty"`
}

// Lines of the report.
func (r *TeamsReport) Lines() []Line {
	lines := []Line{
		Of("turns", float64(r.Turns), "every answer verified"),
		Of("turns a second", r.PerSecond, "by HTTP, Bot Framework activities"),
		Of("activity to answer, median", r.P50, "ms"), Of("activity to answer, 99 of 100", r.P99, "ms"), Of("activity to answer, longest", r.Max, "ms"),
	}
	if r.RSS > 0 {
		lines = append(lines, Of("processor a turn", r.CPU, "µs, the program's process"), Of("syncs a turn", r.Syncs, ""),
			Of("allocations a turn", r.Allocs, "of the program's process"), Of("memory", r.RSS, "MB resident, the program's process"))
	}
	return lines
}

// teamsState is what TeamsPeer says of itself.
type teamsState struct {
	URL    string  `json:"url,omitempty"`
	CPU    float64 `json:"cpu_us"`
	Syncs  int64   `json:"syncs"`
	Allocs uint64  `json:"allocs"`
	RSS    float64 `json:"rss_mb"`
}

// vouching knows everybody: the load's people are in no directory.
type vouching struct{}

func (vouching) Vouch(context.Context, bot.ChannelID, string, bot.Vouch) (bot.Level, error) {
	return bot.L2, nil
}

func (vouching) Defer(context.Context, bot.Deferred) error {
	return errors.New("load: nobody is looked up here")
}

func (vouching) Deferred(bot.ConversationID) bool { return false }

func (vouching) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

func (vouching) PressTicket(context.Context, bot.TicketPress) (string, error) {
	return "", errors.New("load: no tickets here")
}

// TeamsPeer is the other end of Teams: store, services and the Teams adapter in
// emulator mode, behind HTTP, with the dialogue of Run. It tells its address,
// and its state for each line of in, and returns at the end of in.
func TeamsPeer(ctx context.Context, in io.Reader, out io.Writer, dsn string, seeded int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(ctx, store.Options{DSN: dsn, Logger: log})
	if err != nil {
		return err
	}
	defer db.Close()
	engine, err := Engine()
	if err != nil {
		return err
	}
	if err := seed(ctx, db, fmt.Sprintf("%x-seed", time.Now().UnixNano()), seeded); err != nil {
		return err
	}
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("load: no port: %w", err)
	}
	a, err := teams.New(teams.Options{
		Options: kit.Options{Channel: teamsChannel, Phrases: engine, Org: "Load", BotName: "Load", Lang: "en", Log: log},
		House:   vouching{},
		AppID:   teamsApp, Tenant: teamsTenant, Emulator: true, Listen: door.Addr().String(),
	})
	if err != nil {
		return err
	}
	box := outbox.New(outbox.Options{Store: db, Adapters: map[bot.ChannelID]bot.Adapter{teamsChannel: a}, Logger: log})
	room := turn.New(turn.Options{Store: db, Engine: engine, Catalogue: Catalogue(), Outbox: box, Logger: log})
	var work sync.WaitGroup
	work.Go(func() { _ = box.Run(ctx) })
	work.Go(func() { _ = a.Run(ctx, room) })
	srv := &http.Server{Handler: a.Handler(), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	work.Go(func() { _ = srv.Serve(door) })
	select {
	case <-box.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	enc := json.NewEncoder(out)
	state := teamsState{URL: "http://" + door.Addr().String() + "/"}
	err = enc.Encode(state)
	for sc := bufio.NewScanner(in); err == nil && sc.Scan(); {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		err = enc.Encode(teamsState{CPU: cpu(), Syncs: db.Stats().Syncs, Allocs: m.Mallocs, RSS: RSS()})
	}
	srv.Close()
	stop()
	work.Wait()
	closing, done := context.WithTimeout(context.Background(), patience)
	defer done()
	return errors.Join(err, box.Close(closing))
}

// Teams measures a bot from outside, as the connector does: activities in by
// HTTP, answers out. It fails at the first wrong answer.
func Teams(ctx context.Context, o TeamsOptions) (*TeamsReport, error) {
	d := &teamsDriver{o: o, run: fmt.Sprintf("%x", time.Now().UnixNano()), boxes: map[string]chan string{}, addresses: []string{o.Against}}
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("load: no port: %w", err)
	}
	d.service = "http://" + door.Addr().String()
	srv := &http.Server{Handler: http.HandlerFunc(d.connector)}
	go func() { _ = srv.Serve(door) }()
	defer srv.Close()
	var peers []func() (teamsState, error)
	if o.Against == "" {
		d.addresses = nil
		for range max(1, o.Processes) {
			url, peer, end, err := beginTeams(o.Command())
			if err != nil {
				return nil, err
			}
			defer end()
			d.addresses, peers = append(d.addresses, url), append(peers, peer)
		}
	}
	state := func() (all teamsState, err error) {
		for _, peer := range peers {
			s, perr := peer()
			all.CPU, all.Syncs, all.Allocs, all.RSS = all.CPU+s.CPU, all.Syncs+s.Syncs, all.Allocs+s.Allocs, all.RSS+s.RSS
			err = errors.Join(err, perr)
		}
		return all, err
	}
	if o.Warm > 0 {
		if err := d.speak(ctx, "w", o.Warm, nil); err != nil {
			return nil, err
		}
	}
	s0, err := state()
	if err != nil {
		return nil, err
	}
	lat := make([]time.Duration, o.People*len(Turns))
	t0 := time.Now()
	if err := d.speak(ctx, "u", o.People, lat); err != nil {
		return nil, err
	}
	took := time.Since(t0)
	s1, err := state()
	if err != nil {
		return nil, err
	}
	slices.Sort(lat)
	n := float64(len(lat))
	return &TeamsReport{
		Turns: len(lat), PerSecond: n / took.Seconds(), P50: ms(lat, .5), P99: ms(lat, .99), Max: ms(lat, 1),
		CPU: (s1.CPU - s0.CPU) / n, Syncs: float64(s1.Syncs-s0.Syncs) / n, Allocs: float64(s1.Allocs-s0.Allocs) / n, RSS: s1.RSS,
	}, nil
}

// beginTeams starts a TeamsPeer: its address, what asks for its state, what ends it.
func beginTeams(cmd *exec.Cmd) (url string, state func() (teamsState, error), end func(), err error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, nil, fmt.Errorf("load: start the program: %w", err)
	}
	end = func() { _ = in.Close(); _ = cmd.Wait() }
	dec := json.NewDecoder(out)
	var first teamsState
	if err := dec.Decode(&first); err != nil {
		end()
		return "", nil, nil, fmt.Errorf("load: the program said nothing: %w", err)
	}
	return first.URL, func() (s teamsState, err error) {
		if _, err = io.WriteString(in, "state\n"); err == nil {
			err = dec.Decode(&s)
		}
		return s, err
	}, end, nil
}

// teamsDriver plays the connector and the people.
type teamsDriver struct {
	o       TeamsOptions
	run     string
	service string
	ids     atomic.Int64

	addresses []string // of the bot's processes
	dialled   atomic.Int64

	mu    sync.Mutex
	boxes map[string]chan string // by conversation: what the bot said
}

// answered is an activity of a bot, as far as its words go.
type answered struct {
	Type, Text  string
	Attachments []struct {
		Content struct {
			Body []struct{ Inlines []struct{ Text string } }
		}
	}
}

func (a *answered) words() string {
	words := []string{a.Text}
	for _, x := range a.Attachments {
		for _, e := range x.Content.Body {
			for _, r := range e.Inlines {
				words = append(words, r.Text)
			}
		}
	}
	return strings.Join(words, " ")
}

// connector takes what the bot says: POST /v3/conversations/ID/activities, with
// or without the id of what it answers.
func (d *teamsDriver) connector(w http.ResponseWriter, r *http.Request) {
	var a answered
	err := json.NewDecoder(r.Body).Decode(&a)
	parts := strings.Split(r.URL.EscapedPath(), "/")
	if err != nil || len(parts) < 5 || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	conv, _ := url.PathUnescape(parts[3])
	d.mu.Lock()
	box := d.boxes[conv]
	d.mu.Unlock()
	if box != nil && a.Type == "message" {
		box <- a.words()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"id":"1"}`)
}

// speak has n people hold the dialogue.
func (d *teamsDriver) speak(ctx context.Context, prefix string, n int, lat []time.Duration) error {
	var next atomic.Int64
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for range min(d.o.Conc, n) {
		all.Go(func() {
			l, err := d.dial(ctx)
			if err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
			defer l.Close()
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				user := name(d.run+prefix, i)
				box := make(chan string, 8)
				d.mu.Lock()
				d.boxes[user] = box
				d.mu.Unlock()
				for k, t := range Turns {
					t0 := time.Now()
					err := d.say(ctx, l, user, t, box)
					if err != nil {
						failed.CompareAndSwap(nil, &err)
						return
					}
					if lat != nil {
						lat[i*len(Turns)+k] = time.Since(t0)
					}
				}
				d.mu.Lock()
				delete(d.boxes, user)
				d.mu.Unlock()
			}
		})
	}
	all.Wait()
	if p := failed.Load(); p != nil {
		return *p
	}
	return nil
}

// A line is one connection to the bot, which is kept.
type line struct {
	net.Conn
	in *bufio.Reader
	to *url.URL
}

func (d *teamsDriver) dial(ctx context.Context) (*line, error) {
	to, err := url.Parse(d.addresses[int(d.dialled.Add(1))%len(d.addresses)])
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", to.Host)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return &line{c, bufio.NewReader(c), to}, nil
}

// post sends a body and reads the answer. It leaves out what http.Client does
// beside that, which would cost the bot half of the machine.
func (l *line) post(body []byte) (status int, answer []byte, err error) {
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	q := &http.Request{Method: http.MethodPost, URL: l.to, Host: l.to.Host, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	if err := q.Write(l); err != nil {
		return 0, nil, err
	}
	r, err := http.ReadResponse(l.in, q)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	answer, err = io.ReadAll(r.Body)
	return r.StatusCode, answer, err
}

// asked is an activity of a person.
type asked struct {
	Type         string         `json:"type"`
	ID           string         `json:"id"`
	Text         string         `json:"text"`
	Format       string         `json:"textFormat"`
	Channel      string         `json:"channelId"`
	Service      string         `json:"serviceUrl"`
	Locale       string         `json:"locale"`
	Delivery     string         `json:"deliveryMode,omitempty"`
	From         askedParty     `json:"from"`
	Recipient    askedParty     `json:"recipient"`
	Conversation askedParty     `json:"conversation"`
	Data         map[string]any `json:"channelData"`
}

type askedParty struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Object string `json:"aadObjectId,omitempty"`
	Kind   string `json:"conversationType,omitempty"`
	Tenant string `json:"tenantId,omitempty"`
}

// say posts one activity and waits for all of its answer: a bot may say it in
// more than one message.
func (d *teamsDriver) say(ctx context.Context, l *line, user string, t [2]string, box chan string) error {
	a := asked{
		Type: "message", ID: d.run + strconv.FormatInt(d.ids.Add(1), 10), Text: t[0], Format: "plain", Channel: "msteams", Service: d.service, Locale: "en-US",
		From: askedParty{ID: "29:" + user, Name: "Somebody", Object: user}, Recipient: askedParty{ID: "28:" + teamsApp, Name: "Load"},
		Conversation: askedParty{ID: user, Kind: "personal", Tenant: teamsTenant}, Data: map[string]any{"tenant": map[string]any{"id": teamsTenant}},
	}
	if d.o.InResponse {
		a.Delivery = "expectReplies"
	}
	b, err := json.Marshal(&a)
	if err != nil {
		return err
	}
	status, body, err := l.post(b)
	if err != nil || status/100 != 2 {
		return fmt.Errorf("load: an activity is answered with %d %.200s %v", status, body, err)
	}
	got := ""
	if d.o.InResponse {
		var all struct{ Activities []answered }
		if err := json.Unmarshal(body, &all); err != nil {
			return fmt.Errorf("load: the response has no activities: %w", err)
		}
		for _, x := range all.Activities {
			if x.Type == "message" {
				got += " " + x.words()
			}
		}
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !same(got, t[1]) {
		if !strings.HasPrefix(t[1], strings.Join(strings.Fields(got), " ")) || d.o.InResponse {
			return fmt.Errorf("load: %q was answered with %q, expected %q", t[0], got, t[1])
		}
		select {
		case s := <-box:
			got += " " + s
		case <-limit.C:
			return fmt.Errorf("load: %q was answered with %q only, expected %q", t[0], got, t[1])
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
