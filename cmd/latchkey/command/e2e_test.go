package command

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/localdir"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store/storetest"
)

// TestEndToEnd runs the program as it is built, with everything around it that
// a person and an operator have: the staff list, the mail server, the telephone
// network, a camera, an authenticator. A program types at `latchkey chat`.
func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many programs; run without -short")
	}
	t.Parallel()
	bin := builtProgram(t)
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		wholeEnrollment(t, newSite(t, bin, ""))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		wholeEnrollment(t, newSite(t, bin, storetest.Postgres(t)))
	})
	t.Run("postgres through PgBouncer", func(t *testing.T) {
		t.Parallel()
		wholeEnrollment(t, newSite(t, bin, storetest.PgBouncer(t, storetest.Postgres(t), "pool_mode = session")))
	})
	t.Run("undelivered", func(t *testing.T) {
		t.Parallel()
		undelivered(t, newSite(t, bin, ""))
	})
	t.Run("terminated", func(t *testing.T) {
		t.Parallel()
		terminated(t, newSite(t, bin, ""))
	})
}

// builtIn is the folder of the program once it is built; TestMain removes it.
var builtIn string

// built is the program, built once for all tests.
var built = sync.OnceValues(func() (bin string, err error) {
	if builtIn, err = os.MkdirTemp("", "latchkey-test-"); err != nil {
		return "", err
	}
	bin = filepath.Join(builtIn, "latchkey")
	if out, err := exec.Command("go", "build", "-o", bin, "latchkey/cmd/latchkey").CombinedOutput(); err != nil {
		return bin, fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})

// builtProgram is the file of the built program.
func builtProgram(t *testing.T) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// A site is one installation with its counterparties.
type site struct {
	bin, dir, cfg string
	dsn           string // of PostgreSQL, or empty
	env           []string
	addr          string
	mail          *mailbox
	net           *network
	secrets       map[string]string // what must be found nowhere, by what it is
}

const siteStaff = "id,username,email,name,given_name,language,department\n" +
	"e-1,ada,ada.okafor@riverbend.example,Ada Okafor,Ada,en,Library\n" +
	"e-2,carmen,carmen.ruiz@riverbend.example,Carmen Ruiz,Carmen,es,Kitchen\n" +
	"e-3,ben,ben.hale@riverbend.example,Ben Hale,Ben,en,Library\n"

func newSite(t *testing.T, bin, dsn string) *site {
	t.Helper()
	s := &site{bin: bin, dir: t.TempDir(), dsn: dsn, addr: fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t)), mail: startMailpit(t), net: &network{rigs.StartTwilio(t)}, secrets: map[string]string{}}
	s.cfg = filepath.Join(s.dir, "latchkey.yaml")
	where := "store: {path: latchkey.db}\n"
	if dsn != "" {
		s.dsn = pgAddress(dsn)
		where = "store: {postgres_env: E2E_POSTGRES}\n"
	}
	text := fmt.Sprintf(`org:
  name: Riverbend Schools
  department: Technology Services
  address: 1 School Lane, Riverbend
  help_phone: (555) 010-0199
  help_hours: Monday to Friday, 7:30 to 16:30
  domains: [riverbend.example]
%sdirectory: {kind: demo}
log: {level: debug}
smtp:
  host: localhost
  port: %d
  ca_file: %s
  username: %s
  password_env: E2E_MAIL_PASSWORD
  from: "Help Desk <no-reply@riverbend.example>"
twilio:
  base_url: %s
  account_sid: %s
  auth_token_env: E2E_TWILIO_TOKEN
  from: "%s"
http: {addr: "%s", public_url: "http://%s"}
policy: {sends: {sms_user: [5/10m, 20/24h]}, chat: {burst: 60/10s, rate: 5/1s}} # a program types fast
`, where, s.mail.Port, s.mail.CA, mailUser, s.net.API, rigs.TwilioAccount, rigs.TwilioNumber, s.addr, s.addr)
	if err := os.WriteFile(s.cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "LC_ALL=C", "E2E_POSTGRES="+s.dsn, "E2E_MAIL_PASSWORD="+mailPassword, "E2E_TWILIO_TOKEN="+rigs.TwilioToken)
	s.secrets["mail password"], s.secrets["Twilio token"], s.secrets["password"] = mailPassword, rigs.TwilioToken, string(localdir.DemoPassword)
	if out, code := s.run(t, "keys", "new", filepath.Join(s.dir, "latchkey.keys")); code != 0 {
		t.Fatal(out)
	}
	if out, code := s.run(t, "config", "check", "--config", s.cfg); code != 0 || !strings.Contains(out, "good") {
		t.Fatalf("config check: %d %s", code, out)
	}
	list := filepath.Join(s.dir, "staff.csv")
	if err := os.WriteFile(list, []byte(siteStaff), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run(t, "people", "import", list, "--config", s.cfg); code != 0 || !strings.Contains(out, "added 3") {
		t.Fatalf("import: %d %s", code, out)
	}
	return s
}

