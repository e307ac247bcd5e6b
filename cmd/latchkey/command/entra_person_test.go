package command

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/entra/entratest"
)

// An entraSite is an installation of a pretend tenant's: its people are read from
// there by `latchkey people sync`, sign in there for the web chat, and are known
// in Teams by their object id.
type entraSite struct {
	*teamsSite
	tenant *entratest.Tenant
}

// newEntraSite makes one of a tenant. Its people are read before the service
// begins.
func newEntraSite(t *testing.T, tenant *entratest.Tenant) *entraSite {
	t.Helper()
	there, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	secret := writeFile(t, entratest.Secret+"\n")
	s := &entraSite{newTeamsSite(t, fmt.Sprintf(`entra:
  tenant: %s
  client_id: %s
  client_secret_file: %s
  login_url: %s
  graph_url: %s
`, entratest.TenantID, entratest.ClientID, secret, there.URL, there.URL)), tenant}
	s.site.secret("Entra secret", entratest.Secret)
	tenant.SetRedirects(s.public + "/signin/callback")
	s.stops(t)
	text, err := os.ReadFile(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.HasPrefix(l, "oidc: ") })
	now := strings.NewReplacer("directory: {kind: oidc}", "directory: {kind: entra}", "domains: [riverbend.example]", "domains: ["+entratest.Domain+"]",
		"channels: {teams: ", "channels: {web: {enabled: true}, teams: ").Replace(strings.Join(lines, "\n"))
	if err := os.WriteFile(s.cfg, []byte(now), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run(t, "people", "sync", "--report", "--config", s.cfg); code != 0 || !strings.Contains(out, "the report: ") {
		t.Fatalf("people sync: %d %s", code, out)
	}
	s.begins(t)
	return s
}

// A chatter is a person in some chat, as the table of people needs one.
type chatter interface {
	hearsAll(texts ...string)
	says(text string)
	picks(label string)
	// leads reports whether the message heard last, or its buttons, lead to an address, which can be read.
	leads(address string)
}

type webChatter struct{ *visitor }

func (w webChatter) hearsAll(texts ...string) { w.t.Helper(); w.hears(texts...) }

func (w webChatter) leads(address string) {
	w.t.Helper()
	w.Until("a link that shows where it leads", fmt.Sprintf(`[...document.querySelectorAll('.log a')].some(a => a.href === 'https://%s' && a.innerText.includes('%s'))`, address, address))
}

type teamsChatter struct {
	*teamsPerson
	last *[][2]string
}

func (c teamsChatter) hearsAll(texts ...string) { c.t.Helper(); *c.last = c.hears(texts...).Links }

func (c teamsChatter) leads(address string) {
	c.t.Helper()
	if !slices.ContainsFunc(*c.last, func(l [2]string) bool { return l[1] == "https://"+address && strings.Contains(l[0], address) }) {
		c.t.Errorf("no link to %s: %q", address, *c.last)
	}
}

// A telling is what is said to a person in one language.
type telling struct {
	asks, hello         string // the question; the greeting of the web chat
	report, page        string
	yes, no, perhaps    string // signing in
	resetYes, resetNo   string
	resetOff, count     string
	fine, unknown       string
	show, app, look     string
	steps, one          string
	noPhone, token, ask string
	notDone, asked      string
	again, lookAgain    string
	land, mobile        string
	onPage, tag         string
}

