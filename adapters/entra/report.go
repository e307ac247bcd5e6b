package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
)

// reportPage is how many rows of the report are asked for at once: 300,000
// people are 301 pages, 11 minutes at five questions in ten seconds.
const reportPage = "999"

// detail is a row of the report (userRegistrationDetails).
type detail struct {
	ID                  string     `json:"id"`
	UserPrincipalName   string     `json:"userPrincipalName"`
	UserType            string     `json:"userType"`
	LastUpdatedDateTime *time.Time `json:"lastUpdatedDateTime"`

	// Without these a row would say "nothing registered" or "off" of somebody of
	// whom it says nothing.
	MethodsRegistered *[]string `json:"methodsRegistered"`
	IsSsprEnabled     *bool     `json:"isSsprEnabled"`
	IsAdmin           *bool     `json:"isAdmin"`

	IsSsprRegistered      bool `json:"isSsprRegistered"`
	IsSsprCapable         bool `json:"isSsprCapable"`
	IsMfaRegistered       bool `json:"isMfaRegistered"`
	IsMfaCapable          bool `json:"isMfaCapable"`
	IsPasswordlessCapable bool `json:"isPasswordlessCapable"`
}

// lacks names the property that a row must have and has not, or "".
func (d *detail) lacks() string {
	switch {
	case d.ID == "":
		return "id"
	case d.MethodsRegistered == nil:
		return "methodsRegistered"
	case d.IsSsprEnabled == nil:
		return "isSsprEnabled"
	case d.IsAdmin == nil:
		return "isAdmin"
	}
	return ""
}

// Registrations implements bot.DirectorySource. ReadAt is the caller's to set.
// The report leaves out disabled and deleted people: who is absent is not known.
func (c *Client) Registrations(ctx context.Context, cursor string) (all []bot.Registration, next string, err error) {
	p, err := c.read(ctx, &featureReport, cursor, c.address(featureReport.path, "$top", reportPage))
	if err != nil {
		return nil, "", err
	}
	for _, v := range p.Value {
		var d detail
		if json.Unmarshal(v, &d) != nil {
			return nil, "", fmt.Errorf("entra: %s: a row cannot be read; nothing of the page is taken over; `latchkey doctor` looks at it", featureReport.does)
		}
		if name := d.lacks(); name != "" {
			return nil, "", fmt.Errorf("entra: %s: a row has no %s, and nothing can be said of anybody without; nothing of the page is taken over; `latchkey doctor` looks at it", featureReport.does, name)
		}
		g := bot.Registration{
			Person: personID(d.ID), Methods: *d.MethodsRegistered,
			Admin: *d.IsAdmin, Guest: strings.EqualFold(d.UserType, "guest"), External: isExternal(d.UserPrincipalName),
			ResetEnabled: *d.IsSsprEnabled, ResetRegistered: d.IsSsprRegistered, ResetCapable: d.IsSsprCapable,
			MFARegistered: d.IsMfaRegistered, MFACapable: d.IsMfaCapable, Passwordless: d.IsPasswordlessCapable,
		}
		if d.LastUpdatedDateTime != nil {
			g.AsOf = d.LastUpdatedDateTime.UTC()
		}
		all = append(all, g)
	}
	return all, p.Next, nil
}
