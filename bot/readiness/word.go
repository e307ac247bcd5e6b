package readiness

import "strings"

// A kind is what a method of the report is, whatever its word.
type kind uint8

const (
	unknownKind  kind = iota
	push              // notification of Microsoft Authenticator
	passwordless      // sign-in with Microsoft Authenticator instead of a password
	code              // six digits of an app
	token             // six digits of a device
	passkey           // synced, on a device, or a security key
	hello             // Windows Hello for Business
	mac               // platform credential of macOS
	external          // another company's second factor
	mobile            // a phone that gets texts and calls
	text              // a phone, as far as it gets texts
	call              // a phone, as far as it is called
	alternate         // a second phone, which is called only
	office            // a land-line at work
	mail
	question
	appPassword
	temporary // Temporary Access Pass
	qr
)

// words are those of the report (Graph, enum usageAuthMethod), in lower case.
var words = map[string]kind{
	"microsoftauthenticatorpush": push, "appnotification": push,
	"microsoftauthenticatorpasswordless": passwordless,
	"softwareonetimepasscode":            code, "appcode": code, "onetimepasscode": code,
	"hardwareonetimepasscode": token,
	"fido":                    passkey, "fido2": passkey, "fido2securitykey": passkey,
	"windowshelloforbusiness": hello,
	"macossecureenclavekey":   mac,
	"externalauthmethod":      external,
	"mobilephone":             mobile,
	"sms":                     text, "mobilesms": text,
	"mobilecall":           call,
	"alternatemobilephone": alternate, "alternatemobilecall": alternate,
	"officephone":         office,
	"email":               mail,
	"securityquestion":    question,
	"apppassword":         appPassword,
	"temporaryaccesspass": temporary,
	"qrcode":              qr,
}

// kindOf reads a word of the report. The list is open: all that begin with
// passKey are passkeys.
func kindOf(word string) kind {
	w := strings.ToLower(word)
	if k := words[w]; k != unknownKind {
		return k
	}
	if strings.HasPrefix(w, "passkey") {
		return passkey
	}
	return unknownKind
}

// phone reports whether the kind lives on texts and calls.
func (k kind) phone() bool { return k >= mobile && k <= office }

// factor reports whether the kind is a second factor today
// (concept-authentication-methods).
func (k kind) factor() bool { return k >= push && k <= office }

// governed reports whether the tenant's policy rules the kind, so that
// isMfaCapable says something about it. Windows Hello and macOS credentials are
// outside of the policy, and who registered another company's factor is not
// counted (howto-authentication-methods-activity).
func (k kind) governed() bool { return k.factor() && k != hello && k != mac && k != external }

// onOneComputer reports whether a method, by its word, lets people in on the
// computer on which it was set up, and nowhere else.
func onOneComputer(word string) bool {
	k := kindOf(word)
	return k == hello || k == mac || strings.EqualFold(word, "passKeyDeviceBoundWindowsHello")
}

// class is what the reset of a password takes as one method: all that an
// authenticator shows is one (concept-sspr-howitworks). Empty: it is none.
func (k kind) class() string {
	switch k {
	case push, code, token:
		return ClassAuthenticator
	case mail:
		return ClassMail
	case mobile, text, call:
		return ClassMobile
	case office:
		return ClassOffice
	}
	return ""
}
