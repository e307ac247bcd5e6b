package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/localdir"
	"latchkey/bot"
)

// entraNowhere is a tenant behind addresses where nobody answers: what is told
// was read before, and nothing is asked in a turn.
func entraNowhere(t *testing.T) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "entra-secret")
	if err := os.WriteFile(secret, []byte(entraSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`entra:
  tenant: 3f1c9e42-6a0b-4c55-9d1e-2b7f80a4c6d1
  client_id: 8b2d7f10-94c3-4e6a-b5f2-7c1d3e9a0b64
  client_secret_file: %s
  login_url: %s
  graph_url: %s
`, secret, entraNobody, entraNobody)
}

const (
	entraSecret = "canary-entra-secret-41"
	// entraNobody is where nobody answers. After three failures, which a slow
	// machine gets to see, the log tells it as an error.
	entraNobody = "http://127.0.0.1:9"
)

// reported stores what the report of last night has of a person, and the policy
// of a tenant that allows everything to everybody.
func (s *site) reported(t *testing.T, person string, methods ...string) {
	t.Helper()
	blob := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("CAST('%s' AS BLOB)", b)
	}
	now := time.Now()
	g := bot.Registration{AsOf: now.Add(-20 * time.Hour), Methods: methods, ResetEnabled: true, ResetRegistered: true, ResetCapable: true, MFARegistered: true, MFACapable: true}
	pol := bot.TenantPolicy{ReadAt: now.Add(-time.Hour), Migration: "migrationComplete"}
	for _, id := range []string{"microsoftAuthenticator", "softwareOath", "hardwareOath", "fido2", "sms", "voice", "email", "externalAuthenticationMethod"} {
		pol.Methods = append(pol.Methods, bot.PolicyMethod{ID: id, Enabled: true, Everyone: true, Office: true, SelfSet: true})
	}
	exec := s.sql(t)
	exec(fmt.Sprintf("INSERT INTO registration (person, read_at, body) VALUES ('%s', %d, %s) ON CONFLICT (person) DO UPDATE SET body = excluded.body", person, now.UnixMilli(), blob(g)))
	exec(fmt.Sprintf("INSERT INTO meta (key, value) VALUES ('store.tenant_policy', %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value", blob(pol)))
}

