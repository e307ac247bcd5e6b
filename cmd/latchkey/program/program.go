// Package program puts the program together and runs it: keys, store, scripts,
// chat platforms, senders, the organisation's directory, jobs and HTTP. New
// is its plan. It knows no command line, and decides nothing about
// conversations, codes or people.
package program

import (
	"context"
	"log/slog"
	"net"
	"net/mail"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
	"latchkey/bot/delivery"
	"latchkey/bot/desk"
	"latchkey/bot/directory"
	"latchkey/bot/enroll"
	"latchkey/bot/budget"
	"latchkey/bot/inbound"
	"latchkey/bot/outbox"
	"latchkey/bot/pass"
	"latchkey/bot/policy"
	"latchkey/bot/readiness"
	"latchkey/bot/turn"
	"latchkey/bot/vault"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/config"
	"latchkey/flows"
	"latchkey/store"
)

// Operators is the room that does it: the running one, or one that only writes
// to the store.
func (h *Program) Operators() *enroll.Room {
	if h.Enroll != nil {
		return h.Enroll
	}
	return enroll.New(h.enrollDeps())
}

// askDesk takes down a request to the help desk.
func askDesk(tx bot.Tx, q bot.Request) (string, error) {
	id, _, err := desk.Ask(tx, q)
	return id, err
}

// A Program is the program put together. build is its plan: what each room gets
// and in which order the doors open.
type Program struct {
	Config *config.Config
	Log    *slog.Logger

	Keys    *vault.Ring
	DB      *store.DB
	head    headKeeper
	Scripts *flows.Live // scripts and languages

	Connections Connections     // channels, senders, the directory: see adapters.go
	watch       *delivery.Watch // whether the senders work

	passes  *pass.Room
	Enroll  *enroll.Room
	Verify  *verify.Room
	Outbox  *outbox.Outbox
	Turn    *turn.Room
	Inbound *inbound.Room // events that wait for who wrote them
	budget  *budget.Keeper
	jobs    *store.Workers

	Directory *directory.Room // without a source it does nothing

	Listener net.Listener // for health and callbacks; nil: none
	ready    atomic.Bool

	unplugged []bot.Finding // outside systems that the doctor goes on without

	current atomic.Pointer[config.Config] // as read last; only secrets of accounts are taken from it
	stopped sync.Map                      // bot.ChannelID -> bot.Health of channels that wait to start again
}

// New puts the house together. Nothing runs yet; see run.
func New(ctx context.Context, cfg *config.Config, log *slog.Logger, plugs ...Integration) (_ *Program, err error) {
	// Reading the scripts takes as long as opening the store: side by side.
	scripts := early(func() (*flows.Set, error) { return LoadScripts(cfg, log) })
	h, err := Open(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.Close()
		}
	}()

	// What is said.
	if h.Scripts, err = flows.NewLive(scripts); err != nil {
		return nil, err
	}

	// What lies outside. The web's adapter asks for passes.
	h.passes = pass.New(pass.Options{Store: h.DB, Policy: cfg.Policy})
	for _, p := range plugs {
		if err = p.Connect(h); err != nil {
			return nil, p.failed(err)
		}
	}
	h.watch = delivery.New(log.With("room", "senders"), h.DB.Now)
	h.watchSenders()

	// The rooms. Verifying asks enrolling what a proven method changes.
	pool := vault.NewPool(cfg.Policy)
	d := h.enrollDeps()
	d.Hashes, d.Phrases, d.SignIn = hasher{pool}, h.Scripts, h.Connections.signIn()
	d.Anonymous, d.SignInAddress = webChannel, signInAddress(cfg)
	d.SecondFactorAddress = secondAddress(cfg)
	d.SecondFactor = d.SecondFactorAddress != ""
	d.Directory, d.Notifier = h.Connections.directoryOr(noDirectory{}), h.Connections.notifierOr(nowhere{})
	d.Question = func(lang, id string) string { return h.Scripts.Set().ListText("questions", id, lang) }
	d.Place = func(state []byte, lang string) (flow, title, progress string) {
		var s bot.Session
		if turn.DecodeSession(state, &s) != nil {
			return "", "", "" // the turn in that conversation tells of it
		}
		return h.Scripts.Set().Where(&s, lang)
	}
	d.Texts, d.PressLink = h.Connections.texter, h.Connections.notMe
	d.MayText = func(tx bot.Tx, p bot.PersonID, e164 string) (bool, error) { return h.Verify.MayText(tx, p, e164) }
	d.Serves = func(ch bot.ChannelID) bool { return h.Connections.channels[ch] != nil }
	h.Enroll = enroll.New(d)
	h.Verify = verify.New(verify.Deps{
		Store: h.DB, Policy: cfg.Policy, Vault: h.Keys, Methods: h.Enroll, Phrases: h.Scripts,
		Senders: h.Connections.Senders, Issuer: issuer(cfg), Staff: staff(h.DB),
		VerifyAny: hasher{pool}.VerifyAny,
		Log:       log.With("room", "verify"),
	})

	h.Directory = h.newDirectory()

	// The way out and the way in.
	h.DB.KeepTranscripts(h.Connections.keeps)
	h.Outbox = outbox.New(outbox.Options{
		Store: h.DB, Adapters: h.Connections.channels, Revealer: h.Verify.Reveal, Phrases: h.Scripts, Clock: h.DB.Now, Budget: h.budget,
		Linker: h.Connections.link, QRPage: cfg.Secrets.QR == "page",
		Logger: log.With("room", "outbox"),
	})
	burst, rate := cfg.Policy.ChatBurst, cfg.Policy.ChatRate
	if h.Connections.Unhurried {
		burst, rate = policy.Limit{}, policy.Limit{}
	}
	ready := &readiness.Room{Phrases: h.Scripts, Settings: ReadinessSettings(cfg.Entra)}
	h.Turn = turn.New(turn.Options{
		Store: h.DB, Engine: h.Scripts, Catalogue: catalogue(cfg, h.Enroll, h.Verify, desk.New(), h.Directory, ready), Outbox: h.Outbox,
		Gate: h.Enroll.Gate, Phrases: h.Scripts, Burst: burst, Rate: rate, Clock: h.DB.Now, Keeps: h.Connections.keeps,
		Logger: log.With("room", "turn"),
	})
	held := inbound.Options{Store: h.DB, Vault: h.Keys, Turns: h.Turn, Vouch: h.Enroll.VouchIn, Adapters: h.Connections.resumers(), Now: h.DB.Now, Logger: log.With("room", "inbound"), Ready: h.Outbox.Ready(), Shared: cfg.Store.Path == ""}
	h.Inbound = inbound.New(held)
	h.Enroll.Connect(h.Turn)
	h.Verify.Connect(h.Turn)
	h.Directory.Connect(h.Turn)

	// What is done later.
	store.Handle(h.jobs, h.Turn.HandleWait)
	store.Handle(h.jobs, h.Verify.HandleSendCode)
	store.Handle(h.jobs, h.Verify.HandleLate)
	store.Handle(h.jobs, h.Verify.HandleAgain)
	store.Handle(h.jobs, h.Turn.HandleTakeBack)
	store.Handle(h.jobs, h.Enroll.HandleNotify)
	store.Handle(h.jobs, h.Enroll.HandleLapse)
	store.Handle(h.jobs, h.Enroll.HandleMoved)
	store.Handle(h.jobs, h.Enroll.HandleAlerts)
	if h.Connections.Source != nil {
		store.Handle(h.jobs, h.Directory.HandleStep)
		store.Handle(h.jobs, h.Directory.HandleLook)
	}
	return h, nil
}

