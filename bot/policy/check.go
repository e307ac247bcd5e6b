package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Problem is a value that the policy does not allow.
type Problem struct {
	Key   string // "policy.codes.tries"
	Value string // "500"
	Limit string // what is wrong with it, as a predicate: "is above the cap 10"
	Fix   string // what to do: "set 10 or less"
}

// Error implements error: "policy.codes.tries: 500 is above the cap 10; set 10 or less".
func (p Problem) Error() string {
	value := p.Value
	if value == "" {
		value = "(nothing)"
	}
	return fmt.Sprintf("%s: %s %s; %s", p.Key, value, p.Limit, p.Fix)
}

// String is the same sentence.
func (p Problem) String() string { return p.Error() }

// Check lists everything that is not allowed, in the order of Keys, then what
// does not fit together. Nothing listed means that the policy holds.
func (p *Policy) Check() []Problem {
	var found []Problem
	for _, k := range Keys() {
		found = append(found, k.Check(p)...)
	}
	return append(found, p.checkTogether()...)
}

// Validate is Check as one error, a sentence a line, or nil. errors.As finds
// the first Problem.
func (p *Policy) Validate() error {
	var errs []error
	for _, f := range p.Check() {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// maxHashKiB is the memory that all hash workers together may take: 1 GiB.
const maxHashKiB = 1024 * 1024

func (p *Policy) checkTogether() []Problem {
	var found []Problem
	add := func(bad bool, key, value, limit, fix string) {
		if bad {
			found = append(found, Problem{key, value, limit, fix})
		}
	}
	add(p.CodeLifeT3 > p.CodeLifeT1, "policy.codes.life_proof", FormatDuration(p.CodeLifeT3),
		"is longer than policy.codes.life, "+FormatDuration(p.CodeLifeT1), "set "+FormatDuration(p.CodeLifeT1)+" or less")
	add(p.SignInWaitMax < p.SignInWait, "policy.failures.sign_in_wait_max", FormatDuration(p.SignInWaitMax),
		"is shorter than policy.failures.sign_in_wait, "+FormatDuration(p.SignInWait), "set "+FormatDuration(p.SignInWait)+" or more")
	add(p.TOTPDrift < time.Duration(p.TOTPWindow+1)*p.TOTPPeriod, "policy.totp.drift", FormatDuration(p.TOTPDrift),
		"is less than what policy.totp.window lets set up", "set "+FormatDuration(time.Duration(p.TOTPWindow+1)*p.TOTPPeriod)+" or more")
	add(p.TOTPSkewSearch > 0 && p.TOTPSkewSearch <= p.TOTPWindow, "policy.totp.skew_search", fmt.Sprint(p.TOTPSkewSearch),
		fmt.Sprintf("is within policy.totp.window, %d", p.TOTPWindow), fmt.Sprintf("set 0 to leave it out, or %d or more", p.TOTPWindow+1))
	add(len(p.Countries) > 0 && !slices.Contains(p.Countries, p.DefaultCountry), "policy.numbers.default_country", p.DefaultCountry,
		"is not among policy.numbers.countries, "+strings.Join(p.Countries, ", "), "set one of them or add it there")
	add(p.Recommended < p.Required, "policy.methods.recommended", fmt.Sprint(p.Recommended),
		fmt.Sprintf("is below policy.methods.required, %d", p.Required), fmt.Sprintf("set %d or more", p.Required))
	add(p.AnswerMax < p.AnswerMin, "policy.methods.answer_max", fmt.Sprint(p.AnswerMax),
		fmt.Sprintf("is below policy.methods.answer_min, %d", p.AnswerMin), fmt.Sprintf("set %d or more", p.AnswerMin))
	add(p.RecoveryCodeChars%4 != 0, "policy.methods.recovery_chars", fmt.Sprint(p.RecoveryCodeChars),
		"is not a multiple of 4", fmt.Sprintf("set %d", (p.RecoveryCodeChars+3)/4*4))
	add(p.SessionLife < p.SessionIdle, "policy.web.session_life", FormatDuration(p.SessionLife),
		"is shorter than policy.web.session_idle, "+FormatDuration(p.SessionIdle), "set "+FormatDuration(p.SessionIdle)+" or more")
	add(p.HashWorkers*p.ArgonMemoryKiB > maxHashKiB && p.ArgonMemoryKiB > 0, "policy.hash.workers", fmt.Sprint(p.HashWorkers),
		fmt.Sprintf("times policy.hash.memory_kib, %d, is above the cap 1 GiB", p.ArgonMemoryKiB),
		fmt.Sprintf("set %d or less, or less memory", max(1, maxHashKiB/max(1, p.ArgonMemoryKiB))))
	return found
}

func badCountry(c string) (limit, fix string) {
	if len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "is not a two-letter country code", "write it in capitals, for example US"
	}
	return "", ""
}

func badCountries(cs []string) (limit, fix string) {
	if len(cs) == 0 {
		return "names no country", "set at least one, for example US"
	}
	for _, c := range cs {
		if _, fix := badCountry(c); fix != "" {
			return fmt.Sprintf("has %q, which is not a two-letter country code", c), fix
		}
	}
	return "", ""
}
