package pass_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/pass"
	"latchkey/bot/policy"
	"latchkey/store"
	"latchkey/store/storetest"
)

func openStore(t testing.TB, dsn string, now func() time.Time) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: dsn, Clock: now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// A rig is the service over a real store whose clock stands still.
type rig struct {
	*pass.Service
	db     *store.DB
	clock  *bottest.Clock
	policy *policy.Policy
	path   string
}

func newRig(t testing.TB) *rig {
	r := &rig{clock: bottest.NewClock(time.Time{}), policy: policy.Default(), path: filepath.Join(t.TempDir(), "a.db")}
	r.db = openStore(t, r.path, r.clock.Now)
	r.Service = pass.New(pass.Options{Store: r.db, Policy: r.policy})
	return r
}

var (
	session = bot.WebSession{Conversation: "web:u", User: "u", Name: "Ana", Framed: true}
	page    = bot.Page{Conversation: "web:u", Channel: "web", User: "u", Message: bot.Message{Text: "Your answers", Prompt: 7, Lang: "es",
		Form: &bot.Form{Name: "questions", Title: "t", Fields: []bot.Field{{Name: "a", Label: "A", Mask: true}}, Button: "ok"}}}
)

func wants(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSession(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	token, err := r.BeginSession(ctx, session)
	ok(t, err)
	want := session
	want.Started = r.clock.Now()
	got, err := r.Session(ctx, token)
	ok(t, err)
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("session %+v, want %+v", *got, want)
	}
	r.clock.Advance(10 * time.Minute)
	moved := bot.WebSession{Conversation: "web:oidc-x", User: "oidc-x", Started: r.clock.Now().Add(time.Hour)}
	ok(t, r.SaveSession(ctx, token, moved))
	moved.Started = want.Started // it does not begin anew
	got, err = r.Session(ctx, token)
	ok(t, err)
	if !reflect.DeepEqual(*got, moved) {
		t.Errorf("saved session %+v, want %+v", *got, moved)
	}
	for range 2 { // the second time there is none
		ok(t, r.EndSession(ctx, token))
	}
	_, err = r.Session(ctx, token)
	wants(t, "ended session", err, bot.ErrNotFound)
	_, _, err = r.PeekSession(ctx, token)
	wants(t, "look at an ended session", err, bot.ErrNotFound)
	wants(t, "save an ended session", r.SaveSession(ctx, token, session), bot.ErrNotFound)
	_, err = r.Session(ctx, token)
	wants(t, "session after saving it too late", err, bot.ErrNotFound)
}

func TestSessionIdle(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	token, err := r.BeginSession(ctx, session)
	ok(t, err)
	began := r.clock.Now()
	ends := func(want time.Duration) {
		t.Helper()
		s, at, err := r.PeekSession(ctx, token)
		if err != nil || s.User != "u" || !at.Equal(began.Add(want)) {
			t.Errorf("ends %v after it began, want %v (%+v, %v)", at.Sub(began), want, s, err)
		}
	}
	ends(30 * time.Minute)
	for range 4 { // used every 20 minutes, it lives on
		r.clock.Advance(20 * time.Minute)
		_, err := r.Session(ctx, token)
		ok(t, err)
	}
	ends(110 * time.Minute)
	// A look, and saving, are no use.
	r.clock.Advance(29 * time.Minute)
	ends(110 * time.Minute)
	ok(t, r.SaveSession(ctx, token, session))
	ends(110 * time.Minute)
	r.clock.Advance(time.Minute)
	_, _, err = r.PeekSession(ctx, token)
	wants(t, "look at an idle session", err, bot.ErrExpired)
	wants(t, "save an idle session", r.SaveSession(ctx, token, session), bot.ErrExpired)
	_, err = r.Session(ctx, token)
	wants(t, "idle session", err, bot.ErrExpired)
	_, err = r.Session(ctx, token) // asking did not wake it
	wants(t, "idle session again", err, bot.ErrExpired)
	ok(t, r.EndSession(ctx, token))
}

