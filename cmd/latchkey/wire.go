package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/mail"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyaruka/phonenumbers"

	"latchkey/bot"
	"latchkey/bot/audit"
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
	"latchkey/flows/library"
	"latchkey/store"
)

// A house is the program put together. build is its plan: what each room gets
// and in which order the doors open.
type house struct {
	cfg *config.Config
	log *slog.Logger

	ring *vault.Ring
	db   *store.DB
	head headKeeper
	set  *flows.Live // scripts and languages

	outside outside         // channels, senders, the directory: see adapters.go
	watch   *delivery.Watch // whether the senders work

	passes *pass.Room
	enroll *enroll.Room
	verify *verify.Room
	outbox *outbox.Outbox
	turn   *turn.Room
	later  *inbound.Room // events that wait for who wrote them
	jobs   *store.Workers

	directory *directory.Room // without a source it does nothing

	listener net.Listener // for health and callbacks; nil: none
	ready    atomic.Bool

	unplugged []bot.Finding // outside systems that the doctor goes on without

	current atomic.Pointer[config.Config] // as read last; only secrets of accounts are taken from it
	stopped sync.Map                      // bot.ChannelID -> bot.Health of channels that wait to start again
}

// build puts the house together. Nothing runs yet; see run.
func build(ctx context.Context, cfg *config.Config, log *slog.Logger, plugs ...plug) (_ *house, err error) {
	// Reading the scripts takes as long as opening the store: side by side.
	scripts := early(func() (*flows.Set, error) { return loadScripts(cfg, log) })
	h, err := ground(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.close()
		}
	}()

	// What is said.
	if h.set, err = flows.NewLive(scripts); err != nil {
		return nil, err
	}

	// What lies outside. The web's adapter asks for passes.
	h.passes = pass.New(pass.Options{Store: h.db, Policy: cfg.Policy})
	for _, p := range plugs {
		if err = p.in(h); err != nil {
			return nil, p.failed(err)
		}
	}
	h.watch = delivery.New(log.With("room", "senders"), h.db.Now)
	h.watchSenders()

	// The rooms. Verifying asks enrolling what a proven method changes.
	pool := vault.NewPool(cfg.Policy)
	d := h.enrollDeps()
	d.Hashes, d.Phrases, d.SignIn = hasher{pool}, h.set, h.outside.signIn()
	d.Anonymous, d.SignInAddress = webChannel, signInAddress(cfg)
	d.SecondFactorAddress = secondAddress(cfg)
	d.SecondFactor = d.SecondFactorAddress != ""
	d.Directory, d.Notifier = h.outside.directoryOr(noDirectory{}), h.outside.notifierOr(nowhere{})
	d.Question = func(lang, id string) string { return h.set.Set().ListText("questions", id, lang) }
	d.Place = func(state []byte, lang string) (flow, title, progress string) {
		var s bot.Session
		if turn.DecodeSession(state, &s) != nil {
			return "", "", "" // the turn in that conversation tells of it
		}
		return h.set.Set().Where(&s, lang)
	}
	d.Texts, d.PressLink = h.outside.texter, h.outside.notMe
	d.MayText = func(tx bot.Tx, p bot.PersonID, e164 string) (bool, error) { return h.verify.MayText(tx, p, e164) }
	d.Serves = func(ch bot.ChannelID) bool { return h.outside.channels[ch] != nil }
	h.enroll = enroll.New(d)
	h.verify = verify.New(verify.Deps{
		Store: h.db, Policy: cfg.Policy, Vault: h.ring, Methods: h.enroll, Phrases: h.set,
		Senders: h.outside.senders, Issuer: issuer(cfg), Staff: staff(h.db),
		VerifyAny: hasher{pool}.VerifyAny,
		Log:       log.With("room", "verify"),
	})

	h.directory = h.newDirectory()

	// The way out and the way in.
	h.db.KeepTranscripts(h.outside.keeps)
	h.outbox = outbox.New(outbox.Options{
		Store: h.db, Adapters: h.outside.channels, Revealer: h.verify.Reveal, Phrases: h.set, Clock: h.db.Now,
		Linker: h.outside.link, QRPage: cfg.Secrets.QR == "page",
		Logger: log.With("room", "outbox"),
	})
	burst, rate := cfg.Policy.ChatBurst, cfg.Policy.ChatRate
	if h.outside.unhurried {
		burst, rate = policy.Limit{}, policy.Limit{}
	}
	ready := &readiness.Room{Phrases: h.set, Settings: readinessSettings(cfg.Entra)}
	h.turn = turn.New(turn.Options{
		Store: h.db, Engine: h.set, Catalogue: catalogue(cfg, h.enroll, h.verify, desk.New(), h.directory, ready), Outbox: h.outbox,
		Gate: h.enroll.Gate, Phrases: h.set, Burst: burst, Rate: rate, Clock: h.db.Now, Keeps: h.outside.keeps,
		Logger: log.With("room", "turn"),
	})
	held := inbound.Options{Store: h.db, Vault: h.ring, Turns: h.turn, Vouch: h.enroll.VouchIn, Adapters: h.outside.resumers(), Now: h.db.Now, Logger: log.With("room", "inbound")}
	if cfg.Store.Path == "" { // several processes may have the database
		held.Lease = inboundLease
	}
	h.later = inbound.New(held)
	h.enroll.Connect(h.turn)
	h.verify.Connect(h.turn)
	h.directory.Connect(h.turn)

	// What is done later.
	store.Handle(h.jobs, h.turn.HandleWait)
	store.Handle(h.jobs, h.verify.HandleSendCode)
	store.Handle(h.jobs, h.verify.HandleLate)
	store.Handle(h.jobs, h.verify.HandleAgain)
	store.Handle(h.jobs, h.turn.HandleTakeBack)
	store.Handle(h.jobs, h.enroll.HandleNotify)
	store.Handle(h.jobs, h.enroll.HandleLapse)
	store.Handle(h.jobs, h.enroll.HandleMoved)
	store.Handle(h.jobs, h.enroll.HandleAlerts)
	if h.outside.source != nil {
		store.Handle(h.jobs, h.directory.HandleStep)
		store.Handle(h.jobs, h.directory.HandleLook)
	}
	return h, nil
}

