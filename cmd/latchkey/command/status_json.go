package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/readiness"
)

// A judgedPerson is one person in JSON.
type judgedPerson struct {
	ID         bot.PersonID       `json:"id"`
	Username   string             `json:"username,omitempty"`
	Name       string             `json:"name,omitempty"`
	School     string             `json:"school,omitempty"`
	Department string             `json:"department,omitempty"`
	AtRisk     bool               `json:"atRisk"`
	Do         []readiness.Remedy `json:"do,omitempty"`
	readiness.Verdict
}

func judgedOf(p *bot.Person, v *readiness.Verdict) judgedPerson {
	return judgedPerson{p.ID, p.Username, p.Name, p.Site, p.Department, v.AtRisk(), v.Plan(), *v}
}

// writeJSON writes the counts, and the people at risk one by one.
func (r *readinessReport) writeJSON(ctx context.Context, w io.Writer, list bool) error {
	head := map[string]any{
		"asOfDay": readiness.Ends.Format(time.DateOnly), "daysLeft": r.daysLeft(), "organisation": r.org, "school": r.only.school, "department": r.only.department,
		"settings": map[string]any{"methodsNeeded": r.entra.Needed, "smsProvider": r.entra.SMS, "voiceProvider": r.entra.Voice},
		"report": map[string]any{"noLicence": r.unlicensed, "asOf": r.tally.Newest, "oldest": r.tally.Oldest, "readAt": r.tally.ReadAt,
			"ageHours": int(r.now.Sub(r.tally.Newest).Hours())},
		"policy": r.pol, "all": r.tally.All, "schools": readiness.Units(r.tally.Schools), "departments": readiness.Units(r.tally.Departments),
		"trend": r.trend, "microsoftByItself": readiness.Nudging(r.pol, &r.tally.All), "advice": readiness.Advice(r.pol, &r.tally.All),
	}
	b, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	if !list {
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	// People follow as they are read, so that they are never all in memory.
	if _, err := fmt.Fprintf(w, "%s,\n  \"people\": [", strings.TrimSuffix(string(b), "\n}")); err != nil {
		return err
	}
	between := "\n    "
	err = r.atRisk(ctx, func(p *bot.Person, v *readiness.Verdict) error {
		b, err := json.Marshal(judgedOf(p, v))
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s", between, b)
			between = ",\n    "
		}
		return err
	})
	if err == nil {
		_, err = io.WriteString(w, "\n  ]\n}\n")
	}
	return err
}
