package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// The demo is the chat with the pretend phone beside it, on one page. All of
// it hangs on Options.Device, which only `latchkey demo` sets: without one
// there is no route of it.
const (
	demoPath  = "/"
	phonePath = "/demo/phone"
	scanPath  = "/demo/scan"
)

func (a *Adapter) demoRoutes() {
	if a.o.Device == nil {
		return
	}
	a.mux.HandleFunc("GET /{$}", a.demoPage)
	a.mux.HandleFunc("GET "+phonePath, a.phonePage)
	a.mux.HandleFunc("POST "+scanPath, a.scan)
}

// hostname is a Host header without the port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// phoneRings gives a channel that is ready now and whenever something arrived
// on the pretend phone since it was last read. Without a Device it never is.
func (a *Adapter) phoneRings() (rings <-chan struct{}, stop func()) {
	if a.o.Device == nil {
		return nil, func() {}
	}
	c := make(chan struct{}, 1)
	c <- struct{}{}
	return c, a.o.Device.Watch(func(bot.PhoneItem) {
		select {
		case c <- struct{}{}:
		default: // it will look anyway
		}
	})
}

// demoPage is the chat and the phone.
func (a *Adapter) demoPage(w http.ResponseWriter, r *http.Request) {
	s, token, err := a.session(w, r)
	if !a.admit(w, r, token, err) {
		return
	}
	chat, err := a.panel(r, s, token, err, demoPath)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	phone := a.phoneView(token, chat.Lang)
	if told := r.URL.Query().Get("told"); slices.Contains(scanWords, told) {
		phone.Told = told
	}
	a.page(w, http.StatusOK, "demo", chat.Lang, a.words.in(chat.Lang)("demo.title"), struct {
		Chat, Phone any
		Agents      []Pretend
	}{chat, phone, a.o.Agents}, "chat", "demo")
}

// phonePage is the phone alone, for the script, which asks when the stream of
// the chat says that it rang.
func (a *Adapter) phonePage(w http.ResponseWriter, r *http.Request) {
	_, token, err := a.session(w, r)
	if a.admit(w, r, token, err) {
		a.sendPhone(w, r, token, "")
	}
}

func (a *Adapter) sendPhone(w http.ResponseWriter, r *http.Request, token bot.Secret, told string) {
	lang := a.language(r)
	v := a.phoneView(token, lang)
	v.Told = told
	a.part(w, r, "demo_phone", lang, v)
}

// scanWords are what can come of a scan, as phrases.
var scanWords = []string{"demo.scanned", "demo.scan.none"}

// scan holds the phone's camera before the visitor's own chat.
func (a *Adapter) scan(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, token, err := a.session(w, r)
	if !a.admit(w, r, token, err) {
		return
	}
	told := "demo.scan.none" // no chat, no picture
	if err == nil {
		if !a.checkCSRF(r, token) {
			a.problem(w, r, http.StatusForbidden, "stale")
			return
		}
		if told, err = a.scanPicture(r.Context(), s.Conversation); err != nil {
			a.trouble(w, r, err)
			return
		}
	}
	if a.scripted(r) {
		a.sendPhone(w, r, token, told)
		return
	}
	http.Redirect(w, r, demoPath+"?told="+told+"#app-codes", http.StatusSeeOther)
}

// ringTime is how long a call rings.
const ringTime = 2 * time.Minute

// shownItems is how many texts, calls and mails the phone shows of each.
const shownItems = 30

// seen is how many of the last messages the camera looks at.
const seen = 50

// scanPicture looks for the newest message that shows a key, and gives the key
// to the authenticator. It returns what to tell the visitor.
func (a *Adapter) scanPicture(ctx context.Context, conv bot.ConversationID) (told string, err error) {
	rows, err := a.o.House.Said(ctx, conv, 0, seen)
	if err != nil {
		return "", fmt.Errorf("web: read the conversation: %w", err)
	}
	for _, row := range slices.Backward(rows) {
		if row.Message.Reveal == nil {
			continue
		}
		if row.State == bot.OutboxRetracted {
			break // older keys are void
		}
		key, err := a.o.House.Reveal(ctx, *row.Message.Reveal)
		if errors.Is(err, bot.ErrNotFound) {
			break // proven, or too old
		}
		if err == nil {
			_, err = a.o.Device.Scan(key.URI)
		}
		if err != nil {
			return "", fmt.Errorf("web: scan message %d: %w", row.Seq, err)
		}
		return "demo.scanned", nil
	}
	return "demo.scan.none", nil
}

