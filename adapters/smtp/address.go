package smtp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// wire is an address as it goes to a mail server: its domain as it stands in the
// DNS (IDNA), since hardly any server takes another. Its local part cannot be
// written in ASCII when it is not; then the server must offer SMTPUTF8
// (RFC 6531), and beyond reports so.
func wire(address string) (onWire string, beyond bool, err error) {
	i := strings.LastIndexByte(address, '@')
	local, domain := address[:i+1], address[i+1:]
	if !ascii(domain) {
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", false, errors.New("the domain of the address is none that can be looked up")
		}
	}
	return local + domain, !ascii(local), nil
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// needUTF8 says that a letter cannot go to a server without SMTPUTF8. Nothing
// was sent, and a repeat would not help.
func (m *Mailer) needUTF8() error {
	m.o.Log.Error("mail cannot be sent", "host", m.o.Host, "port", m.o.Port, "while", "naming the addresses",
		"fix", "an address has letters beyond a-z before its @, and this mail server does not offer SMTPUTF8: give the person another address, or use a mail server that offers it")
	return permanent("refused", fmt.Errorf("smtp: an address has letters beyond a-z before its @, and %s:%d does not offer SMTPUTF8", m.o.Host, m.o.Port))
}