// TestSharedSession: on a computer that others use, a session ends 90 seconds
// after its last use, to the second, and never outlives the others.
func TestSharedSession(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	shared := session
	shared.Shared = true
	token, err := r.BeginSession(ctx, shared)
	ok(t, err)
	for range 8 * 60 * 60 / 89 {
		r.clock.Advance(89 * time.Second)
		_, err := r.Session(ctx, token)
		ok(t, err)
	}
	r.clock.Advance(89 * time.Second)
	_, err = r.Session(ctx, token)
	wants(t, "after eight hours of use", err, bot.ErrExpired)
	token, err = r.BeginSession(ctx, shared)
	ok(t, err)
	r.clock.Advance(90 * time.Second)
	_, err = r.Session(ctx, token)
	wants(t, "one that was never used", err, bot.ErrExpired)
	token, err = r.BeginSession(ctx, shared)
	ok(t, err)
	began := r.clock.Now()
	for range 3 {
		r.clock.Advance(89 * time.Second)
		_, err := r.Session(ctx, token)
		ok(t, err)
	}
	_, at, err := r.PeekSession(ctx, token)
	ok(t, err)
	if want := began.Add(3*89*time.Second + 90*time.Second); !at.Equal(want) {
		t.Errorf("ends %s, want %s", at, want)
	}
	r.clock.Advance(90 * time.Second) // a look is no use
	_, _, err = r.PeekSession(ctx, token)
	wants(t, "look at one that nobody used", err, bot.ErrExpired)
	_, err = r.Session(ctx, token)
	wants(t, "one that nobody used", err, bot.ErrExpired)
}

func TestSessionLife(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	token, err := r.BeginSession(ctx, session)
	ok(t, err)
	for used := time.Duration(0); used < 8*time.Hour-20*time.Minute; used += 20 * time.Minute {
		r.clock.Advance(20 * time.Minute)
		_, err := r.Session(ctx, token)
		ok(t, err)
		ok(t, r.SaveSession(ctx, token, session))
	}
	r.clock.Advance(20*time.Minute - time.Millisecond)
	_, err = r.Session(ctx, token)
	ok(t, err)
	r.clock.Advance(time.Millisecond)
	_, err = r.Session(ctx, token)
	wants(t, "session of eight hours", err, bot.ErrExpired)

	token, err = r.BeginSession(ctx, session)
	ok(t, err)
	r.policy.SessionLife = 5 * time.Minute // stricter from now on, for those that are under way too
	r.clock.Advance(6 * time.Minute)
	_, err = r.Session(ctx, token)
	wants(t, "session under a stricter policy", err, bot.ErrExpired)
}

// Most requests of a session write nothing.
func TestSessionTouch(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	token, err := r.BeginSession(ctx, session)
	ok(t, err)
	writes := func(step time.Duration, times int) int64 {
		before := r.db.Stats().Commits
		for range times {
			r.clock.Advance(step)
			_, err := r.Session(ctx, token)
			ok(t, err)
		}
		return r.db.Stats().Commits - before
	}
	if n := writes(0, 50); n != 0 {
		t.Errorf("%d writes for 50 requests at once", n)
	}
	if n := writes(time.Second, 59); n != 0 {
		t.Errorf("%d writes in a minute", n)
	}
	if n := writes(time.Second, 120); n != 2 {
		t.Errorf("%d writes in two minutes more, want 2", n)
	}
}

