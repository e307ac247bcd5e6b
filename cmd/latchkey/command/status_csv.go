package command

import (
	"context"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/adapters/csv"
	"latchkey/bot"
	"latchkey/bot/readiness"
	"latchkey/cmd/latchkey/program"
)

// writeCSV writes one line for each of the staff, safe for a spreadsheet.
func (r *readinessReport) writeCSV(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, csv.BOM); err != nil {
		return err
	}
	out := stdcsv.NewWriter(w)
	out.UseCRLF = true
	err := out.Write([]string{"id", "username", "name", "email", "school", "department", "at_risk", "sign_in", "sign_in_why", "reset", "reset_why", "to_do", "needs_token",
		"administrator", "methods", "known_as_of", "known_from", "microsoft_sign_in_today", "microsoft_reset_today", "microsoft_differs_sign_in", "microsoft_differs_reset"})
	if err != nil {
		return err
	}
	err = program.EachVerdict(ctx, r.db, r.pol, r.entra, func(p *bot.Person, _ *bot.Registration, v *readiness.Verdict) error {
		if !p.Enrolls() || !r.only.has(p) {
			return nil
		}
		var methods []string
		for _, c := range v.SignIn.Methods {
			methods = append(methods, c.Method)
		}
		asOf := ""
		if !v.AsOf.IsZero() {
			asOf = v.AsOf.UTC().Format(time.RFC3339)
		}
		cells := []string{string(p.ID), p.Username, p.Name, p.Email, p.Site, p.Department, strconv.FormatBool(v.AtRisk()), v.SignIn.Answer.String(), why(&v.SignIn),
			v.Reset.Answer.String(), why(&v.Reset), remedies(v.Plan()), strconv.FormatBool(v.AtRisk() && v.NeedsToken()), strconv.FormatBool(v.Admin),
			strings.Join(methods, " "), asOf, v.Source, strconv.FormatBool(v.SignIn.Microsoft), strconv.FormatBool(v.Reset.Microsoft),
			reasonText(v.SignIn.Differs), reasonText(v.Reset.Differs)}
		bot.GuardCells(cells)
		return out.Write(cells)
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

func reasonText(r readiness.Reason) string {
	if r == "" {
		return ""
	}
	return r.Text()
}

// why is why somebody will not get in, in words; empty for those who will. What
// never was a way in is left out where something else was.
func why(s *readiness.Side) string {
	if s.Answer == readiness.Yes {
		return ""
	}
	var strong, weak []string
	add := func(r readiness.Reason) {
		list := &strong
		switch r {
		case "", readiness.SameClass:
			return
		case readiness.MailNoFactor, readiness.NoFactor, readiness.NotForReset, readiness.NoAlternate, readiness.Temporary:
			list = &weak
		}
		if !slices.Contains(*list, r.Text()) {
			*list = append(*list, r.Text())
		}
	}
	add(s.Why)
	for _, c := range s.Methods {
		add(c.Reason)
	}
	if len(strong) == 0 {
		strong = weak
	}
	if len(s.Methods) == 0 && s.Why == "" {
		strong = append(strong, "nothing is registered")
	}
	if s.Answer == readiness.No && s.Have > 0 && s.Have < s.Need {
		strong = append(strong, fmt.Sprintf("%d of %d methods", s.Have, s.Need))
	}
	return strings.Join(strong, "; ")
}

func remedies(rs []readiness.Remedy) string {
	var all []string
	for _, r := range rs {
		all = append(all, r.Text())
	}
	return strings.Join(all, "; ")
}
