package zammad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// What this package relies on, and where it stands. docs is docs.zammad.org,
// admin-docs is admin-docs.zammad.org, src is github.com/zammad/zammad.
//
//	token                   docs api/intro, "HTTP Token Authentication"
//	pages, sorting          docs api/intro, "Pagination", "Sorting search results"
//	expand=true             docs api/intro, "Response Payloads (expand)"
//	POST, PUT, GET tickets  docs api/ticket, "Create", "Update", "Show": a PUT with an article is one transaction
//	                        (src app/controllers/tickets_controller.rb, update: with_lock)
//	articles                docs api/ticket/articles: by_ticket, POST, internal, content_type
//	users/me                docs api/user, "Me"
//	ticket_states           docs api/ticket/states
//	webhook                 admin-docs manage/webhook/payload: headers, ticket, article; manage/webhook: repeated four times
//	customer_id             docs api/ticket, "Create": an id
//
// The rest is in assumptions.

// seen is what Examine has read, for the assumptions to be held against.
type seen struct {
	none   []ticket // of a search for a title that no ticket has
	found  []ticket // of ours
	me     int64
	last   []article // of the newest of ours
	states []state
}

type state struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
}

// An assumption is something that the client takes for true although no document of
// Zammad's promises it.
type assumption struct {
	name   string
	taken  string // what is taken for true
	origin string // where it comes from
	// look reports what is wrong, or "". Not ok: what was read cannot tell. Nil: it
	// cannot be looked at from here.
	look func(s *seen) (wrong string, ok bool)
	fix  string
}

const report = "report this to the makers of Latchkey with this sentence"

// assumptions is the one table of what the client relies on without a promise.
// Whatever can be looked at is looked at by `latchkey doctor`.
func assumptions() []assumption {
	return []assumption{
		{"search by title", "a search with condition[ticket.title] and no query lists the tickets whose title holds the text, from the database", "src tickets_controller.rb search, models/concerns/can_search.rb",
			func(s *seen) (string, bool) {
				strange := func(t ticket) bool { return !strings.Contains(t.Title, mark) }
				switch {
				case len(s.none) > 0:
					return fmt.Sprintf("a search for a title that no ticket has finds %d", len(s.none)), true
				case slices.ContainsFunc(s.found, strange):
					return "a search by title finds tickets with other titles", true
				}
				return "", true
			}, report + "; tickets are still told apart by their whole title"},
		{"articles name their writer", "an article has created_by_id, sender and internal", "docs api/ticket/articles shows a part; src ticket_articles_controller.rb",
			func(s *seen) (string, bool) {
				ok := func(a article) bool {
					return a.CreatedBy > 0 && slices.Contains([]string{"Agent", "Customer", "System"}, a.Sender)
				}
				return when(!slices.ContainsFunc(s.last, ok), "articles do not say who wrote them, so nothing comes back"), len(s.last) > 0
			}, report},
		{"people's lines", "an article of an agent's token may have the sender Customer", "src concerns/creates_ticket_articles.rb, models/ticket/article/adds_metadata_general.rb", nil, ""},
		{"subjects are kept", "the subject of a note is given back as it was written", "docs api/ticket/articles shows it so",
			func(s *seen) (string, bool) {
				own := func(a article) bool { return a.CreatedBy == s.me && strings.HasPrefix(a.Subject, mark) }
				return when(!slices.ContainsFunc(s.last, own), "the newest ticket has no article with a subject of ours, so repeats may be written twice"), len(s.last) > 0
			}, report},
		{"states", "there are the states open and closed, by these names", "docs api/ticket/states shows them; an administrator can rename them",
			func(s *seen) (string, bool) {
				for _, name := range []string{"open", "closed"} {
					if !slices.Contains(s.states, state{name, true}) {
						return "there is no state " + name + " that is active", true
					}
				}
				return "", len(s.states) > 0
			}, "name the states open and closed again (Zammad: Manage, Objects); until then tickets are neither closed there nor from there"},
		{"signature", "X-Hub-Signature is sha1= and the HMAC-SHA1 of the body, in hexadecimal, by the signature token", "admin-docs names header and hash; src lib/user_agent.rb set_signature", nil, ""},
		{"no article", "the webhook of a change without an article has none, or one without created_by_id", "src jobs/trigger_webhook_job", nil, ""},
	}
}