// pgAddress is a database of storetest.Postgres as a configuration names it.
func pgAddress(dsn string) string {
	f := strings.Fields(strings.NewReplacer("host=", "", "user=", "", "dbname=", "").Replace(dsn))
	return fmt.Sprintf("postgres://%s@/%s?host=%s", f[1], f[2], f[0])
}

// run runs a command of the program to its end.
func (s *site) run(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, args...)
	cmd.Env = s.env
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// A caller is a person at the built program.
type caller struct {
	*person
	proc *os.Process
}

// start runs the program and sits down before it.
func (s *site) start(t *testing.T, env []string, args ...string) *caller {
	t.Helper()
	cmd := exec.Command(s.bin, args...)
	cmd.Env = append(append([]string(nil), s.env...), env...)
	p := &person{t: t, done: make(chan int, 1), more: make(chan struct{}, 1)}
	take := func(b *bytes.Buffer) io.Writer {
		return writerFunc(func(x []byte) (int, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			select {
			case p.more <- struct{}{}:
			default:
			}
			return b.Write(x)
		})
	}
	cmd.Stdout, cmd.Stderr = take(&p.buf), take(&p.errs)
	var err error
	if p.keys, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		p.done <- cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	return &caller{p, cmd.Process}
}

// chat sits down at the conversation as the user of a terminal.
func (s *site) chat(t *testing.T, user string, env ...string) *caller {
	t.Helper()
	return s.start(t, append(env, "LATCHKEY_CHANNELS_TERMINAL_USER="+user), "chat", "--plain", "--config", s.cfg, "--log", filepath.Join(s.dir, "chat.log"))
}

// bye leaves the conversation.
func (c *caller) bye() {
	c.t.Helper()
	if code := c.leaves(); code != exitOK {
		c.t.Fatalf("exit %d:\n%s", code, c.all())
	}
}

// kill ends the program without a word.
func (c *caller) kill() {
	c.t.Helper()
	if err := c.proc.Signal(syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
	c.ends()
}

// secret notes what must be found nowhere.
func (s *site) secret(what, value string) string {
	s.secrets[what+" "+value] = value
	return value
}

// signIn goes from hello to the authenticator app.
func (s *site) signIn(p *caller, user string) {
	p.hears("user name")
	p.types(user)
	p.hears("[private] Password:\n")
	p.types(string(localdir.DemoPassword))
}

var (
	sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)
	pictureAt = regexp.MustCompile(`(?m)^[^\n]*: (/[^\n]*\.png)$`)
	linkAt    = regexp.MustCompile(`otpauth://\S+`)
)

// scan reads the square picture that the terminal shows, by its file and by its
// characters, and returns the key URI.
func (s *site) scan(t *testing.T, screen string) string {
	t.Helper()
	file := pictureAt.FindStringSubmatch(screen)
	if file == nil {
		t.Fatalf("no picture file in\n%s", screen)
	}
	uri := rigs.ReadQR(t, file[1])
	if drawn := rigs.ReadQR(t, rigs.DrawHalfBlocks(t, halfBlocks(t, screen))); drawn != uri {
		t.Errorf("the characters say %q, the file %q", drawn, uri)
	}
	if link := linkAt.FindString(screen); link != uri {
		t.Errorf("the link says %q, the picture %q", link, uri)
	}
	_, key, _ := strings.Cut(uri, "secret=")
	key, _, _ = strings.Cut(key, "&")
	if len(key) != 32 {
		t.Fatalf("key of %d characters in %q", len(key), uri)
	}
	s.secret("key", key)
	return uri
}