// A phoneView is what the template of the phone gets.
type phoneView struct {
	CSRF         string
	Session      bool
	Clock        string
	Texts        []itemView // newest first, as the others
	Calls        []itemView
	Mails        []itemView
	Codes        []codeView
	Told         string // phrase: what came of a scan; may be empty
	People       []personView
	Password     string
	Number       sayView
	Mailbox      sayView
	Answers      string // one a line
	AnswersShown string
}

// A sayView is a button that writes a text in the chat.
type sayView struct {
	CSRF    string // empty: there is no chat yet, the button is off
	ID      string
	Lang    string
	Text    string
	Label   string
	Primary bool
}

type itemView struct {
	bot.PhoneItem
	At    string // shadows Item.At: for the datetime attribute
	When  string // for people
	Rings bool   // a call that waits to be answered
	Say   *sayView
}

type codeView struct {
	Name    string
	Shown   string // in groups
	Left    int    // whole seconds
	Seconds string // the same as text
	Gone    int    // of a ring of 30
	Say     sayView
}

type personView struct {
	Say  sayView
	Note string // phrase; may be empty
}

// phoneView puts together what the phone shows. Buttons that write in the chat
// work with a session only.
func (a *Adapter) phoneView(token bot.Secret, lang string) phoneView {
	t, d, now := a.words.in(lang), a.o.Device, a.o.Now()
	v := phoneView{Session: token != "", Clock: now.Local().Format("15:04"), Password: d.Password()}
	if v.Session {
		v.CSRF = a.csrf(token)
	}
	say := func(text, label string) sayView {
		return sayView{CSRF: v.CSRF, ID: newID(), Lang: lang, Text: text, Label: label}
	}
	v.Number, v.Mailbox = say(d.Number(), t("demo.number.use")), say(d.Mailbox(), t("demo.mailbox.use"))
	for _, p := range d.People() {
		pv := personView{Say: say(p.Username, p.Name)}
		switch {
		case p.Disabled:
			pv.Note = "demo.person.disabled"
		case p.Lang == "es":
			pv.Note = "demo.person.es"
		}
		v.People = append(v.People, pv)
	}
	answers := []string{t("demo.answer.1"), t("demo.answer.2"), t("demo.answer.3")}
	v.Answers, v.AnswersShown = strings.Join(answers, "\n"), strings.Join(answers, ", ")

	for _, it := range slices.Backward(d.Items()) {
		it.From, it.To, it.Subject, it.Text = bot.Harmless(it.From), bot.Harmless(it.To), bot.Harmless(it.Subject), bot.Harmless(it.Text)
		iv := itemView{PhoneItem: it, At: it.At.Format(time.RFC3339), When: when(it.At.Local(), now.Local())}
		list := map[bot.PhoneItemKind]*[]itemView{bot.PhoneText: &v.Texts, bot.PhoneCall: &v.Calls, bot.PhoneMail: &v.Mails}[it.Kind]
		if len(*list) == shownItems {
			continue
		}
		if it.Code != "" {
			s := say(it.Code, t("demo.write", "code", grouped(it.Code)))
			s.Primary = len(*list) == 0
			iv.Say = &s
		}
		iv.Rings = it.Kind == bot.PhoneCall && len(*list) == 0 && now.Sub(it.At) < ringTime
		*list = append(*list, iv)
	}
	for _, c := range d.Codes(now) {
		left := int(math.Ceil(c.Left.Seconds()))
		v.Codes = append(v.Codes, codeView{
			Name: c.Name, Shown: grouped(c.Code), Left: left, Seconds: strconv.Itoa(left), Gone: max(0, 30-left),
			Say: say(c.Code, t("demo.write", "code", grouped(c.Code))),
		})
	}
	return v
}

// grouped writes a code as phones do: 123 456. The space is not a place for a
// line to break.
func grouped(code string) string {
	if len(code)%2 != 0 || len(code) < 6 {
		return code
	}
	return code[:len(code)/2] + "\u00a0" + code[len(code)/2:]
}

// when is a time of today, or the day too.
func when(at, now time.Time) string {
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("2006-01-02 15:04")
}
