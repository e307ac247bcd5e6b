package policy_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"latchkey/bot/policy"
)

func TestDefaultHolds(t *testing.T) {
	if err := policy.Default().Validate(); err != nil {
		t.Fatalf("the default policy is not allowed:\n%v", err)
	}
}

// Every field has exactly one key, and every key tells all there is to tell.
func TestTableIsComplete(t *testing.T) {
	seenField, seenPath := map[string]bool{}, map[string]bool{}
	for _, k := range policy.Keys() {
		if seenPath[k.Path] {
			t.Errorf("%s: twice in the table", k.Path)
		}
		seenPath[k.Path] = true
		if k.Field == "" || seenField[k.Field] {
			t.Errorf("%s: field %q is empty or has two keys", k.Path, k.Field)
		}
		seenField[k.Field] = true
		if !strings.HasPrefix(k.Path, "policy.") || strings.Count(k.Path, ".") != 2 {
			t.Errorf("%s: want policy.GROUP.NAME", k.Path)
		}
		if !strings.HasSuffix(k.Doc, ".") || k.Source == "" || k.Default == "" {
			t.Errorf("%s: doc %q, source %q, default %q: each must say something, doc as a sentence", k.Path, k.Doc, k.Source, k.Default)
		}
		if k.Kind == "number" && (k.Floor == "" || k.Cap == "" || k.Unit == "") {
			t.Errorf("%s: a number needs a floor, a cap and a unit", k.Path)
		}
	}
	for f := range reflect.TypeFor[policy.Policy]().Fields() {
		if !seenField[f.Name] {
			t.Errorf("Policy.%s has no key", f.Name)
		}
	}
}

