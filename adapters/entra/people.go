package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"latchkey/bot"
)

// documented are the properties that the page on delta queries names or shows;
// undocumented ones are as much part of a user, but no page shows them in a
// delta. What Latchkey does not use is not asked for.
var (
	documented   = []string{"id", "userPrincipalName", "mail", "displayName", "givenName", "department", "jobTitle", "officeLocation", "businessPhones", "accountEnabled", "userType", "preferredLanguage", "manager"}
	undocumented = []string{"onPremisesSamAccountName", "employeeHireDate"}
)

// managers is how a delta tells of a manager ("Use delta query", Resource
// representation).
const managers = "manager@delta"

// page is one page of a collection.
type page struct {
	Value []json.RawMessage `json:"value"`
	Next  string            `json:"@odata.nextLink"`
	Delta string            `json:"@odata.deltaLink"`
}

// read reads the page of a cursor, or the first one.
func (c *Client) read(ctx context.Context, f *feature, cursor, first string) (*page, error) {
	address := cursor
	if cursor == "" {
		address = first
	} else if c.follow(cursor) != nil {
		return nil, fmt.Errorf("entra: %s: the cursor is of another address than entra.graph_url: %w", f.does, bot.ErrStartAnew)
	}
	var p page
	if err := c.get(ctx, f, address, &p); err != nil {
		return nil, err
	}
	if p.Value == nil {
		return nil, fmt.Errorf("entra: %s: the answer is no list; is there a proxy in between, and is entra.graph_url right?", f.does)
	}
	for _, next := range []string{p.Next, p.Delta} {
		if next == "" {
			continue
		}
		if err := c.follow(next); err != nil {
			return nil, err
		}
	}
	return &p, nil
}

// People implements bot.DirectorySource with a delta query of all users.
func (c *Client) People(ctx context.Context, cursor string) (*bot.DirectoryPage, error) {
	p, err := c.read(ctx, &featurePeople, cursor, c.firstPeople(c.narrow.Load()))
	if cursor == "" && !c.narrow.Load() && refusedWhole(err) {
		p, err = c.widest(ctx)
	}
	if err != nil {
		return nil, err
	}
	d := &bot.DirectoryPage{Next: p.Next}
	if p.Next == "" {
		d.Next, d.Last = p.Delta, true
	}
	if d.Next == "" {
		return nil, errors.New("entra: reading people: the page names neither a next one nor where changes begin; nothing of it is taken over")
	}
	for _, v := range p.Value {
		change, err := readChange(v)
		if err != nil {
			return nil, err
		}
		d.Changes = append(d.Changes, change)
	}
	return d, nil
}

// refusedWhole reports whether Graph did not take a question: one property that
// a delta cannot have is enough.
func refusedWhole(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.status == http.StatusBadRequest || r.status == http.StatusNotImplemented)
}

// widest asks for people without the undocumented properties, after Graph has
// refused them. They are asked for once more, so that a passing fault does not
// change everybody's login.
func (c *Client) widest(ctx context.Context) (*page, error) {
	p, err := c.read(ctx, &featurePeople, "", c.firstPeople(true))
	if err != nil {
		return nil, err
	}
	if all, err := c.read(ctx, &featurePeople, "", c.firstPeople(false)); !refusedWhole(err) {
		return all, err
	}
	c.narrow.Store(true)
	c.o.Log.Warn("Microsoft Graph does not take all properties of people; they are read without", "without", strings.Join(undocumented, ", "))
	return p, nil
}

func (c *Client) firstPeople(narrow bool) string {
	names := documented
	if !narrow {
		names = slices.Concat(documented, undocumented)
	}
	return c.address(featurePeople.path, "$select", strings.Join(names, ","))
}

// readChange reads one account of a page. Only what was asked for is kept.
func readChange(v json.RawMessage) (bot.DirectoryChange, error) {
	told := map[string]json.RawMessage{}
	var id string
	if err := json.Unmarshal(v, &told); err != nil || json.Unmarshal(told["id"], &id) != nil || id == "" {
		return bot.DirectoryChange{}, errors.New("entra: reading people: the page has an account without an id; nothing of it is taken over")
	}
	ch := bot.DirectoryChange{ID: personID(id)}
	if _, ch.Gone = told["@removed"]; ch.Gone {
		return ch, nil
	}
	keep := map[string]json.RawMessage{}
	for _, name := range slices.Concat(documented, undocumented, []string{managers}) {
		if value, ok := told[name]; ok {
			keep[name] = value
		}
	}
	var err error
	ch.Body, err = json.Marshal(keep)
	return ch, err
}

// personID is an object id in the one spelling that the staff list and Teams have.
func personID(id string) bot.PersonID { return bot.PersonID(strings.ToLower(id)) }

// groupPage is how many members a page has at most ("List group transitive members").
const groupPage = "999"

// Members implements bot.DirectorySource. The typed path leaves out devices,
// contacts and groups, and needs no rights for them.
func (c *Client) Members(ctx context.Context, group, cursor string) (ids []bot.PersonID, next string, err error) {
	if !guid.MatchString(group) {
		return nil, "", fmt.Errorf("entra: reading the members of a group: %q is not the object id of a group", group)
	}
	first := c.address(strings.ReplaceAll(featureGroups.path, "{id}", url.PathEscape(group)), "$select", "id", "$count", "true", "$top", groupPage)
	p, err := c.read(ctx, &featureGroups, cursor, first)
	if err != nil {
		return nil, "", err
	}
	for _, v := range p.Value {
		var m struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(v, &m) != nil || m.ID == "" {
			return nil, "", errors.New("entra: reading the members of a group: one has no id; nothing of the page is taken over")
		}
		ids = append(ids, personID(m.ID))
	}
	return ids, p.Next, nil
}

