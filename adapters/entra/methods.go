package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"latchkey/bot"
)

// method is one entry of a person's own page. Of a telephone, a mailbox or a
// device it says which there is, and no number, address or name is read.
type method struct {
	Type        string `json:"@odata.type"`
	PhoneType   string `json:"phoneType"`
	PasskeyType string `json:"passkeyType"`
	AAGUID      string `json:"aaGuid"`
	IsUsable    *bool  `json:"isUsable"` // of a Temporary Access Pass
}

// Models of passkeys that live in an app or in Windows (entra-docs, "Enable
// passkeys in Microsoft Authenticator", "Microsoft Entra passkeys on Windows").
var (
	inAuthenticator = []string{"90a3ccdf-635c-4729-a248-9b709135078f", "de1e552d-db1d-4423-a619-566b625cdc84"}
	inWindows       = []string{"08987058-cadc-4b81-b6e1-30de50dcbe96", "9ddd1817-af5a-4672-a2b9-3e3dd95000a9", "6028b017-b1d4-4c02-b4b3-afcdafc96bb2"}
)

// words are the report's words for the types of methods.
var words = map[string]string{
	"email":                              "email",
	"external":                           "externalAuthMethod",
	"hardwareOath":                       "hardwareOneTimePasscode",
	"microsoftAuthenticator":             "microsoftAuthenticatorPush",
	"passwordlessMicrosoftAuthenticator": "microsoftAuthenticatorPasswordless",
	"platformCredential":                 "macOsSecureEnclaveKey",
	"qrCodePin":                          "qrCode",
	"softwareOath":                       "softwareOneTimePasscode",
	"temporaryAccessPass":                "temporaryAccessPass",
	"windowsHelloForBusiness":            "windowsHelloForBusiness",
}

// kind is the type without what every type begins and ends with.
func (m *method) kind() string {
	return strings.TrimSuffix(strings.TrimPrefix(m.Type, "#microsoft.graph."), "AuthenticationMethod")
}

// word is the method in the words of the report; empty: it is none that the
// report counts. A type that nobody here knows keeps its own name.
func (m *method) word() string {
	switch kind := m.kind(); kind {
	case "password":
		return ""
	case "phone":
		return m.PhoneType + "Phone" // mobilePhone, alternateMobilePhone, officePhone
	case "fido2":
		return m.passkey()
	case "temporaryAccessPass":
		if m.IsUsable != nil && !*m.IsUsable {
			return ""
		}
		return words[kind]
	case "":
		return "unknown"
	default:
		if w := words[kind]; w != "" {
			return w
		}
		return kind
	}
}

func (m *method) passkey() string {
	model := strings.ToLower(m.AAGUID)
	switch {
	case m.PasskeyType == "synced":
		return "passKeySynced"
	case slices.Contains(inAuthenticator, model):
		return "passKeyDeviceBoundAuthenticator"
	case slices.Contains(inWindows, model):
		return "passKeyDeviceBoundWindowsHello"
	case m.PasskeyType == "deviceBound":
		return "passKeyDeviceBound"
	}
	return "fido2" // some passkey
}

// mostOwnPages is how many pages the methods of one person may have. Nobody has
// registered so many; whoever gives more never ends.
const mostOwnPages = 10

// methods reads a person's own page.
func (c *Client) methods(ctx context.Context, p bot.PersonID) ([]method, error) {
	if !guid.MatchString(string(p)) {
		// By an address, guests are not found.
		return nil, fmt.Errorf("entra: %s: the person's id is no object id of Entra: %w", featureOwnPage.does, bot.ErrNotFound)
	}
	var all []method
	cursor := ""
	for range mostOwnPages {
		got, err := c.read(ctx, &featureOwnPage, cursor, c.address(strings.ReplaceAll(featureOwnPage.path, "{id}", string(p))))
		if err != nil {
			return nil, err
		}
		for _, v := range got.Value {
			var m method
			if json.Unmarshal(v, &m) != nil {
				return nil, fmt.Errorf("entra: %s: an entry cannot be read", featureOwnPage.does)
			}
			all = append(all, m)
		}
		if cursor = got.Next; cursor == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("entra: %s: the answer has more than %d pages; is there a proxy in between, and is entra.graph_url right?", featureOwnPage.does, mostOwnPages)
}

// MethodsOf implements bot.DirectorySource: never nil without an error, each
// word once. The page shows the kinds of v1.0 only: hardware tokens, questions,
// app passwords and QR codes are told by the report alone. bot.ErrNotFound is
// wrapped where Entra does not know the person.
func (c *Client) MethodsOf(ctx context.Context, p bot.PersonID) ([]string, error) {
	all, err := c.methods(ctx, p)
	if err != nil {
		return nil, err
	}
	found := []string{}
	for _, m := range all {
		if w := m.word(); w != "" && !slices.Contains(found, w) {
			found = append(found, w)
		}
	}
	return found, nil
}