// Setting a key to what Get wrote changes nothing, in both notations of lists.
func TestGetSetRoundTrip(t *testing.T) {
	for _, k := range policy.Keys() {
		var p policy.Policy
		if err := k.Set(&p, k.Default); err != nil {
			t.Errorf("%s: set its own default %q: %v", k.Path, k.Default, err)
			continue
		}
		if got := k.Get(&p); got != k.Default {
			t.Errorf("%s: %q came back as %q", k.Path, k.Default, got)
		}
		if bad := k.Check(&p); bad != nil {
			t.Errorf("%s: its default is refused: %v", k.Path, bad)
		}
		if k.List() {
			var q policy.Policy
			if err := k.Set(&q, strings.Split(k.Default, ", ")...); err != nil || !reflect.DeepEqual(p, q) {
				t.Errorf("%s: items one by one: %v, got %q", k.Path, err, k.Get(&q))
			}
		} else if err := k.Set(&p, k.Default, k.Default); err == nil {
			t.Errorf("%s: took two values", k.Path)
		}
	}
	whole := &policy.Policy{}
	for _, k := range policy.Keys() {
		if err := k.Set(whole, k.Default); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(whole, policy.Default()) {
		t.Error("setting every key to its default does not give Default()")
	}
}

// The caps and floors themselves are allowed; one step further is not.
func TestLimitsAreInclusive(t *testing.T) {
	for _, k := range policy.Keys() {
		for _, edge := range []string{k.Floor, k.Cap} {
			p := policy.Default()
			if edge == "" {
				continue
			}
			if err := k.Set(p, edge); err != nil {
				t.Errorf("%s: its limit %q cannot be read: %v", k.Path, edge, err)
			} else if bad := k.Check(p); bad != nil {
				t.Errorf("%s: its limit %q is refused: %v", k.Path, edge, bad)
			}
		}
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"policy.codes.tries", "500", "policy.codes.tries: 500 is above the cap 10; set 10 or less"},
		{"policy.codes.tries", "0", "policy.codes.tries: 0 is below the floor 1; set 1 or more"},
		{"policy.codes.digits", "4", "policy.codes.digits: 4 is below the floor 6; set 6"},
		{"policy.codes.digits", "8", "policy.codes.digits: 8 is above the cap 6; set 6"},
		{"policy.codes.life", "11m", "policy.codes.life: 11m is above the cap 10m; set 10m or less"},
		{"policy.codes.life_mail", "2d", "policy.codes.life_mail: 2d is above the cap 24h; set 24h or less"},
		{"policy.codes.resend_waits", "30s, 5s", "policy.codes.resend_waits: 30s, 5s has 5s, which is below the floor 10s; set 10s or more"},
		{"policy.codes.resend_waits", "1m, 30s", "policy.codes.resend_waits: 1m, 30s falls; order the waits from the shortest to the longest"},
		{"policy.codes.resend_waits", "", "policy.codes.resend_waits: (nothing) is empty; set at least one, for example 10s"},
		{"policy.codes.life", "1m", "policy.codes.life_proof: 5m is longer than policy.codes.life, 1m; set 1m or less"},
		{"policy.sends.sms_number", "6/10m, 6/24h", "policy.sends.sms_number: 6/10m, 6/24h allows more than the cap, 5 in any 10m; set 5/10m or a stricter limit"},
		{"policy.sends.sms_number", "3/10m", "policy.sends.sms_number: 3/10m allows more than the cap, 10 in any 24h; set 10/24h or a stricter limit"},
		{"policy.sends.sms_prefix", "20/1m", "policy.sends.sms_prefix: 20/1m allows more than the cap, 100 in any 1h; set 100/1h or a stricter limit"},
		{"policy.sends.sms_prefix", "20/0s", "policy.sends.sms_prefix: 20/0s has no span; write each limit like 100/1h"},
		{"policy.sends.breaker_rate", "0.01", "policy.sends.breaker_rate: 0.01 is below the floor 0.05; set 0.05 or more"},
		{"policy.numbers.countries", "US, usa", `policy.numbers.countries: US, usa has "usa", which is not a two-letter country code; write it in capitals, for example US`},
		{"policy.numbers.countries", "MX, CA", "policy.numbers.default_country: US is not among policy.numbers.countries, MX, CA; set one of them or add it there"},
		{"policy.methods.required", "3", "policy.methods.recommended: 2 is below policy.methods.required, 3; set 3 or more"},
		{"policy.methods.recovery_chars", "18", "policy.methods.recovery_chars: 18 is not a multiple of 4; set 20"},
		{"policy.failures.sign_in_wait", "16m", "policy.failures.sign_in_wait: 16m is above the cap 5m; set 5m or less\npolicy.failures.sign_in_wait_max: 15m is shorter than policy.failures.sign_in_wait, 16m; set 16m or more"},
		{"policy.failures.sign_in_wait_max", "1m", ""},
		{"policy.totp.skew_search", "1", "policy.totp.skew_search: 1 is within policy.totp.window, 1; set 0 to leave it out, or 2 or more"},
		{"policy.web.session_idle", "90m", "policy.web.session_idle: 1h30m is above the cap 1h; set 1h or less"},
		{"policy.web.session_life", "25h", "policy.web.session_life: 25h is above the cap 24h; set 24h or less"},
		{"policy.web.session_life", "20m", "policy.web.session_life: 20m is shorter than policy.web.session_idle, 30m; set 30m or more"},
		{"policy.web.link_life", "15m", "policy.web.link_life: 15m is above the cap 10m; set 10m or less"},
		{"policy.web.page_life", "30m", ""},
		{"policy.web.code_chars", "7", "policy.web.code_chars: 7 is below the floor 8; set 8 or more"},
		{"policy.web.code_tries", "11", "policy.web.code_tries: 11 is above the cap 10; set 10 or less"},
		{"policy.web.sign_in_fresh", "16m", "policy.web.sign_in_fresh: 16m is above the cap 15m; set 15m or less"},
		{"policy.web.failures", "30/1m", "policy.web.failures: 30/1m allows more than the cap, 100 in any 5m; set 100/5m or a stricter limit"},
		{"policy.web.link_opens", "0/1m", ""}, // stricter than every cap: no links at all
		{"policy.hash.memory_kib", "65536", ""},
		{"policy.hash.memory_kib", "4096", "policy.hash.memory_kib: 4096 is below the floor 19456; set 19456 or more"},
		{"policy.sends.sms_user", "0/24h", ""}, // stricter than every cap: no texts at all
		{"policy.failures.proof_delays", "0s", ""},
	} {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			p := policy.Default()
			if err := find(t, c.key).Set(p, c.value); err != nil {
				t.Fatal(err)
			}
			err := p.Validate()
			if got := ""; err != nil {
				got = err.Error()
				if got != c.want {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
				var problem policy.Problem
				if !errors.As(err, &problem) {
					t.Error("errors.As finds no Problem")
				}
			} else if c.want != "" {
				t.Errorf("is allowed, want %q", c.want)
			}
		})
	}
}