// text is the code in the n-th text to a number, which must hold all of words.
func (s *site) text(t *testing.T, to string, nth int, words ...string) (code, sid string) {
	t.Helper()
	x := s.net.sent(t, "Messages", to, nth)
	for _, w := range words {
		if !strings.Contains(x.Form["Body"], w) {
			t.Errorf("the text does not say %q: %s", w, x.Form["Body"])
		}
	}
	if n := len([]rune(x.Form["Body"])); n > 160 {
		t.Errorf("a text of %d characters: %s", n, x.Form["Body"])
	}
	if code = sixDigits.FindString(x.Form["Body"]); code == "" {
		t.Fatalf("no code in %q", x.Form["Body"])
	}
	return s.secret("code", code), x.SID
}

func wholeEnrollment(t *testing.T, s *site) {
	ada := s.english(t)
	s.spanish(t)
	s.daysLater(t, 3) // in the database, behind the program's back
	s.changes(t, ada)
	out, code := s.run(t, "audit", "verify", "--config", s.cfg)
	if code == 0 || !strings.Contains(out, "have no line that says so") {
		t.Errorf("audit verify of methods that were changed by hand: %d %s", code, out)
	}

	// What the operator sees, and what nobody may find.
	out, code = s.run(t, "people", "show", "ada", "--config", s.cfg)
	if code != 0 || !strings.Contains(out, "enrolled") || !strings.Contains(out, "•••• 67") || strings.Contains(out, "•••• 23") || strings.Contains(out, "e-mail") || strings.Contains(out, "email") {
		t.Errorf("people show: %d %s", code, out)
	}
	s.noSecrets(t, out)
	if out, code = s.run(t, "people", "show", "carmen", "--config", s.cfg); code != 0 || !strings.Contains(out, "enrolled") || !strings.Contains(out, "•••• 47") {
		t.Errorf("people show: %d %s", code, out)
	}
	if out, code = s.run(t, "outbox", "list", "--config", s.cfg); code != 0 || strings.Contains(out, "dead") {
		t.Errorf("outbox: %d %s", code, out)
	}
	log, err := os.ReadFile(filepath.Join(s.dir, "chat.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") && !strings.Contains(line, "directory.kind is demo") {
			t.Errorf("log: %s", line)
		}
	}
	s.noSecrets(t, string(log))
	s.noSecrets(t, s.everythingStored(t))
}