func TestLink(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	link, expires, err := r.NewLink(ctx, page)
	ok(t, err)
	if want := r.clock.Now().Add(10 * time.Minute); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	other, _, err := r.NewLink(ctx, page) // voids nothing
	ok(t, err)
	r.clock.Advance(10*time.Minute - time.Millisecond)
	token, pg, err := r.OpenLink(ctx, link)
	ok(t, err)
	want := page
	want.Asked = r.clock.Now().Add(time.Millisecond - 10*time.Minute)
	want.Expires = r.clock.Now().Add(10 * time.Minute)
	if !reflect.DeepEqual(*pg, want) {
		t.Errorf("page %+v, want %+v", *pg, want)
	}
	if token == link {
		t.Error("the page has the token of the link")
	}
	_, _, err = r.OpenLink(ctx, link)
	wants(t, "second opening", err, bot.ErrSpent)
	r.clock.Advance(time.Millisecond)
	_, _, err = r.OpenLink(ctx, other)
	wants(t, "link after its time", err, bot.ErrExpired)
	_, _, err = r.OpenLink(ctx, link) // used up comes first: that is what happened
	wants(t, "spent link after its time", err, bot.ErrSpent)

	again, err := r.Page(ctx, token)
	ok(t, err)
	if !reflect.DeepEqual(*again, want) {
		t.Errorf("page %+v, want %+v", *again, want)
	}
	next := want
	next.Message, next.Expires = bot.Message{Text: "And the last one", Prompt: 8}, r.clock.Now().Add(time.Hour)
	ok(t, r.SavePage(ctx, token, next))
	next.Expires = want.Expires // saving does not prolong it
	again, err = r.Page(ctx, token)
	ok(t, err)
	if !reflect.DeepEqual(*again, next) {
		t.Errorf("saved page %+v, want %+v", *again, next)
	}
	r.clock.Advance(want.Expires.Sub(r.clock.Now()))
	_, err = r.Page(ctx, token)
	wants(t, "page after its time", err, bot.ErrExpired)
	wants(t, "save it", r.SavePage(ctx, token, next), bot.ErrExpired)
	ok(t, r.ClosePage(ctx, token))
}

func TestClosePage(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	link, _, err := r.NewLink(ctx, page)
	ok(t, err)
	token, _, err := r.OpenLink(ctx, link)
	ok(t, err)
	for range 2 {
		ok(t, r.ClosePage(ctx, token))
	}
	_, err = r.Page(ctx, token)
	wants(t, "closed page", err, bot.ErrSpent)
	wants(t, "save a closed page", r.SavePage(ctx, token, page), bot.ErrSpent)
	// What was used up leaves nothing of what it stood for.
	ok(t, r.db.View(ctx, func(tx bot.Tx) error {
		for _, tok := range []bot.Secret{link, token} {
			p, err := tx.Pass(pass.Hash(tok))
			if err != nil || p.Data != nil || p.SpentAt.IsZero() {
				t.Errorf("pass %+v %v", p, err)
			}
		}
		return nil
	}))
}

func TestSignIn(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	want := bot.SignInState{Page: []byte{1, 0, 255}, Session: pass.Hash("x")}
	token, err := r.BeginSignIn(ctx, want)
	ok(t, err)
	want.Began = r.clock.Now()
	r.clock.Advance(time.Minute)
	got, err := r.FinishSignIn(ctx, token)
	ok(t, err)
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("state %+v, want %+v", *got, want)
	}
	_, err = r.FinishSignIn(ctx, token)
	wants(t, "second time", err, bot.ErrSpent)
	token, err = r.BeginSignIn(ctx, bot.SignInState{})
	ok(t, err)
	r.clock.Advance(r.policy.LinkLife)
	_, err = r.FinishSignIn(ctx, token)
	wants(t, "too late", err, bot.ErrExpired)
}

// inbox keeps what conversations are told.
type inbox []bot.Event

func (in *inbox) Accept(_ context.Context, ev bot.Event) error {
	*in = append(*in, ev)
	return nil
}

