package command

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra/entratest"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/directory"
	"latchkey/bot/turn"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/programtest"
)

// A troubled is an installation whose tenant has something wrong.
type troubled struct {
	*testing.T
	tenant *entratest.Tenant
	cfg    string
	env    []string
	fine   entratest.Person // app and private mail
	texts  entratest.Person // a mobile phone
}

func newTroubled(t *testing.T, late time.Duration) *troubled {
	t.Helper()
	x := &troubled{T: t, tenant: entratest.NewTenant(entratest.Options{People: 600, Now: func() time.Time { return time.Now().Add(-late) }, Hang: 20 * time.Second})}
	there, err := x.tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	x.cfg = install(t, fmt.Sprintf("entra: {tenant: %s, client_id: %s, client_secret_env: ENTRA_SECRET, login_url: %q, graph_url: %q, timeout: 10s}\n", entratest.TenantID, entratest.ClientID, there.URL, there.URL))
	text, err := os.ReadFile(x.cfg)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer("directory: {kind: none}", "directory: {kind: entra}", `"127.0.0.1:0"}`, `"127.0.0.1:0", public_url: "http://127.0.0.1:8080"}`).Replace(string(text)))
	if err := os.WriteFile(x.cfg, text, 0o600); err != nil {
		t.Fatal(err)
	}
	x.env = []string{"ENTRA_SECRET=" + entratest.Secret, "SUDO_USER=kim"}
	has := func(methods ...string) func(entratest.Person) bool {
		return func(p entratest.Person) bool {
			return p.Kind == entratest.Staff && p.Enabled && p.SSPR && !p.Admin && slices.Equal(p.Methods, methods)
		}
	}
	x.fine = x.tenant.Find(has("microsoftAuthenticatorPush", "softwareOneTimePasscode", "email"))
	x.texts = x.tenant.Find(has("mobilePhone"))
	if x.fine.ID == "" || x.texts.ID == "" {
		t.Fatal("the tenant has not the people of the table")
	}
	x.tenant.SetLag(20 * time.Hour)
	return x
}

// sync runs the command. Where it would wait for minutes, it is stopped when it
// says until.
func (x *troubled) sync(until string, args ...string) (code int, said string) {
	x.Helper()
	ctx, stop := context.WithTimeout(x.Context(), 5*time.Minute)
	defer stop()
	var out programtest.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, std{in: strings.NewReader(""), out: &out, err: &out, env: x.env}, append([]string{"people", "sync", "--config", x.cfg}, args...))
	}()
	for until != "" {
		select {
		case code := <-ended:
			return code, out.String()
		case <-time.After(20 * time.Millisecond):
		}
		if strings.Contains(out.String(), until) {
			stop()
			break
		}
	}
	return <-ended, out.String()
}

// open builds what answers in a chat.
func (x *troubled) open() *program.Program {
	x.Helper()
	c, err := config.Load(x.cfg, x.env)
	if err != nil {
		x.Fatal(err)
	}
	p, err := program.New(x.Context(), c, slog.New(slog.DiscardHandler), append(program.Integrations(), program.Integration{Name: "direct", Connect: func(p *program.Program) error {
		p.Connections.AddChannel(bottest.NewAdapter("direct"))
		return nil
	}})...)
	if err != nil {
		x.Fatal(err)
	}
	return p
}

// A talk is one person in one chat that vouches for them, in one language.
type talk struct {
	x    *troubled
	h    *program.Program
	conv bot.ConversationID
	lang string
}

func (x *troubled) talk(p *program.Program, who entratest.Person, lang string) *talk {
	x.Helper()
	k := &talk{x: x, h: p, conv: bot.ConversationID("direct:" + lang + who.ID), lang: lang}
	if level, err := p.Enroll.Vouch(x.Context(), "direct", string(k.conv), bot.Vouch{Person: bot.PersonID(who.ID), Evidence: "teams"}); level != bot.L2 {
		x.Fatalf("known at %v: %v", level, err)
	}
	return k
}

