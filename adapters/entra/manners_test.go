package entra_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra"
	"latchkey/bot"
)

func TestWaitsAsGraphSays(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		status int
		header string
		want   time.Duration
	}{
		{429, "7", 7 * time.Second},
		{503, "120", 2 * time.Minute},
		{504, s.now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		{429, "0", time.Second},
		{429, "999999", time.Hour},
		{429, s.now.Add(-time.Hour).Format(http.TimeFormat), time.Second},
	} {
		s.refuse(people, c.status, "TooManyRequests", "Retry-After", c.header)
		_, err := s.client().People(ctx(), "")
		var w *bot.WaitError
		if !errors.As(err, &w) || w.After != c.want || !w.Asked {
			t.Errorf("%d %s: %v, want to wait %s", c.status, c.header, err, c.want)
		}
	}
}

func TestPausesGrowWithoutRetryAfter(t *testing.T) {
	s := newServer(t)
	c := s.client()
	tooMany := false // only that asks for a pause; all others are failures
	pause := func() time.Duration {
		_, err := c.People(ctx(), "")
		var w *bot.WaitError
		if !errors.As(err, &w) {
			t.Fatalf("%v is no time to ask again", err)
		}
		if w.Asked != tooMany {
			t.Errorf("%v: asked for: %v", err, w.Asked)
		}
		return w.After
	}
	var last time.Duration
	for i, status := range []int{429, 500, 502, 503, 504} {
		s.refuse(people, status, "x")
		tooMany = status == 429
		d := pause()
		if d <= last || i == 0 && (d < 5*time.Second || d > 10*time.Second) {
			t.Errorf("pause %d is %s after %s", i, d, last)
		}
		last = d
	}
	for range 40 {
		last = pause()
	}
	if last > 10*time.Minute {
		t.Errorf("the longest pause is %s", last)
	}
	s.everything()
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	s.refuse(people, 503, "x")
	if d := pause(); d > 10*time.Second {
		t.Errorf("after an answer the first pause is %s", d)
	}
	// What chance does to a pause: between half of it and all.
	for _, chance := range []float64{0, 0.999} {
		c = s.client()
		c.WaitBy(func(time.Duration) {}, func() float64 { return chance })
		if d := pause(); d < 5*time.Second || d > 10*time.Second || chance == 0 && d != 5*time.Second {
			t.Errorf("by chance %v the pause is %s", chance, d)
		}
	}
}

func TestThrottlingIsLogged(t *testing.T) {
	s := newServer(t)
	s.refuse(people, 429, "TooManyRequests", "x-ms-throttle-scope", "Tenant_Application/ReadWrite/a/b", "x-ms-throttle-information", "ResourceUnitLimitExceeded", "Retry-After", "9")
	_, _ = s.client().People(ctx(), "")
	for _, want := range []string{"Tenant_Application/ReadWrite/a/b", "ResourceUnitLimitExceeded", "Retry-After=9"} {
		if !strings.Contains(s.logged(), want) {
			t.Errorf("the log lacks %q: %s", want, s.logged())
		}
	}
	s.on(people, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-ms-throttle-limit-percentage", "0.9")
		fmt.Fprint(w, `{"value":[],"@odata.deltaLink":"`+s.URL+`/v1.0/users/delta?x"}`)
	})
	_, _ = s.client().People(ctx(), "")
	if !strings.Contains(s.logged(), "x-ms-throttle-limit-percentage=0.9") {
		t.Errorf("the log lacks how near the limit is: %s", s.logged())
	}
}

