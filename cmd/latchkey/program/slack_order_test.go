package program

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/programtest"
)

// A slackProgram is the program with the shipped scripts in a workspace of the
// double, in this process.
type slackProgram struct {
	*Program
	t     *testing.T
	w     *slacktest.Workspace
	users []string
	hook  string
	dir   string
}

// orderPeople is how many people talk at once.
const orderPeople = 4

func openSlackProgram(t *testing.T, socket bool) *slackProgram {
	t.Helper()
	s := &slackProgram{t: t, w: slacktest.New(t), dir: t.TempDir()}
	for n := range orderPeople { // the same ids in every program
		u := s.w.Add(slacktest.User{Name: fmt.Sprint("person ", n)})
		s.users = append(s.users, u.ID)
		s.w.Room(u.ID)
	}
	cfg := demo.Config(s.dir)
	cfg.File = "test"
	cfg.HTTP.PublicURL = "http://127.0.0.1:9"
	cfg.Slack = []config.Slack{{
		Account: config.Account{Name: "acme", Platform: "slack"}, BotToken: []bot.Secret{slacktest.BotToken}, SigningSecret: []bot.Secret{slacktest.SigningSecret},
		Team: slacktest.Team, APIURL: s.w.API(), Command: "/sspr",
	}}
	if socket {
		cfg.Slack[0].AppToken, cfg.Slack[0].SigningSecret = []bot.Secret{slacktest.AppToken}, nil
	}
	if _, err := vault.Create(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	var err error
	if s.Program, err = New(t.Context(), cfg, log, Pretend(s.dir), Integration{"slack", connectSlack}); err != nil {
		t.Fatal(err)
	}
	if err := demo.Import(t.Context(), s.DB); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	server := httptest.NewServer(s.Connections.pages[0].handler)
	s.hook = server.URL
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	rigs.Until(t, "the program to be open", func() bool { return s.ready.Load() })
	rigs.Until(t, "the way in to be open", func() bool { h, _ := s.health("slack-acme"); return h.OK })
	return s
}

// deliver delivers once, signed now, as Slack signs each delivery.
func (s *slackProgram) deliver(h *slacktest.Happening) {
	s.t.Helper()
	for n := range 100 {
		ok, _, err := s.w.Post(s.hook, h, n)
		if err != nil {
			s.t.Error(err)
		}
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Error("not acknowledged")
}

// turns counts the turns of a person's conversation.
func (s *slackProgram) turns(user string) int64 {
	var v int64
	_ = s.DB.View(s.t.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation(s.conv(user))
		if err == nil {
			v = c.Version
		}
		return nil
	})
	return v
}

func (s *slackProgram) conv(user string) bot.ConversationID {
	return bot.ConversationID("slack-acme|" + slacktest.Team + "|" + user)
}

// states are what is stored of the conversations.
func (s *slackProgram) states() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	err := s.DB.View(s.t.Context(), func(tx bot.Tx) error {
		for _, u := range s.users {
			c, err := tx.Conversation(s.conv(u))
			if err != nil {
				return fmt.Errorf("%s: %w", u, err)
			}
			all[u] = fmt.Sprintf("%s out=%d turns=%d level=%d %s", c.State, c.OutSeq, c.Version, c.Level, c.Address)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// rest waits until nothing is left to be taken in or sent.
func (s *slackProgram) rest() {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, "latchkey.db")+"?mode=ro")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	defer func() {
		if s.t.Failed() {
			var left string
			err := db.QueryRow(`SELECT (SELECT coalesce(group_concat(id || ' ' || account || ' ' || conversation || ' seq ' || seq || ' lane ' || lane || ' owner ' || owner || ' live ' || live || ' attempts ' || attempts || ' due ' || due || ' error ' || error, '; '), '') FROM outbox WHERE state = 0)
				|| ' | inbound ' || (SELECT count(*) FROM inbound)`).Scan(&left)
			s.t.Logf("left at %d: %s %v", time.Now().UnixMilli(), left, err)
		}
	}()
	rigs.Until(s.t, "everything to be taken in and sent", func() bool {
		var n int
		return db.QueryRow("SELECT (SELECT count(*) FROM outbox WHERE state = 0) + (SELECT count(*) FROM inbound)").Scan(&n) == nil && n == 0
	})
}

// record has everybody talk in their order, and keeps what Slack delivered.
func (s *slackProgram) record() (log [][]*slacktest.Happening) {
	s.t.Helper()
	for _, u := range s.users {
		var own []*slacktest.Happening
		do := func(h *slacktest.Happening, err error) {
			s.t.Helper()
			if err != nil {
				s.t.Fatal(err)
			}
			own = append(own, h)
			s.deliver(h)
			s.rest()
		}
		first := func(label string) (*slacktest.Message, map[string]any) {
			s.t.Helper()
			for _, m := range s.w.Messages(s.w.Room(u)) {
				for _, e := range programtest.SlackButtons(m.Blocks) {
					if text, _ := e["text"].(map[string]any); text != nil && text["text"] == label {
						return &m, e
					}
				}
			}
			s.t.Fatalf("no button %q", label)
			return nil, nil
		}
		press := func(label string) (*slacktest.Happening, error) {
			m, e := first(label)
			return s.w.Presses(u, m, e), nil
		}
		do(s.w.Opens(u, "messages"), nil)
		why, err := press("Why me?")
		do(why, err)
		do(press("Start"))
		do(s.w.Says(u, "this is no user name"))
		do(s.w.Says(u, "demo-nobody"))
		do(s.w.Commands(u, "C0ELSEWHERE", "/sspr", "help"), nil)
		again, e := first("Later")
		do(s.w.Says(u, "español"))
		do(s.w.Presses(u, again, e), nil)
		do(s.w.PressesHome(u, map[string]any{"action_id": "home:start", "value": "start", "text": map[string]any{"type": "plain_text", "text": "x"}}), nil)
		do(s.w.Says(u, "ayuda"))
		// A form that was opened for an earlier prompt.
		do(&slacktest.Happening{Kind: "interactive", User: u, Payload: map[string]any{
			"type": "view_submission", "user": map[string]any{"id": u, "team_id": slacktest.Team}, "team": map[string]any{"id": slacktest.Team},
			"view": map[string]any{"id": "V" + u, "hash": "1.2", "callback_id": "entry", "private_metadata": "2", "state": map[string]any{"values": map[string]any{"entry": map[string]any{"value": map[string]any{"type": "plain_text_input", "value": "123456"}}}}},
		}}, nil)
		log = append(log, own)
	}
	return log
}

// TestSlackSocketMode: the program talks by Socket Mode, without any address that
// Slack could call; the lines are cut on the way.
func TestSlackSocketMode(t *testing.T) {
	t.Parallel()
	s := openSlackProgram(t, true)
	u := s.users[0]
	send := func(h *slacktest.Happening, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		rigs.Until(t, "it to be acknowledged", func() bool { ok, _, _ := s.w.Send(h, 0); return ok })
	}
	var at *slacktest.Message
	hears := func(text string) {
		t.Helper()
		rigs.Until(t, "the bot to say "+text, func() bool {
			for _, m := range s.w.Messages(s.w.Room(u)) {
				if m.User == slacktest.BotUser && strings.Contains(m.Text, text) {
					at = &m
				}
			}
			return at != nil && strings.Contains(at.Text, text)
		})
	}
	send(s.w.Says(u, "hi"))
	hears("Hello! I am Latchkey")
	i := slices.IndexFunc(programtest.SlackButtons(at.Blocks), func(e map[string]any) bool { return e["text"].(map[string]any)["text"] == "Start" })
	press := s.w.Presses(u, at, programtest.SlackButtons(at.Blocks)[i])
	s.w.Cut()
	send(press, nil)
	hears("user name")
	s.w.Refresh()
	send(s.w.Commands(u, s.w.Room(u), "/sspr", "help"), nil)
	hears("You can write at every step")
	if h, _ := s.health("slack-acme"); !h.OK {
		t.Errorf("health: %+v", h)
	}
}

// TestSlackAnyOrder: however often and however late Slack delivers, and however
// people's events come between each other's, everything ends in the state that
// they give in order, once. In an order that nobody could have made, too, each
// counts once, and what people do then leads all of them to the same place.
func TestSlackAnyOrder(t *testing.T) {
	t.Parallel()
	s := openSlackProgram(t, false)
	log := s.record()
	want := s.states()
	n := 0
	for _, own := range log {
		n += len(own)
	}
	for u, state := range want {
		if !strings.Contains(state, fmt.Sprintf("turns=%d", len(log[0]))) {
			t.Fatalf("%s has not had %d turns: %s", u, len(log[0]), state)
		}
	}
	rng := rand.New(rand.NewPCG(18, 5))
	for round := range 6 {
		h := openSlackProgram(t, false)
		if !slices.Equal(h.users, s.users) {
			t.Fatal("other people")
		}
		var done []*slacktest.Happening
		next := make([]int, len(log))
		for len(done) < n {
			c := rng.IntN(len(log))
			if next[c] == len(log[c]) {
				continue
			}
			h.deliver(log[c][next[c]])
			done = append(done, log[c][next[c]])
			next[c]++
			for range rng.IntN(3) { // again, soon or much later
				h.deliver(done[rng.IntN(len(done))])
			}
		}
		for _, i := range rng.Perm(len(done))[:n/2] {
			h.deliver(done[i])
		}
		h.rest()
		if got := h.states(); !maps.Equal(got, want) {
			for u := range want {
				if got[u] != want[u] {
					t.Errorf("round %d, %s ends as\n%s\nin order, once, as\n%s", round, u, got[u], want[u])
				}
			}
			return
		}
	}

	place := ""
	for round := range 4 {
		h := openSlackProgram(t, false)
		var all []*slacktest.Happening
		for _, own := range log {
			for range 3 {
				all = append(all, own...)
			}
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		work := make(chan *slacktest.Happening)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for x := range work {
					h.deliver(x)
				}
			})
		}
		for _, x := range all {
			work <- x
		}
		close(work)
		wg.Wait()
		h.rest()
		for _, u := range h.users {
			// Whether the opening comes before anything was said decides
			// whether it is one; all else counts once.
			if n := h.turns(u); n != int64(len(log[0])) && n != int64(len(log[0])-1) {
				t.Errorf("round %d: %s had %d turns of %d events", round, u, n, len(log[0]))
			}
			for _, word := range []string{"english", "start over", "yes", "hi"} {
				x, err := h.w.Says(u, word)
				if err != nil {
					t.Fatal(err)
				}
				h.deliver(x)
			}
			h.rest()
			var sess bot.Session
			err := h.DB.View(t.Context(), func(tx bot.Tx) error {
				c, err := tx.Conversation(h.conv(u))
				if err != nil {
					return err
				}
				return json.Unmarshal(c.State, &sess)
			})
			if err != nil {
				t.Fatal(err)
			}
			at := fmt.Sprint(sess.Lang, " ", len(sess.Stack))
			for _, f := range sess.Stack {
				at += " " + f.Flow + "." + f.Step
			}
			if place == "" {
				place = at
			}
			if at != place {
				t.Errorf("round %d: %s is at %q, others at %q", round, u, at, place)
			}
		}
		h.rest()
	}
	t.Logf("%d events of %d people; all end at %q", n, len(log), place)
}