// says types a line and gives the answer.
func (k *talk) says(text string) string {
	k.x.Helper()
	m, err := k.h.Turn.Answer(k.x.Context(), bot.Event{ID: programtest.NewID(), Channel: "direct", Conversation: k.conv, From: string(k.conv), At: k.h.DB.Now(), Kind: bot.Text, Text: text, Locale: k.lang})
	if err != nil || m == nil {
		k.x.Fatalf("%q is answered with %v, %v", text, m, err)
	}
	return k.whole(m.Text)
}

// looks does the job that reads the person's own page, and gives what is said then.
func (k *talk) looks() string {
	k.x.Helper()
	ref := ""
	err := k.h.DB.View(k.x.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation(k.conv)
		if err != nil {
			return err
		}
		var s bot.Session
		ref = ""
		if err := turn.DecodeSession(c.State, &s); err == nil {
			ref = s.Slot("ref")
		}
		return err
	})
	var at int64
	if _, scan := fmt.Sscanf(ref, "look-%d", &at); err != nil || scan != nil {
		k.x.Fatalf("%q: nobody looks: %v", ref, err)
	}
	_, person, _ := strings.Cut(string(k.conv), ":"+k.lang)
	if err := k.h.Directory.HandleLook(k.x.Context(), directory.Look{Person: bot.PersonID(person), Conversation: k.conv, At: at}); err != nil {
		k.x.Fatal(err)
	}
	said := ""
	err = k.h.DB.View(k.x.Context(), func(tx bot.Tx) error {
		rows, err := tx.Pending(1000)
		for _, r := range rows {
			if r.Conversation == k.conv {
				said = r.Message.Text
			}
		}
		return err
	})
	if err != nil || said == "" {
		k.x.Fatalf("nothing is said: %v", err)
	}
	return k.whole(said)
}

var (
	brokenText = regexp.MustCompile(`[{}<>]|%!|  |\bentra\.|AADSTS|Graph|request-id|palmVein.*palmVein.*palmVein|\(\)|\.\.`)
	fineText   = regexp.MustCompile(`nothing to do for 1 February|no tiene que hacer nada para el 1 de febrero`)
	ageText    = regexp.MustCompile(`(This is from Microsoft's report of|I read this on your own page at Microsoft on|Esto viene del informe de Microsoft del|Lo leí en su propia página de Microsoft el) .*\d\d:\d\d`)
	verdict    = regexp.MustCompile(`after 1 February 2027: |después del 1 de febrero de 2027`)
)

// whole fails for a sentence that is broken, and for a verdict that does not say
// how old it is.
func (k *talk) whole(text string) string {
	k.x.Helper()
	if bad := brokenText.FindString(text); bad != "" {
		k.x.Errorf("a person reads %q in\n%s", bad, text)
	}
	if strings.Contains(text, "✓") && verdict.MatchString(text) && !ageText.MatchString(text) {
		k.x.Errorf("the age is not said in\n%s", text)
	}
	return text
}

const (
	knownFine   = "As far as I can see, you have nothing to do for 1 February."
	unknownSaid = "I do not know what you have at Microsoft."
)

