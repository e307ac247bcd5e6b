package discord

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A guard stands on the gateway's connection, below the library, which dies of
// payloads that are not as documented: of null, of an interval of zero, of an
// event without its object, in a goroutine that nobody can catch. It takes the
// frames apart (RFC 6455, section 5.2; a server's are not masked), lets pass
// what the library needs, written anew, and hands on what we decode ourselves
// under a name that the library does not know, so that it leaves it alone.
type guard struct {
	net.Conn
	in   *bufio.Reader
	out  []byte // may be read
	part []byte // of a message in several frames
	kind byte
	// listening: the library reads for itself. Before that it must not see a
	// request to connect again, or an acknowledged heartbeat: it would wait for a
	// lock that it holds.
	listening *atomic.Bool
	beat      atomic.Int64 // nanoseconds between two heartbeats, as the gateway wants them; 0: not said yet
	acked     atomic.Int64 // when the gateway last said that it is there, in Unix nanoseconds
	state     guardState
	ended     chan struct{} // closed when there is nothing more to read
	end       sync.Once
}

type guardState byte

const (
	greeting guardState = iota // the answer to the upgrade
	framing
	passing // no upgrade came of it: nothing is looked at
)

const (
	maxPayload = 8 << 20 // bytes of one payload, also when it is no longer compressed
	ours       = "LATCHKEY_"
)

var errTooLarge = errors.New("discord: a payload of the gateway is too large")

func newGuard(c net.Conn, listening *atomic.Bool) *guard {
	return &guard{Conn: c, in: bufio.NewReader(c), listening: listening, ended: make(chan struct{})}
}

// Read implements net.Conn.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.read(p)
	if err != nil {
		g.over()
	}
	return n, err
}

// dead reports whether a heartbeat was not acknowledged until the next one was
// due (Gateway, Sending Heartbeats): the connection is half open then. As long as
// the gateway has not said how often it wants one, quiet is how long it may be
// silent since a time.
func (g *guard) dead(since time.Time, quiet time.Duration) bool {
	if beat := time.Duration(g.beat.Load()); beat > 0 {
		quiet = 2 * beat
	}
	if at := time.Unix(0, g.acked.Load()); at.After(since) {
		since = at
	}
	return time.Since(since) > quiet
}

// over notes that nothing more comes.
func (g *guard) over() { g.end.Do(func() { close(g.ended) }) }

// goodbye ends the connection and the session (close code 1000), and waits a
// moment for the gateway to have heard it. The library would hold its lock for a
// second.
func (g *guard) goodbye() {
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails
	_ = g.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := g.Write(append([]byte{0x88, 0x82}, mask[0], mask[1], mask[2], mask[3], 0x03^mask[0], 0xe8^mask[1])); err == nil {
		select {
		case <-g.ended:
		case <-time.After(time.Second):
		}
	}
	_ = g.Close()
}

