package entra

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// Examine implements bot.Examiner. It asks for a token and once for everything
// that is read, and tells which permission is there, missing or needless, what
// the tenant's policy lets people do, and which assumption of the client does
// not hold. It changes nothing, and names nobody.
func (c *Client) Examine(ctx context.Context) []bot.Finding {
	s := &seen{now: c.o.Wall(), members: map[string]int{}}
	signIn := c.examineSignIn(ctx, s)
	found := []bot.Finding{c.examineCloud(), signIn, c.examineCredential(), c.examineClock()}
	if signIn.State == bot.Broken {
		for _, name := range []string{featurePeople.name, featureReport.name, featurePolicy.name, featureOwnPage.name} {
			found = append(found, bot.Finding{What: name, State: bot.Skipped, Text: "there is no token to ask with"})
		}
		return plainly(found)
	}
	found = append(found, c.examinePeople(ctx, s))
	for _, g := range c.o.Groups {
		found = append(found, c.examineGroup(ctx, s, g))
	}
	found = append(found, c.examineReport(ctx, s), c.examineOwnPage(ctx, s))
	found = append(found, c.examinePolicy(ctx, s)...)
	found = append(found, c.examinePermissions(s))
	return plainly(append(found, examineAssumptions(s)...))
}

// plainly takes out of the texts what stands before them anyway.
func plainly(found []bot.Finding) []bot.Finding {
	for i := range found {
		f := &found[i]
		f.Text = strings.TrimPrefix(strings.TrimPrefix(f.Text, "entra: "), f.What+": ")
	}
	return found
}

func (c *Client) examineCloud() bot.Finding {
	usual := clouds[c.o.Cloud]
	f := bot.Finding{What: "cloud", Text: fmt.Sprintf("%s: tokens from %s, answers from %s", c.o.Cloud, c.o.LoginURL, c.o.GraphURL)}
	if c.o.LoginURL != usual.login || c.o.GraphURL != usual.graph {
		f.State = bot.Doubtful
		f.Fix = fmt.Sprintf("usual for this cloud are %s and %s; if entra.login_url and graph_url are not meant, take them out", usual.login, usual.graph)
	}
	return f
}

// examineSignIn asks for a new token, since a kept one does not have what was
// granted a minute ago.
func (c *Client) examineSignIn(ctx context.Context, s *seen) bot.Finding {
	f := bot.Finding{What: "sign-in of the app", Text: "Entra gives a token"}
	c.tokens.drop(c.tokens.kept())
	token, err := c.tokens.get(ctx)
	if err != nil {
		return f.Is(bot.Broken, strings.TrimPrefix(err.Error(), f.What+": "), "compare tenant, client_id and credential with the app registration, and see that this machine may reach "+c.o.LoginURL)
	}
	roles, ok := rolesOf(token)
	s.roles, s.opaque = roles, !ok
	if ok {
		f.Text += " with " + list(roles, "no permission at all")
	}
	if ok && len(roles) == 0 {
		f.State, f.Fix = bot.Broken, "add the application permissions (not delegated ones) under API permissions of the app registration, and grant admin consent"
	}
	return f
}

// certificateSoon is how long before its end a certificate is told.
const certificateSoon = 30 * 24 * time.Hour

func (c *Client) examineCredential() bot.Finding {
	f := bot.Finding{What: "credential"}
	switch {
	case c.o.FederatedFile != "":
		f.Text = "a token of another issuer, which is read anew for each use"
	case c.o.CertificateFile != "":
		cert, err := readCertificate(c.o.CertificateFile)
		if err != nil {
			return f.Is(bot.Broken, err.Error(), "mend the file; it is read anew for each token")
		}
		end := cert.leaf.NotAfter.UTC()
		f.Text = "a certificate, good until " + end.Format(time.DateOnly)
		f.Fix = "make a new one, upload it under Certificates & secrets of the app registration, and then replace the file; no restart is needed"
		switch left := end.Sub(c.o.Wall()); {
		case left <= 0:
			f.State, f.Text = bot.Broken, "the certificate has ended on "+end.Format(time.DateOnly)
		case left < certificateSoon:
			f.State = bot.Doubtful
		default:
			f.Fix = ""
		}
	default:
		f.Text = "a client secret; Entra does not tell when it ends: see Certificates & secrets of the app registration"
	}
	return f
}

// examineClock compares our clock with Microsoft's.
func (c *Client) examineClock() bot.Finding {
	c.mu.Lock()
	at := c.clock
	c.mu.Unlock()
	f := bot.Finding{What: "clock"}
	if at.theirs.IsZero() {
		return f.Is(bot.Skipped, "Microsoft did not tell the time", "")
	}
	off := at.ours.Sub(at.theirs).Abs().Round(time.Second)
	f.Text = fmt.Sprintf("%s away from Microsoft's", off)
	switch {
	case off >= 5*time.Minute:
		f.State, f.Fix = bot.Broken, "set this machine's clock; assertions and sign-ins are refused"
	case off > 30*time.Second:
		f.State, f.Fix = bot.Doubtful, "set this machine's clock by NTP; codes of authenticator apps depend on it, too"
	}
	return f
}

