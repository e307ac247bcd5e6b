package entra_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/adapters/entra"
	"latchkey/bot"
)

// Whatever stands in an account, a person comes of it whose texts are short and
// show nothing hidden, or an error without them.
func FuzzPerson(f *testing.F) {
	for _, s := range []string{
		`{"userPrincipalName":"a@b.example","displayName":"A \u202e B","mail":"a@b@c","businessPhones":["1",2],"manager@delta":[{"id":1}],"accountEnabled":"yes"}`,
		`{"userPrincipalName":null,"onPremisesSamAccountName":7,"preferredLanguage":"x-","employeeHireDate":"9999-12-31T23:59:59Z","manager":"x"}`,
		`{}`, `[]`, `{"displayName":"` + strings.Repeat("é", 400) + `"}`,
	} {
		f.Add([]byte(s))
	}
	c, err := entra.New(entra.Options{Tenant: tenant, ClientID: app, Secret: func() []bot.Secret { return []bot.Secret{"x"} }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, merged []byte) {
		p, _, err := c.Person(ann, json.RawMessage(merged))
		if err != nil {
			if len(err.Error()) > 300 {
				t.Errorf("the error repeats what was stored: %v", err)
			}
			return
		}
		if p.ID != ann || p.Email != "" && strings.Count(p.Email, "@") != 1 {
			t.Errorf("%+v", p)
		}
		for _, s := range []string{p.Name, p.GivenName, p.Department, p.Title, p.Site, p.WorkPhone, p.Username, p.Email, p.Lang, p.HiredOn, string(p.Manager)} {
			if utf8.RuneCountInString(s) > 256 || bot.Harmless(s) != s || strings.ContainsAny(s, "\n\t") {
				t.Errorf("%q is shown", s)
			}
		}
	})
}