// Five questions in any ten seconds, by the client's own clock.
func TestReportIsAskedFiveTimesInTenSeconds(t *testing.T) {
	s := newServer(t)
	var at []time.Time
	s.on(report, func(w http.ResponseWriter, _ *http.Request) {
		at = append(at, s.clock())
		fmt.Fprintf(w, `{"value":[%s],"@odata.nextLink":"%s%s?$skiptoken=%d"}`, row(ann, ""), s.URL, report, len(at))
	})
	c := s.client()
	next, err := "", error(nil)
	for range 30 {
		if _, next, err = c.Registrations(ctx(), next); err != nil {
			t.Fatal(err)
		}
	}
	for i := range len(at) - 5 {
		if d := at[i+5].Sub(at[i]); d <= 10*time.Second {
			t.Errorf("questions %d to %d came within %s", i, i+5, d)
		}
	}
	if total := at[29].Sub(at[0]); total > 65*time.Second {
		t.Errorf("30 questions took %s", total)
	}
	// Nothing else waits for it.
	s.everything()
	before := len(s.slept)
	for range 10 {
		if _, err := c.People(ctx(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.slept) != before {
		t.Error("reading people waited for the report's limit")
	}
}

func TestAnAnswerThatNeverComesIsAskedForLater(t *testing.T) {
	s := newServer(t)
	held := make(chan struct{})
	s.on(people, func(http.ResponseWriter, *http.Request) { <-held })
	c := s.client(func(o *entra.Options) { o.Timeout = 50 * time.Millisecond })
	_, err := c.People(ctx(), "")
	var w *bot.WaitError
	if !errors.As(err, &w) || w.Asked || !strings.Contains(err.Error(), "entra.timeout") {
		t.Errorf("%v", err)
	}
	// Half an answer is none.
	s.on(report, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"value":[`)
		w.(http.Flusher).Flush()
		<-held
	})
	if _, _, err = c.Registrations(ctx(), ""); !errors.As(err, &w) || !strings.Contains(err.Error(), "entra.timeout") {
		t.Errorf("half an answer: %v", err)
	}
	close(held)
	// Whoever asks may stop waiting; that is no fault of Microsoft's.
	short, cancel := context.WithCancel(ctx())
	cancel()
	if _, err = c.People(short, ""); !errors.Is(err, context.Canceled) || errors.As(err, &w) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	s := newServer(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := s.client(func(o *entra.Options) { o.GraphURL = gone.URL }).People(ctx(), "")
	var w *bot.WaitError
	if !errors.As(err, &w) || w.Asked {
		t.Errorf("%v is no time to ask again, or one that somebody asked for", err)
	}
	if strings.Contains(err.Error(), "select") {
		t.Errorf("the error has the address with its query: %v", err)
	}
}

// A token of ours goes to no host that is not configured, whoever names it.
func TestOnlyConfiguredHostsAreAsked(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	s := newServer(t)
	s.everything()
	c := s.client()
	ask := map[string]func(cursor string) error{
		people:  func(cursor string) error { _, err := c.People(ctx(), cursor); return err },
		members: func(cursor string) error { _, _, err := c.Members(ctx(), group, cursor); return err },
		report:  func(cursor string) error { _, _, err := c.Registrations(ctx(), cursor); return err },
	}
	bad := []string{
		other.URL + people, strings.Replace(s.URL, "127.0.0.1", "127.0.0.1.example.org", 1) + people, "https://evil.example.org" + people,
		"http://user@" + strings.TrimPrefix(s.URL, "http://") + people, s.URL + "/beta/users/delta", s.URL + "/v1.0/../beta/users/delta", s.URL + "/v1.0beta/users", "/v1.0/users/delta", "://",
	}
	for path, f := range ask {
		for _, link := range bad {
			for _, name := range []string{"@odata.nextLink", "@odata.deltaLink"} {
				s.json(path, fmt.Sprintf(`{"value":[],%q:%q}`, name, link))
				before := len(s.asked)
				if err := f(""); err == nil || !strings.Contains(err.Error(), "another host") {
					t.Errorf("%s with %s to %s: %v", path, name, link, err)
				}
				if got := len(s.asked) - before; got > 2 { // the question, and a token for the first
					t.Errorf("%s with %s to %s: %d requests", path, name, link, got)
				}
			}
			if err := f(link); !errors.Is(err, bot.ErrStartAnew) {
				t.Errorf("%s with the cursor %s: %v", path, link, err)
			}
		}
	}
	// A redirect is not followed, and Location of a 410 is not asked.
	for _, status := range []int{302, 307, 410} {
		s.on(people, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL+people)
			w.WriteHeader(status)
		})
		_, err := c.People(ctx(), "")
		if err == nil || status == 410 != errors.Is(err, bot.ErrStartAnew) {
			t.Errorf("%d: %v", status, err)
		}
	}
	// Whatever comes to be asked one day, the transport is the last to refuse.
	if r, err := c.HTTP().Get(other.URL + people); err == nil {
		r.Body.Close()
		t.Error("the transport reaches another host")
	}
	if elsewhere != 0 {
		t.Errorf("another host was asked %d times", elsewhere)
	}
}

func TestACursorThatIsOverBeginsAnew(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		status int
		code   string
		over   bool
	}{
		{410, "", true}, {400, "syncStateNotFound", true}, {404, "SyncStateNotFound", true}, {400, "Directory_ExpiredPageToken", true}, {400, "resyncRequired", true},
		{400, "Request_BadRequest", false}, {503, "syncStateNotFound", false},
	} {
		s.refuse(people, c.status, c.code)
		if _, err := s.client().People(ctx(), s.URL+people+"?$deltatoken=canary"); errors.Is(err, bot.ErrStartAnew) != c.over {
			t.Errorf("%d %s: %v", c.status, c.code, err)
		} else {
			clean(t, "the error", err.Error())
		}
	}
	clean(t, "the log", s.logged())
}

func TestATokenThatIsNotTakenIsReplacedOnce(t *testing.T) {
	s := newServer(t)
	s.everything()
	c := s.client()
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	good := ""
	s.on(report, func(w http.ResponseWriter, r *http.Request) {
		if good == "" || r.Header.Get("Authorization") == good {
			good = r.Header.Get("Authorization") // withdrawn
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, `{"value":[]}`)
	})
	if _, _, err := c.Registrations(ctx(), ""); err != nil || s.tokens != 2 {
		t.Errorf("%v after %d tokens", err, s.tokens)
	}
	s.refuse(report, 401, "InvalidAuthenticationToken")
	if _, _, err := c.Registrations(ctx(), ""); err == nil || s.tokens != 3 {
		t.Errorf("%v after %d tokens", err, s.tokens)
	}
}

func TestWhatARefusalMeans(t *testing.T) {
	for _, c := range []struct {
		what   string
		roles  []string
		path   string
		status int
		code   string
		says   []string
	}{
		{"no permission", []string{"User.Read.All", "AuditLog.Read.All"}, ownPage, 403, "accessDenied", []string{"lacks the application permission UserAuthenticationMethod.Read.All", "it has AuditLog.Read.All, User.Read.All", "admin consent"}},
		{"a token without roles", nil, people, 401, "InvalidAuthenticationToken", []string{"lacks the application permission User.Read.All", "it has none"}},
		{"the page is closed for another reason", least, ownPage, 403, "accessDenied", []string{"restricted management", "client-request-id"}},
		{"no licence", least, report, 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", []string{"P1 or P2 licence"}},
		{"a token of another cloud", least, people, 401, "InvalidAuthenticationToken", []string{"entra.cloud", "clock"}},
		{"a redirect", least, people, 302, "", []string{"redirect", "entra.graph_url"}},
	} {
		s := newServer(t)
		s.everything()
		s.roles = c.roles
		s.refuse(c.path, c.status, c.code)
		cl := s.client()
		var err error
		switch c.path {
		case people:
			_, err = cl.People(ctx(), "")
		case report:
			_, _, err = cl.Registrations(ctx(), "")
		case ownPage:
			_, err = cl.MethodsOf(ctx(), ann)
		}
		var w *bot.WaitError
		if err == nil || errors.As(err, &w) {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		for _, want := range append(c.says, "aaaaaaaa-0000-4000-8000-000000000001") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", c.what, want, err)
			}
		}
		clean(t, "the error", err.Error())
		clean(t, "the log", s.logged())
		id := s.last(c.path).Header.Get("client-request-id")
		if !strings.Contains(s.logged(), "client-request-id="+id) || !strings.Contains(s.logged(), "request-id=aaaaaaaa-0000-4000-8000-000000000001") {
			t.Errorf("%s: the log lacks the ids: %s", c.what, s.logged())
		}
	}
}

func TestAnAnswerThatIsNoneOfGraphs(t *testing.T) {
	s := newServer(t)
	for _, body := range []string{"<html>canary</html>", `{"canary":1}`, `{"value":null}`, `[]`, `"canary"`, ``} {
		s.json(people, body)
		_, err := s.client().People(ctx(), "")
		if err == nil || !strings.Contains(err.Error(), "entra.graph_url") {
			t.Errorf("%s: %v", body, err)
		} else {
			clean(t, "the error", err.Error())
		}
	}
	clean(t, "the log", s.logged())
}

// Who cannot be reached at first answers later: New asks nobody.
func TestNewAsksNobody(t *testing.T) {
	s := newServer(t)
	s.client()
	if len(s.asked) != 0 {
		t.Errorf("%d requests", len(s.asked))
	}
}