// troubles are faults on the way from the tenant to a person. With each, what the
// person reads, and what the operator is told to do.
var troubles = []struct {
	what     string
	late     time.Duration          // of the tenant's clock
	first    bool                   // it is there before anything was read; else all was well before
	does     func(x *troubled)      //
	sync     []string               // arguments of the command
	until    string                 // the command waits, and is stopped when it says this
	hopeless bool                   // the command ends at once, since only an operator can mend it
	code     int                    // of the command
	says     []string               // the command
	broke    bool                   // the doctor finds something broken
	finds    []string               // the doctor, later
	chat     []string               // what somebody with app and private mail reads
	fine     bool                   // that may be that there is nothing to do
	texts    []string               // what somebody with texts reads
	then     func(*troubled, *talk) // what more there is to say: one of the two in English, the other in Spanish
}{
	{what: "asked to wait, with a time", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Throttle, Path: "/users/delta", Times: 1, After: time.Second})
		x.tenant.Fail(entratest.Fault{Kind: entratest.Throttle, Path: "/reports/", Times: 1, After: time.Second})
	}, sync: []string{"--full", "--report"}, says: []string{"added 0, changed 0", "the report: "}, finds: []string{"good     report: "}, chat: []string{knownFine}, fine: true},
	{what: "asked to wait without a time, from the first day", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.ThrottleSilent, Path: "/reports/"})
	}, sync: []string{"--report"}, until: "asks to wait", code: exitError, says: []string{"interrupted; the sync keeps its place"}, finds: []string{"report: Graph answers 429 TooManyRequests", "look again later"}, chat: []string{unknownSaid}},
	{what: "a service that fails", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Broken, Path: "/reports/"})
	}, sync: []string{"--report"}, until: "cannot be read", code: exitError, says: []string{"Graph answers 503"}, finds: []string{"cannot be read, tried once: read the report: ", "it is tried again at"}, chat: []string{knownFine}, fine: true},
	{what: "an answer that ends on the way", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Drop, Path: "/users/delta"})
	}, until: "cannot be read", code: exitError, says: []string{"no answer: unexpected EOF"}, finds: []string{"people: "}, broke: true, chat: []string{knownFine}, fine: true},
	{what: "no answer", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Hang, Path: "/reports/"})
	}, sync: []string{"--report"}, until: "cannot be read", code: exitError, says: []string{"nothing came within entra.timeout"}, broke: true, finds: []string{"BROKEN   report: ", "see that this machine may reach both addresses", "cannot be read, tried once: "}, chat: []string{unknownSaid}},
	{what: "a proxy's page in its place", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.HTML, Path: "/reports/"})
	}, sync: []string{"--report"}, until: "cannot be read", code: exitError, says: []string{"is there a proxy in between"}, broke: true, finds: []string{"BROKEN   report: ", "is there a proxy in between"}, chat: []string{unknownSaid}},
	{what: "half of an answer", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Malformed, Path: "/reports/"})
	}, sync: []string{"--report"}, until: "cannot be read", code: exitError, says: []string{"the answer is not what Graph sends"}, broke: true, finds: []string{"BROKEN   report: "}, chat: []string{knownFine}, fine: true},
	{what: "it leads elsewhere", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Redirect, Path: "/reports/"})
	}, sync: []string{"--report"}, code: exitError, hopeless: true, says: []string{"this is a redirect, and none is followed; check entra.graph_url"}, broke: true, finds: []string{"BROKEN   report: ", "check entra.graph_url"}, chat: []string{knownFine}, fine: true},

	{what: "the permission for the report is missing", first: true, does: func(x *troubled) { x.without("AuditLog.Read.All") },
		sync: []string{"--report"}, code: exitError, hopeless: true, says: []string{"lacks the application permission AuditLog.Read.All", "added "},
		broke: true, finds: []string{"BROKEN   report: ", "lacks the application permission AuditLog.Read.All", "grant admin consent"}, chat: []string{unknownSaid}},
	{what: "the permission for the report is taken away", does: func(x *troubled) { x.without("AuditLog.Read.All"); x.tenant.Revoke() },
		sync: []string{"--report"}, code: exitError, hopeless: true, says: []string{"lacks the application permission AuditLog.Read.All"},
		broke: true, finds: []string{"BROKEN   report: ", "grant admin consent"}, chat: []string{knownFine}, fine: true},
	{what: "the permission for people is missing", does: func(x *troubled) { x.without("User.Read.All") },
		sync: []string{"--full"}, code: exitError, hopeless: true, says: []string{"lacks the application permission User.Read.All"},
		broke: true, finds: []string{"BROKEN   people: ", "lacks the application permission User.Read.All"}, chat: []string{knownFine}, fine: true},
	{what: "the policy cannot be read", first: true, does: func(x *troubled) { x.without("Policy.Read.AuthenticationMethod") },
		sync: []string{"--report"}, says: []string{"the report: not read: the tenant's policy: ", "lacks the application permission Policy.Read.AuthenticationMethod", "the report: "},
		broke: true, finds: []string{"BROKEN   policy: ", "lacks the application permission Policy.Read.AuthenticationMethod"},
		chat: []string{"probably yes, but I cannot see all of it", "I have not read yet what Example allows at Microsoft, so something may not count after all.", "I promise nothing"}},
	{what: "own pages cannot be read", does: func(x *troubled) { x.without("UserAuthenticationMethod.Read.All") },
		sync: []string{"--report"}, says: []string{"the report: "}, broke: true, finds: []string{"BROKEN   own page: ", "lacks the application permission UserAuthenticationMethod.Read.All"},
		chat: []string{knownFine}, fine: true,
		then: func(x *troubled, k *talk) {
			look, failed := "look again", "I could not read your page at Microsoft just now. This is what I know. Please try again later."
			if k.lang == "es" {
				look, failed = "ya lo hice, mire otra vez", "Ahora no pude leer su página de Microsoft. Esto es lo que sé. Por favor, inténtelo más tarde."
			}
			k.says(look)
			if said := k.looks(); !strings.Contains(said, failed) || !ageText.MatchString(said) {
				x.Errorf("a look that fails is told as\n%s", said)
			}
		}},
	{what: "a restricted unit forbids it", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Denied, Path: "/reports/"})
	}, sync: []string{"--report"}, code: exitError, hopeless: true, says: []string{"the token has the permission, so something else forbids it"}, broke: true,
		finds: []string{"BROKEN   report: ", "a restricted management administrative unit, or a Conditional Access policy for workload identities"}, chat: []string{unknownSaid}},
	{what: "no licence", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Unlicensed, Path: "/reports/"})
	}, sync: []string{"--report"}, says: []string{"added ", "this tenant has no Microsoft Entra ID P1 or P2 licence", "Or go without: people still ask in the chat"},
		finds: []string{"look     report: this tenant has no Microsoft Entra ID P1 or P2 licence", "Either get the licence (Microsoft 365 A3, E3, Business Premium", "look     report: there is none without a Microsoft Entra ID P1 or P2 licence"},
		chat:  []string{unknownSaid}},
	{what: "a licence that has ended", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Unlicensed, Path: "/reports/"})
	}, sync: []string{"--report"}, says: []string{"this tenant has no Microsoft Entra ID P1 or P2 licence"},
		finds: []string{"look     report: there is none without"}, chat: []string{knownFine}, fine: true},
	{what: "the token is over", does: func(x *troubled) { x.tenant.Revoke() }, sync: []string{"--full", "--report"}, says: []string{"changed 0", "the report: "}, finds: []string{"good     sign-in of the app"}, chat: []string{knownFine}, fine: true},
	{what: "the credential has ended", does: func(x *troubled) { x.tenant.SetSecrets("another one") },
		code: exitError, hopeless: true, says: []string{"AADSTS7000215: the client secret is wrong"}, broke: true, finds: []string{"BROKEN   sign-in of the app: http://127.0.0.1:", "the client secret is wrong; copy its value (not its id) from Certificates & secrets", "compare tenant, client_id and credential with the app registration"}, chat: []string{knownFine}, fine: true},
	{what: "a clock that is ten minutes off", late: 10 * time.Minute, does: func(*troubled) {}, sync: []string{"--report"}, says: []string{"the report: "}, broke: true,
		finds: []string{"BROKEN   clock: 10m", "set this machine's clock"}, chat: []string{knownFine}, fine: true},

	{what: "begin anew", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Gone, Path: "/users/delta", Times: 1})
	}, says: []string{"added 0, changed 0"}, finds: []string{"good     people: "}, chat: []string{knownFine}, fine: true},
	{what: "begin anew, again and again", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Gone, Path: "/users/delta"})
	}, code: exitError, says: []string{"the cursor is over; start anew: Graph answers 410", "people stay as they are"}, finds: []string{"BROKEN   people: Graph answers 410", "look again later", "BROKEN   people: cannot be read, tried 3 times"}, broke: true, chat: []string{knownFine}, fine: true},
	{what: "half of the people", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Half, Path: "/users/delta"})
	}, sync: []string{"--full"}, code: exitError, says: []string{"active people would be switched off", "nobody was changed"}, broke: true,
		finds: []string{"BROKEN   people: what was read was not taken: ", "`latchkey people sync --dry-run` shows what would change"}, chat: []string{knownFine}, fine: true},
	{what: "half of the report", does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Half, Path: "/reports/"})
	}, sync: []string{"--report"}, code: exitError, says: []string{"the report has "}, broke: true, finds: []string{"BROKEN   report: what was read was not taken: the report has only ", "`latchkey people sync --report --yes` takes it"}, chat: []string{knownFine}, fine: true},
	{what: "pages that tell things twice", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Repeat})
	}, sync: []string{"--report"}, says: []string{"the report: "}, finds: []string{"good     people: "}, chat: []string{knownFine}, fine: true},
	{what: "pages with nothing and no end", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Empty, Path: "/reports/"})
	}, sync: []string{"--report"}, until: "cannot be read", code: exitError, says: []string{"cannot be read"}, finds: []string{"report: "}, chat: []string{unknownSaid}},
	{what: "the next page is of another host", first: true, does: func(x *troubled) {
		x.tenant.Fail(entratest.Fault{Kind: entratest.Empty, Path: "/reports/", Times: 1})
		x.tenant.Fail(entratest.Fault{Kind: entratest.Foreign, Path: "/reports/"})
	}, sync: []string{"--report"}, says: []string{"the report: "}, chat: []string{knownFine}, fine: true},

	{what: "words that nobody knows", first: true, does: func(x *troubled) { x.tenant.Fail(entratest.Fault{Kind: entratest.Unknown}) },
		sync: []string{"--report"}, says: []string{"the report: "}, finds: []string{"assumption: report's words are known: words that Latchkey does not know: palmVeinScan", "assumption: policy's words are known"},
		chat: []string{"? Not sure whether it counts: Something that I do not know (palmVeinScan)"}, fine: true,
		texts: []string{"I cannot tell for sure."}},
	{what: "an empty report", first: true, does: func(x *troubled) {
		for p := range x.tenant.All() { // all of them came today
			if err := x.tenant.Erase(p.ID); err != nil {
				x.Fatal(err)
			}
		}
		x.fine = x.tenant.Add(entratest.Person{GivenName: "Nova", Enabled: true, SSPR: true, Methods: []string{"microsoftAuthenticatorPush", "email"}})
		x.texts = x.tenant.Add(entratest.Person{GivenName: "Leo", Enabled: true, SSPR: true, Methods: []string{"mobilePhone"}})
	}, sync: []string{"--report"}, says: []string{"the report: 0 rows on people here"}, finds: []string{"look     report: last read ", "it has nobody of the people here", "people who came in the last 36 hours are not in it yet"}, chat: []string{unknownSaid}},
	{what: "a report of ten days ago", first: true, does: func(x *troubled) { x.tenant.SetLag(10 * 24 * time.Hour) },
		sync: []string{"--report"}, says: []string{"the report: "}, finds: []string{"assumption: report is at most 36 hours old: its newest row is of ", "see the service health of Microsoft Entra"},
		chat: []string{"That is 10 days old, so some of it may be different now.", "I promise nothing"}},
	{what: "deleted", does: func(x *troubled) {
		if err := x.tenant.Remove(x.fine.ID); err != nil {
			x.Fatal(err)
		}
	}, sync: []string{"--report"}, says: []string{"switched off 1"}, chat: []string{"I cannot set anything up for this account at the moment."}},
}