var tellings = []telling{{
	tag: "en-US", asks: "Will I still get in after 1 February?", hello: "I am Latchkey",
	report: "This is from Microsoft's report of ", page: "I read this on your own page at Microsoft on ",
	yes: "Signing in to Microsoft 365 after 1 February 2027: yes, that still works.", no: "Signing in to Microsoft 365 after 1 February 2027: no, not with what you have there now.",
	perhaps:  "Signing in to Microsoft 365 after 1 February 2027: you have only your password there.",
	resetYes: "A new password from Microsoft when you forget yours: yes, that still works. You need two ways that count, and have 2.",
	resetNo:  "A new password from Microsoft when you forget yours: no. You need two ways that count, and have 0.",
	resetOff: "A new password from Microsoft when you forget yours: this is switched off for you. The help desk gives you one instead.", count: "✓ Counts: Microsoft Authenticator app",
	fine: "As far as I can see, you have nothing to do for 1 February.", unknown: "I do not know what you have at Microsoft.",
	show: "Show me what to do", app: "Add an authenticator app (for both)", look: "I have done it, look again",
	steps: "Choose \"Add sign-in method\"", one: "One moment. I look at your page at Microsoft",
	noPhone: "I have no smartphone", token: "Add a token that shows six digits (for both)", ask: "Yes, ask for a token",
	notDone: "Not done: needs a token.", asked: "It is not done before you have the token and it is set up.",
	again: "I know nothing newer than what I told you before.", lookAgain: "Look again",
	land: "✗ Does not count: Call to your office phone (Microsoft stops its calls on 1 February 2027)", mobile: "✗ Does not count: Text or call to your mobile phone (Microsoft stops its texts and calls on 1 February 2027)",
	onPage: "mysignins.microsoft.com",
}, {
	tag: "es-MX", asks: "¿Podré entrar después del 1 de febrero?", hello: "Soy Latchkey",
	report: "Esto viene del informe de Microsoft del ", page: "Lo leí en su propia página de Microsoft el ",
	yes: "Sí, podrá iniciar sesión en Microsoft 365 después del 1 de febrero de 2027.", no: "No, con lo que tiene ahora no podrá iniciar sesión en Microsoft 365 después del 1 de febrero de 2027.",
	perhaps:  "Para iniciar sesión en Microsoft 365 después del 1 de febrero de 2027 solo tiene su contraseña.",
	resetYes: "Sí, si olvida su contraseña, podrá poner una nueva con Microsoft. Necesita dos métodos que sirvan, y tiene 2.",
	resetNo:  "No, si olvida su contraseña, no podrá poner una nueva con Microsoft. Necesita dos métodos que sirvan, y tiene 0.",
	resetOff: "está desactivado para usted. En su lugar se la da la mesa de ayuda.", count: "✓ Sirve: Aplicación Microsoft Authenticator",
	fine: "Por lo que veo, no tiene que hacer nada para el 1 de febrero.", unknown: "No sé lo que tiene en Microsoft.",
	show: "Muéstreme qué hacer", app: "Agregar una aplicación de autenticación (para ambas cosas)", look: "Ya lo hice, mire otra vez",
	steps: "Elija \"Agregar método de inicio de sesión\"", one: "Un momento. Miro su página de Microsoft",
	noPhone: "No tengo teléfono inteligente", token: "Agregar un token que muestra seis cifras (para ambas cosas)", ask: "Sí, pedir un token",
	notDone: "No está hecho: necesita un token.", asked: "No está hecho hasta que tenga el token y esté configurado.",
	again: "No sé nada más nuevo que lo que ya le dije.", lookAgain: "Mirar otra vez",
	land: "✗ No sirve: Llamada a su teléfono de oficina (Microsoft deja de llamar el 1 de febrero de 2027)", mobile: "✗ No sirve: Mensaje o llamada a su celular (Microsoft deja de enviar mensajes y de llamar el 1 de febrero de 2027)",
	onPage: "mysignins.microsoft.com",
}}