// A sign-in that does not come back is told of in the conversation that waits for
// it; one that came back, that is over, or that nobody waits for, is not.
func TestSignInThatDoesNotComeBack(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	var told inbox
	r.Connect(&told)
	ok(t, r.db.Update(ctx, func(tx bot.Tx) error {
		return tx.SaveConversation(&bot.Conversation{ID: "web:u", Channel: "web"})
	}))
	begin := func(conv bot.ConversationID) pass.Late {
		token, err := r.BeginSignIn(ctx, bot.SignInState{Conversation: conv})
		ok(t, err)
		if conv == "web:back" {
			_, err = r.FinishSignIn(ctx, token)
			ok(t, err)
		}
		return pass.Late{SignIn: pass.Hash(token), Conversation: "web:u"}
	}
	late := begin("web:u")
	for _, j := range []pass.Late{begin("web:back"), late, {SignIn: late.SignIn, Conversation: "web:erased"}, {SignIn: pass.Hash("another")}} {
		ok(t, r.HandleLate(ctx, j))
	}
	if len(told) != 1 || told[0].Conversation != "web:u" || told[0].Channel != "web" || told[0].Kind != bot.Notice || told[0].Signal.Name != bot.SignalSignInLate {
		t.Errorf("told %+v", told)
	}
	r.clock.Advance(r.policy.LinkLife)
	ok(t, r.HandleLate(ctx, late))
	if len(told) != 1 {
		t.Errorf("told of one that is over: %+v", told[1:])
	}
}

// Every way in, with a token that opens something else or nothing.
func TestOtherTokens(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	tokens := map[string]bot.Secret{}
	var err error
	tokens["session"], err = r.BeginSession(ctx, session)
	ok(t, err)
	tokens["sign-in"], err = r.BeginSignIn(ctx, bot.SignInState{})
	ok(t, err)
	tokens["link"], _, err = r.NewLink(ctx, page)
	ok(t, err)
	opened, _, err := r.NewLink(ctx, page)
	ok(t, err)
	tokens["page"], _, err = r.OpenLink(ctx, opened)
	ok(t, err)
	unknown := []bot.Secret{"", "x", bot.Secret(strings.Repeat("A", 43)), bot.Secret(strings.Repeat("A", 1<<20)), tokens["link"] + "=", tokens["link"][:42],
		bot.Secret(pass.Hash(tokens["link"]))}
	doors := map[string][]func(bot.Secret) error{
		"session": {
			func(s bot.Secret) error { _, err := r.Session(ctx, s); return err },
			func(s bot.Secret) error { _, _, err := r.PeekSession(ctx, s); return err },
			func(s bot.Secret) error { return r.SaveSession(ctx, s, session) },
		},
		"page": {
			func(s bot.Secret) error { _, err := r.Page(ctx, s); return err },
			func(s bot.Secret) error { return r.SavePage(ctx, s, page) },
		},
		"link":    {func(s bot.Secret) error { _, _, err := r.OpenLink(ctx, s); return err }},
		"sign-in": {func(s bot.Secret) error { _, err := r.FinishSignIn(ctx, s); return err }},
	}
	before := r.db.Stats().Commits
	for door, opens := range doors {
		for i, open := range opens {
			for kind, token := range tokens {
				if kind != door {
					wants(t, fmt.Sprintf("%s %d with the token of a %s", door, i, kind), open(token), bot.ErrNotFound)
				}
			}
			for j, token := range unknown {
				wants(t, fmt.Sprintf("%s %d with unknown token %d", door, i, j), open(token), bot.ErrNotFound)
			}
		}
	}
	for _, token := range append(unknown, tokens["link"], tokens["sign-in"]) {
		ok(t, r.EndSession(ctx, token))
		ok(t, r.ClosePage(ctx, token))
	}
	if n := r.db.Stats().Commits - before; n != 0 {
		t.Errorf("%d writes for tokens that open nothing", n)
	}
	for door, opens := range doors { // nothing of it did any harm
		for i, open := range opens {
			if err := open(tokens[door]); err != nil {
				t.Errorf("%s %d: %v", door, i, err)
			}
		}
	}
}

