package discord

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestResumable keeps the token with Discord.
func TestResumable(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"wss://gateway-us-east1-b.discord.gg": true, "wss://discord.gg": true, "wss://gateway.discord.gg": true,
		"ws://gateway.discord.gg": false, "wss://evil.example": false, "wss://discord.gg.evil.example": false, "wss://notdiscord.gg": false,
		"wss://u@gateway.discord.gg": false, "https://gateway.discord.gg": false, "wss://gateway.discord.gg?x": false, `wss://gateway.discord.gg/"`: false, "": false,
	} {
		if got := resumable(address, "gateway.discord.gg"); got != ok {
			t.Errorf("%q: %v", address, got)
		}
	}
	if !resumable("ws://127.0.0.1:99/x", "127.0.0.1") || resumable("ws://127.0.0.1:99/x", "gateway.discord.gg") {
		t.Error("a double on the loopback address is resumed where it said, and nothing else there")
	}
}

// TestGatewayThroughProxy: the gateway is reached through the proxy of the
// environment, with its password. The environment is read once in a process, so
// this needs one of its own.
func TestGatewayThroughProxy(t *testing.T) {
	if os.Getenv("LATCHKEY_TEST_PROXIED") != "" {
		a := &Adapter{waits: usual}
		if _, err := a.connect(t.Context(), &session{at: "wss://gateway.discord.gg"}); err == nil {
			t.Error("connected")
		}
		return
	}
	t.Parallel()
	asked := make(chan *http.Request, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- q
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGatewayThroughProxy$")
	cmd.Env = append(os.Environ(), "LATCHKEY_TEST_PROXIED=1", "HTTPS_PROXY="+strings.Replace(proxy.URL, "//", "//u:p@", 1))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	select {
	case q := <-asked:
		if q.Method != http.MethodConnect || q.Host != "gateway.discord.gg:443" || q.Header.Get("Proxy-Authorization") != "Basic dTpw" {
			t.Errorf("asked %s %s with %v", q.Method, q.Host, q.Header)
		}
	default:
		t.Error("the proxy was not asked")
	}
}