// Longest texts, in characters, as the staff list has them.
const (
	maxText = 256
	maxTag  = 64
)

// Person implements bot.DirectorySource. It reads as the import of a staff list
// from Entra does: the login is the account name of the domain, or else what
// stands before the @ of the user principal name, which also stands in for an
// address. Of the kind it says only who is a guest, and who is none.
func (c *Client) Person(id bot.PersonID, merged json.RawMessage) (p bot.Person, unsaid bot.PersonFields, err error) {
	told := fields{}
	if err := json.Unmarshal(merged, &told); err != nil || told == nil {
		return p, 0, fmt.Errorf("entra: what is stored of the account %s cannot be read; a full reading (latchkey people sync) mends it", id)
	}
	p.ID = personID(string(id))
	said := func(f bot.PersonFields, name string) string {
		if _, ok := told[name]; !ok {
			unsaid |= f
		}
		return told.text(name)
	}
	upn := lower(told.text("userPrincipalName"))
	local, _, _ := strings.Cut(upn, "@")
	external := isExternal(upn)

	if p.Username = lower(told.text("onPremisesSamAccountName")); p.Username == "" {
		p.Username = local
	}
	if p.Email = address(told.text("mail")); p.Email == "" && !external {
		p.Email = address(upn)
	}
	if p.Username == "" {
		unsaid |= bot.FieldUsername
	}
	if p.Email == "" && !told.has("mail") {
		unsaid |= bot.FieldEmail
	}
	p.Name, p.GivenName = said(bot.FieldName, "displayName"), said(bot.FieldGivenName, "givenName")
	p.Department, p.Title = said(bot.FieldDepartment, "department"), said(bot.FieldTitle, "jobTitle")
	p.Site = said(bot.FieldSite, "officeLocation")
	if p.Lang = languageOf(said(bot.FieldLang, "preferredLanguage")); p.Lang == "" {
		unsaid |= bot.FieldLang
	}
	p.HiredOn = day(said(bot.FieldHiredOn, "employeeHireDate"))
	if p.WorkPhone = told.first("businessPhones"); !told.has("businessPhones") {
		unsaid |= bot.FieldWorkPhone
	}
	if p.Manager = told.manager(); !told.has(managers) && !told.has("manager") {
		unsaid |= bot.FieldManager
	}
	unsaid |= bot.FieldTimeZone // only mailbox settings have it
	if on, ok := told.truth("accountEnabled"); ok {
		p.Disabled = !on
	} else {
		unsaid |= bot.FieldDisabled
	}
	// An external account is a guest here, whatever type it was given. A member
	// may be staff, a pupil, or a mailbox that several people open: Entra does not
	// say, and must not overwrite a list that does. But it is no guest any more.
	switch kind := told.text("userType"); {
	case strings.EqualFold(kind, "guest") || external:
		p.Kind = bot.Guest
	case strings.EqualFold(kind, "member") && upn != "":
		unsaid |= bot.FieldKindButGuest
	default:
		unsaid |= bot.FieldKind
	}
	return p, unsaid, nil
}

// isExternal reports whether an account is another organisation's, by its user
// principal name.
func isExternal(upn string) bool { return strings.Contains(lower(upn), "#ext#") }

// fields are the properties of an account.
type fields map[string]json.RawMessage

func (f fields) has(name string) bool { _, ok := f[name]; return ok }

// text is a property without what nobody can see, in normal form C.
func (f fields) text(name string) string {
	var s string
	_ = json.Unmarshal(f[name], &s) // another type is as good as nothing
	return clean(s)
}

func clean(s string) string {
	s = norm.NFC.String(strings.Join(strings.Fields(bot.Harmless(s)), " "))
	if utf8.RuneCountInString(s) > maxText {
		s = string([]rune(s)[:maxText])
	}
	return s
}

func (f fields) truth(name string) (v, ok bool) {
	var p *bool
	if json.Unmarshal(f[name], &p) != nil || p == nil {
		return false, false
	}
	return *p, true
}

// first is the first text of a list.
func (f fields) first(name string) string {
	var all []string
	if json.Unmarshal(f[name], &all) != nil || len(all) == 0 {
		return ""
	}
	s := clean(all[0])
	if utf8.RuneCountInString(s) > maxTag {
		return ""
	}
	return s
}

// manager is the last one named that was not taken away again.
func (f fields) manager() (id bot.PersonID) {
	var told []struct {
		ID      string          `json:"id"`
		Removed json.RawMessage `json:"@removed"`
	}
	v, ok := f[managers]
	if !ok {
		v = slices.Concat([]byte("["), f["manager"], []byte("]"))
	}
	if json.Unmarshal(v, &told) != nil {
		return ""
	}
	for _, m := range told {
		if len(bytes.TrimSpace(m.Removed)) == 0 && guid.MatchString(m.ID) {
			id = personID(m.ID)
		}
	}
	return id
}

// lower is lower case in normal form C.
func lower(s string) string { return norm.NFC.String(strings.ToLower(s)) }

// address is a mail address in lower case, or nothing where it is none.
func address(s string) string {
	s = lower(s)
	local, domain, _ := strings.Cut(s, "@")
	if local == "" || !strings.Contains(domain, ".") || strings.Contains(domain, "@") || strings.ContainsAny(s, " <>\"\t") || len(s) > 254 {
		return ""
	}
	return s
}

// languageOf is a BCP 47 tag in its usual spelling, or nothing.
func languageOf(s string) string {
	t, err := language.Parse(s)
	if s == "" || err != nil || t == language.Und {
		return ""
	}
	return t.String()
}

// day is the date of a time stamp.
func day(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1900 {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}
