package entra

import (
	"context"
	"net/http"
	"time"
)

// What the tests of other packages look at or replace.

// WaitBy replaces the waiting of the client, and its chance.
func (c *Client) WaitBy(sleep func(time.Duration), jitter func() float64) {
	c.sleep = func(ctx context.Context, d time.Duration) error { sleep(d); return ctx.Err() }
	c.jitter = jitter
}

// A Feature is one that the client can ask.
type Feature struct {
	Name, Path, Needs string
	Wider             []string
}

// Features are all.
func Features() (all []Feature) {
	for _, f := range features() {
		all = append(all, Feature{f.name, f.path, f.needs, f.wider})
	}
	return all
}

// Selected are the properties of people that are asked for.
func Selected() []string { return append(append([]string{}, documented...), undocumented...) }

// Decoded are values of the types that answers are read into, by the types of
// Graph that they stand for.
func Decoded() map[string][]any {
	var p methodsPolicy
	return map[string][]any{
		"userRegistrationDetails":                   {detail{}},
		"authenticationMethod":                      {method{}},
		"authenticationMethodsPolicy":               {p},
		"registrationEnforcement":                   {p.Enforcement},
		"authenticationMethodsRegistrationCampaign": {p.Enforcement.Campaign},
		"authenticationMethodConfiguration":         {methodConfiguration{}},
	}
}

// Words and WordsOfReport are the tables of methods; AllAssumptions the names in theirs.
func Words() map[string]string { return words }

// WordsOfReport are the words that are known, in lower case.
func WordsOfReport() []string { return knownWords }

// Kinds are the types of methods that have a rule of their own.
var Kinds = []string{"password", "phone", "fido2"}

// AllAssumptions are the names of the table, with whether each is looked at.
func AllAssumptions() map[string]bool {
	all := map[string]bool{}
	for _, a := range assumptions() {
		all[a.name] = a.look != nil
	}
	return all
}

// AADSTS is the table of the sign-in service's numbers.
func AADSTS() map[int]string { return aadsts }

// CloudText is what the doctor says of the cloud.
func CloudText(c *Client) string { return c.examineCloud().Text }

// HTTP is what all requests go through.
func (c *Client) HTTP() *http.Client { return c.http }
