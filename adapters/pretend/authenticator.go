package pretend

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// name is what the app calls an account.
func name(k *otp.Key) string { return k.Issuer() + ": " + k.AccountName() }

// Scan adds the account of a QR picture (otpauth://totp/..., the Key URI
// format) to the app. The same one again changes nothing. The error does not
// repeat the URI.
func (d *Device) Scan(uri bot.Secret) (string, error) {
	key, err := parse(string(uri))
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.accounts {
		if a.key.String() == key.String() {
			return name(key), nil
		}
	}
	at := d.o.Now().UTC()
	if err := d.app.add(accountLine{URI: string(uri), At: at}); err != nil {
		return "", err
	}
	d.accounts = append(d.accounts, account{key, at})
	return name(key), nil
}

// Codes gives what the app shows at a time, newest entry first. An entry is gone
// when a newer one has its name.
func (d *Device) Codes(now time.Time) []bot.PhoneCode {
	d.mu.Lock()
	defer d.mu.Unlock()
	codes := make([]bot.PhoneCode, 0, len(d.accounts))
	seen := map[string]bool{}
	for _, a := range slices.Backward(d.accounts) {
		k := a.key
		code, err := totp.GenerateCodeCustom(k.Secret(), now, totp.ValidateOpts{Period: uint(k.Period()), Digits: k.Digits(), Algorithm: k.Algorithm()})
		if err != nil || seen[name(k)] { // parse has tried it: it does not fail
			continue
		}
		seen[name(k)] = true
		period := int64(k.Period())
		codes = append(codes, bot.PhoneCode{Name: name(k), Code: code, Left: time.Duration(period-now.Unix()%period) * time.Second})
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