func (g *guard) read(p []byte) (int, error) {
	for len(g.out) == 0 {
		if g.state == passing {
			return g.in.Read(p)
		}
		var err error
		if g.state == greeting {
			err = g.greet()
		} else {
			err = g.frame()
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	return n, nil
}

// greet passes the answer to the upgrade.
func (g *guard) greet() error {
	var head []byte
	for {
		line, err := g.in.ReadSlice('\n')
		head = append(head, line...)
		if err != nil {
			return err
		}
		if len(head) > 64<<10 {
			return errTooLarge
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	g.state = passing
	if first, _, _ := bytes.Cut(head, []byte("\n")); bytes.Contains(first, []byte(" 101 ")) {
		g.state = framing
	}
	g.out = head
	return nil
}

// frame reads one frame, and puts what may pass into g.out.
func (g *guard) frame() error {
	var h [2]byte
	if _, err := io.ReadFull(g.in, h[:]); err != nil {
		return err
	}
	fin, op, masked, n := h[0]&0x80 != 0, h[0]&0x0f, h[1]&0x80 != 0, uint64(h[1]&0x7f)
	if masked || h[0]&0x70 != 0 {
		return errShape
	}
	var long [8]byte
	switch n {
	case 126:
		if _, err := io.ReadFull(g.in, long[6:]); err != nil {
			return err
		}
		n = binary.BigEndian.Uint64(long[:])
	case 127:
		if _, err := io.ReadFull(g.in, long[:]); err != nil {
			return err
		}
		n = binary.BigEndian.Uint64(long[:])
	}
	if n+uint64(len(g.part)) > maxPayload {
		return errTooLarge
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(g.in, payload); err != nil {
		return err
	}
	switch {
	case op >= 8: // of the protocol itself
		if op == 8 { // the last word
			g.over()
		}
		g.out = frameOf(h[0], payload)
		return nil
	case op != 0:
		g.part, g.kind = payload, op
	default:
		g.part = append(g.part, payload...)
	}
	if !fin {
		return nil
	}
	whole := g.part
	g.part = nil
	clean, what := launder(whole, g.kind == 2)
	switch what {
	case 10:
		var hello struct {
			D struct {
				Interval int64 `json:"heartbeat_interval"`
			} `json:"d"`
		}
		_ = json.Unmarshal(clean, &hello) // written by launder
		g.beat.Store(int64(time.Duration(hello.D.Interval) * time.Millisecond))
		g.acked.Store(time.Now().UnixNano())
	case 11:
		g.acked.Store(time.Now().UnixNano())
	}
	if !g.listening.Load() {
		switch what {
		case 7: // connect again: the end of this connection says the same
			return io.EOF
		case 11:
			return nil
		}
	}
	if clean != nil {
		g.out = frameOf(0x81, clean)
	}
	return nil
}

// frameOf is a frame of a server.
func frameOf(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// A payload of the gateway (Gateway, Event Payload Structure).
type payload struct {
	Op int             `json:"op"`
	T  string          `json:"t,omitempty"`
	S  int64           `json:"s,omitempty"`
	D  json.RawMessage `json:"d,omitempty"`
}

var nothing = json.RawMessage(`{}`)

// launder makes of a payload what may pass, or nil, and tells its opcode; -1 when
// it has none.
func launder(raw []byte, compressed bool) (clean []byte, op int) {
	if compressed {
		z, err := zlib.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, -1
		}
		raw, err = io.ReadAll(io.LimitReader(z, maxPayload+1))
		if err != nil || len(raw) > maxPayload {
			return nil, -1
		}
	}
	var in struct {
		Op *int            `json:"op"`
		T  *string         `json:"t"`
		S  *int64          `json:"s"`
		D  json.RawMessage `json:"d"`
	}
	if unmarshal(raw, &in) != nil || in.Op == nil {
		return nil, -1
	}
	out := payload{Op: *in.Op}
	switch out.Op {
	case 0:
		if in.T == nil || in.S == nil || *in.S < 0 {
			return nil, -1
		}
		out.S = *in.S
		switch *in.T {
		case "READY":
			var d struct {
				Session string          `json:"session_id"`
				Resume  string          `json:"resume_gateway_url"`
				User    json.RawMessage `json:"user,omitempty"`
			}
			if unmarshal(in.D, &d) != nil || d.Session == "" {
				return nil, -1
			}
			var me user // whoever it is, the session does not depend on it
			if unmarshal(d.User, &me) == nil && snowflake(me.ID) {
				d.User = encode(me)
			} else {
				d.User = nil
			}
			out.T, out.D = "READY", encode(d)
		case "RESUMED":
			out.T, out.D = "RESUMED", nothing
		case "MESSAGE_CREATE", "INTERACTION_CREATE":
			out.T, out.D = ours+*in.T, in.D
		default: // counted, and that is all
			out.T, out.D = ours, nothing
		}
	case 1, 7, 11:
	case 9:
		out.D = json.RawMessage("false")
	case 10:
		var d struct {
			Interval int64 `json:"heartbeat_interval"` // milliseconds
		}
		if unmarshal(in.D, &d) != nil || d.Interval < 1 || d.Interval > int64(time.Hour/time.Millisecond) {
			return nil, -1
		}
		out.D = encode(d)
	default:
		return nil, -1
	}
	return encode(out), out.Op
}

// eventName is the gateway's name of an event that came through a guard.
func eventName(t string) string { return strings.TrimPrefix(t, ours) }
