package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/program"
	"latchkey/flows"
	"latchkey/flows/library"
	"latchkey/store"
)

// A person who has nothing runs the demo and enrolls, leaves in the middle,
// comes back to the same step, and is enrolled.
func TestDemoFromHelloToDone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	began := time.Now()
	p := sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears(dir)
	p.hears("ada, ben, carmen")
	p.hears("open-sesame-2468")
	p.hears("[1] ")
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the first prompt took %s", d) // two seconds are promised; a loaded machine may take longer
	}
	p.types("1")
	p.hears("user name")
	p.types("ada")
	p.hears("[private] ")
	p.types("open-sesame-2468")
	p.hears("Ada")
	p.picks("Next")
	p.picks("Yes, it is here")
	p.picks("I have the app")
	p.picks("Next")
	p.picks("Next")
	p.hears("otpauth://totp/Riverbend%20Schools:")

	// Left at the picture; the file goes, the place stays.
	if pics, _ := filepath.Glob(filepath.Join(dir, "pictures", "*.png")); len(pics) != 1 {
		t.Errorf("pictures while the QR is shown: %v", pics)
	}
	if code := p.leaves(); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	if pics, _ := filepath.Glob(filepath.Join(dir, "pictures", "*")); len(pics) != 0 {
		t.Errorf("pictures after the end: %v", pics)
	}
	p = sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears("otpauth://totp/Riverbend%20Schools:") // the same step, shown again
	p.hears("[1] ")
	p.types("/scan")
	p.types(p.code("(phone) Code for Riverbend Schools: ada.okafor@riverbend.example"))
	p.hears("is set up")
	p.picks("Text me a code")
	p.hears("Which number?")
	p.types("(201) 555-0123")
	p.hears("•••• 23")
	p.picks("Send the code")
	p.types(p.code("(phone) Text from Riverbend Schools"))
	p.hears("Setup is now complete")
	p.hears("Authenticator app")
	p.picks("Done")
	p.hears("All done")
	if code := p.leaves(); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	if strings.Contains(p.all(), "\x1b") {
		t.Error("escape sequences in plain output")
	}
	log, err := os.ReadFile(filepath.Join(dir, "demo.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"open-sesame-2468", "otpauth://", "2015550123"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("%q stands in the log", secret)
		}
	}
	for _, f := range []string{"latchkey.db", "latchkey.keys", "demo.log"} {
		if st, err := os.Stat(filepath.Join(dir, f)); err != nil || f != "latchkey.db" && st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, st, err)
		}
	}

	operate(t, dir)

	// A new beginning.
	p = sit(t, context.Background(), nil, "demo", "--plain", "--data", dir, "--reset")
	p.hears("[1] Start")
	if code := p.leaves(); code != exitOK {
		t.Errorf("exit %d", code)
	}
}

// A second demo on the same folder is refused at once, with what to do.
func TestDemoTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears("[1] Start")
	code, _, errs := command(t, nil, "demo", "--plain", "--data", dir)
	if code != exitError || !strings.Contains(errs, "in use by another Latchkey process") {
		t.Errorf("exit %d: %s", code, errs)
	}
	p.leaves()
}

func TestDemoInSpanish(t *testing.T) {
	t.Parallel()
	p := sit(t, context.Background(), []string{"LANG=es_ES.UTF-8"}, "demo", "--plain", "--data", t.TempDir())
	p.hears("[1] ")
	p.hears("recomendad")
	p.leaves()
}

func TestDemoFolderNotWritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := command(t, nil, "demo", "--plain", "--data", filepath.Join(file, "d"))
	if code != exitError || !strings.Contains(errs, "--data") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// The page alone, in the background: its address is told, Ctrl+C ends it, and