// result is the finding of a feature that was asked.
func (f *feature) result(ctx context.Context, s *seen, text string, err error) bot.Finding {
	found := bot.Finding{What: f.name, Text: text}
	if err == nil {
		if by := f.by(s.roles); by != "" {
			found.Text += ", by " + by
		}
		return found
	}
	var r *refusal
	var w *bot.WaitError
	found.State = bot.Broken
	switch {
	case ctx.Err() != nil:
		found.State, found.Text = bot.Skipped, "there was no time left to ask"
	case errors.As(err, &r) && r.is(noLicence):
		found.State = bot.Doubtful
		found.Text, found.Fix, _ = strings.Cut(r.problem, ". ")
	case errors.As(err, &r):
		found.Fix, r.problem = r.problem, ""
		if found.Text = r.Error(); errors.As(err, &w) {
			found.State = bot.Doubtful
		}
		found.Fix = cmp.Or(found.Fix, "look again later; with the request-id Microsoft's support finds what happened")
	default:
		if found.Text = err.Error(); errors.As(err, &w) {
			found.Text = w.Err.Error()
		}
		found.Fix = "see that this machine may reach both addresses, and that entra.cloud is right"
	}
	return found
}

// by names the permission that allows the feature.
func (f *feature) by(roles []string) string {
	for _, p := range slices.Concat([]string{f.needs}, f.wider) {
		if slices.Contains(roles, p) {
			return p
		}
	}
	return ""
}

func (c *Client) examinePeople(ctx context.Context, s *seen) bot.Finding {
	p, err := c.People(ctx, "")
	if err != nil {
		return featurePeople.result(ctx, s, "", err)
	}
	s.people, s.narrow = p.Changes, c.narrow.Load()
	return featurePeople.result(ctx, s, many(len(p.Changes), "account", "accounts")+" on the first page", nil)
}

func (c *Client) examineGroup(ctx context.Context, s *seen, group string) bot.Finding {
	ids, _, err := c.Members(ctx, group, "")
	f := featureGroups.result(ctx, s, many(len(ids), "person", "people")+" on the first page", err)
	f.What = "group " + group
	if err == nil {
		s.members[group] = len(ids)
	}
	return f
}

func (c *Client) examineReport(ctx context.Context, s *seen) bot.Finding {
	p, err := c.read(ctx, &featureReport, "", c.address(featureReport.path, "$top", reportPage))
	if err != nil {
		return featureReport.result(ctx, s, "", err)
	}
	for _, v := range p.Value {
		var d detail
		_ = json.Unmarshal(v, &d) // what cannot be read is lacking
		s.rows = append(s.rows, d)
	}
	text := "the licence (P1 or P2) is there, " + many(len(s.rows), "person", "people") + " on the first page"
	if at := newest(s.rows); !at.IsZero() {
		text += ", " + many(int(s.now.Sub(at).Hours()), "hour", "hours") + " old"
	}
	f := featureReport.result(ctx, s, text, nil)
	if len(s.rows) == 0 {
		f.State, f.Fix = bot.Doubtful, "a new tenant has none for a day or two; disabled people are never in it"
	}
	return f
}

// examineOwnPage looks at the page of somebody whom the list has: whoever comes
// first and is no guest.
func (c *Client) examineOwnPage(ctx context.Context, s *seen) bot.Finding {
	f := bot.Finding{What: featureOwnPage.name, State: bot.Skipped}
	if c.o.Cloud == China {
		f.Text = "this cloud does not offer it; what people have just added is known by the report only"
		return f
	}
	var id bot.PersonID
	for _, ch := range s.people {
		if p, _, err := c.Person(ch.ID, ch.Body); err == nil && !ch.Gone && p.Kind != bot.Guest {
			id = p.ID
			break
		}
	}
	if id == "" && (s.opaque || featureOwnPage.allows(s.roles)) {
		f.Text = "there is nobody to look at"
		return f
	}
	if id == "" {
		return bot.Finding{What: f.What, State: bot.Broken, Text: "there is nobody to look at, and the token lacks the application permission " + featureOwnPage.needs,
			Fix: "add it under API permissions of the app registration, and grant admin consent"}
	}
	all, err := c.methods(ctx, id)
	s.own, s.asked = all, err == nil
	return featureOwnPage.result(ctx, s, "one person's page can be read", err)
}

