package discord_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord/discordtest"
)

// needPackage is the folder in which a package is installed.
func needPackage(t *testing.T, variable, pkg string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", pkg)); dir == "" || err != nil {
		rigs.Missing(t, "the package "+pkg+" is missing: "+variable+" has no node_modules/"+pkg+" (.ci/rigs.sh makes it)")
	}
	return dir
}

// client is a bot on the official client, and what it said.
type client struct {
	t     *testing.T
	lines chan string
	said  []string
}

func startClient(t *testing.T, s *discordtest.Server) *client {
	t.Helper()
	node := rigs.Tool(t, "", "node")
	needPackage(t, "DISCORD_JS_DIR", "discord.js")
	cmd := exec.Command(node, filepath.Join("..", "..", ".ci", "discord-client.mjs"), s.API, discordtest.Token)
	var problems strings.Builder
	cmd.Stderr = &problems
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
	c := &client{t: t, lines: make(chan string, 1000)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		<-over
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the client said %q and\n%s\nthe gateway saw %q", c.said, problems.String(), s.Connects())
		}
	})
	return c
}

// says waits for a line that begins like this, and gives the rest of it.
func (c *client) says(begin string) string {
	c.t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case l := <-c.lines:
			c.said = append(c.said, l)
			if strings.HasPrefix(l, "error") || strings.HasPrefix(l, "failed") || strings.HasPrefix(l, "warning") {
				c.t.Fatalf("the official client: %s", l)
			}
			if rest, ok := strings.CutPrefix(l, begin); ok {
				return strings.TrimSpace(rest)
			}
		case <-limit:
			c.t.Fatalf("the official client did not say %q", begin)
		}
	}
}

// TestDoubleWithTheOfficialClient has discord.js use the double: it gets ready,
// reads, answers with a file and buttons, opens a form, deletes, and survives a
// cut, a request to reconnect and a lost session without losing anything.
func TestDoubleWithTheOfficialClient(t *testing.T) {
	t.Parallel()
	s := discordtest.New(t)
	s.SetHeartbeat(time.Second)
	s.SetLimit(3, time.Second)
	c := startClient(t, s)
	if got := c.says("ready"); got != "latchkey#0 "+discordtest.ApplicationID && got != "latchkey "+discordtest.ApplicationID {
		t.Errorf("ready as %q", got)
	}
	ann := s.Person(1)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(ann.Say("hello <b> *x*"))
	if got := c.says("message"); got != "hello <b> *x*" {
		t.Errorf("read %q", got)
	}
	id, alt, _ := strings.Cut(c.says("sent"), " ")
	ms := ann.Messages()
	if last := ms[len(ms)-1]; last.ID != id || alt != "What_it_shows" || len(last.Files) != 1 || last.Files[0].Alt != "What it shows" || last.Files[0].Name != "picture.png" {
		t.Errorf("the answer arrived as %+v; the client has %s %s", last, id, alt)
	} else if b, err := last.Files[0].Fetch(); err != nil || string(b) != "a picture" {
		t.Errorf("the picture is %q, %v", b, err)
	}
	if ann.Signs() != 1 {
		t.Errorf("%d typing signs", ann.Signs())
	}

	do(ann.Press("Form"))
	c.says("form")
	if title, label, most, open := ann.Modal(); !open || title != "A form" || label != "A field" || most != 40 {
		t.Errorf("the form is %q %q %d", title, label, most)
	}
	do(ann.Fill("123 456"))
	if got := c.says("filled"); got != "123 456" {
		t.Errorf("filled with %q", got)
	}
	do(ann.Press("Done"))
	if got := c.says("pressed"); got != "done es-ES" {
		t.Errorf("pressed %q", got)
	}
	if m := find(t, ann, "pressed"); len(m.Buttons) != 0 {
		t.Errorf("the buttons stay: %+v", m.Buttons)
	}
	do(ann.Command("setup", "status", true))
	if got := c.says("command"); got != "setup status 0" {
		t.Errorf("command %q", got)
	}
	if in := ann.InGuild(); len(in) != 1 || in[0].Content != "and more" || !in[0].Ephemeral {
		t.Errorf("in the server stands %+v", in)
	}
	do(ann.Say("delete"))
	gone := c.says("deleted")
	if slices.ContainsFunc(ann.Messages(), func(m discordtest.Message) bool { return m.ID == gone }) {
		t.Error("a deleted message is there")
	}

	// The connection breaks; what was said meanwhile comes when it is resumed.
	s.Cut()
	for n := range 5 {
		do(ann.Say(fmt.Sprint("meanwhile ", n)))
	}
	for n := range 5 {
		if got := c.says("message"); got != fmt.Sprint("meanwhile ", n) {
			t.Errorf("after a cut came %q, want meanwhile %d", got, n)
		}
	}
	c.says("resumed")
	// It has read our limits, and waited instead of running into them.
	for range 5 {
		c.says("sent")
	}
	for _, x := range s.Calls() {
		if x.Status == 429 {
			t.Errorf("%s %s ran into the limit: the headers did not tell it", x.Method, x.Path)
		}
	}
	s.Reconnect()
	c.says("resumed")
	do(ann.Say("after op 7"))
	if got := c.says("message"); got != "after op 7" {
		t.Errorf("read %q", got)
	}
	if got := s.Connects(); !slices.Contains(got, "connect /resumed/") && !slices.Contains(got, "connect /resumed") {
		t.Errorf("not resumed where it was told to: %q", got)
	}
	s.Cut()
	s.Expire() // op 9 when it resumes
	c.says("session")
	do(ann.Say("a new session"))
	if got := c.says("message"); got != "a new session" {
		t.Errorf("read %q", got)
	}
	// Heartbeats that are not acknowledged: it must notice and come back.
	s.Deaf(true)
	before := len(s.Connects())
	for limit := time.Now().Add(time.Minute); len(s.Connects()) == before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it does not notice that nothing is acknowledged")
		}
	}
	s.Deaf(false)
	c.says("resumed")
}

// find is the newest message of the bot with a text.
func find(t *testing.T, p *discordtest.Person, text string) discordtest.Message {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		for _, m := range slices.Backward(p.Messages()) {
			shown, _ := discordtest.Markdown(m.Content)
			if m.Bot && strings.Contains(shown, text) {
				return m
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("no message with %q in %+v", text, p.Messages())
		}
	}
}
