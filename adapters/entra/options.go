package entra

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Cloud is which of Microsoft's clouds a tenant is in.
type Cloud string

// The clouds. Tokens of one are worth nothing in another.
const (
	Global Cloud = "global" // the public cloud, and the US government community (GCC)
	USGov  Cloud = "usgov"  // US government L4, GCC High
	DoD    Cloud = "dod"    // US government L5
	China  Cloud = "china"  // operated by 21Vianet
)

// hosts are a cloud's addresses ("National cloud deployments"; China's sign-in
// by docs.azure.cn, "certificate credentials").
type hosts struct{ login, graph string }

var clouds = map[Cloud]hosts{
	Global: {"https://login.microsoftonline.com", "https://graph.microsoft.com"},
	USGov:  {"https://login.microsoftonline.us", "https://graph.microsoft.us"},
	DoD:    {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
	China:  {"https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"},
}

// Issuer is how the sign-in service of a tenant calls itself. login is its address
// where it is not the cloud's, or empty.
func Issuer(cloud Cloud, login, tenant string) string {
	login = cmp.Or(login, clouds[cloud].login)
	return strings.TrimRight(login, "/") + "/" + strings.ToLower(tenant) + "/v2.0"
}

// DefaultTimeout bounds one question; Graph ends its own after 60 seconds.
const DefaultTimeout = 60 * time.Second

// Options of a Client. Tenant, ClientID and one credential are required.
type Options struct {
	Tenant   string // the tenant's id, a GUID
	ClientID string // of the app registration, a GUID

	// One of these; of several, the last is used. Files are read anew for each
	// token, so that a renewed one needs no restart.
	Secret          bot.Secrets // client secrets; the next is tried when one is refused
	CertificateFile string      // PEM with an RSA private key and its certificate
	FederatedFile   string      // a token of another issuer that the registration trusts

	Cloud    Cloud  // default Global
	LoginURL string // instead of the cloud's, without a path
	GraphURL string // instead of the cloud's, without "/v1.0"
	CAFile   string // PEM; when given, only these authorities are trusted

	// Groups, Needed, SMS and Voice are the operator's settings that Examine
	// looks at or recalls: ids of the groups that are the staff, how many methods
	// a reset needs, and whether the tenant has its own telephony provider.
	Groups []string
	Needed int
	SMS    bool
	Voice  bool

	Timeout time.Duration    // of one question; default DefaultTimeout
	Now     func() time.Time // default time.Now
	Wall    func() time.Time // the clock as it is set now, for what Microsoft has dated; default Now
	Log     *slog.Logger     // for the operator; default: discard
}

// guid is the form of every id in Entra.
var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// check fills in what was left out and says what is wrong, for an operator.
func (o *Options) check() error {
	o.Cloud = cmp.Or(o.Cloud, Global)
	c, known := clouds[o.Cloud]
	o.LoginURL = cmp.Or(o.LoginURL, c.login)
	o.GraphURL = cmp.Or(o.GraphURL, c.graph)
	o.LoginURL, o.GraphURL = strings.TrimRight(o.LoginURL, "/"), strings.TrimRight(o.GraphURL, "/")
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wall == nil {
		o.Wall = o.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case !known:
		return fmt.Errorf("entra: cloud %q is not known; use global, usgov, dod or china", o.Cloud)
	case !guid.MatchString(o.Tenant):
		return fmt.Errorf("entra: tenant %q is not the id of a tenant; copy the tenant id from the Overview page of the Microsoft Entra admin center", o.Tenant)
	case !guid.MatchString(o.ClientID):
		return fmt.Errorf("entra: client_id %q is not the id of an app registration; copy its application (client) id", o.ClientID)
	case o.Secret.One() == "" && o.CertificateFile == "" && o.FederatedFile == "":
		return errors.New("entra: no credential; set certificate_file, federated_token_file or client_secret")
	case o.Timeout < 0:
		return fmt.Errorf("entra: timeout: %v is negative", o.Timeout)
	}
	for _, g := range o.Groups {
		if !guid.MatchString(g) {
			return fmt.Errorf("entra: groups: %q is not the object id of a group; copy it from the group's Overview page", g)
		}
	}
	for _, a := range []struct{ key, value string }{{"login_url", o.LoginURL}, {"graph_url", o.GraphURL}} {
		u, err := url.Parse(a.value)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !dial.Protected(u) {
			return fmt.Errorf("entra: %s must be an address like https://graph.microsoft.com (http only on this machine)", a.key)
		}
	}
	if o.FederatedFile == "" && o.CertificateFile != "" {
		_, err := readCertificate(o.CertificateFile)
		return err
	}
	return nil
}

// newHTTP makes the client for both servers. A redirect is an answer like any
// other: neither a token nor a credential follows one.
func newHTTP(o *Options, seen func(*http.Response)) (*http.Client, error) {
	var own []string
	if c := clouds[o.Cloud]; o.LoginURL != c.login {
		own = append(own, o.LoginURL)
	}
	if c := clouds[o.Cloud]; o.GraphURL != c.graph {
		own = append(own, o.GraphURL)
	}
	t := dial.For("", own...).Transport()
	var err error
	if t.TLSClientConfig, err = dial.TLS(o.CAFile); err != nil {
		return nil, fmt.Errorf("entra: ca_file: %w", err)
	}
	return dial.Client(&fenced{next: t, login: o.LoginURL, graph: o.GraphURL, seen: seen}, o.Timeout), nil
}