// without takes a permission away.
func (x *troubled) without(role string) {
	x.tenant.SetRoles(slices.DeleteFunc(slices.Clone(entratest.ReadRoles), func(r string) bool { return r == role })...)
}

// notGood are the findings that are not good, with what to do.
var notGood = regexp.MustCompile(`(?m)^  (BROKEN|look) .*\n(           .*\n)?`)

// TestEveryFaultOnTheWay: whatever goes wrong between the tenant and a chat, the
// person reads whole sentences in their language, with the age of what is known,
// and is never told that all is well where that is not known; and the operator
// reads what is wrong, and what to do.
func TestEveryFaultOnTheWay(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for retries; run without -short")
	}
	t.Parallel()
	for _, c := range troubles {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			x := newTroubled(t, c.late)
			all := func(what, text string, want []string) {
				t.Helper()
				for _, s := range want {
					if !strings.Contains(text, s) {
						t.Errorf("%s: %q is missing in\n%s", what, s, text)
					}
				}
			}
			if !c.first {
				if code, said := x.sync("", "--report"); code != exitOK {
					t.Fatalf("while all was well: exit %d\n%s", code, said)
				}
				p := x.open()
				for _, lang := range []string{"en", "es"} {
					x.talk(p, x.fine, lang).says("hello")
				}
				p.Close()
			}
			c.does(x)
			code, said := x.sync(c.until, c.sync...)
			if code != c.code {
				t.Errorf("people sync: exit %d, want %d\n%s", code, c.code, said)
			}
			all("people sync", said, c.says)
			if c.hopeless && strings.Contains(said, "again at") {
				t.Errorf("what only an operator can mend is tried again:\n%s", said)
			}
			code, out, errs := command(t, x.env, "doctor", "--config", x.cfg)
			if (code != exitOK) != c.broke {
				t.Errorf("doctor: exit %d\n%s%s", code, out, errs)
			}
			all("doctor", out, c.finds)
			for _, leak := range []string{entratest.Secret, "@" + entratest.Domain, x.fine.Name, "eyJ"} {
				if strings.Contains(said+out+errs, leak) {
					t.Errorf("%q is told to the operator:\n%s%s%s", leak, said, out, errs)
				}
			}
			code, _, status := command(t, x.env, "status", "entra", "--config", x.cfg)
			if never := slices.Contains(c.chat, unknownSaid); (code != exitOK) != never || never && !strings.Contains(status, "`latchkey doctor`") {
				t.Errorf("status entra: exit %d\n%s", code, status)
			}
			x.tenant.SetReportLimit(0, 0)
			p := x.open()
			defer p.Close()
			for lang, asks := range map[string]string{"en": "Will I still get in after 1 February?", "es": "¿Podré entrar después del 1 de febrero?"} {
				k := x.talk(p, x.fine, lang)
				read := k.says(asks)
				if fineText.MatchString(read) && !c.fine {
					t.Errorf("told that there is nothing to do:\n%s", read)
				}
				if lang == "en" {
					all("chat", read, c.chat)
				}
				if c.then != nil && lang == "en" {
					c.then(x, k)
				}
				k = x.talk(p, x.texts, lang)
				read = k.says(asks)
				if fineText.MatchString(read) {
					t.Errorf("whoever has texts only is told that there is nothing to do:\n%s", read)
				}
				if lang == "en" {
					all("chat of the one with texts", read, c.texts)
				}
				if c.then != nil && lang == "es" {
					c.then(x, k)
				}
			}
			t.Logf("people sync:\n%s\ndoctor:\n%s%s\nstatus: %s", said, notGood.FindAllString(out, -1), errs, status)
		})
	}
}
