package entratest

import (
	"slices"
	"strings"
)

// methodKind is a kind of method that v1.0 lists on a person's own page (the
// page "authenticationMethods APIs overview"). Questions, app passwords, QR
// codes and hardware tokens are not among them: v1.0 lists its own kinds only.
type methodKind struct {
	segment string // of the path, in lower case
	typ     string // of @odata.type, without its name space
}

var methodKinds = []methodKind{
	{"phonemethods", "phoneAuthenticationMethod"},
	{"emailmethods", "emailAuthenticationMethod"},
	{"fido2methods", "fido2AuthenticationMethod"},
	{"microsoftauthenticatormethods", "microsoftAuthenticatorAuthenticationMethod"},
	{"softwareoathmethods", "softwareOathAuthenticationMethod"},
	{"windowshelloforbusinessmethods", "windowsHelloForBusinessAuthenticationMethod"},
	{"platformcredentialmethods", "platformCredentialAuthenticationMethod"},
	{"temporaryaccesspassmethods", "temporaryAccessPassAuthenticationMethod"},
	{"externalauthenticationmethods", "externalAuthenticationMethod"},
	{"passwordmethods", "passwordAuthenticationMethod"},
}

// Ids that are the same for everybody (the pages "phoneAuthenticationMethod",
// "emailAuthenticationMethod", "passwordAuthenticationMethod").
const (
	mobileID    = "3179e48a-750b-4051-897c-87b9720928f7"
	alternateID = "b6332ec1-7057-4abe-9331-3d72feddfe41"
	officeID    = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	emailID     = "3ddfcfc8-9383-446f-83cc-3ab9be4be18f"
	passwordID  = "28c10230-6103-485e-b985-444c60001490"
)

// Models of passkeys (entra-docs, concept-fido2-hardware-vendor and
// how-to-authentication-entra-passkeys-on-windows).
const (
	authenticatorGUID = "90a3ccdf-635c-4729-a248-9b709135078f"
	helloGUID         = "08987058-cadc-4b81-b6e1-30de50dcbe96"
	keyGUID           = "2fc0579f-8113-47ea-b116-bb5a8db9202a"
	syncedGUID        = "fbfc3007-154e-4ecc-8c0b-6e020557d7bd"
)

// methodsOf are the methods on the page of account i, as it is now: they do not
// lag. t.mu is held.
func (t *Tenant) methodsOf(i int, f *Fault) []object {
	s := t.current(i)
	made := stamp(t.people.made.AddDate(0, 0, -1-t.people.roll(i, 30, 900)))
	all := []object{method("passwordAuthenticationMethod", object{"id": passwordID, "password": nil, "createdDateTime": made})}
	seen := map[string]bool{}
	for n, word := range lower(s.Methods) {
		m := t.method(i, n, word, s.Person)
		if m == nil {
			continue
		}
		m["createdDateTime"] = made
		if a := t.accounts[i]; a != nil && n >= len(a.states[0].Methods) {
			m["createdDateTime"] = stamp(s.at)
		}
		// Two words may be one method, such as the old and the new word.
		if id := m["id"].(string); !seen[id] {
			seen[id] = true
			all = append(all, m)
		}
	}
	if f.is(Unknown) {
		for _, m := range all {
			for _, open := range []string{"phoneType", "passkeyType", "attestationLevel", "smsSignInState"} {
				if m[open] != nil {
					m[open] = "unknownFutureValue"
				}
			}
		}
		all = append(all, method("palmVeinAuthenticationMethod", object{"id": t.people.id(i + 1<<27), "createdDateTime": made, "hand": "left"}))
	}
	return all
}

func method(typ string, o object) object {
	o["@odata.type"] = "#microsoft.graph." + typ
	return o
}

// method makes the resource for a person's nth word; nil when v1.0 has none.
func (t *Tenant) method(i, n int, word string, p Person) object {
	id := t.people.id(1<<26 + i*16 + n) // its own, any
	phone := func(id, kind, number string) object {
		return method("phoneAuthenticationMethod", object{"id": id, "phoneType": kind, "phoneNumber": number, "smsSignInState": "notConfigured"})
	}
	number := "+1 " + t.digits(i, 10)
	switch {
	case slices.Contains(mobiles, word):
		return phone(mobileID, "mobile", number)
	case slices.Contains(others, word):
		return phone(alternateID, "alternateMobile", "+1 "+t.digits(i+1<<20, 10))
	case slices.Contains(offices, word):
		if p.Phone != "" {
			number = "+1 " + strings.ReplaceAll(strings.TrimPrefix(p.Phone, "+1 "), " ", "")
		}
		return phone(officeID, "office", number)
	case word == "email":
		return method("emailAuthenticationMethod", object{"id": emailID, "emailAddress": "private" + t.digits(i, 6) + "@mail.example"})
	case slices.Contains(apps, word):
		return method("microsoftAuthenticatorAuthenticationMethod", object{"id": id, "displayName": "Phone", "deviceTag": "SoftwareTokenActivated", "phoneAppVersion": "6.2511.7533"})
	case word == "softwareonetimepasscode" || word == "onetimepasscode" || word == "appcode":
		return method("softwareOathAuthenticationMethod", object{"id": id, "secretKey": nil})
	case slices.Contains(passkeys, word):
		o := object{"id": id, "displayName": "Security key", "aaGuid": keyGUID, "model": "YubiKey 5 Series", "attestationCertificates": []string{}, "attestationLevel": "attested", "passkeyType": "deviceBound"}
		switch word {
		case "passkeysynced":
			o["displayName"], o["aaGuid"], o["model"], o["attestationLevel"], o["passkeyType"] = "Passkey", syncedGUID, "iCloud Keychain", "notAttested", "synced"
		case "passkeydeviceboundauthenticator":
			o["displayName"], o["aaGuid"], o["model"] = "Authenticator", authenticatorGUID, "Microsoft Authenticator"
		case "passkeydeviceboundwindowshello":
			o["displayName"], o["aaGuid"], o["model"] = "Windows Hello", helloGUID, "Windows Hello"
		}
		return method("fido2AuthenticationMethod", o)
	case word == "windowshelloforbusiness":
		return method("windowsHelloForBusinessAuthenticationMethod", object{"id": id, "displayName": "PC-" + t.digits(i, 5), "keyStrength": "normal"})
	case word == "macossecureenclavekey":
		return method("platformCredentialAuthenticationMethod", object{"id": id, "displayName": "Mac-" + t.digits(i, 5), "keyStrength": "normal", "platform": "macOS"})
	case slices.Contains(passes, word):
		return method("temporaryAccessPassAuthenticationMethod", object{"id": id, "temporaryAccessPass": nil, "startDateTime": stamp(t.o.Now()), "lifetimeInMinutes": 60, "isUsableOnce": true, "isUsable": true, "methodUsabilityReason": "EnabledByPolicy"})
	case slices.Contains(external, word):
		return method("externalAuthenticationMethod", object{"id": id, "displayName": "Other provider", "configurationId": t.people.id(otherProvider)})
	}
	return nil
}

// digits are n digits that belong to account i.
func (t *Tenant) digits(i, n int) string {
	b := make([]byte, n)
	for j := range b {
		b[j] = byte('0' + t.people.roll(i, 40+uint64(j), 10))
	}
	b[0] = byte('2' + t.people.roll(i, 40, 8))
	return string(b)
}