// TestGetInTerminal: the whole question at `latchkey chat`, in both languages.
func TestGetInTerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many programs; run without -short")
	}
	t.Parallel()
	s := newSite(t, builtProgram(t), "")
	b, err := os.ReadFile(s.cfg)
	if err == nil {
		err = os.WriteFile(s.cfg, append(b, entraNowhere(t)...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.secret("Entra secret", entraSecret)
	s.reported(t, "e-1", "mobilePhone", "email")
	s.reported(t, "e-2", "officePhone")
	ada := s.chat(t, "ada-desk")
	ada.hears("Latchkey")
	ada.types("will I still be able to sign in when texts stop?")
	s.signIn(ada, "ada")
	ada.hears("Signing in to Microsoft 365 after 1 February 2027: no, not with what you have there now.")
	ada.hears("✗ Does not count: Text or call to your mobile phone (Microsoft stops its texts and calls on 1 February 2027)")
	ada.hears("✓ Counts: Private e-mail address")
	ada.hears("This is from Microsoft's report of ")
	ada.picks("Show me what to do")
	ada.hears("aka.ms/mysecurityinfo")
	ada.picks("Add an authenticator app (for both)")
	ada.hears("The page shows a number. Type it into the app.")
	s.reported(t, "e-1", "microsoftAuthenticatorPush", "mobilePhone", "email") // Microsoft's next report, read by a sync
	ada.picks("I have done it, look again")
	ada.hears("Signing in to Microsoft 365 after 1 February 2027: yes, that still works.")
	ada.hears("You need two ways that count, and have 2.")
	ada.hears("As far as I can see, you have nothing to do for 1 February.")
	ada.picks("Done")
	ada.types("my methods")
	ada.hears("At Microsoft 365 you have:")
	ada.hears("- Microsoft Authenticator app, where you approve the sign-in")
	ada.hears("Nothing is set up yet.")
	ada.bye()

	carmen := s.chat(t, "kiosk-carmen", "LC_ALL=es_MX.UTF-8")
	carmen.hears("Latchkey")
	carmen.types("¿Podré entrar después del 1 de febrero?")
	carmen.hears("nombre de usuario")
	carmen.types("carmen")
	carmen.hears("[private] Contraseña:\n")
	carmen.types(string(localdir.DemoPassword))
	carmen.hears("No, con lo que tiene ahora no podrá iniciar sesión en Microsoft 365 después del 1 de febrero de 2027.")
	carmen.hears("✗ No sirve: Llamada a su teléfono de oficina")
	carmen.picks("No tengo teléfono inteligente")
	carmen.picks("Agregar un token que muestra seis cifras (para ambas cosas)")
	carmen.hears("No está hecho: necesita un token.")
	carmen.picks("Sí, pedir un token")
	carmen.hears("Su solicitud es ")
	carmen.hears("No está hecho hasta que tenga el token")
	carmen.bye()
	out, code := s.run(t, "requests", "list", "--config", s.cfg)
	if code != 0 || !strings.Contains(out, "Carmen Ruiz") || !strings.Contains(out, "get_in/needs_token") || !strings.Contains(out, "not done: needs a token") {
		t.Errorf("the operator's list: %d\n%s", code, out)
	}

	ben := s.chat(t, "ben-desk")
	ben.hears("Latchkey")
	ben.types("february")
	s.signIn(ben, "ben")
	ben.hears("I do not know what you have at Microsoft.")
	ben.bye()
	log, err := os.ReadFile(filepath.Join(s.dir, "chat.log"))
	if err != nil {
		t.Fatal(err)
	}
	s.noSecrets(t, string(log))
}

// TestGetInWeb: the same in a browser, with the keyboard's and the eye's needs
// looked at by axe-core, and on a telephone in Spanish.
func TestGetInWeb(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser and many programs; run without -short")
	}
	t.Parallel()
	b := browsertest.Start(t, "ignore-certificate-errors", "")
	s := newWebSite(t, false, "channels: {web: {enabled: true}}\n"+entraNowhere(t))
	s.secret("Entra secret", entraSecret)
	s.reported(t, "e-1", "mobilePhone", "email")
	s.reported(t, "e-2", "microsoftAuthenticatorPush", "email")
	t.Run("english", func(t *testing.T) {
		v := visit(t, b, browsertest.Desktop, s.public+"/")
		v.name = "get-in"
		s.signsIn(v, "Sign in with Riverbend ID", "e-1")
		v.hears("Hello Ada")
		v.says("What happens on February 1?")
		v.hears("no, not with what you have there now.", "✓ Counts: Private e-mail address", "Missing, one of these: an authenticator app, a passkey")
		v.state("missing")
		v.picks("Show me what to do")
		v.hears("aka.ms/mysecurityinfo", "mysignins.microsoft.com")
		v.Until("a link that shows where it leads", `[...document.querySelectorAll('.log a')].some(a => a.href === 'https://aka.ms/mysecurityinfo' && a.innerText.includes('aka.ms/mysecurityinfo'))`)
		v.state("which")
		v.picks("Add a passkey (for signing in)")
		v.hears("It does not help when you forget your password.")
		v.state("passkey")
		v.says("my methods")
		v.hears("At Microsoft 365 you have:", "Text or call to your mobile phone", "Nothing is set up yet.")
		v.state("methods")
	})
	t.Run("spanish", func(t *testing.T) {
		look := browsertest.Narrow
		look.Language = "es-MX"
		v := visit(t, b, look, s.public+"/chat")
		v.name, v.input = "get-in-es", "Su mensaje para Latchkey"
		s.signsIn(v, "Iniciar sesión con Riverbend ID", "e-2")
		v.hears("¡Hola, Carmen!")
		v.says("¿qué pasa el 1 de febrero?")
		v.hears("Sí, podrá iniciar sesión en Microsoft 365", "✗ No sirve: Correo personal (no sirve para iniciar sesión)", "Por lo que veo, no tiene que hacer nada para el 1 de febrero.")
		v.state("fine")
		v.picks("¿Qué puedo configurar aquí?")
		v.hears("No agrega nada en Microsoft y no sirve para el 1 de febrero.")
		v.state("mine")
	})
	s.stops(t)
	s.noSecrets(t, s.serve.all())
	s.noSecrets(t, s.everythingStored(t))
}

// TestGetInTeams: whoever is known in Teams is answered at once.
func TestGetInTeams(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many programs; run without -short")
	}
	t.Parallel()
	s := newTeamsSite(t, entraNowhere(t))
	s.site.secret("Entra secret", entraSecret)
	ada, ben := s.person(t, 0), s.person(t, 1)
	list := filepath.Join(s.dir, "entra.csv")
	if err := os.WriteFile(list, []byte("id,username,email,name,given_name,language,department\n"+
		ada.ObjectID+",adao,ada.o@riverbend.example,Ada Okafor,Ada,en,Library\n"+
		ben.ObjectID+",beno,ben.o@riverbend.example,Ben Ortiz,Ben,es,Kitchen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run(t, "people", "import", list, "--config", s.cfg); code != 0 {
		t.Fatalf("import: %d %s", code, out)
	}
	s.reported(t, ada.ObjectID, "mobilePhone")
	ada.do("install", ada.Install())
	ada.hears("Hello Ada")
	ada.says("Will I still get in after 1 February?")
	ada.hears("no, not with what you have there now.", "You need two ways that count, and have 0.", "Missing: a private e-mail address")
	ada.picks("Show me what to do")
	v := ada.hears("mysignins.microsoft.com")
	if !strings.Contains(fmt.Sprint(v.Links), "https://aka.ms/mysecurityinfo") {
		t.Errorf("no link to Microsoft's page: %+v", v)
	}
	ada.picks("Add a private e-mail address (for a new password)")
	ada.hears("An address counts when you forget your password.")
	ada.says("human")
	ada.hears("I have told the help desk where you are")

	ben.Lang = "es-ES"
	ben.do("install", ben.Install())
	ben.hears("Ben")
	ben.says("febrero")
	ben.hears("No sé lo que tiene en Microsoft.")
	s.reported(t, ben.ObjectID, "passKeySynced", "softwareOneTimePasscode", "email")
	ben.picks("Mirar otra vez")
	ben.hears("Un momento. Miro su página de Microsoft") // where nobody answers; nobody has to wait for that
	ben.picks("Muéstreme lo que sabe ahora")
	ben.hears("✓ Sirve: Clave de acceso", "✗ No sirve: Clave de acceso (solo sirve para iniciar sesión)", "Por lo que veo, no tiene que hacer nada")
	if refused := s.cloud.Refused(); len(refused) > 0 {
		t.Errorf("the connector refused %q", refused)
	}
	s.stops(t)
	s.noSecrets(t, s.serve.all())
	s.noSecrets(t, s.everythingStored(t))
}

// A lookTenant has one report for everybody, and own pages that may be newer.
type lookTenant struct {
	fakeTenant
	page []string // what the own pages have; nil: they cannot be read
}

func (d *lookTenant) Registrations(context.Context, string) ([]bot.Registration, string, error) {
	return []bot.Registration{{Person: "e-1", AsOf: time.Now().Add(-20 * time.Hour), Methods: []string{"mobilePhone", "email"},
		ResetEnabled: true, ResetRegistered: true, ResetCapable: true, MFARegistered: true, MFACapable: true}}, "", nil
}

func (d *lookTenant) MethodsOf(_ context.Context, p bot.PersonID) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p != "e-1" || d.page == nil {
		return nil, errors.New("Authorization_RequestDenied")
	}
	return d.page, nil
}