// whoever comes back after that is where they were.
func TestDemoPage(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), fmt.Sprintf("localhost:%d", rigs.FreePort(t))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	ask := func(q *http.Request) string {
		t.Helper()
		q.Header.Set("Sec-Fetch-Site", "same-origin")
		r, err := browser.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s %v\n%s", q.Method, q.URL, r.Status, err, body)
		}
		return string(body)
	}
	get := func() string {
		t.Helper()
		q, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
		return ask(q)
	}
	for i := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		p := sit(t, ctx, nil, "demo", "--web", "--addr", addr, "--data", dir)
		p.hears("Open it in your browser: http://" + addr)
		p.hears("open-sesame-2468")
		p.hears("Ctrl+C")
		page := get()
		if i == 0 {
			for _, want := range []string{"nothing leaves this machine", "latchkey demo --reset", "Carmen Ríos", "Start"} {
				if !strings.Contains(page, want) {
					t.Errorf("%q is not on the page", want)
				}
			}
			form := url.Values{"id": {"the-first-act"}, "next": {"/"}}
			q, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/chat/open", strings.NewReader(form.Encode()))
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			page = ask(q)
		}
		if !strings.Contains(page, "help-desk assistant of Riverbend Schools") || !strings.Contains(page, `<article class="said"`) {
			t.Errorf("round %d: the conversation is not there", i+1)
		}
		stop()
		if code := p.ends(); code != exitOK {
			t.Fatalf("exit %d:\n%s", code, p.all())
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Error("the port is still open")
		}
	}
}

// Both at once: the address is told before the terminal's conversation begins,
// and the person at the terminal ends both.
func TestDemoPageAndTerminal(t *testing.T) {
	t.Parallel()
	p := sit(t, t.Context(), nil, "demo", "--addr", "127.0.0.1:0", "--data", t.TempDir())
	p.hears("Open it in your browser: ")
	address := strings.TrimSpace(p.hears("\n"))
	p.hears("Commands here begin with /")
	p.hears("[1] Start")
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("the page at %s: %s", address, r.Status)
	}
	if code := p.leaves(); code != exitOK {
		t.Errorf("exit %d:\n%s", code, p.all())
	}
}

// In the background, in a container, there is no input: the page stays until
// the program is stopped.
func TestDemoPageStaysWithoutInput(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	addr := fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, std{in: null, out: io.Discard, err: t.Output()}, []string{"demo", "--addr", addr, "--data", t.TempDir()})
	}()
	answers := 0
	for deadline := time.Now().Add(time.Minute); answers < 10 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		select {
		case code := <-ended:
			t.Fatalf("it ended by itself, exit %d, after %d answers", code, answers)
		default:
		}
		if r, err := http.Get("http://" + addr + "/"); err == nil {
			r.Body.Close()
			answers++
		}
	}
	if answers < 10 {
		t.Errorf("the page answered %d times", answers)
	}
	stop()
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("exit %d", code)
		}
	case <-time.After(time.Minute):
		t.Error("it does not stop")
	}
}

func TestDemoAddress(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--addr", "0.0.0.0:8080"}, exitUsage, "other machines could reach"},
		{[]string{"--addr", ":8080"}, exitUsage, "use 127.0.0.1:8080"},
		{[]string{"--addr", "[::]:9000"}, exitUsage, "use 127.0.0.1:9000"},
		{[]string{"--addr", "192.168.1.5:80"}, exitUsage, "not encrypted"},
		{[]string{"--addr", "demo.example.org:80"}, exitUsage, "tunnel"},
		{[]string{"--addr", "8080"}, exitUsage, "HOST:PORT"},
		{[]string{"--addr", "127.0.0.1:http"}, exitUsage, "is not a port"},
		{[]string{"--addr", "127.0.0.1:65536"}, exitUsage, "is not a port"},
		{[]string{"--addr", "127.0.0.1:8080", "--plain"}, exitUsage, "keeps to the terminal"},
		{[]string{"--web", "--plain"}, exitUsage, "keeps to the terminal"},
		{[]string{"--web", "--addr", taken.Addr().String()}, exitError, "choose another port"},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		code, out, errs := command(t, nil, append([]string{"demo", "--data", dir}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%q: exit %d, %s%s", c.args, code, out, errs)
		}
		if _, err := os.Stat(dir); c.code == exitUsage && err == nil {
			t.Errorf("%q: it has begun all the same", c.args)
		}
	}
}