// TestGetInOfATenant: the 1,500 accounts of a pretend tenant are read by the sync,
// and people of each kind ask whether they will still get in: in a browser, where
// they sign in at the tenant's page after they have asked, and in Teams, in both
// languages. Each is told both checklists, and led to Microsoft's page, to a person
// or to a token, to the end.
func TestGetInOfATenant(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser and many programs; run without -short")
	}
	t.Parallel()
	b := browsertest.Start(t, "ignore-certificate-errors", "")
	tenant := entratest.NewTenant(entratest.Options{People: 1500, Seed: 1})
	taken := map[string]bool{}
	// somebody finds who was not in the table yet: with just these methods, or, where the reset is off, with these first.
	somebody := func(lang string, sspr bool, methods ...string) entratest.Person {
		t.Helper()
		p := tenant.Find(func(p entratest.Person) bool {
			return p.Kind == entratest.Staff && p.Enabled && !p.Admin && p.SSPR == sspr && !taken[p.ID] && strings.HasPrefix(p.Lang, lang) &&
				len(p.Methods) >= len(methods) && slices.Equal(p.Methods[:len(methods)], methods) && (!sspr || len(p.Methods) == len(methods))
		})
		if p.ID == "" {
			t.Fatalf("the tenant has nobody in %s with %q, reset %v", lang, methods, sspr)
		}
		taken[p.ID] = true
		return p
	}
	push := []string{"microsoftAuthenticatorPush", "softwareOneTimePasscode"}[:2:2]
	type someone struct {
		who  entratest.Person
		tell *telling
		kind string
	}
	var people []someone
	for i := range tellings {
		tell := &tellings[i]
		lang := tell.tag[:2]
		for range 2 { // for the browser and for Teams
			for _, c := range []struct {
				kind string
				who  entratest.Person
			}{
				{"fine", somebody(lang, true, append(push, "email")...)},
				{"texts", somebody(lang, true, "mobilePhone")},
				{"land line", somebody(lang, true, "officePhone")},
				{"reset off", somebody(lang, false, push...)},
				{"not reported", tenant.Add(entratest.Person{GivenName: "Nova", Surname: "Ruiz " + tell.tag, Lang: tell.tag, Enabled: true, SSPR: true})},
			} {
				people = append(people, someone{c.who, tell, c.kind})
			}
		}
	}
	s := newEntraSite(t, tenant)
	for n, p := range people {
		t.Run(fmt.Sprintf("%s in %s, %d", p.kind, p.tell.tag, n), func(t *testing.T) {
			var c chatter
			if n/5%2 == 0 {
				c = s.inBrowser(t, b, p.who, p.tell)
			} else {
				c = s.inTeams(t, n, p.who, p.tell)
			}
			s.getsIn(t, c, p.who, p.kind, p.tell)
		})
	}
	if refused := s.cloud.Refused(); len(refused) > 0 {
		t.Errorf("the connector refused %q", refused)
	}
	out, code := s.run(t, "requests", "list", "--config", s.cfg)
	for _, p := range people {
		if has := strings.Contains(out, p.who.Name); code != 0 || has != (p.kind == "land line") {
			t.Errorf("%s (%s) is on the operator's list: %v\n%s", p.who.Name, p.kind, has, out)
		}
	}
	s.stops(t)
	s.noSecrets(t, s.serve.all())
	s.noSecrets(t, s.everythingStored(t))
	if strings.Contains(s.serve.all(), "@"+entratest.Domain) {
		t.Error("the log has addresses of people")
	}
}

// inBrowser asks first and signs in then, at the tenant's page.
func (s *entraSite) inBrowser(t *testing.T, b *browsertest.Browser, who entratest.Person, tell *telling) chatter {
	t.Helper()
	look := browsertest.Desktop
	look.Language = tell.tag
	v := visit(t, b, look, s.public+"/chat")
	v.Ours(strings.TrimPrefix(s.tenantURL(t), "http://"))
	if strings.HasPrefix(tell.tag, "es") {
		v.input = "Su mensaje para Latchkey"
	}
	v.Press(map[string]string{"en-US": "Go on without signing in", "es-MX": "Seguir sin iniciar sesión"}[tell.tag])
	v.hears(tell.hello)
	v.picks(tell.asks)
	v.Until("the way to sign in", `document.querySelector('.log form[action="/signin"]')`)
	v.Leaves(func() { v.In(".chat .log").Press(v.signInButton()) })
	v.Until("the tenant's page", `document.querySelector('input[name=login]')`)
	v.Fill("Who signs in? Name at sign-in (user name with "+entratest.Domain+")", who.UPN)
	v.Leaves(func() { v.Press("Sign in") })
	v.Until("the chat", `location.pathname === '/chat' && document.querySelector('.log')`)
	v.Ready()
	v.at = 0
	return webChatter{v}
}