// Of many who open one link, or finish one sign-in, one gets it: on one
// process, and on two that share a database.
func TestSpentOnce(t *testing.T) {
	race := func(t *testing.T, services ...*pass.Service) {
		ctx := context.Background()
		link, _, err := services[0].NewLink(ctx, page)
		ok(t, err)
		signIn, err := services[0].BeginSignIn(ctx, bot.SignInState{Session: []byte("x")})
		ok(t, err)
		var pages sync.Map
		for what, open := range map[string]func(*pass.Service) error{
			"link": func(r *pass.Service) error {
				token, pg, err := r.OpenLink(ctx, link)
				if err == nil {
					pages.Store(token, true)
					if pg.Message.Prompt != 7 {
						t.Errorf("page %+v", pg)
					}
				}
				return err
			},
			"sign-in": func(r *pass.Service) error {
				s, err := r.FinishSignIn(ctx, signIn)
				if err == nil && string(s.Session) != "x" {
					t.Errorf("state %+v", s)
				}
				return err
			},
		} {
			var won, spent atomic.Int64
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					switch err := open(services[i%len(services)]); {
					case err == nil:
						won.Add(1)
					case errors.Is(err, bot.ErrSpent):
						spent.Add(1)
					default:
						t.Errorf("%s: %v", what, err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || spent.Load() != 63 {
				t.Errorf("%s: %d got it, %d were told that it is used", what, won.Load(), spent.Load())
			}
		}
		pages.Range(func(token, _ any) bool {
			if _, err := services[len(services)-1].Page(ctx, token.(bot.Secret)); err != nil {
				t.Errorf("the page of the one who got it: %v", err)
			}
			return true
		})
	}
	service := func(t *testing.T, dsn string) *pass.Service {
		return pass.New(pass.Options{Store: openStore(t, dsn, nil), Policy: policy.Default()})
	}
	t.Run("sqlite", func(t *testing.T) { race(t, service(t, filepath.Join(t.TempDir(), "a.db"))) })
	t.Run("two on postgres", func(t *testing.T) {
		dsn := storetest.Postgres(t)
		race(t, service(t, dsn), service(t, dsn))
	})
}

// A session that is ended while requests use it stays ended.
func TestEndedStaysEnded(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	for range 20 {
		token, err := r.BeginSession(ctx, session)
		ok(t, err)
		r.clock.Advance(2 * time.Minute) // so that each use is noted
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				var err error
				switch {
				case i == 4:
					if err = r.EndSession(ctx, token); err == nil {
						return
					}
				case i%2 == 0:
					err = r.SaveSession(ctx, token, session)
				default:
					_, err = r.Session(ctx, token)
				}
				if err != nil && !errors.Is(err, bot.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, err = r.Session(ctx, token)
		wants(t, "ended session", err, bot.ErrNotFound)
	}
}

// Passes outlive the process, and the file holds no token.
func TestReopen(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	token, err := r.BeginSession(ctx, session)
	ok(t, err)
	link, _, err := r.NewLink(ctx, page)
	ok(t, err)
	opened, _, err := r.NewLink(ctx, page)
	ok(t, err)
	pg, _, err := r.OpenLink(ctx, opened)
	ok(t, err)
	signIn, err := r.BeginSignIn(ctx, bot.SignInState{Page: pass.Hash(pg)})
	ok(t, err)
	ok(t, r.db.Close())
	file, err := os.ReadFile(r.path)
	ok(t, err)
	if !bytes.Contains(file, pass.Hash(token)) {
		t.Error("the hash is not in the file; the check below would prove nothing")
	}
	for what, tok := range map[string]bot.Secret{"session": token, "link": link, "opened link": opened, "page": pg, "sign-in": signIn} {
		if bytes.Contains(file, []byte(string(tok))) {
			t.Errorf("the token of the %s is in the file", what)
		}
		if len(tok) != 43 {
			t.Errorf("the token of the %s has %d characters", what, len(tok))
		}
	}
	r.clock.Advance(time.Minute)
	again := pass.New(pass.Options{Store: openStore(t, r.path, r.clock.Now), Policy: r.policy})
	s, err := again.Session(ctx, token)
	if err != nil || s.User != "u" {
		t.Errorf("session %+v %v", s, err)
	}
	_, _, err = again.OpenLink(ctx, opened)
	wants(t, "link that was opened before", err, bot.ErrSpent)
	if _, _, err := again.OpenLink(ctx, link); err != nil {
		t.Errorf("link: %v", err)
	}
	if _, err := again.Page(ctx, pg); err != nil {
		t.Errorf("page: %v", err)
	}
	st, err := again.FinishSignIn(ctx, signIn)
	if err != nil || !bytes.Equal(st.Page, pass.Hash(pg)) {
		t.Errorf("sign-in %+v %v", st, err)
	}
}

// What the store says comes through, and is no refusal.
func TestStoreFails(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	token, err := r.BeginSession(ctx, session)
	ok(t, err)
	ok(t, r.db.Close())
	for what, err := range map[string]error{
		"session": func() error { _, err := r.Session(ctx, token); return err }(),
		"end":     r.EndSession(ctx, token),
		"close":   r.ClosePage(ctx, token),
		"begin":   func() error { _, err := r.BeginSession(ctx, session); return err }(),
		"link":    func() error { _, _, err := r.NewLink(ctx, page); return err }(),
		"sign-in": func() error { _, err := r.BeginSignIn(ctx, bot.SignInState{}); return err }(),
	} {
		wants(t, what, err, store.ErrClosed)
		if errors.Is(err, bot.ErrNotFound) {
			t.Errorf("%s: %v reads as if there were no pass", what, err)
		}
		if err != nil && strings.Contains(err.Error(), string(token)) {
			t.Errorf("%s: the error names the token", what)
		}
	}
}

// What stands in the table but cannot be read is an error of its own.
func TestUnreadable(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	link, _, err := r.NewLink(ctx, page)
	ok(t, err)
	ok(t, r.db.Update(ctx, func(tx bot.Tx) error {
		p, err := tx.Pass(pass.Hash(link))
		if err != nil {
			return err
		}
		p.Data = []byte("{")
		return tx.PutPass(p)
	}))
	_, _, err = r.OpenLink(ctx, link)
	if err == nil || !strings.Contains(err.Error(), "a stored link cannot be read") {
		t.Errorf("error %v", err)
	}
	ok(t, r.db.View(ctx, func(tx bot.Tx) error {
		p, err := tx.Pass(pass.Hash(link))
		if err == nil && !p.SpentAt.IsZero() {
			t.Error("it was spent for nothing")
		}
		return err
	}))
}

// With a session of a shared browser its one-time pages end, too, when somebody
// ends it and when it runs out: whoever comes next has their cookies.
func TestSharedSessionEndsItsPages(t *testing.T) {
	for _, how := range []string{"ended", "ran out"} {
		r, ctx := newRig(t), t.Context()
		shared := session
		shared.Shared = true
		token, err := r.BeginSession(ctx, shared)
		ok(t, err)
		link, _, err := r.NewLink(ctx, bot.Page{Conversation: shared.Conversation, Channel: "web", User: shared.User})
		ok(t, err)
		page, _, err := r.OpenLink(ctx, link)
		ok(t, err)
		_, err = r.Page(ctx, page)
		ok(t, err)
		if how == "ended" {
			ok(t, r.EndSession(ctx, token))
		} else {
			r.clock.Advance(91 * time.Second)
			_, _, err = r.PeekSession(ctx, token)
			wants(t, how, err, bot.ErrExpired)
		}
		_, err = r.Page(ctx, page)
		wants(t, "the page of a session that "+how, err, bot.ErrNotFound)
	}
}