// Without --addr it takes the usual port, or else the next that is free, and
// says so.
func TestDemoTakesAFreePort(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", demoPort)); err == nil {
		defer l.Close()
	} // or somebody else has it
	l, where, err := demoListener("")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if want := fmt.Sprintf("http://127.0.0.1:%s (port %d is taken)", port, demoPort); host != "127.0.0.1" || where != want {
		t.Errorf("%s: %q, want %q", l.Addr(), where, want)
	}
}

// With --plain, and where neither input nor output is a terminal, nothing
// listens for other machines or for browsers.
func TestDemoPlainOpensNoSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	t.Parallel()
	for _, args := range [][]string{{"--plain"}, nil, {"--web", "--addr", "127.0.0.1:0"}} {
		cmd := exec.Command(os.Args[0], append([]string{"demo", "--data", t.TempDir()}, args...)...)
		cmd.Env = append(os.Environ(), asProgram+"=yes")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ready := "[1] Start"
		if args != nil && args[0] == "--web" {
			ready = "Ctrl+C" // shows that this test would see a socket
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.Contains(lines.Text(), ready) {
		}
		got := listening(t, cmd.Process.Pid)
		if want := ready == "Ctrl+C"; (len(got) > 0) != want {
			t.Errorf("%q listens at %q", args, got)
		}
		in.Close()
		if ready == "Ctrl+C" {
			_ = cmd.Process.Kill()
		}
		go io.Copy(io.Discard, out) //nolint:errcheck // so that it can end
		_ = cmd.Wait()
	}
}

// listening lists the TCP addresses that a process listens at, as Linux writes them.
func listening(t *testing.T, pid int) (at []string) {
	t.Helper()
	inodes := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("no open files of process %d: %v", pid, err)
	}
	for _, fd := range fds {
		to, _ := os.Readlink(fd)
		if m := regexp.MustCompile(`^socket:\[(\d+)\]$`).FindStringSubmatch(to); m != nil {
			inodes[m[1]] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && inodes[f[9]] { // 0A: LISTEN
				at = append(at, f[1])
			}
		}
	}
	return at
}

// Nothing of the demo's page is there in serve, also where the directory is the
// demo's.
func TestServeHasNoPretendPhone(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t))
	file := filepath.Join(dir, "latchkey.yaml")
	text := "org: {name: Riverbend Schools, department: IT, address: a, help_phone: p, help_hours: h, domains: [riverbend.example]}\n" +
		"directory: {kind: demo}\nchannels: {web: {enabled: true}}\nhttp: {addr: \"" + addr + "\", public_url: \"http://" + addr + "\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, nil, "keys", "new", filepath.Join(dir, "latchkey.keys")); code != exitOK {
		t.Fatal(errs)
	}
	ctx, stop := context.WithCancel(t.Context())
	p := sit(t, ctx, nil, "serve", "--config", file)
	get := func(path string) (*http.Response, string) {
		t.Helper()
		r, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(body)
	}
	rigs.Until(t, "serve answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	for _, path := range []string{"/demo", "/demo/phone", "/demo/scan", "/demo/events"} {
		if r, _ := get(path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	if r, body := get("/"); r.Request.URL.Path != "/chat" || r.StatusCode != http.StatusOK || strings.Contains(body, "This is a demo") || strings.Contains(body, "open-sesame") {
		t.Errorf("/ leads to %s, %s:\n%s", r.Request.URL, r.Status, body)
	}
	stop()
	if code := p.ends(); code != exitOK {
		t.Errorf("exit %d:\n%s", code, p.all())
	}
}

// What a reset deletes is everything that a demo leaves.
func TestDemoReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	p := sit(t, ctx, nil, "demo", "--web", "--addr", "127.0.0.1:0", "--data", dir)
	p.hears("Ctrl+C")
	code, _, errs := command(t, nil, "demo", "--plain", "--data", dir, "--reset")
	if _, err := os.Stat(filepath.Join(dir, "latchkey.db")); code == exitOK || err != nil || !strings.Contains(errs, "is running") {
		t.Errorf("a reset under a running demo: exit %d, %q, %v", code, errs, err)
	}
	stop()
	p.ends()
	mine := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := deleteDemo(dir); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || !slices.Equal(left, []string{mine}) {
		t.Errorf("left: %q, %v", left, err)
	}
}