// english enrolls Ada: app, phone, questions, private mail, recovery codes. In
// the middle the program is killed, and she comes back days later.
func (s *site) english(t *testing.T) (uri string) {
	p := s.chat(t, "kiosk-ada")
	p.picks("Start")
	s.signIn(p, "ada")
	p.hears("Thank you, Ada")
	p.picks("Next")
	p.picks("Yes, it is here")
	p.picks("I have the app")
	p.picks("Next")
	p.picks("Next")
	uri = s.scan(t, p.hears("A new picture"))
	p.types(s.secret("code", programtest.TOTPNow(t, uri)))
	p.hears("The authenticator app is set up.")
	rigs.Until(t, "the picture to be taken away", func() bool { return strings.Contains(p.all(), "The picture file was deleted.") })
	p.picks("Text me a code")
	p.hears("Which number?")
	s.secret("number", "2015550123")
	s.secret("number", "201-555-0123")
	p.types("(201) 555-0123")
	p.hears("•••• 23. Is that right?")
	p.picks("Send the code")
	p.hears("on its way to •••• 23")
	old, _ := s.text(t, "+12015550123", 1, "Riverbend Schools", "Good for 10 min")
	p.hears("Change the number")
	rigs.Until(t, "the program to know that the text is out", func() bool { return s.count(t, "SELECT count(*) FROM challenge WHERE provider_ref <> ''") == 1 })

	p.kill()
	if out, code := s.run(t, "audit", "verify", "--config", s.cfg); code != 0 || !strings.Contains(out, "whole") {
		t.Errorf("audit verify: %d %s", code, out)
	}
	s.daysLater(t, 4)
	p = s.chat(t, "kiosk-ada")
	p.hears("The code for •••• 23 has become too old. Shall I send a new one?")
	p.picks("Send a new code")
	p.hears("Before I change a method, please prove that it is you.") // the proof is days old, too
	p.picks("Authenticator app")
	p.hears("type the six digits that it shows")
	p.types(s.secret("code", programtest.TOTPNow(t, uri)))
	p.hears("on its way to •••• 23")
	fresh, _ := s.text(t, "+12015550123", 2)
	if fresh == old {
		t.Errorf("the same code after days")
	}
	p.types(fresh)
	p.hears("Your phone •••• 23 is set up.")
	p.hears("Setup is now complete")
	p.hears("- Authenticator app")
	p.hears("- Phone •••• 23")

	p.picks("Add another method")
	p.picks("Security questions")
	for _, which := range []string{"Which is the first?", "And the second?", "And the third?"} {
		p.hears(which)
		p.hears("[1] ")
		p.types("1")
	}
	p.hears("The number of a choice picks it")
	same, other := s.secret("answer", "Bluebird Lane"), s.secret("answer", "Aunt Philomena")
	for _, answer := range []string{same, other, "  bluebird   LANE "} {
		p.hears("[private] ")
		p.hears(":\n")
		p.types(answer)
	}
	clash := p.hears("is the same as another of your answers. Please give a different one.")
	if strings.Contains(strings.ToLower(clash), "bluebird") {
		t.Errorf("an answer is repeated: %s", clash)
	}
	p.hears("[private] ")
	p.hears(":\n")
	p.types(s.secret("answer", "Maple Harbor 9"))
	p.hears("Your security questions are set up.")

	p.picks("Private e-mail")
	p.hears("Which private e-mail address")
	private := s.secret("private mail", "ada.private@example.net")
	p.types("Ada.Private@example.net")
	p.hears("Is that right?")
	p.picks("Send the code")
	p.hears("good for 30 minutes")
	mail := s.mail.mail(t, private, "Your code from Riverbend Schools")
	if !strings.Contains(mail, "good for 30 minutes") {
		t.Errorf("the mail: %s", mail)
	}
	p.types(s.secret("code", sixDigits.FindString(mail)))
	p.hears("is set up.")

	p.picks("Recovery codes")
	p.hears("[private] Show my codes - type yes:\n")
	p.types("yes")
	sheet := p.hears("[private] ")
	codes := regexp.MustCompile(`(?m)^[0-9]+\. ([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})$`).FindAllStringSubmatch(sheet, -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes in\n%s", len(codes), sheet)
	}
	for _, c := range codes {
		s.secret("recovery code", c[1])
		s.secret("recovery code", strings.ReplaceAll(c[1], "-", ""))
	}
	p.types("saved")
	p.hears("Your 10 recovery codes are set up.")
	p.hears("You have every method that there is.")
	p.hears("All done")
	p.types("my methods")
	menu := p.hears("Pick one to replace or remove it.")
	for _, m := range []string{"- Authenticator app", "- Phone •••• 23", "- Private e-mail", "- Security questions", "- Recovery codes"} {
		if !strings.Contains(menu, m) {
			t.Errorf("my methods does not list %q:\n%s", m, menu)
		}
	}
	p.hears("Done")

	// Notices went to the work address, and about the later methods to the
	// private one.
	work := "ada.okafor@riverbend.example"
	for _, what := range []string{"Authenticator app", "Phone •••• 23", "Security questions", "Recovery codes", "A chat account was linked"} {
		if m := s.mail.mail(t, work, what); !strings.Contains(m, "(555) 010-0199") {
			t.Errorf("the notice does not say whom to call: %s", m)
		}
	}
	s.mail.mail(t, private, "Recovery codes")
	p.bye()
	return uri
}

