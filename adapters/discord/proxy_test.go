package discord

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// TestTunnel goes through a proxy that wants a password, and takes a refusal.
func TestTunnel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proxy string
		ok    bool
	}{{"http://u:p@proxy.example", true}, {"http://proxy.example", false}, {"socks5://proxy.example", false}} {
		here, there := net.Pipe()
		asked := make(chan *http.Request, 1)
		go func() {
			q, err := http.ReadRequest(bufio.NewReader(there))
			if err != nil {
				return
			}
			asked <- q
			answer := "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
			if q.Header.Get("Proxy-Authorization") == "Basic dTpw" {
				answer = "HTTP/1.1 200 Connection established\r\n\r\n"
			}
			_, _ = there.Write([]byte(answer))
		}()
		u, err := url.Parse(c.proxy)
		if err != nil {
			t.Fatal(err)
		}
		err = tunnel(context.Background(), here, u, "gateway.discord.gg:443")
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.proxy, err)
		}
		if c.ok {
			if q := <-asked; q.Method != http.MethodConnect || q.Host != "gateway.discord.gg:443" {
				t.Errorf("asked %s %s", q.Method, q.Host)
			}
		}
		here.Close()
		there.Close()
	}
}
