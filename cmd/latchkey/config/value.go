package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// A Key explains one key of the file and reads it.
type Key struct {
	Path    string // "smtp.port"
	Kind    string // "text", "list", "number", "switch", "duration", "path", "address", "secret", or a kind of policy.Key
	Unit    string
	Doc     string // one sentence
	Default string
	Floor   string
	Cap     string
	None    bool     // a duration that may be 0, too: there is none then
	Choices []string // the values allowed, when they are few
	Example string   // shown where there is no default
	Source  string   // policy: where the number comes from

	list     bool
	sample   bool // of an account that only the description has
	required bool
	at       func(*Config) any                 // pointer to the field, for keys of this package
	bad      func(v string) (what, fix string) // what is wrong with a value
	pol      *policy.Key
}

// Secret reports whether the key's value must not stand in the file.
func (k *Key) Secret() bool { return k.Kind == "secret" }

// Env is the name of the environment variable that goes over the file.
func (k *Key) Env() string {
	return "LATCHKEY_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(k.Path))
}

// Get writes the value that c has; a secret is never written.
func (k *Key) Get(c *Config) string {
	if k.pol != nil {
		return k.pol.Get(c.Policy)
	}
	switch p := k.at(c).(type) {
	case *string:
		return *p
	case *[]string:
		return strings.Join(*p, ", ")
	case *int:
		return strconv.Itoa(*p)
	case *time.Duration:
		return policy.FormatDuration(*p)
	case *bool:
		return strconv.FormatBool(*p)
	}
	return "" // secrets, one or several
}

// Value is Get, and "" for a key of an account that only the description has.
func (k *Key) Value(c *Config) string {
	if k.sample {
		return ""
	}
	return k.Get(c)
}

// set reads one value, or the items of a list, into c. The error is a
// predicate with its fix: "is not a whole number; write it like 587".
func (k *Key) set(c *Config, vs ...string) error {
	if k.pol != nil {
		err := k.pol.Set(c.Policy, vs...)
		if err == nil {
			return nil
		}
		what := strings.TrimPrefix(err.Error(), k.Path+": ")
		if !strings.Contains(what, ";") {
			what += "; write it like " + k.Default
		}
		return errors.New(what)
	}
	if p, ok := k.at(c).(*[]string); ok {
		list := []string{}
		for _, v := range vs {
			for part := range strings.SplitSeq(v, ",") {
				if part = strings.TrimSpace(part); part != "" {
					if err := k.allowed(part); err != nil {
						return err
					}
					list = append(list, part)
				}
			}
		}
		*p = list
		return nil
	}
	if p, ok := k.at(c).(*[]bot.Secret); ok {
		var all []bot.Secret
		for v := range strings.FieldsSeq(vs[0]) {
			if err := k.allowed(v); err != nil {
				return err
			}
			all = append(all, bot.Secret(v))
		}
		switch {
		case len(all) == 0:
			return errors.New("is empty; put the value there")
		case len(all) > 2:
			return errors.New("holds more than two values; keep the new one and the one before")
		}
		*p = all
		return nil
	}
	v := vs[0]
	if !k.Secret() {
		v = strings.TrimSpace(v)
	}
	switch p := k.at(c).(type) {
	case *string:
		if err := k.allowed(v); err != nil {
			return err
		}
		*p = v
	case *bot.Secret:
		if err := k.allowed(v); err != nil {
			return err
		}
		*p = bot.Secret(v)
	case *int:
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("is not a whole number; write it like %s", k.Default)
		}
		if lo, _ := strconv.Atoi(k.Floor); n < lo {
			return fmt.Errorf("%d is below the floor %s; set %s or more", n, k.Floor, k.Floor)
		}
		if hi, err := strconv.Atoi(k.Cap); err == nil && n > hi {
			return fmt.Errorf("%d is above the cap %s; set %s or less", n, k.Cap, k.Cap)
		}
		*p = n
	case *bool:
		if v != "true" && v != "false" {
			return errors.New("is neither true nor false; write true or false")
		}
		*p = v == "true"
	case *time.Duration:
		d, err := policy.ParseDuration(v)
		if err != nil {
			return errors.New("is not a duration; write it like 30s, 10m, 24h or 7d")
		}
		if lo, _ := policy.ParseDuration(k.Floor); d < lo && !(k.None && d == 0) {
			return fmt.Errorf("%s is below the floor %s; set %s or more", policy.FormatDuration(d), k.Floor, k.Floor)
		}
		if hi, err := policy.ParseDuration(k.Cap); err == nil && d > hi {
			return fmt.Errorf("%s is above the cap %s; set %s or less", policy.FormatDuration(d), k.Cap, k.Cap)
		}
		*p = d
	}
	return nil
}

// allowed checks a text.
func (k *Key) allowed(v string) error {
	if v == "" {
		return errors.New("is empty; remove the key, or give it a value")
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return errors.New("has a line break or a zero byte in it; write it on one line")
	}
	if len(v) > 4096 {
		return errors.New("is longer than 4096 bytes; shorten it")
	}
	if len(k.Choices) > 0 && !slices.Contains(k.Choices, v) {
		return fmt.Errorf("is none of its values; set one of %s", strings.Join(k.Choices, ", "))
	}
	if k.bad != nil {
		if what, fix := k.bad(v); what != "" {
			return fmt.Errorf("%s; %s", what, fix)
		}
	}
	return nil
}