// spanish enrolls Carmen, who has no smartphone, by a call.
func (s *site) spanish(t *testing.T) {
	p := s.chat(t, "kiosk-carmen", "LC_ALL=es_MX.UTF-8")
	p.picks("Empezar")
	p.hears("nombre de usuario")
	p.types("carmen")
	p.hears("[private] Contraseña:\n")
	p.types(string(localdir.DemoPassword))
	p.hears("Gracias, Carmen")
	p.picks("Configurar otro método")
	p.picks("Por llamada")
	p.hears("¿Cuál es el número?")
	s.secret("number", "2015550147")
	p.types("+1 201 555 0147")
	p.hears("•••• 47")
	p.picks("Enviar el código")
	p.hears("•••• 47")
	call := s.net.sent(t, "Calls", "+12015550147", 1)
	before, after, pages := s.net.answer(t, call.SID)
	if before != "" || len(after) != 12 || after[:6] != after[6:] {
		t.Fatalf("read out before a key is pressed %q, after it %q: %s", before, after, pages)
	}
	if !strings.Contains(pages[0], `language="es-MX"`) || !strings.Contains(pages[0], "Riverbend Schools") {
		t.Errorf("the call: %s", pages[0])
	}
	p.types(s.secret("code", after[:6]))
	p.hears("La configuración está completa")
	p.hears("•••• 47")
	p.picks("Terminar")
	p.hears("Todo listo")
	if m := s.mail.mail(t, "carmen.ruiz@riverbend.example", "•••• 47"); !strings.Contains(m, "Carmen") || strings.Contains(m, "Hello") {
		t.Errorf("the notice: %s", m)
	}
	p.bye()
}

// changes replaces Ada's phone and removes her private mail, days later.
func (s *site) changes(t *testing.T, uri string) {
	p := s.chat(t, "kiosk-ada")
	p.types("my methods")
	p.hears("Pick one to replace or remove it.")
	p.picks("Phone •••• 23")
	p.picks("Replace it")
	p.hears("Before I change a method, please prove that it is you.")
	p.picks("Authenticator app")
	p.hears("type the six digits that it shows")
	p.types("000000")
	p.hears("did not match")
	p.types(s.secret("code", programtest.TOTPNow(t, uri)))
	p.hears("after a wrong try I look at the next one only 2 seconds later. It did not count as a try.")
	time.Sleep(2100 * time.Millisecond) // the program's own clock; it cannot be given one
	p.types(s.secret("code", programtest.TOTPNow(t, uri)))
	p.picks("Text me a code")
	s.secret("number", "2015550167")
	p.types("201-555-0167")
	p.picks("Send the code")
	code, _ := s.text(t, "+12015550167", 1, "to add this phone")
	p.hears("on its way to •••• 67")
	p.types(code)
	p.hears("Your phone •••• 67 is set up.")
	p.hears("Replaced. The old one no longer works")

	p.picks("Private e-mail")
	p.picks("Remove it")
	p.picks("Yes, remove it")
	p.hears("is removed.")
	menu := p.hears("Pick one to replace or remove it.")
	if strings.Contains(menu, "•••• 23") || strings.Contains(menu, "e-mail") || !strings.Contains(menu, "•••• 67") {
		t.Errorf("after the changes:\n%s", menu)
	}
	p.hears("Done")
	s.mail.mail(t, "ada.okafor@riverbend.example", "was replaced by a new one")
	s.mail.mail(t, "ada.okafor@riverbend.example", "was removed")
	s.mail.mail(t, "ada.private@example.net", "was removed") // the address that goes is told too
	p.bye()
}

// undelivered: the telephone network reports that a text did not arrive, and
// the conversation says so by itself, with what to do.
func undelivered(t *testing.T, s *site) {
	p := s.chat(t, "kiosk-ben")
	p.picks("Start")
	s.signIn(p, "ben")
	p.picks("Set up a different method")
	p.picks("Text me a code")
	for i, c := range []struct{ code, says string }{
		{"30003", "could not be reached. It may be switched off or without a signal."},
		{"30006", "is a land-line."},
		{"21610", "has blocked our texts. Text START to the number they come from, or take a call."},
		{"30007", "did not accept"},
	} {
		p.hears("Which number")
		p.types(fmt.Sprintf("201 555 013%d", i))
		p.picks("Send the code")
		p.hears("on its way to")
		_, sid := s.text(t, fmt.Sprintf("+1201555013%d", i), 1)
		s.net.undelivered(t, sid, c.code)
		s.net.undelivered(t, sid, c.code) // providers repeat themselves
		p.hears(c.says)
		p.hears("What would you like to do?")
		p.picks("Change the number")
	}
	p.hears("Which number")
	p.types("201 555 0123")
	p.picks("Send the code")
	code, _ := s.text(t, "+12015550123", 1)
	p.types(code)
	p.hears("Setup is now complete")
	p.bye()
}

