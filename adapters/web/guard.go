package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"latchkey/adapters/dial"
)

// maxBody is how much of a request is read (policy: HTTP body, web).
const maxBody = 64 << 10

// contentPolicy is what a browser may do with our pages: nothing from elsewhere,
// nothing inline. %s: who may frame the page.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors %s"

// guard is around every page: no panic gets out, a small body, no request from
// another site, and headers that keep the page to itself.
func (a *Adapter) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	if err := cross.AddTrustedOrigin(a.origin.Scheme + "://" + a.origin.Host); err != nil {
		panic(err) // New has parsed it
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				// The type only: a value may be what somebody typed.
				a.o.Log.Error("page failed", "method", r.Method, "route", r.Pattern, "panic", fmt.Sprintf("%T", v), "at", place())
				a.problem(w, r, http.StatusInternalServerError, "failed")
			}
		}()
		h := w.Header()
		h.Set("Content-Security-Policy", fmt.Sprintf(contentPolicy, a.ancestors(r)))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", referrer(r))
		h.Set("Cross-Origin-Opener-Policy", "same-origin") // of no effect inside a frame
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if a.secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if !a.ours(hostname(r.Host)) {
			a.strangeHost.Do(func() {
				a.o.Log.Warn("a request for another host's name was refused; if your proxy asks like that, let it hand the Host header on", "host", fmt.Sprintf("%.80q", r.Host))
			})
			a.problem(w, r, http.StatusMisdirectedRequest, "host")
			return
		}
		if r.Method == http.MethodPost {
			// A browser says where a request comes from, in one of the two.
			if err := cross.Check(r); err != nil || (r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "") {
				a.problem(w, r, http.StatusForbidden, "foreign")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether a request may be for us by the name of its host: the name
// that people know, this machine's, or an address, as a proxy and a check of
// health use it. Another site's name that is made to lead here (DNS rebinding)
// would make its pages the same site as ours for a browser. The demo is for this
// machine only.
func (a *Adapter) ours(host string) bool {
	if a.o.Device != nil {
		return dial.Local(host)
	}
	_, err := netip.ParseAddr(host)
	return err == nil || dial.Local(host) || strings.EqualFold(host, a.origin.Hostname())
}

// referrer: no other site learns where somebody came from, and from a one-time
// page nobody does. With "no-referrer" everywhere, browsers without
// Sec-Fetch-Site would send our own forms with "Origin: null" (Fetch standard,
// 3.2), which is what a forged request looks like.
func referrer(r *http.Request) string {
	if bearing(r.URL.Path) {
		return "no-referrer"
	}
	return "same-origin"
}

// ancestors names the sites whose pages may frame the answer: the embedded
// chat's own requests only.
func (a *Adapter) ancestors(r *http.Request) string {
	if len(a.o.Embed) == 0 || !framed(r) {
		return "'none'"
	}
	return strings.Join(a.o.Embed, " ")
}

// secure reports whether people reach us by https.
func (a *Adapter) secure() bool { return a.origin.Scheme == "https" }

// cookieName gives the full name of one of our cookies. The prefix makes the
// browser refuse one that another host, a path or plain http has set (RFC 6265bis 4.1.3.2).
func (a *Adapter) cookieName(short string) string {
	if a.secure() {
		return "__Host-latchkey-" + short
	}
	return "latchkey-" + short
}

// address is who asks, for the limits: an IPv4 address, or the first 64 bits
// of an IPv6 address. X-Forwarded-For counts only from a proxy that is ours.
func (a *Adapter) address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := ap.Addr().Unmap()
	if a.proxy(ip) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				break
			}
			if ip = hop.Unmap(); !a.proxy(ip) {
				break
			}
		}
	}
	if ip.Is6() {
		p, err := ip.WithZone("").Prefix(64)
		if err == nil {
			return p.Addr()
		}
	}
	return ip
}

func (a *Adapter) proxy(ip netip.Addr) bool {
	return slices.ContainsFunc(a.o.Proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// place names the function in which a panic began, without arguments.
func place() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}
