package program

import (
	"io"
	"net"
	"time"
)

const (
	// lingerTime is how long a connection that was answered and closed here still
	// takes what its client is sending.
	lingerTime = time.Second
	// lingerBytes bounds how much that is; more than any of our limits of a body.
	lingerBytes = 1 << 20
)

// A lingering listener gives connections that nobody loses an answer by. net/http
// answers some requests before it has read all of them and closes at once: its own
// refusals of a bad head, and requests that ask for no further one (HTTP/1.0). The
// kernel then sends a reset for the bytes that nobody read, and a reset overtakes the
// answer or cuts it off.
type lingering struct{ net.Listener }

// Accept implements net.Listener.
func (l lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if t, ok := c.(*net.TCPConn); ok {
		return lingeringConn{t}, err
	}
	return c, err
}

type lingeringConn struct{ *net.TCPConn }

// Close implements net.Conn. It ends our half at once and returns; what still comes
// is read and dropped, until the client ends its half, for lingerTime at most (RFC
// 9112, 9.6).
func (c lingeringConn) Close() error {
	if c.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return c.TCPConn.Close()
	}
	go func() {
		_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytes)
		c.TCPConn.Close()
	}()
	return nil
}
