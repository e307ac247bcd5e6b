package dial_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"latchkey/adapters/dial"
)

func TestWhereConnectionsMayGo(t *testing.T) {
	public, own, here := dial.For("https://slack.com/api/", "https://slack.com/api/", ""), dial.For("", "https://login.example.org/realms/x"), dial.For("https://slack.com/api/", "http://127.0.0.1:4010")
	for _, c := range []struct {
		address           string
		public, own, here bool
	}{
		{"93.184.216.34", true, true, true},
		{"2606:2800:220:1::1", true, true, true},
		{"10.1.2.3", false, true, true},
		{"172.16.0.1", false, true, true},
		{"192.168.1.1", false, true, true},
		{"100.64.1.1", false, true, true},
		{"fd12:3456::1", false, true, true},
		{"127.0.0.1", false, false, true},
		{"127.9.9.9", false, false, true},
		{"::1", false, false, true},
		{"::ffff:127.0.0.1", false, false, true},
		{"::ffff:10.0.0.1", false, true, true},
		{"169.254.169.254", false, false, false},
		{"::ffff:169.254.169.254", false, false, false},
		{"fe80::1%eth0", false, false, false},
		{"fd00:ec2::254", false, false, false},
		{"100.100.100.200", false, false, false},
		{"64:ff9b::a9fe:a9fe", false, false, false}, // 169.254.169.254 behind NAT64
		{"64:ff9b::a00:1", false, true, true},       // 10.0.0.1
		{"64:ff9b::5db8:d822", true, true, true},    // 93.184.216.34
		{"2002:a9fe:a9fe::1", false, false, false},
		{"::127.0.0.1", false, false, false},
		{"fec0::1", false, false, false},
		{"198.18.0.1", false, false, false},
		{"192.0.0.8", false, false, false},
		{"240.0.0.1", false, false, false},
		{"0.1.2.3", false, false, false},
		{"0.0.0.0", false, false, false},
		{"::", false, false, false},
		{"224.0.0.1", false, false, false},
		{"255.255.255.255", false, false, false},
	} {
		ip := netip.MustParseAddr(c.address)
		for what, got := range map[string][2]bool{"public": {public.Allows(ip), c.public}, "own": {own.Allows(ip), c.own}, "here": {here.Allows(ip), c.here}} {
			if got[0] != got[1] {
				t.Errorf("%s for a system that is %s: %v, want %v", c.address, what, got[0], got[1])
			}
		}
	}
}

// The name is looked at when it has been looked up: "localhost" is a name like
// any other that leads to this machine.
func TestTransportRefusesBeforeItConnects(t *testing.T) {
	reached := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer s.Close()
	address := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for _, a := range []string{s.URL, address} {
		_, err := (&http.Client{Transport: dial.For("", "https://api.example.org").Transport()}).Get(a)
		if err == nil || !strings.Contains(err.Error(), "is not on the public internet") || reached != 0 {
			t.Errorf("%s: %v, reached %d", a, err, reached)
		}
	}
	r, err := (&http.Client{Transport: dial.For("", s.URL).Transport()}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if reached != 1 {
		t.Errorf("reached %d times", reached)
	}
}

// A proxy of the environment may be on this machine.
func TestTransportReachesTheProxy(t *testing.T) {
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	tr := dial.For("").Transport()
	tr.Proxy = func(r *http.Request) (*url.URL, error) { return url.Parse(proxy.URL) } // net/http reads the environment once a process
	r, err := (&http.Client{Transport: tr}).Get("http://api.example.org/x")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if asked != "http://api.example.org/x" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}
