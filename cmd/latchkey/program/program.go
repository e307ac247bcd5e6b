// Package program puts the program together and runs it: keys, store, scripts,
// chat platforms, senders, the organisation's directory, jobs and HTTP. New shows
// in which order. It knows no command line, and decides nothing about
// conversations, codes or people.
package program

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
	"latchkey/bot/budget"
	"latchkey/bot/campaign"
	"latchkey/bot/delivery"
	"latchkey/bot/desk"
	"latchkey/bot/directory"
	"latchkey/bot/enroll"
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

// A Program is the program put together: New makes all of it, Open only what a
// command on the store needs; then the later fields are nil.
type Program struct {
	Config *config.Config
	Log    *slog.Logger

	Keys    *vault.Ring // seals what the store keeps secret
	DB      *store.DB
	head    headKeeper
	Scripts *flows.Live // scripts and languages

	Connections Connections     // channels, senders, the directory: see integrations.go
	watch       *delivery.Watch // whether the senders work

	passes    *pass.Service
	Enroll    *enroll.Service
	Verify    *verify.Service
	Outbox    *outbox.Outbox
	Turn      *turn.Service
	Desk      *desk.Desk // without desk.enabled it takes requests down and nothing else
	campaigns *campaign.Service
	Inbound   *inbound.Service // events that wait for who wrote them
	budget    *budget.Keeper
	jobs      *store.Workers

	Directory *directory.Service // reads people; without a source it does nothing

	Listener net.Listener // for health and callbacks; nil: none
	ready    atomic.Bool

	broken []bot.Finding // integrations that SkipBroken went on without

	current atomic.Pointer[config.Config] // as read last; only secrets of accounts are taken from it
	stopped sync.Map                      // bot.ChannelID -> bot.Health of channels that wait to start again
}

