package zammad_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/zammad"
	"latchkey/adapters/zammad/zammadtest"
	"latchkey/bot"
)

// start makes a Zammad that is pretended, and a client of it.
func start(t *testing.T, change func(*zammad.Options)) (*zammadtest.Zammad, *zammad.Zammad) {
	t.Helper()
	there := zammadtest.Start()
	t.Cleanup(there.Close)
	o := zammad.Options{URL: there.URL + "/", Token: zammadtest.Token, Group: zammadtest.Group, Timeout: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	z, err := zammad.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return there, z
}

func event(no int64, kind, says string) bot.DeskEvent {
	return bot.DeskEvent{ID: fmt.Sprintf("K7M-2QP.%d", no), Type: kind, Ticket: "K7M-2QP", Order: no, Person: "e-1", Name: "Ann  Lee", Card: "K7M-2QP: Ann Lee waits", Says: says}
}

func file(t *testing.T, z *zammad.Zammad) string {
	t.Helper()
	there, err := z.File(t.Context(), event(1, "opened", ""))
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// A ticket of ours is one there, for agents alone, in the name of our own account;
// and each event is what it should be: who reads it, and what becomes of the ticket.
func TestEachEventIsWrittenAsItShould(t *testing.T) {
	there, z := start(t, func(o *zammad.Options) {
		o.Link = func(ticket string) string { return "https://chat.example.org/desk/t/" + ticket }
	})
	id := file(t, z)
	own := event(2, "line_of_agent", "ticket system: hello")
	own.Own = true
	for i, ev := range []bot.DeskEvent{own, event(3, "opened", "opened"), event(4, "taken", "Maria took it"), event(5, "line_of_person", "Ann Lee: It does not <b>arrive</b>"),
		event(6, "line_of_agent", "Maria: Which phone?"), event(7, "note", "Maria: old phone"), event(8, "shown", "x"), event(9, "filed", "x"), event(10, "left", "The person ended the chat"),
		event(11, "solved", "Maria solved it"), event(12, "reopened", "Maria reopened it"), event(13, "dropped", "Nobody is needed")} {
		ev.There = id
		if err := z.Tell(t.Context(), ev); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	ts := there.Tickets()
	if len(ts) != 1 || ts[0].Title != "Latchkey K7M-2QP: Ann Lee" || ts[0].Customer != zammadtest.Bot || ts[0].State != "closed" {
		t.Errorf("tickets %+v", ts)
	}
	var got []string
	for _, a := range there.Articles(ts[0].ID) {
		got = append(got, fmt.Sprintf("%s|%s|%v|%s|%s", a.Subject, a.Sender, a.Internal, a.Content, a.Body))
	}
	want := []string{
		"Latchkey K7M-2QP|Agent|true|text/plain|K7M-2QP: Ann Lee waits\n\nhttps://chat.example.org/desk/t/K7M-2QP",
		"Latchkey K7M-2QP.4|Agent|true|text/plain|Maria took it",
		"Latchkey K7M-2QP.5|Customer|false|text/plain|Ann Lee: It does not <b>arrive</b>",
		"Latchkey K7M-2QP.6|Agent|false|text/plain|Maria: Which phone?",
		"Latchkey K7M-2QP.7|Agent|true|text/plain|Maria: old phone",
		"Latchkey K7M-2QP.10|Agent|true|text/plain|The person ended the chat",
		"Latchkey K7M-2QP.11|Agent|true|text/plain|Maria solved it",
		"Latchkey K7M-2QP.12|Agent|true|text/plain|Maria reopened it",
		"Latchkey K7M-2QP.13|Agent|true|text/plain|Nobody is needed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What was done and not answered is found, and not done again: a ticket, and an
// article. A ticket of somebody else's with our title is not taken for ours.
func TestDoubtIsLookedUp(t *testing.T) {
	there, z := start(t, func(o *zammad.Options) { o.Timeout = 300 * time.Millisecond })
	there.Opens("Latchkey K7M-2QP: mine")
	lost := 0
	there.Set(func(x *zammadtest.Zammad) {
		x.After = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet || lost > 1 {
				return false
			}
			lost++
			<-r.Context().Done()
			return true
		}
	})
	for _, do := range []func() error{
		func() error { _, err := z.File(t.Context(), event(1, "opened", "")); return err },
		func() error {
			ev := event(2, "line_of_person", "Ann Lee: hello")
			ev.There = file(t, z)
			return z.Tell(t.Context(), ev)
		},
	} {
		e := new(bot.SendError)
		if err := do(); !errors.As(err, &e) || e.Kind != bot.SendUncertain {
			t.Fatalf("it was not answered: %v", err)
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if ts := there.Tickets(); len(ts) != 2 || len(there.Articles(ts[1].ID)) != 2 {
		t.Errorf("tickets %+v, articles %+v", ts, there.Articles(ts[1].ID))
	}
}

// What agents write there is read in order: what the person is to read, and what not;
// as text, with the first name of who wrote it. Ours, and customers', are left out.
func TestLookReadsWhatAgentsWrote(t *testing.T) {
	there, z := start(t, nil)
	id := file(t, z)
	n := there.Tickets()[0].ID
	there.Writes(n, "Hello Ann,<br>turn it off &amp; on.<div data-signature=\"true\">Maria Braun<br>Service Desk</div><blockquote type=\"cite\">It does not arrive</blockquote>", false)
	there.Writes(n, "<p>she called</p>", true)
	got, err := z.Look(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if want := []bot.OutsideLine{{ID: "101", Name: "Maria", Text: "Hello Ann,\nturn it off & on."}, {ID: "102", Note: true, Name: "Maria", Text: "she called"}}; got.Closed || !slices.Equal(got.Lines, want) {
		t.Errorf("got %+v", got)
	}
	there.Closes(n, "closed")
	if got, err = z.Look(t.Context(), id); err != nil || !got.Closed {
		t.Errorf("closed there: %+v %v", got, err)
	}
}

// Changes are those of ours since a time, on as many pages as there are.
func TestChangedPagesToTheTime(t *testing.T) {
	there, z := start(t, nil)
	for i := range 230 {
		there.Opens(fmt.Sprintf("Latchkey K7M-%03d", i))
		if i%50 == 0 {
			there.Opens("something else, about Latchkey things")
		}
	}
	all, err := z.Changed(t.Context(), time.Now().Add(-time.Hour))
	if err != nil || len(all) != 230 {
		t.Errorf("%d changes: %v", len(all), err)
	}
	time.Sleep(5 * time.Millisecond)
	since := time.Now()
	there.Closes(there.Tickets()[3].ID, "closed")
	if all, err = z.Changed(t.Context(), since.Add(-time.Millisecond)); err != nil || len(all) != 1 || all[0].There != fmt.Sprint(there.Tickets()[3].ID) {
		t.Errorf("changes %+v: %v", all, err)
	}
}

// Each answer of Zammad means what it should, and no error says the token.
func TestWhatAnAnswerMeans(t *testing.T) {
	there, z := start(t, nil)
	id := file(t, z)
	ev := event(2, "line_of_person", "Ann Lee: hello")
	ev.There = id
	for _, c := range []struct {
		status int
		after  string
		kind   bot.SendErrorKind
		wait   time.Duration
		fix    string
	}{
		{401, "", bot.SendRetry, 0, "desk.zammad.token"}, {403, "", bot.SendRetry, 0, "desk.zammad.group"}, {422, "", bot.SendRetry, 0, "desk.zammad.group"},
		{429, "120", bot.SendThrottled, 2 * time.Minute, ""}, {429, "", bot.SendThrottled, 0, ""}, {503, "7", bot.SendThrottled, 7 * time.Second, ""},
		{500, "", bot.SendUncertain, 0, ""}, {502, "", bot.SendUncertain, 0, ""}, {301, "", bot.SendRetry, 0, "desk.zammad.url"}, {404, "", bot.SendPermanent, 0, ""}, {200, "", bot.SendUncertain, 0, ""},
	} {
		there.Set(func(x *zammadtest.Zammad) {
			x.Before = func(w http.ResponseWriter, _ *http.Request) bool {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, "<html>")
				return true
			}
		})
		e := new(bot.SendError)
		if err := z.Tell(t.Context(), ev); !errors.As(err, &e) || e.Kind != c.kind || e.After != c.wait || !strings.Contains(e.Fix, c.fix) || strings.Contains(err.Error()+e.Fix, zammadtest.Token) {
			t.Errorf("%d %s: %+v", c.status, c.after, e)
		}
	}
	there.Close()
	if err := z.Tell(t.Context(), ev); err == nil || strings.Contains(err.Error(), strings.TrimPrefix(there.URL, "http://")+"/api") {
		t.Errorf("nobody answers: %v", err)
	}
}

// A webhook counts when its signature holds, and says no more than that something has
// changed.
func TestWebhookOfTheTrigger(t *testing.T) {
	_, z := start(t, nil)
	file(t, z) // it knows who it is
	var got []bot.OutsideChange
	var fails error
	h := z.Back("s3cret-of-the-trigger-0000", func(_ context.Context, cs ...bot.OutsideChange) error {
		got = append(got, cs...)
		return fails
	})
	const body = `{"ticket":{"id":81,"title":"Latchkey K7M-2QP: Ann Lee","state":"closed"},"article":{"id":104,"created_by_id":5,"body":"x"}}`
	post := func(body, sign string) int {
		r := httptest.NewRequest(http.MethodPost, zammad.BackPath, strings.NewReader(body))
		r.Header.Set("X-Hub-Signature", sign)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	// Made with: openssl dgst -sha1 -hmac s3cret-of-the-trigger-0000
	const vector = "sha1=73fbb878b08ae35aa641aa49d4d0829582abcbd6"
	if s := zammad.Sign("s3cret-of-the-trigger-0000", []byte(body)); s != vector {
		t.Errorf("signature %s, want %s", s, vector)
	}
	if code := post(body, vector); code != http.StatusNoContent || !slices.Equal(got, []bot.OutsideChange{{Ticket: "K7M-2QP", There: "81"}}) {
		t.Errorf("%d %+v", code, got)
	}
	got = nil
	sign := func(b string) string { return zammad.Sign("s3cret-of-the-trigger-0000", []byte(b)) }
	for _, c := range []struct {
		what, body, sign string
		code             int
	}{
		{"not signed", body, "", 401}, {"another token", body, zammad.Sign("other", []byte(body)), 401}, {"changed", body + " ", vector, 401},
		{"signature without its kind", body, strings.TrimPrefix(vector, "sha1="), 401},
		{"no JSON", "{", sign("{"), 400}, {"too long", strings.Repeat(" ", 1<<20+1), "", 413},
		{"of nobody", `{"ticket":{"id":9,"title":"Printer"}}`, sign(`{"ticket":{"id":9,"title":"Printer"}}`), 204},
		{"our own article", strings.Replace(body, `"created_by_id":5`, `"created_by_id":7`, 1), sign(strings.Replace(body, `"created_by_id":5`, `"created_by_id":7`, 1)), 204},
	} {
		if code := post(c.body, c.sign); code != c.code || got != nil {
			t.Errorf("%s: %d %+v", c.what, code, got)
		}
	}
	if fails = errors.New("down"); post(body, vector) != http.StatusServiceUnavailable {
		t.Error("what was not noted was acknowledged")
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, zammad.BackPath, nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

// The doctor finds what is wrong, and what was taken for true and is not.
func TestExamine(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*zammad.Options)
		before func(w http.ResponseWriter, r *http.Request) bool
		filed  bool
		want   []string
	}{
		{"well", nil, nil, true, []string{"zammad|0|reached, and the token is taken|", "zammad group|0|the account may do everything in the group of desk.zammad.group|"}},
		{"another token", func(o *zammad.Options) { o.Token = "no" }, nil, false, []string{"zammad|2|it is not reached: zammad: it answers 401|the token is not taken: make one with the permission ticket.agent (Zammad: Profile, Token Access), and set desk.zammad.token"}},
		{"another group", func(o *zammad.Options) { o.Group = "Sales" }, nil, false, []string{"zammad|0|reached, and the token is taken|", "zammad group|2|the account of the token has no full access to the group of desk.zammad.group, or there is no such group|give it the role Agent and full access to the group (Zammad: Manage, Users)"}},
		{"a clock", func(o *zammad.Options) { o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) } }, nil, false, []string{"zammad clock|1|the clocks are 10m0s apart|set both by NTP; what is written there may be found late"}},
		{"renamed states", nil, says("/ticket_states", `[{"name":"offen","active":true},{"name":"closed","active":true}]`), false, []string{"zammad states|1|there is no state open that is active|name the states open and closed again (Zammad: Manage, Objects); until then tickets are neither closed there nor from there"}},
		{"a search for anything", nil, says("/tickets/search", `[{"id":3,"title":"Order 787556"}]`), false, []string{"zammad search by title|1|a search for a title that no ticket has finds 1|report this to the makers of Latchkey with this sentence; tickets are still told apart by their whole title"}},
		{"articles of nobody", nil, says("/ticket_articles/by_ticket/80", `[{"id":3,"body":"x"}]`), true, []string{
			"zammad articles name their writer|1|articles do not say who wrote them, so nothing comes back|report this to the makers of Latchkey with this sentence",
			"zammad subjects are kept|1|the newest ticket has no article with a subject of ours, so repeats may be written twice|report this to the makers of Latchkey with this sentence"}},
		{"no Zammad", nil, says("", `"hello"`), false, []string{"zammad|2|it is not reached: zammad: its answer cannot be read; is desk.zammad.url a Zammad?|see whether desk.zammad.url is right and can be reached from here; what waits is told later, in order"}},
	} {
		there, z := start(t, c.change)
		if c.filed {
			file(t, z)
		}
		there.Set(func(x *zammadtest.Zammad) { x.Before = c.before })
		var got []string
		for _, f := range z.Examine(t.Context()) {
			got = append(got, fmt.Sprintf("%s|%d|%s|%s", f.What, f.State, f.Text, f.Fix))
		}
		if len(c.want) < 2 || c.filed && c.before != nil { // beside what is well
			got = slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, "|0|") })
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.what, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// says answers a path of the API with a body; the empty path is each.
func says(path, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if path != "" && r.URL.Path != "/api/v1"+path {
			return false
		}
		fmt.Fprint(w, body)
		return true
	}
}