func (c *Client) examinePolicy(ctx context.Context, s *seen) []bot.Finding {
	p, err := c.TenantPolicy(ctx)
	found := []bot.Finding{featurePolicy.result(ctx, s, "it can be read", err)}
	if err != nil {
		return append(found, c.examineSettings())
	}
	s.policy = p
	can, cannot := c.abilities(p)
	found = append(found,
		bot.Finding{What: "your people can", Text: can},
		bot.Finding{What: "your people cannot", Text: cannot},
		bot.Finding{What: "Microsoft's campaign", Text: nudging(p.Campaign)})
	if !slices.ContainsFunc(p.Methods, func(m bot.PolicyMethod) bool { return strings.EqualFold(m.ID, "hardwareOath") }) {
		found = append(found, bot.Finding{What: "hardware code tokens", Text: "the policy does not tell whether your people can use them: see Entra ID > Authentication methods > Policies > Hardware OATH tokens. Where they are off, the tokens that `latchkey status entra` advises help nobody"})
	}
	m := bot.Finding{What: "migration of the policy"}
	var open bool
	if m.Text, open = migration(p.Migration); open {
		m.State, m.Fix = bot.Doubtful, "finish it under Entra ID > Authentication methods > Policies > Manage migration"
	}
	found = append(found, m)
	if p.Admins != nil {
		found = append(found, bot.Finding{What: "administrators", Text: map[bool]string{true: "may reset their own password, with two methods and without questions", false: "may not reset their own password"}[*p.Admins]})
	}
	return append(found, c.examineSettings())
}

// examineSettings recalls what Entra does not tell.
func (c *Client) examineSettings() bot.Finding {
	yes := map[bool]string{true: "yes", false: "no"}
	f := bot.Finding{What: "settings that Entra does not tell", Text: fmt.Sprintf("a reset needs %d (entra.methods_needed), own provider for texts: %s (sms_provider), for calls: %s (voice_provider); compare with Entra ID > Password reset > Authentication methods, and with the telephony providers", c.o.Needed, yes[c.o.SMS], yes[c.o.Voice])}
	if c.o.Needed != 1 && c.o.Needed != 2 {
		f.State, f.Fix = bot.Doubtful, "set entra.methods_needed to 1 or 2"
	}
	return f
}

// readsOnly reports whether a permission lets nobody change anything.
func readsOnly(role string) bool {
	return slices.ContainsFunc(strings.Split(role, "."), func(part string) bool { return part == "Read" || part == "ReadBasic" })
}

// examinePermissions names what the token has and nothing here needs.
func (c *Client) examinePermissions(s *seen) bot.Finding {
	f := bot.Finding{What: "needless permissions"}
	if s.opaque {
		return f.Is(bot.Skipped, "the token cannot be looked into", "")
	}
	needed := []string{featurePeople.needs, featureReport.needs, featurePolicy.needs, featureOwnPage.needs}
	if len(c.o.Groups) > 0 {
		needed = append(needed, featureGroups.needs, "Member.Read.Hidden")
	}
	var write, wide []string
	for _, role := range s.roles {
		switch {
		case slices.Contains(needed, role):
		case !readsOnly(role):
			write = append(write, role)
		default:
			said := role
			for _, have := range features() {
				if slices.Contains(have.wider, role) && slices.Contains(needed, have.needs) {
					said += " (" + have.needs + " is enough)"
					break
				}
			}
			if role == featureAdmins.needs {
				said += " (it also tells whether administrators may reset their password)"
			}
			wide = append(wide, said)
		}
	}
	var said []string
	if write != nil {
		said = append(said, "can change the tenant, while Latchkey only reads: "+strings.Join(write, ", "))
	}
	if wide != nil {
		said = append(said, "more than is needed: "+strings.Join(wide, ", "))
	}
	if f.Text = list(said, "none"); said != nil {
		f.Text = strings.Join(said, "; ")
		f.State, f.Fix = bot.Doubtful, "take them away under API permissions of the app registration; whoever gets hold of the credential can use them"
	}
	return f
}

// examineAssumptions tells which assumptions do not hold, and how many were
// looked at.
func examineAssumptions(s *seen) (found []bot.Finding) {
	held, all := 0, assumptions()
	for _, a := range all {
		if a.look == nil {
			continue
		}
		wrong, ok := a.look(s)
		switch {
		case !ok:
		case wrong == "":
			held++
		default:
			f := bot.Finding{What: "assumption: " + a.name, State: bot.Doubtful, Text: wrong + "; Latchkey takes for true that " + a.taken, Fix: a.fix}
			if a.grave {
				f.State = bot.Broken
			}
			found = append(found, f)
		}
	}
	return append(found, bot.Finding{What: "assumptions", Text: fmt.Sprintf("%d of %d about Microsoft Graph could be looked at and hold", held, len(all))})
}