// operate does on the demo's store what an operator does on a real one.
func operate(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, "latchkey.yaml")
	text := "org: {name: Riverbend Schools, department: IT, address: a, help_phone: p, help_hours: h, domains: [riverbend.example]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	code, out, errs := command(t, nil, "people", "show", "ada", "--config", file)
	if code != exitOK || !strings.Contains(out, "enrolled") || !strings.Contains(out, "•••• 23") || strings.Contains(out, "5550123") {
		t.Errorf("people show: %d %s %s", code, out, errs)
	}
	code, out, errs = command(t, nil, "audit", "verify", "--config", file)
	if code != exitOK || !strings.Contains(out, "whole; head ") {
		t.Errorf("audit verify: %d %s %s", code, out, errs)
	}
	_, head, _ := strings.Cut(strings.TrimSpace(out), "head ")
	if code, out, errs = command(t, nil, "audit", "verify", "--config", file, "--head", head); code != exitOK {
		t.Errorf("audit verify --head: %d %s %s", code, out, errs)
	}
	wrong := strings.Replace(head, ":", ":00", 1)[:len(head)]
	if code, _, errs = command(t, nil, "audit", "verify", "--config", file, "--head", wrong); code != exitError {
		t.Errorf("another record's head is taken: %s", errs)
	}
	if code, out, errs = command(t, nil, "audit", "list", "--config", file, "--person", "e-1001"); code != exitOK || !strings.Contains(out, "proven") {
		t.Errorf("audit list: %d %s %s", code, out, errs)
	}

	code, out, errs = command(t, nil, "keys", "rotate", "--config", file)
	if code != exitOK || !strings.Contains(out, "new key") || !strings.Contains(out, "secrets sealed") {
		t.Fatalf("rotate: %d %s %s", code, out, errs)
	}
	ring, err := vault.Load(filepath.Join(dir, "latchkey.keys"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Options{DSN: filepath.Join(dir, "latchkey.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(context.Background(), func(tx bot.Tx) error {
		ms, err := tx.Methods("e-1001")
		if err != nil || len(ms) != 2 {
			t.Errorf("%d methods, %v", len(ms), err)
		}
		for _, m := range ms {
			plain, err := ring.Open(m.Sealed, m.Place())
			if err != nil || vault.KeyOf(m.Sealed) != ring.KeyID() {
				t.Errorf("%s is not sealed with the new key: %v", m.Kind, err)
			}
			if m.Kind == bot.Phone && (string(plain) != "+12015550123" || !ring.Equal(m.DestHash, "dest", string(m.Kind), string(plain)) || vault.KeyOf(m.DestHash) != ring.KeyID()) {
				t.Errorf("the phone's hash was not made again")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = command(t, nil, "keys", "rotate", "--drop-old", "--config", file); code != exitOK || !strings.Contains(out, "run this again in a day") {
		t.Errorf("drop-old takes a key that codes may need: %d %s %s", code, out, errs)
	}
}

// The start does not lint the shipped scripts again, so this must.
func TestShippedScriptsNameWhatTheProgramHas(t *testing.T) {
	_, problems := flows.Inspect(library.FS, nil, program.LintCatalogue(pretendConfig(t.TempDir(), "")))
	for _, p := range problems {
		t.Error(p)
	}
}