func when(is bool, wrong string) string {
	if is {
		return wrong
	}
	return ""
}

// maxSkew is how far the clocks may be apart before changes are missed there.
const maxSkew = time.Minute

// nobody is part of a title that no ticket has.
const nobody = mark + "000-none"

// Examine implements bot.Examiner. It writes nothing.
func (z *Zammad) Examine(ctx context.Context) (fs []bot.Finding) {
	f := bot.Finding{What: "zammad"}
	var u struct {
		ID     int64               `json:"id"`
		Roles  []string            `json:"roles"`
		Groups map[string][]string `json:"groups"`
	}
	if err := z.call(ctx, http.MethodGet, "/users/me?expand=true", nil, &u); err != nil {
		return append(fs, broken(f, "it is not reached: ", err))
	}
	f.Text = "reached, and the token is taken"
	fs = append(fs, f)
	f = bot.Finding{What: "zammad group", Text: "the account may do everything in the group of desk.zammad.group"}
	if !slices.Contains(u.Groups[z.o.Group], "full") {
		f = f.Is(bot.Broken, "the account of the token has no full access to the group of desk.zammad.group, or there is no such group", "give it the role Agent and full access to the group (Zammad: Manage, Users)")
	}
	fs = append(fs, f)
	if skew, err := z.skew(ctx); err == nil && skew.Abs() > maxSkew {
		fs = append(fs, bot.Finding{What: "zammad clock", State: bot.Doubtful, Text: fmt.Sprintf("the clocks are %s apart", skew.Abs().Round(time.Minute)), Fix: "set both by NTP; what is written there may be found late"})
	}
	s, err := z.see(ctx, u.ID)
	if err != nil {
		return append(fs, broken(bot.Finding{What: "zammad"}, "not all could be looked at: ", err))
	}
	for _, a := range assumptions() {
		if a.look == nil {
			continue
		}
		if wrong, ok := a.look(s); ok && wrong != "" {
			fs = append(fs, bot.Finding{What: "zammad " + a.name, State: bot.Doubtful, Text: wrong, Fix: a.fix})
		}
	}
	return fs
}

// see reads what the assumptions are held against.
func (z *Zammad) see(ctx context.Context, me int64) (*seen, error) {
	s := &seen{me: me}
	err := z.call(ctx, http.MethodGet, "/ticket_states", nil, &s.states)
	if err == nil {
		s.none, err = z.search(ctx, nobody, 1)
	}
	if err == nil {
		s.found, err = z.search(ctx, mark, 1)
	}
	for _, t := range s.found {
		if ours(t.Title) != "" && t.CreatedBy == me && err == nil {
			s.last, err = z.articles(ctx, t.ID)
			break
		}
	}
	return s, err
}

// skew is how far Zammad's clock is ahead of ours.
func (z *Zammad) skew(ctx context.Context) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, z.o.URL, nil)
	if err != nil {
		return 0, err
	}
	res, err := z.http.Do(req)
	if err != nil {
		return 0, dial.Bare(err)
	}
	res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	return at.Sub(z.o.Now()), err
}

// broken is a finding of an error of call.
func broken(f bot.Finding, text string, err error) bot.Finding {
	e := new(bot.SendError)
	fix := ""
	if errors.As(err, &e) {
		err, fix = e.Err, e.Fix
	}
	if fix == "" {
		fix = "see whether desk.zammad.url is right and can be reached from here; what waits is told later, in order"
	}
	return f.Is(bot.Broken, text+err.Error(), fix)
}
