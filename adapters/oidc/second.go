package oidc

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// A secondFactor is how a provider is asked for one, and says that there was one.
// The zero value: it is not asked, and nothing it says counts.
//
//   - amr: the claim of this name lists mfa, or ways of at least two kinds
//     (something known, something had, something of the body; RFC 8176). There is
//     no parameter for it; the person signs in anew, and the provider's own rules
//     decide.
//   - acr:VALUE: acr_values asks for a class of sign-ins, and the claim acr must
//     be it (OpenID Connect Core 3.1.2.1).
//   - c1 to c99: an authentication context of Microsoft Entra, asked for with
//     claims, and in the claim acrs afterwards. Entra issues it also where no
//     policy stands behind it, so it is for the operator to say that one does.
type secondFactor struct {
	amr     bool
	acr     string
	context string
}

var entraContext = regexp.MustCompile(`^c[1-9][0-9]?$`)

// readSecond reads Options.SecondFactor.
func readSecond(s string, entra bool) (secondFactor, error) {
	acr, isACR := strings.CutPrefix(s, "acr:")
	switch {
	case s == "":
		return secondFactor{}, nil
	case entra && entraContext.MatchString(s):
		return secondFactor{context: s}, nil
	case entra:
		return secondFactor{}, errors.New("oidc: second factor: with Microsoft Entra it is an authentication context, c1 to c99; its ID tokens say nothing in amr and acr")
	case s == "amr":
		return secondFactor{amr: true}, nil
	case isACR && acr != "" && !strings.ContainsAny(acr, " \t"):
		return secondFactor{acr: acr}, nil
	}
	return secondFactor{}, errors.New("oidc: second factor: neither amr nor acr:VALUE")
}

// params are what the sign-in asks for.
func (f secondFactor) params() []oauth2.AuthCodeOption {
	switch {
	case f.acr != "":
		return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("acr_values", f.acr)}
	case f.context != "":
		type wish struct {
			Essential bool   `json:"essential"`
			Value     string `json:"value"`
		}
		b, err := json.Marshal(map[string]map[string]wish{"id_token": {"acrs": {true, f.context}}})
		if err != nil {
			return nil // cannot be: it is made of two words
		}
		return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("claims", string(b))}
	}
	return nil
}

// in reports whether the claims say that there was a second factor.
func (f secondFactor) in(claims map[string]json.RawMessage) bool {
	switch {
	case f.amr:
		return manyFactors(texts(claims["amr"]))
	case f.acr != "":
		return text(claims["acr"]) == f.acr
	case f.context != "":
		// Entra's page shows a list; where there is one only, some tokens have it alone.
		return text(claims["acrs"]) == f.context || slices.Contains(texts(claims["acrs"]), f.context)
	}
	return false
}

// kindOf sorts the ways to sign in of RFC 8176 by what they rest on. Left out
// are those that are no factor (user, rba, wia, geo), answers (kba), and mca, which says
// that there were several channels and not that there were several factors.
var kindOf = map[string]string{
	"pwd": "known", "pin": "known",
	"otp": "had", "hwk": "had", "swk": "had", "sc": "had", "sms": "had", "tel": "had",
	"face": "body", "fpt": "body", "iris": "body", "retina": "body", "vbm": "body",
}

// manyFactors reports whether these ways make a sign-in with several factors.
func manyFactors(amr []string) bool {
	if slices.Contains(amr, "mfa") {
		return true
	}
	kinds := map[string]bool{}
	for _, a := range amr {
		if k := kindOf[a]; k != "" {
			kinds[k] = true
		}
	}
	return len(kinds) > 1
}

// texts reads a list of JSON strings; anything else is empty.
func texts(raw json.RawMessage) (all []string) {
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	return all
}
