package discord

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"latchkey/adapters/dial"
)

// reach opens a connection to the gateway, through the proxy that the
// environment names for https (HTTPS_PROXY, NO_PROXY), and with TLS if secure.
func (a *Adapter) reach(ctx context.Context, addr string, secure bool) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	to := addr
	var proxy *url.URL
	if secure {
		if proxy, err = http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: addr}}); err != nil {
			return nil, err
		}
		if proxy != nil {
			if to = proxy.Host; proxy.Port() == "" {
				to = net.JoinHostPort(proxy.Hostname(), "80")
			}
		}
	}
	d := &net.Dialer{}
	if proxy == nil {
		d.Control = dial.For(API, a.o.APIURL).Control
	}
	c, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		if err := tunnel(ctx, c, proxy, addr); err != nil {
			c.Close()
			return nil, err
		}
	}
	if !secure {
		return c, nil
	}
	t := tls.Client(c, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: a.roots})
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// tunnel asks a proxy for a connection.
func tunnel(ctx context.Context, c net.Conn, proxy *url.URL, addr string) error {
	if proxy.Scheme != "http" {
		return errors.New("discord: only an http:// proxy is supported for the gateway; set HTTPS_PROXY to one")
	}
	if at, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(at)
		defer func() { _ = c.SetDeadline(time.Time{}) }()
	}
	q := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		q.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := q.Write(c); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 1), q) // nothing follows before we speak
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return errors.New("discord: the proxy refuses a connection to the gateway: " + r.Status)
	}
	return nil
}