// New puts the program together, with the integrations that the configuration
// wants. Nothing runs yet; see Run.
func New(ctx context.Context, cfg *config.Config, log *slog.Logger, integrations ...Integration) (_ *Program, err error) {
	// Reading the scripts takes as long as opening the store: side by side.
	scripts := startEarly(func() (*flows.Set, error) { return LoadScripts(cfg, log) })
	p, err := Open(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()

	// What is said.
	if p.Scripts, err = flows.NewLive(scripts); err != nil {
		return nil, err
	}

	// Outside systems. The web's adapter asks for passes.
	p.passes = pass.New(pass.Options{Store: p.DB, Policy: cfg.Policy, Left: func(tx bot.Tx, c bot.ConversationID) error { return p.left(tx, c) }})
	for _, x := range integrations {
		if err = x.Connect(p); err != nil {
			return nil, x.failed(err)
		}
	}
	p.watch = delivery.New(log.With("component", "senders"), p.DB.Now)
	p.watchSenders()

	// The services. Verifying asks enrolling what a proven method changes.
	pool := vault.NewPool(cfg.Policy)
	d := p.enrollDeps()
	d.Hashes, d.Phrases, d.SignIn = hasher{pool}, p.Scripts, p.Connections.signIn()
	d.Anonymous, d.SignInAddress = webChannel, signInAddress(cfg)
	d.SecondFactorAddress = secondAddress(cfg)
	d.SecondFactor = d.SecondFactorAddress != ""
	d.Directory, d.Notifier = p.Connections.directoryOr(noDirectory{}), p.Connections.notifierOr(nowhere{})
	d.Question = func(lang, id string) string { return p.Scripts.Set().ListText("questions", id, lang) }
	d.Place = p.where
	d.Texts, d.PressLink = p.Connections.texter, p.Connections.notMe
	d.MayText = func(tx bot.Tx, person bot.PersonID, e164 string) (bool, error) {
		return p.Verify.MayText(tx, person, e164)
	}
	d.Serves = func(ch bot.ChannelID) bool { return p.Connections.channels[ch] != nil }
	d.Arrived = func(tx bot.Tx, c *bot.Conversation) error { return p.Desk.Arrived(tx, c) }
	p.Enroll = enroll.New(d)
	p.Verify = verify.New(verify.Deps{
		Store: p.DB, Policy: cfg.Policy, Vault: p.Keys, Methods: p.Enroll, Phrases: p.Scripts,
		Senders: p.Connections.Senders, Issuer: issuer(cfg), Staff: staff(p.DB),
		VerifyAny: hasher{pool}.VerifyAny,
		Log:       log.With("component", "verify"),
	})

	p.Directory = p.newDirectory()
	if err := p.newDesk(); err != nil {
		return nil, err
	}
	p.campaigns = p.newCampaigns(p.Scripts, p.Scripts.Set)
	p.Enroll.Remind = p.campaigns.Remind

	// The way out and the way in.
	p.DB.KeepTranscripts(p.Connections.keeps)
	p.Outbox = outbox.New(outbox.Options{
		Store: p.DB, Adapters: p.Connections.channels, Revealer: p.Verify.Reveal, Phrases: p.Scripts, Clock: p.DB.Now, Budget: p.budget,
		Linker: p.Connections.link, QRPage: cfg.Secrets.QR == "page", Hold: p.campaigns.Hold,
		Ticket: p.Desk.Changed, Prompt: turn.PromptOf, Logger: log.With("component", "outbox"),
	})
	burst, rate := cfg.Policy.ChatBurst, cfg.Policy.ChatRate
	if p.Connections.Unhurried {
		burst, rate = policy.Limit{}, policy.Limit{}
	}
	ready := &readiness.Service{Phrases: p.Scripts, Settings: ReadinessSettings(cfg.Entra)}
	var agents turn.Desk // nil: no agent answers
	if cfg.Desk.Enabled {
		agents = p.Desk
	}
	p.Turn = turn.New(turn.Options{
		Store: p.DB, Engine: p.Scripts, Catalogue: catalogue(cfg, p.Enroll, p.Verify, p.Desk, p.campaigns, p.Directory, ready), Outbox: p.Outbox, Desk: agents, Campaigns: p.campaigns,
		Gate: p.Enroll.Gate, Phrases: p.Scripts, Burst: burst, Rate: rate, Clock: p.DB.Now, Keeps: p.Connections.keeps,
		Logger: log.With("component", "turn"),
	})
	held := inbound.Options{Store: p.DB, Vault: p.Keys, Turns: p.Turn, Vouch: p.Enroll.VouchIn, Adapters: p.Connections.resumers(), Now: p.DB.Now, Logger: log.With("component", "inbound"), Ready: p.Outbox.Ready(), Shared: cfg.Store.Path == ""}
	p.Inbound = inbound.New(held)
	p.passes.Connect(p.Turn)
	p.Enroll.Connect(p.Turn)
	p.Verify.Connect(p.Turn)
	p.Directory.Connect(p.Turn)
	p.Desk.Connect(p.Turn)

	// What is done later.
	store.Handle(p.jobs, p.Turn.HandleWait)
	store.Handle(p.jobs, p.passes.HandleLate)
	store.Handle(p.jobs, p.Verify.HandleSendCode)
	store.Handle(p.jobs, p.Verify.HandleLate)
	store.Handle(p.jobs, p.Verify.HandleAgain)
	store.Handle(p.jobs, p.Turn.HandleTakeBack)
	store.Handle(p.jobs, p.Enroll.HandleNotify)
	store.Handle(p.jobs, p.Enroll.HandleLapse)
	store.Handle(p.jobs, p.Enroll.HandleMoved)
	store.Handle(p.jobs, p.Enroll.HandleAlerts)
	store.Handle(p.jobs, p.Desk.HandleSilent)
	store.Handle(p.jobs, p.Desk.HandleTell)
	store.Handle(p.jobs, p.Desk.HandleTellAgain)
	store.Handle(p.jobs, p.Desk.HandleLookThere)
	store.Handle(p.jobs, p.Desk.HandleMailTicket)
	store.Handle(p.jobs, p.Desk.HandleShowTicket)
	store.Handle(p.jobs, p.Desk.HandleShowSent)
	store.Handle(p.jobs, p.Desk.HandleUndo)
	store.Handle(p.jobs, p.Desk.HandleDue)
	store.Handle(p.jobs, p.Desk.HandleWords)
	store.Handle(p.jobs, p.campaigns.HandleMail)
	if p.Connections.Source != nil {
		store.Handle(p.jobs, p.Directory.HandleStep)
		store.Handle(p.jobs, p.Directory.HandleLook)
	}
	return p, nil
}

// startEarly begins fn at once. The first call of what it returns waits for that,
// each later one runs fn again.
func startEarly[T any](fn func() (T, error)) func() (T, error) {
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

// Open opens the keys, and the store that they belong to: what a command on the
// store needs.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Program, error) {
	p := &Program{Config: cfg, Log: log, Connections: Connections{Senders: map[bot.Via]bot.Sender{}, keeps: map[bot.ChannelID]bool{}}, jobs: &store.Workers{}}
	var err error
	if p.Keys, err = LoadKeys(cfg); err != nil {
		return nil, err
	}
	if p.DB, err = openStore(ctx, cfg, p.Keys, log); err != nil {
		return nil, err
	}
	p.DB.OnLine(p.onLine())
	p.budget = budget.New(p.DB.Budgets(), log.With("component", "budget"))
	p.head.file.Path = cfg.AuditHeadFile()
	if err := checkKeys(ctx, p.DB, p.Keys); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
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

// hasher gives the services the vault's slow hashes.
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