// enrollDeps is what the room of methods needs to change something and to
// enqueue its notices. Whoever runs the jobs adds the rest; see build.
func (h *Program) enrollDeps() enroll.Deps {
	o := h.Config.Org
	var alerts []string
	for _, a := range h.Config.Alerts {
		if m, err := mail.ParseAddress(a); err == nil { // the configuration has been checked
			alerts = append(alerts, m.Address)
		}
	}
	return enroll.Deps{
		Store: h.DB, Policy: h.Config.Policy, Vault: h.Keys, Org: o.Name, Issuer: issuer(h.Config), Contact: contact(h.Config), Phone: o.HelpPhone,
		Domains: o.Domains, AskDesk: askDesk, Afresh: turn.Afresh, AlertsTo: alerts, AlertsLang: o.Language, Log: h.Log.With("room", "enroll"),
	}
}

// early begins fn at once. The first call of what it returns waits for that,
// each later one runs fn again.
func early[T any](fn func() (T, error)) func() (T, error) {
	type result struct {
		v   T
		err error
	}
	first := make(chan result, 1)
	go func() {
		v, err := fn()
		first <- result{v, err}
		close(first)
	}()
	return func() (T, error) {
		if r, ok := <-first; ok {
			return r.v, r.err
		}
		return fn()
	}
}

// Open lays the ground: the keys, and the store that they fit.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Program, error) {
	h := &Program{Config: cfg, Log: log, Connections: Connections{Senders: map[bot.Via]bot.Sender{}, keeps: map[bot.ChannelID]bool{}}, jobs: &store.Workers{}}
	var err error
	if h.Keys, err = LoadKeys(cfg); err != nil {
		return nil, err
	}
	if h.DB, err = openStore(ctx, cfg, h.Keys, log); err != nil {
		return nil, err
	}
	h.budget = budget.New(h.DB.Budgets(), log.With("room", "budget"))
	h.head.file.Path = cfg.AuditHeadFile()
	if err := checkKeys(ctx, h.DB, h.Keys); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// staff counts people, at most once a minute.
func staff(db *store.DB) func() int {
	var mu sync.Mutex
	var n int
	var at time.Time
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		if now := db.Now(); at.IsZero() || now.Sub(at) > time.Minute {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if by, err := db.CountPeople(ctx); err == nil {
				n, at = 0, now
				for _, c := range by {
					n += c
				}
			}
		}
		return n
	}
}

// hasher gives the rooms the vault's slow hashes.
type hasher struct{ pool *vault.Pool }

func (h hasher) Hash(ctx context.Context, normalised []byte) (string, error) {
	return vault.HashSecret(ctx, h.pool, normalised)
}

func (h hasher) HashSet(ctx context.Context, codes [][]byte) ([]string, error) {
	return vault.HashSet(ctx, h.pool, codes)
}

func (h hasher) VerifyAny(ctx context.Context, encoded []string, normalised []byte) (int, error) {
	return vault.VerifyAny(ctx, h.pool, encoded, normalised)
}