// terminated: a service that is told to stop finishes what it is answering and
// ends with 0.
func terminated(t *testing.T, s *site) {
	p := s.start(t, nil, "serve", "--config", s.cfg)
	rigs.Until(t, "the service", func() bool {
		r, err := http.Get("http://" + s.addr + "/readyz")
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	if out, code := s.run(t, "people", "list", "--config", s.cfg); code != 0 || !strings.Contains(out, "ada") {
		t.Errorf("a command while the service runs: %d %s", code, out)
	}
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /twilio/status HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: x\r\nContent-Length: 14\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
	// The request is under way when its handler asks for the body.
	const asks = "HTTP/1.1 100 Continue\r\n\r\n"
	head := make([]byte, len(asks))
	if _, err := io.ReadFull(c, head); err != nil || string(head) != asks {
		t.Fatalf("the service answers %q, %v", head, err)
	}
	if err := p.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "new requests to be refused", func() bool {
		n, err := net.Dial("tcp", s.addr)
		if err == nil {
			n.Close()
		}
		return err != nil
	})
	fmt.Fprint(c, "MessageSid=SM1")
	b, _ := io.ReadAll(c)
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 403")) {
		t.Errorf("the request under way was answered with %q", b)
	}
	if code := p.ends(); code != exitOK {
		t.Errorf("exit %d:\n%s", code, p.all())
	}
	if !strings.Contains(p.all(), "stopping") {
		t.Errorf("log:\n%s", p.all())
	}
	s.noSecrets(t, p.all())
}

// times are the columns that hold a time, by table.
var times = map[string][]string{
	"event": {"at"}, "conversation": {"updated"}, "outbox": {"due", "expires", "created_at"}, "person": {"started_at", "done_at", "next_nudge"},
	"identity": {"linked_at"}, "method": {"created_at", "proven_at", "used_at"}, "method_secret": {"used_at"},
	"challenge": {"created_at", "expires_at", "closed_at"}, "tally": {"at"}, "ticket": {"at", "closed_at", "waits_since", "taken_at", "answered_at"},
	"ticket_line": {"at"}, "agent": {"at"}, "caller_check": {"at", "expires_at", "ended_at"},
}

// daysLater makes everything that is stored days older. Nothing runs meanwhile.
func (s *site) daysLater(t *testing.T, days int) {
	t.Helper()
	exec := s.sql(t)
	for table, columns := range times {
		for _, c := range columns {
			exec(fmt.Sprintf("UPDATE %s SET %s = %s - %d WHERE %s > 0", table, c, c, days*24*3600*1000, c))
		}
	}
	exec(fmt.Sprintf("UPDATE method SET last_step = last_step - %d WHERE last_step > 0", days*2880))
}

// sql gives a way to change the store while nothing has it.
func (s *site) sql(t *testing.T) (exec func(string)) {
	t.Helper()
	if s.dsn != "" {
		c, err := pgx.Connect(t.Context(), s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(context.Background()) })
		return func(q string) {
			t.Helper()
			if _, err := c.Exec(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	return func(q string) {
		t.Helper()
		if err := s.change(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// change runs one statement on the SQLite file.
func (s *site) change(q string) error {
	db, err := sql.Open("sqlite3", filepath.Join(s.dir, "latchkey.db")+"?_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(q)
	return err
}

// count asks the store for a number.
func (s *site) count(t *testing.T, q string) (n int) {
	t.Helper()
	if s.dsn != "" {
		c, err := pgx.Connect(t.Context(), s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if err := c.QueryRow(t.Context(), q).Scan(&n); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		return n
	}
	db, err := sql.Open("sqlite3", filepath.Join(s.dir, "latchkey.db")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(q).Scan(&n); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return n
}

// everythingStored is what is in the database of the site.
func (s *site) everythingStored(t *testing.T) string {
	t.Helper()
	return storetest.Stored(t, cmp.Or(s.dsn, filepath.Join(s.dir, "latchkey.db")))
}

func (s *site) noSecrets(t *testing.T, text string) {
	t.Helper()
	programtest.NoSecrets(t, s.secrets, text)
}
