package discord

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// stream is a connection that gives bytes and takes none.
type stream struct {
	net.Conn
	r io.Reader
}

func (s stream) Read(p []byte) (int, error) { return s.r.Read(p) }

const upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

func guarded(listening bool, parts ...[]byte) (string, error) {
	var on atomic.Bool
	on.Store(listening)
	g := newGuard(stream{r: iotest.OneByteReader(bytes.NewReader(bytes.Join(parts, nil)))}, &on)
	b, err := io.ReadAll(g)
	return string(b), err
}

func text(s string) []byte { return frameOf(0x81, []byte(s)) }

// TestGuard passes what is as documented, written anew, and drops the rest.
func TestGuard(t *testing.T) {
	t.Parallel()
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(`{"op":0,"t":"READY","s":1,"d":{"session_id":"S","resume_gateway_url":"wss://x","guilds":[null],"user":7}}`))
	_ = w.Close()
	ready := `{"op":0,"t":"READY","s":1,"d":{"session_id":"S","resume_gateway_url":"wss://x"}}`
	long := `{"op":0,"t":"MESSAGE_CREATE","s":2,"d":{"content":"` + strings.Repeat("x", 70_000) + `"}}`
	longWant := strings.Replace(long, "MESSAGE_CREATE", "LATCHKEY_MESSAGE_CREATE", 1)
	for what, c := range map[string]struct {
		in   [][]byte
		want [][]byte
		idle bool
	}{
		"hello":         {in: [][]byte{text(`{"op":10,"d":{"heartbeat_interval":41250,"_trace":[1]}}`)}, want: [][]byte{text(`{"op":10,"d":{"heartbeat_interval":41250}}`)}},
		"compressed":    {in: [][]byte{frameOf(0x82, z.Bytes())}, want: [][]byte{text(ready)}},
		"not a message": {in: [][]byte{text(`null`), text(`{"op":0,"t":"X","s":3,"d":{"a":1}}`)}, want: [][]byte{text(`{"op":0,"t":"LATCHKEY_","s":3,"d":{}}`)}},
		"in parts":      {in: [][]byte{frameOf(0x01, []byte(`{"op":`)), frameOf(0x89, []byte("ping")), frameOf(0x00, []byte(`1`)), frameOf(0x80, []byte(`1}`))}, want: [][]byte{frameOf(0x89, []byte("ping")), text(`{"op":11}`)}},
		"long":          {in: [][]byte{text(long)}, want: [][]byte{text(longWant)}},
		"a close":       {in: [][]byte{frameOf(0x88, []byte{0x0f, 0xa4})}, want: [][]byte{frameOf(0x88, []byte{0x0f, 0xa4})}},
		"op 7":          {in: [][]byte{text(`{"op":7,"d":null}`), text(`{"op":1}`)}, want: [][]byte{text(`{"op":7}`), text(`{"op":1}`)}},
		"op 7 too soon": {in: [][]byte{text(`{"op":7,"d":null}`), text(`{"op":1}`)}, idle: true},
		"op 9":          {in: [][]byte{text(`{"op":9,"d":{"x":1}}`)}, want: [][]byte{text(`{"op":9,"d":false}`)}},
	} {
		got, err := guarded(!c.idle, append([][]byte{[]byte(upgraded)}, c.in...)...)
		if err != nil || got != upgraded+string(bytes.Join(c.want, nil)) {
			t.Errorf("%s: %v\n%.300q", what, err, strings.TrimPrefix(got, upgraded))
		}
	}
	if got, err := guarded(true, []byte("HTTP/1.1 503 No\r\n\r\nnull")); err != nil || got != "HTTP/1.1 503 No\r\n\r\nnull" {
		t.Errorf("no upgrade: %q %v", got, err)
	}
	for what, b := range map[string][]byte{
		"too large":    {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0},
		"masked":       {0x81, 0x81, 1, 2, 3, 4, 5},
		"reserved":     {0xc1, 0},
		"cut":          {0x81, 5, 'x'},
		"endless head": nil,
	} {
		in := [][]byte{[]byte(upgraded), b}
		if b == nil {
			in = [][]byte{[]byte("HTTP/1.1 101 x\r\n" + strings.Repeat("A: b\r\n", 20_000))}
		}
		if _, err := guarded(true, in...); err == nil {
			t.Errorf("%s passes", what)
		}
	}
	// A small payload that is a large one when it is no longer compressed.
	var bomb bytes.Buffer
	w = zlib.NewWriter(&bomb)
	_, _ = w.Write(bytes.Repeat([]byte(" "), maxPayload+10))
	_ = w.Close()
	if got, err := guarded(true, []byte(upgraded), frameOf(0x82, bomb.Bytes())); err != nil || got != upgraded {
		t.Errorf("a bomb: %.80q %v", got, err)
	}
}

// TestHungLibrary: what the library cannot be got out of is given up.
func TestHungLibrary(t *testing.T) {
	t.Parallel()
	if hung, err := new(line).giveUp(make(chan error)); err == nil || !hung {
		t.Errorf("%v %v", err, hung)
	}
	done := make(chan error, 1)
	done <- errors.New("x")
	if hung, err := new(line).giveUp(done); err == nil || hung {
		t.Errorf("%v %v", err, hung)
	}
}

// TestResumable keeps the token with Discord.
func TestResumable(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"wss://gateway-us-east1-b.discord.gg": true, "wss://discord.gg": true, "wss://gateway.discord.gg": true,
		"ws://gateway.discord.gg": false, "wss://evil.example": false, "wss://discord.gg.evil.example": false, "wss://notdiscord.gg": false,
		"wss://u@gateway.discord.gg": false, "https://gateway.discord.gg": false, "wss://gateway.discord.gg?x": false, `wss://gateway.discord.gg/"`: false, "": false,
	} {
		l := &line{home: "gateway.discord.gg"}
		l.resumable(address)
		if got := l.where() == address && address != ""; got != ok {
			t.Errorf("%q: %v", address, got)
		}
	}
	l := &line{home: "127.0.0.1"}
	l.resumable("ws://127.0.0.1:99/x")
	if l.where() == "" {
		t.Error("a double on the loopback address cannot be resumed")
	}
}

func FuzzGuard(f *testing.F) {
	f.Add(text(`{"op":0,"t":"MESSAGE_CREATE","s":1,"d":{}}`), true)
	f.Add(frameOf(0x01, []byte("nu")), false)
	f.Add([]byte{0x81, 126, 0, 1, '7'}, true)
	f.Fuzz(func(t *testing.T, b []byte, on bool) {
		got, err := guarded(on, []byte(upgraded), b)
		if !strings.HasPrefix(got, upgraded) {
			t.Fatalf("%q %v", got, err)
		}
		for rest := []byte(strings.TrimPrefix(got, upgraded)); len(rest) > 1; { // whole frames come out
			n, head := int(rest[1]), 2
			switch n {
			case 126:
				n, head = int(rest[2])<<8|int(rest[3]), 4
			case 127:
				n, head = int(rest[6])<<24|int(rest[7])<<16|int(rest[8])<<8|int(rest[9]), 10
			}
			if len(rest) < head+n {
				t.Fatalf("half a frame: %q", rest)
			}
			if rest[0] == 0x81 {
				if _, op := launder(rest[head:head+n], false); op < 0 && !strings.Contains(string(rest[head:head+n]), ours) {
					t.Fatalf("passes: %q", rest[head:head+n])
				}
			}
			rest = rest[head+n:]
		}
	})
}