func TestHashMemoryTogether(t *testing.T) {
	p := policy.Default()
	p.HashWorkers, p.ArgonMemoryKiB = 32, 65536
	want := "policy.hash.workers: 32 times policy.hash.memory_kib, 65536, is above the cap 1 GiB; set 16 or less, or less memory"
	if err := p.Validate(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What cannot be read is refused with the key's name and changes nothing.
func TestUnreadable(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"policy.codes.tries", "five", "whole number"},
		{"policy.codes.tries", "5.5", "whole number"},
		{"policy.codes.tries", "99999999999999999999", "whole number"},
		{"policy.codes.life", "10", "not a duration"},
		{"policy.codes.life", "-10m", "not a duration"},
		{"policy.codes.life", "", "not a duration"},
		{"policy.codes.life", "999999999d", "not a duration"},
		{"policy.codes.life", "106751d2562047h", "not a duration"},
		{"policy.codes.resend_waits", "30s, soon", "not a duration"},
		{"policy.sends.sms_user", "3 per 10m", "not a limit"},
		{"policy.sends.sms_user", "-3/10m", "not a limit"},
		{"policy.sends.sms_user", "3/10", "not a limit"},
		{"policy.sends.budget_share", "NaN", "not a number"},
		{"policy.sends.budget_share", "Inf", "not a number"},
		{"policy.methods.questions", "yes", "neither true nor false"},
	} {
		p := policy.Default()
		err := find(t, c.key).Set(p, c.value)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.key+": ") {
			t.Errorf("%s=%q: got %v, want %q", c.key, c.value, err, c.want)
		}
		if !reflect.DeepEqual(p, policy.Default()) {
			t.Errorf("%s=%q: the policy changed", c.key, c.value)
		}
	}
}

func TestDurationNotation(t *testing.T) {
	for s, d := range map[string]time.Duration{
		"0s": 0, "30s": 30 * time.Second, "1m30s": 90 * time.Second, "10m": 10 * time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute,
		"24h": 24 * time.Hour, "36h": 36 * time.Hour, "7d": 7 * 24 * time.Hour, "400d": 400 * 24 * time.Hour, "49h": 49 * time.Hour, "1h0m5s": time.Hour + 5*time.Second,
	} {
		if got := policy.FormatDuration(d); got != s {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, s)
		}
		if got, err := policy.ParseDuration(s); err != nil || got != d {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", s, got, err, d)
		}
	}
	if got, err := policy.ParseDuration("1d12h"); err != nil || got != 36*time.Hour {
		t.Errorf("1d12h = %v, %v", got, err)
	}
}

func TestSteps(t *testing.T) {
	p := policy.Default()
	for sent, want := range map[int]time.Duration{-1: 0, 0: 0, 1: 30 * time.Second, 2: time.Minute, 5: 10 * time.Minute, 99: 10 * time.Minute} {
		if got := p.ResendWait(sent); got != want {
			t.Errorf("ResendWait(%d) = %v, want %v", sent, got, want)
		}
	}
	for failed, want := range map[int]time.Duration{-1: 0, 0: 0, 1: 2 * time.Second, 4: 30 * time.Second, 99: 30 * time.Second} {
		if got := p.T3Delay(failed); got != want {
			t.Errorf("T3Delay(%d) = %v, want %v", failed, got, want)
		}
	}
	for staff, want := range map[int]int{0: 50, 100: 50, 101: 50, 1000: 500} {
		if got := p.SMSBudget(staff); got != want {
			t.Errorf("SMSBudget(%d) = %d, want %d", staff, got, want)
		}
	}
	if got := policy.Widest(p.SMSUser); got != 24*time.Hour {
		t.Errorf("Widest = %v, want 24h", got)
	}
	var zero policy.Policy
	if zero.ResendWait(3) != 0 || zero.T3Delay(3) != 0 || policy.Widest(nil) != 0 {
		t.Error("the zero policy has waits")
	}
}

// The caller owns what Default gives.
func TestDefaultIsNotShared(t *testing.T) {
	policy.Default().ResendWaits[0] = 0
	policy.Default().Countries[0] = "XX"
	if p := policy.Default(); p.ResendWaits[0] == 0 || p.Countries[0] == "XX" {
		t.Error("two policies share a slice")
	}
}

func find(t *testing.T, path string) *policy.Key {
	t.Helper()
	keys := policy.Keys()
	for i := range keys {
		if keys[i].Path == path {
			return &keys[i]
		}
	}
	t.Fatalf("no key %s", path)
	return nil
}