// inboundLease is how long a deferred event belongs to a process that does not
// say that it still works on it.
const inboundLease = 15 * time.Second

// enrollDeps is what the room of methods needs to change something and to
// enqueue its notices. Whoever runs the jobs adds the rest; see build.
func (h *house) enrollDeps() enroll.Deps {
	o := h.cfg.Org
	var alerts []string
	for _, a := range h.cfg.Alerts {
		if m, err := mail.ParseAddress(a); err == nil { // the configuration has been checked
			alerts = append(alerts, m.Address)
		}
	}
	return enroll.Deps{
		Store: h.db, Policy: h.cfg.Policy, Vault: h.ring, Org: o.Name, Issuer: issuer(h.cfg), Contact: contact(h.cfg), Phone: o.HelpPhone,
		Domains: o.Domains, AskDesk: askDesk, Afresh: turn.Afresh, AlertsTo: alerts, AlertsLang: o.Language, Log: h.log.With("room", "enroll"),
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

// ground lays the ground: the keys, and the store that they fit.
func ground(ctx context.Context, cfg *config.Config, log *slog.Logger) (*house, error) {
	h := &house{cfg: cfg, log: log, outside: outside{senders: map[bot.Via]bot.Sender{}, keeps: map[bot.ChannelID]bool{}}, jobs: &store.Workers{}}
	var err error
	if h.ring, err = loadKeys(cfg); err != nil {
		return nil, err
	}
	if h.db, err = openStore(ctx, cfg, h.ring, log); err != nil {
		return nil, err
	}
	h.head.file.Path = cfg.AuditHeadFile()
	if err := checkKeys(ctx, h.db, h.ring); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// run opens the house and serves until its context ends or the person at the
// terminal left. When the context ends, /readyz says so for http.drain before
// anything stops. It returns when nothing new is taken in any more; close does
// the rest.
func (h *house) run(until context.Context) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(until))
	defer stop()
	var all sync.WaitGroup
	failed := make(chan error, 1+len(h.outside.channels))
	begin := func(what string, fn func(context.Context) error) {
		all.Go(func() {
			if err := fn(ctx); err != nil && !errors.Is(err, context.Canceled) {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	if err := h.db.StartJobs(context.WithoutCancel(ctx), h.jobs); err != nil {
		return err
	}
	orders, err := h.listenOrders()
	if err != nil {
		return err
	}
	if h.listener != nil {
		begin("http", h.serveHTTP)
	}
	begin("operators", func(ctx context.Context) error { return h.takeOrders(ctx, orders) })
	begin("upkeep", h.upkeep)
	begin("outbox", h.outbox.Run)
	begin("inbound", h.later.Run)
	for id, a := range h.outside.channels {
		begin(string(id), func(ctx context.Context) error {
			if !h.outside.attended {
				return h.keepRunning(ctx, a)
			}
			err := a.Run(ctx, h.turn)
			stop() // the person left
			return err
		})
	}

	h.ready.Store(true)
	select {
	case err = <-failed:
	case <-ctx.Done(): // the person left
	case <-until.Done():
		h.ready.Store(false) // first of all: nobody shall send more
		err = h.drain(failed)
	}
	h.ready.Store(false)
	stop()
	all.Wait()
	select {
	case more := <-failed:
		err = errors.Join(err, more)
	default:
	}
	return err
}

// drain goes on serving until a load balancer has noticed that the service is
// not ready any more.
func (h *house) drain(failed <-chan error) error {
	if h.listener == nil || h.cfg.HTTP.Drain == 0 {
		return nil
	}
	h.log.Info("not ready any more; the port stays open for a while", "http.drain", h.cfg.HTTP.Drain)
	select {
	case err := <-failed:
		return err
	case <-time.After(h.cfg.HTTP.Drain):
		return nil
	}
}

// Times of upkeep.
const (
	upkeepEvery = 5 * time.Second
	headLogged  = time.Hour // how often the audit record's head goes into the log
	pruneEvery  = time.Hour
	pruneAfter  = 20 * time.Second // of the start, which has enough to do
	syncsEvery  = 15 * time.Second // how often it is seen whether the directory is to be read
)

// upkeep takes over what changed on the disk: a key that another process made,
// every few seconds, and scripts when the process is told by SIGHUP. It carries
// the audit record's head outside, and deletes what the policy's retention is
// over for.
func (h *house) upkeep(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	notifyHangup(hup)
	defer signal.Stop(hup)
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	logHead := time.NewTicker(headLogged)
	defer logHead.Stop()
	prune := time.NewTimer(pruneAfter)
	defer prune.Stop()
	syncs := time.NewTicker(syncsEvery)
	defer syncs.Stop()
	h.logHead(ctx)
	h.scheduleSyncs(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if changed, err := h.ring.Reload(); err != nil {
				h.log.Error("the key file changed and cannot be read; the old keys stay in use", "err", err)
			} else if changed {
				h.log.Info("keys taken over", "key", h.ring.KeyID())
			}
			h.keepHead(ctx)
		case <-logHead.C:
			h.logHead(ctx)
		case <-syncs.C:
			h.scheduleSyncs(ctx)
		case <-prune.C:
			h.pruneIfDue(ctx)
			prune.Reset(pruneEvery / 4)
		case <-hup:
			if err := h.set.Reload(); err != nil {
				h.log.Error("scripts refused; the old ones stay in use", "err", err)
			} else {
				h.log.Info("scripts loaded anew")
				h.recordSystem(ctx, "scripts.reloaded", "by SIGHUP")
			}
			h.reread()
		}
	}
}

// ages are the policy's retention, for everything that grows.
func (h *house) ages() store.Ages {
	p := h.cfg.Policy
	return store.Ages{
		Events: p.EventIDs, Outbox: p.Outbox, GivenUp: p.GivenUp, Challenges: p.ChallengeKeep, Tallies: longestWindow(p), Passes: 24 * time.Hour,
		Conversations: p.Conversations, Links: p.LinksUnused, Removed: p.RemovedKeep, Audit: p.Audit,
		Passing: slices.Sorted(maps.Keys(h.outside.keeps)),
	}
}

// pruneIfDue prunes once an hour, in one of the processes that share the store.
// The store remembers when that was, so that a process which is started anew
// every few minutes prunes too.
func (h *house) pruneIfDue(ctx context.Context) {
	due, err := h.db.Claim(ctx, "pruned", pruneEvery)
	var n store.Pruned
	if err == nil && due {
		n, err = h.db.Prune(ctx, h.ages())
		err = errors.Join(err, h.operators().ForgetAlerts(ctx))
	}
	if err != nil && ctx.Err() == nil {
		h.log.Error("old rows not deleted", "err", err)
	}
	if n != (store.Pruned{}) {
		h.log.Info("old rows deleted", "rows", fmt.Sprintf("%+v", n))
	}
	if n.Links > 0 {
		h.recordSystem(ctx, "identity.lapsed", fmt.Sprintf("%d chat accounts unused for %s", n.Links, policy.FormatDuration(h.cfg.Policy.LinksUnused)))
	}
}

// longestWindow is how far back anything is counted.
func longestWindow(p *policy.Policy) time.Duration {
	return max(p.T3Window, p.T2Window, p.T1Window, p.T1Pause, p.SMSBudgetPer, p.BreakerBlock, p.SMSPrefix.Per, p.MailUser.Per, p.HashPerson.Per, enroll.TakenAwayFor,
		policy.Widest(p.SMSUser), policy.Widest(p.SMSNumber), policy.Widest(p.VoiceNumber), policy.Widest(p.MailAddress))
}

// drainTime is how long work under way may take at the end (security 3.3, R18).
const drainTime = 20 * time.Second

// close puts everything away: no new work, then what is under way, then the
// store. It may be called on a house that was not finished.
func (h *house) close() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if h.db != nil {
		if err := h.db.StopJobs(ctx); err != nil {
			h.log.Warn("jobs cut off; they start again at the next start", "err", err)
		}
	}
	if h.outbox != nil {
		if err := h.outbox.Close(ctx); err != nil {
			h.log.Warn("messages wait for the next start", "err", err)
		}
	}
	if h.db != nil {
		h.keepHead(ctx)
	}
	for _, c := range h.outside.closers {
		if err := c.Close(); err != nil {
			h.log.Warn("not closed cleanly", "err", err)
		}
	}
	if h.db != nil {
		if err := h.db.Close(); err != nil {
			h.log.Error("store not closed cleanly", "err", err)
		}
	}
}

// openStore opens the store that the configuration names.
func openStore(ctx context.Context, cfg *config.Config, ring *vault.Ring, log *slog.Logger) (*store.DB, error) {
	dsn := cfg.Store.Path
	if dsn == "" {
		dsn = string(cfg.Store.Postgres)
	}
	if err := notLost(cfg); err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{
		DSN: dsn, Audit: ring, Logger: log.With("room", "store"),
		AuditFits: func(meta func(string) ([]byte, error)) error {
			check, err := meta(keyCheck)
			if errors.Is(err, bot.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return ring.OpenCheck(check)
		},
	})
}

// notLost refuses to make a new, empty database where the head file knows of one
// that has been there: it was lost, and should be restored.
func notLost(cfg *config.Config) error {
	if cfg.Store.Path == "" {
		return nil
	}
	if _, err := os.Stat(cfg.Store.Path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whatever else is wrong with it, opening says so
	}
	f := audit.HeadFile{Path: cfg.AuditHeadFile()}
	heads, err := f.Read()
	if err != nil || len(heads) == 0 || heads[0].Seq == 0 {
		return nil
	}
	return fmt.Errorf("store.path: %s is gone, and %s says that its record had %d lines: put it back with `latchkey restore FILE`, or move that file away to begin with an empty one", cfg.Store.Path, f.Path, heads[0].Seq)
}

// loadKeys opens the key file that the configuration names.
func loadKeys(cfg *config.Config) (*vault.Ring, error) {
	ring, err := vault.Load(cfg.KeysFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys.file: %w (make one with `latchkey keys new %s`)", err, cfg.KeysFile)
	}
	if err != nil {
		return nil, fmt.Errorf("keys.file: %w", err)
	}
	return ring, nil
}

// keyCheck is the value in the store that only the right key ring opens.
const keyCheck = "vault.check"

// checkKeys refuses a key ring that does not belong to the store.
func checkKeys(ctx context.Context, db *store.DB, ring *vault.Ring) error {
	check, err := db.Meta(ctx, keyCheck)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		if check, err = ring.SealCheck(); err == nil {
			err = db.SetMeta(ctx, keyCheck, check)
		}
		return err
	case err != nil:
		return err
	}
	return ring.OpenCheck(check)
}

// loadScripts reads the shipped scripts with the operator's own over them.
func loadScripts(cfg *config.Config, log *slog.Logger) (*flows.Set, error) {
	own, err := ownScripts(cfg)
	if err != nil {
		return nil, err
	}
	set, err := flows.Load(library.FS, own, lintCatalogue(cfg))
	if err != nil {
		return nil, err
	}
	for _, w := range set.Warnings {
		log.Warn("script", "problem", w.String())
	}
	return set, nil
}

// ownScripts is the operator's folder, or nil.
func ownScripts(cfg *config.Config) (fs.FS, error) {
	if cfg.Scripts == "" {
		return nil, nil
	}
	if st, err := os.Stat(cfg.Scripts); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s: scripts.dir: %s is not a folder; make it, or remove the key", cfg.File, cfg.Scripts)
	}
	return os.DirFS(cfg.Scripts), nil
}

// lintCatalogue is what scripts may name, without anything behind it.
func lintCatalogue(cfg *config.Config) bot.Catalogue {
	return catalogue(cfg, new(enroll.Room), new(verify.Room), desk.New(), new(directory.Room), new(readiness.Room))
}

// A room declares what scripts may name.
type room interface {
	Specs() []bot.CheckSpec
	Forms() []bot.FormSpec
}

// catalogue collects what scripts may name: the rooms' checks and forms, and
// the facts of the organisation.
func catalogue(cfg *config.Config, rooms ...room) bot.Catalogue {
	cat := bot.Catalogue{Checks: map[string]bot.CheckSpec{}, Forms: map[string]bot.FormSpec{}, Facts: facts(cfg)}
	for _, r := range rooms {
		for _, s := range r.Specs() {
			cat.Checks[s.Name] = s
		}
		for _, f := range r.Forms() {
			cat.Forms[f.Name] = f
		}
	}
	return cat
}

// securityInfo is Microsoft's page where people add methods ("My Sign-Ins,
// Security info"); the scripts write its host out.
const securityInfo = "https://aka.ms/mysecurityinfo"

// facts are true in every conversation. The fact entra is "yes" where the
// organisation's Microsoft 365 is read, and else empty.
func facts(cfg *config.Config) map[string]string {
	o := cfg.Org
	tenant := ""
	if cfg.Entra.Tenant != "" {
		tenant = "yes"
	}
	return map[string]string{
		"org": o.Name, "bot_name": o.BotName, "department": o.Department,
		"help_phone": o.HelpPhone, "help_hours": o.HelpHours, "help_address": o.Address, "help_email": o.HelpEmail,
		"default_domain": o.Domain, "example_phone": examplePhone(cfg.Policy.DefaultCountry),
		"store_ios": o.StoreIOS, "store_android": o.StoreDroid, "trouble_url": o.TroubleURL, "reset_url": o.ResetURL,
		"entra": tenant, "security_info_url": securityInfo,
	}
}

// factList is facts for the adapters that write letters.
func factList(cfg *config.Config) []bot.Fact {
	m := facts(cfg)
	m["desk_phone"], m["issuer"] = m["help_phone"], issuer(cfg)
	var list []bot.Fact
	for k := range maps.Keys(m) {
		list = append(list, bot.Fact{Name: k, Value: m[k]})
	}
	return list
}

// examplePhone is a number as people of the country write it.
func examplePhone(country string) string {
	if n := phonenumbers.GetExampleNumberForType(country, phonenumbers.MOBILE); n != nil {
		return phonenumbers.Format(n, phonenumbers.NATIONAL)
	}
	return "+1 201 555 0123"
}

// issuer is what authenticator apps call the entry.
func issuer(cfg *config.Config) string {
	return verify.AppName(cmp.Or(cfg.Org.AppName, cfg.Org.Name))
}

// contact is one line that says how to reach the help desk.
func contact(cfg *config.Config) string {
	parts := []string{cfg.Org.Department, cfg.Org.HelpPhone, cfg.Org.HelpHours, cfg.Org.HelpEmail}
	var have []string
	for _, p := range parts {
		if p != "" {
			have = append(have, p)
		}
	}
	return strings.Join(have, ", ")
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
