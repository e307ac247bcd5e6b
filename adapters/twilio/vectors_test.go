package twilio

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/twilio/twilio-go/client"
)

// The published sample of Twilio's documentation, and the same for a JSON body.
// Host, X-Forwarded-* and the path of the request play no part.
func TestSignatureVectors(t *testing.T) {
	form := "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&To=%2B18005551212"
	const good, json = "GvWf1cFY/Q7PnoempGyD5oXAezc=", "a9nBmqA0ju/hNViExpshrM61xv4="
	const sum = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
	tests := []struct {
		name, public, query, kind, body, signature string
		want                                       int
	}{
		{"sample", "https://mycompany.com", "foo=1&bar=2", formType, form, good, 0},
		{"with the port", "https://mycompany.com:443", "foo=1&bar=2", formType, form, good, 0},
		{"order of the body does not matter", "https://mycompany.com", "foo=1&bar=2", formType, "To=%2B18005551212&" + strings.TrimSuffix(form, "&To=%2B18005551212"), good, 0},
		{"other host", "https://evil.example", "foo=1&bar=2", formType, form, good, http.StatusForbidden},
		{"other scheme", "http://mycompany.com", "foo=1&bar=2", formType, form, good, http.StatusForbidden},
		{"other query", "https://mycompany.com", "foo=1&bar=3", formType, form, good, http.StatusForbidden},
		{"changed value", "https://mycompany.com", "foo=1&bar=2", formType, strings.Replace(form, "1234&", "1235&", 1), good, http.StatusForbidden},
		{"added key", "https://mycompany.com", "foo=1&bar=2", formType, form + "&X=1", good, http.StatusForbidden},
		{"key twice", "https://mycompany.com", "foo=1&bar=2", formType, form + "&Digits=1", good, http.StatusForbidden},
		{"no signature", "https://mycompany.com", "foo=1&bar=2", formType, form, "", http.StatusUnauthorized},
		{"empty signature of nothing", "https://mycompany.com", "foo=1&bar=2", formType, form, "=", http.StatusForbidden},
		{"body hash of another body", "https://mycompany.com", "foo=1&bar=2&bodySHA256=" + sum, formType, form, json, http.StatusForbidden},
		{"not a form", "https://mycompany.com", "foo=1&bar=2&bodySHA256=" + sum, "application/json", `{"property": "value", "boolean": true}`, json, http.StatusUnsupportedMediaType},
		{"no type", "https://mycompany.com", "foo=1&bar=2", "", form, good, http.StatusUnsupportedMediaType},
		{"broken form", "https://mycompany.com", "foo=1&bar=2", formType, "%zz", good, http.StatusForbidden},
		{"too large", "https://mycompany.com", "foo=1&bar=2", formType, "A=" + strings.Repeat("x", bodyCap), good, http.StatusRequestEntityTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			public, err := url.Parse(tt.public)
			if err != nil {
				t.Fatal(err)
			}
			s := &Sender{public: public, sign: client.NewRequestValidator("12345")}
			r := httptest.NewRequest(http.MethodPost, "/some/other/path?"+tt.query, strings.NewReader(tt.body))
			r.Host = "mycompany.com"
			r.Header.Set("X-Forwarded-Host", "mycompany.com")
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("Content-Type", tt.kind)
			if tt.signature != "" {
				r.Header.Set("X-Twilio-Signature", tt.signature)
			}
			values, status := s.verified(httptest.NewRecorder(), r, "/myapp.php")
			if status != tt.want {
				t.Fatalf("status %d, want %d", status, tt.want)
			}
			if tt.want == 0 && values.Get("Digits") != "1234" {
				t.Errorf("got %v", values)
			}
		})
	}
	// The second vector is checked by the library that we build on.
	sign := client.NewRequestValidator("12345")
	if !sign.ValidateBody("https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256="+sum, []byte(`{"property": "value", "boolean": true}`), json) {
		t.Error("the vector of a JSON body is refused")
	}
}

const formType = "application/x-www-form-urlencoded"