// signInButton is what the button says that leads to the sign-in.
func (v *visitor) signInButton() (label string) {
	v.t.Helper()
	v.Eval(`document.querySelector('.log form[action="/signin"] button').innerText`, &label)
	return label
}

// tenantURL is where the tenant listens.
func (s *entraSite) tenantURL(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "  login_url: ")
	url, _, _ := strings.Cut(rest, "\n")
	return url
}

// inTeams is whoever Teams says it is: there is no sign-in.
func (s *entraSite) inTeams(t *testing.T, n int, who entratest.Person, tell *telling) chatter {
	t.Helper()
	p := s.person(t, n)
	p.ObjectID, p.Lang = who.ID, tell.tag
	p.do("install", p.Install())
	p.hears(who.GivenName)
	p.says(tell.asks)
	return teamsChatter{p, new([][2]string)}
}

// getsIn goes the way of one kind of people, from the answer on.
func (s *entraSite) getsIn(t *testing.T, c chatter, who entratest.Person, kind string, tell *telling) {
	t.Helper()
	const page = "aka.ms/mysecurityinfo"
	switch kind {
	case "fine":
		c.hearsAll(tell.yes, tell.resetYes, tell.count, tell.report, tell.fine)
		if w, ok := c.(webChatter); ok {
			w.listsOf(2)
		}
		c.says(tell.asks) // once more
		c.hearsAll(tell.again)
	case "texts":
		c.hearsAll(tell.no, tell.resetNo, tell.mobile, tell.report)
		c.picks(tell.show)
		c.hearsAll(tell.onPage)
		c.leads(page)
		c.picks(tell.app)
		c.hearsAll(tell.steps)
		c.leads(page)
		if w, ok := c.(webChatter); ok {
			w.listsOf(1)
		}
		if err := s.tenant.SetMethods(who.ID, "mobilePhone", "microsoftAuthenticatorPush", "email"); err != nil {
			t.Fatal(err)
		}
		c.picks(tell.look)
		c.hearsAll(tell.one)
		c.hearsAll(tell.yes, tell.resetYes, tell.page, tell.fine)
	case "land line":
		c.hearsAll(tell.no, tell.resetNo, tell.land, tell.report)
		c.picks(tell.noPhone)
		c.hearsAll(tell.onPage)
		c.picks(tell.token)
		c.hearsAll(tell.notDone)
		c.picks(tell.ask)
		c.hearsAll(tell.asked)
	case "reset off":
		c.hearsAll(tell.yes, tell.resetOff, tell.report)
	case "not reported":
		c.hearsAll(tell.unknown)
		c.leads(page)
		c.picks(tell.lookAgain)
		c.hearsAll(tell.one)
		c.hearsAll(tell.perhaps, tell.page)
	}
}

// listsOf checks that the newest message has so many lists for a screen reader,
// none of them empty.
func (v *visitor) listsOf(n int) {
	v.t.Helper()
	newest := v.In("article.said:last-of-type")
	if lists, items := newest.Things("list"), newest.Things("listitem"); len(lists) != n || len(items) < 2*n {
		v.t.Errorf("%d lists with %d items, want %d lists:\n%s", len(lists), len(items), n, newest.Text())
	}
	v.Axe(fmt.Sprintf("%d lists", n))
	v.Shot(fmt.Sprintf("get-in-%d-lists-%s", n, v.look.Language))
}
