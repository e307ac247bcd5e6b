package pretend

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"latchkey/bot"
)

// An account is one entry of the authenticator app.
type account struct {
	key *otp.Key
	at  time.Time
}

// accountLine is an account in the file. Here the key stands in clear, as in
// any phone; a bot.Secret would refuse.
type accountLine struct {
	URI string    `json:"uri"`
	At  time.Time `json:"at"`
}

// A Code is what one entry of the authenticator app shows now.
type Code struct {
	Issuer  string
	Account string
	Code    string
	Left    int  // whole seconds until the next one
	Older   bool // a newer entry has the same issuer and account
}

// Scan adds the account of a QR picture (otpauth://totp/..., the Key URI
// format) to the app. The same one again changes nothing. The error does not
// repeat the URI.
func (d *Device) Scan(uri bot.Secret) error {
	key, err := parse(string(uri))
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.accounts {
		if a.key.String() == key.String() {
			return nil
		}
	}
	at := d.o.Now().UTC()
	if err := d.app.add(accountLine{URI: string(uri), At: at}); err != nil {
		return err
	}
	d.accounts = append(d.accounts, account{key, at})
	return nil
}

// Codes gives what the app shows at a time, newest entry first.
func (d *Device) Codes(now time.Time) []Code {
	d.mu.Lock()
	defer d.mu.Unlock()
	codes := make([]Code, 0, len(d.accounts))
	seen := map[[2]string]bool{}
	for i := len(d.accounts) - 1; i >= 0; i-- {
		k := d.accounts[i].key
		code, err := totp.GenerateCodeCustom(k.Secret(), now, totp.ValidateOpts{Period: uint(k.Period()), Digits: k.Digits(), Algorithm: k.Algorithm()})
		if err != nil {
			continue // parse has tried it: cannot be
		}
		name := [2]string{k.Issuer(), k.AccountName()}
		period := int64(k.Period())
		codes = append(codes, Code{Issuer: name[0], Account: name[1], Code: code, Left: int(period - now.Unix()%period), Older: seen[name]})
		seen[name] = true
	}
	return codes
}

func (d *Device) loadAccount(line []byte) error {
	var l accountLine
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	key, err := parse(l.URI)
	if err != nil {
		return err
	}
	d.accounts = append(d.accounts, account{key, l.At})
	return nil
}

// parse reads a URI and makes sure that it gives codes.
func parse(uri string) (*otp.Key, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return nil, errors.New("pretend: not an otpauth address")
	}
	if key.URL() == "" || key.Type() != "totp" || key.Secret() == "" || key.Period() == 0 || key.Period() > 3600 {
		return nil, fmt.Errorf("pretend: not an otpauth://totp address with a key")
	}
	if _, err := totp.GenerateCode(key.Secret(), time.Unix(0, 0)); err != nil {
		return nil, errors.New("pretend: the key is not base32")
	}
	return key, nil
}
