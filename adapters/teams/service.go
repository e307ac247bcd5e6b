package teams

import (
	"errors"
	"net/url"
	"strings"

	"latchkey/adapters/dial"
)

var errService = errors.New("its service is not one of the allowed hosts")

// service checks the address of a connector, before anything, and before all a
// token of ours, is sent there (security 1.2, threats 15 and 25). The result
// has no slash at the end.
func (a *Adapter) service(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || len(address) > 512:
		return "", errService
	case a.o.Emulator:
		if !dial.Local(u.Hostname()) || u.Scheme != "http" && u.Scheme != "https" {
			return "", errService
		}
	case !dial.Protected(u) || !allowed(a.o.ServiceHosts, strings.ToLower(u.Host)):
		return "", errService
	}
	if strings.ContainsAny(address, "?#\\") || strings.Contains(u.Path, "..") {
		return "", errService
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// allowed reports whether a host, with its port if it has one, is in a list.
func allowed(hosts []string, host string) bool {
	for _, h := range hosts {
		if domain, ok := strings.CutPrefix(h, "*"); ok { // with its dot
			if strings.HasSuffix(host, domain) && len(host) > len(domain) {
				return true
			}
		} else if host == h || host == h+":443" {
			return true
		}
	}
	return false
}