func (d *lookTenant) TenantPolicy(context.Context) (*bot.TenantPolicy, error) {
	return &bot.TenantPolicy{Migration: "migrationComplete"}, nil
}

// TestLookAgain: whoever has just added something is told by the own page, which
// a job reads, and not by the report of yesterday. Where it cannot be read, that
// is said.
func TestLookAgain(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		page  []string
		hears []string
	}{
		{nil, []string{"I could not read your page at Microsoft just now. This is what I know.", "no, not with what you have there now."}},
		{[]string{"mobilePhone", "microsoftAuthenticatorPush", "email"}, []string{"after 1 February 2027: yes, that still works.", "and have 2.", "I read this on your own page at Microsoft on ",
			"As far as I can see, you have nothing to do for 1 February."}},
	} {
		tenant := fmt.Sprintf("00000000-0000-0000-0000-0000000002%02d", i)
		tenants.Store(tenant, &lookTenant{page: c.page})
		s := &site{dir: filepath.Dir(install(t, fmt.Sprintf("entra: {tenant: %s, client_id: %s, client_secret_env: ENTRA_SECRET}\n", tenant, tenant)))}
		s.cfg = filepath.Join(s.dir, "latchkey.yaml")
		text, err := os.ReadFile(s.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.cfg, []byte(strings.Replace(string(text), "directory: {kind: none}", "directory: {kind: demo}", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := command(t, secretEnv, "people", "import", writeFile(t, siteStaff), "--config", s.cfg); code != exitOK {
			t.Fatal(errs)
		}
		p := sit(t, t.Context(), append([]string{"LC_ALL=C", "LATCHKEY_CHANNELS_TERMINAL_USER=ada-desk"}, secretEnv...), "chat", "--plain", "--config", s.cfg, "--log", filepath.Join(s.dir, "chat.log"))
		p.hears("Latchkey")
		rigs.Until(t, "the report", func() bool { return s.count(t, "SELECT count(*) FROM registration") == 1 })
		p.types("february")
		p.hears("user name")
		p.types("ada")
		p.hears("[private] Password:\n")
		p.types(string(localdir.DemoPassword))
		p.hears("Signing in to Microsoft 365 after 1 February 2027: no, not with what you have there now.")
		p.hears("This is from Microsoft's report of ")
		p.picks("I have done it, look again")
		p.hears("One moment. I look at your page at Microsoft")
		for _, text := range c.hears {
			p.hears(text)
		}
		p.types("look again")
		p.hears("I looked less than a minute ago.")
		p.leaves()
	}
}
