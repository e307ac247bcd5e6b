package web_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
)

// TestIdleStreams keeps many chats open and says what one costs: heap and
// stacks after a collection, without the kernel's socket. The visitors here are
// sockets alone, which cost next to nothing on this side.
func TestIdleStreams(t *testing.T) {
	const n, most = 200, 48 << 10
	h := newHouse(t)
	first := h.chat()
	conv := first.said()[0].Conversation
	use := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
	}
	var cookies []string
	for i := range n {
		token, err := h.Passes.BeginSession(t.Context(), bot.WebSession{Conversation: conv, User: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		cookies = append(cookies, string(token))
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := use()
	for _, c := range cookies {
		s, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fmt.Fprintf(s, "GET /chat/events?after=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: latchkey-session=%s\r\n\r\n", c)
		head := make([]byte, 12)
		_ = s.SetReadDeadline(time.Now().Add(bottest.Patience))
		if _, err := io.ReadFull(s, head); err != nil || string(head) != "HTTP/1.1 200" {
			t.Fatalf("%s %v", head, err)
		}
	}
	each := (use() - before) / n
	t.Logf("%d open chats, %.1f KB each", n, float64(each)/1024)
	if each > most {
		t.Errorf("an open chat costs %d bytes, at most %d", each, most)
	}
}
