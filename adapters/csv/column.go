package csv

import (
	"fmt"
	"slices"
	"strings"
)

// A Field is what a column can hold, by the name that Options.Map takes.
type Field string

// The fields of a staff list.
const (
	ID         Field = "id"          // required; the directory's immutable id
	Username   Field = "username"    // login, with or without a domain
	Email      Field = "email"       // work address
	UPN        Field = "upn"         // stands in for an empty username and an empty email
	Name       Field = "name"        // as shown
	GivenName  Field = "given_name"  //
	FamilyName Field = "family_name" // with the given name it makes the name when there is none
	Department Field = "department"
	Title      Field = "title"
	Manager    Field = "manager" // the manager's id
	Phone      Field = "phone"   // at work
	Language   Field = "language"
	TimeZone   Field = "time_zone"
	Enabled    Field = "enabled"  // true or false
	Disabled   Field = "disabled" // true or false
	Status     Field = "status"   // active, suspended, ...
	UAC        Field = "uac"      // Active Directory's userAccountControl, a number
)

// A spec lists the headers that are understood as a field, the best first:
// when a file has several, the first is used. Spaces, case and punctuation of
// a header do not count.
type spec struct {
	field   Field
	headers []string
}

// specs holds the names used by Entra ID, Active Directory, Google Workspace
// and HR systems.
func specs() []spec {
	return []spec{
		{ID, []string{"id", "objectId", "Object ID", "objectGUID", "immutableId", "personId", "userId", "employeeId", "employeeNumber", "Employee No", "staffId", "personnelNumber", "workerId", "associateId"}},
		{Username, []string{"username", "sAMAccountName", "onPremisesSamAccountName", "login", "loginName", "User Login", "logonName", "accountName", "uid", "networkId"}},
		{Email, []string{"email", "mail", "emailAddress", "workEmail", "E-mail", "E-mail Address", "businessEmail", "primaryEmail", "primarySmtpAddress", "officialEmail"}},
		{UPN, []string{"userPrincipalName", "upn", "User Principal Name", "principalName", "signInName"}},
		{Name, []string{"name", "displayName", "fullName", "preferredName", "employeeName", "cn", "commonName"}},
		{GivenName, []string{"givenName", "firstName", "First", "forename", "preferredFirstName"}},
		{FamilyName, []string{"familyName", "surname", "lastName", "Last", "sn"}},
		{Department, []string{"department", "dept", "departmentName", "orgUnit", "organizationalUnit", "division", "school", "Org Unit Path"}},
		{Title, []string{"title", "jobTitle", "position", "positionTitle", "employeeTitle", "role"}},
		{Manager, []string{"manager", "managerId", "Manager Object ID", "supervisorId", "managerEmployeeId", "reportsTo"}},
		{Phone, []string{"phone", "telephoneNumber", "businessPhones", "workPhone", "officePhone", "businessPhone", "phoneNumber", "telephone"}},
		{Language, []string{"language", "preferredLanguage", "lang", "locale", "preferredLocale"}},
		{TimeZone, []string{"timeZone", "tz", "timezoneName"}},
		{Enabled, []string{"enabled", "accountEnabled", "isEnabled", "active", "isActive"}},
		{Disabled, []string{"disabled", "accountDisabled", "isDisabled", "suspended", "blocked"}},
		{Status, []string{"status", "accountStatus", "employmentStatus", "employeeStatus", "userStatus"}},
		{UAC, []string{"userAccountControl"}},
	}
}

// A Column of the file.
type Column struct {
	No     int    // 1 for the first
	Header string // as written
	Field  Field  // empty: not used
}

// canon is a header without case, spaces, punctuation and a remark in brackets
// ("Email Address [Required]").
func canon(header string) string {
	if i := strings.IndexByte(header, '['); i > 0 {
		header = header[:i]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case strings.ContainsRune(" _-./\u00a0'\"()#:*", r):
			return -1
		}
		return r
	}, header)
}

// mapColumns finds the column of each field, or says which it cannot find.
func mapColumns(header []string, explicit map[string]string) ([]Column, error) {
	cols := make([]Column, len(header))
	byName := map[string][]int{}
	for i, h := range header {
		h = strings.TrimSpace(unguard(strings.TrimSpace(h)))
		cols[i] = Column{No: i + 1, Header: h}
		byName[canon(h)] = append(byName[canon(h)], i)
	}
	all := specs()
	use := func(f Field, name string, at []int) error {
		if len(at) > 1 {
			return fmt.Errorf("the staff list has %d columns called %q; rename all but the one to use", len(at), name)
		}
		if other := cols[at[0]].Field; other != "" {
			return fmt.Errorf("column %q is mapped to both %s and %s", name, other, f)
		}
		cols[at[0]].Field = f
		return nil
	}
	taken := map[Field]bool{}
	for _, name := range slices.Sorted(mapKeys(explicit)) {
		f := Field(strings.TrimSpace(name))
		if !slices.ContainsFunc(all, func(s spec) bool { return s.field == f }) {
			return nil, fmt.Errorf("there is no field %q to map; fields are %s", name, fieldNames(all))
		}
		col := strings.TrimSpace(explicit[name])
		at := exactly(cols, col)
		if at == nil {
			at = byName[canon(col)]
		}
		if len(at) == 0 {
			return nil, fmt.Errorf("the staff list has no column %q for %s; it has %s", clip(col), f, headers(cols))
		}
		if err := use(f, col, at); err != nil {
			return nil, err
		}
		taken[f] = true
	}
	for _, s := range all {
		for _, h := range s.headers {
			at := byName[canon(h)]
			if taken[s.field] || len(at) == 0 || cols[at[0]].Field != "" {
				continue
			}
			if err := use(s.field, cols[at[0]].Header, at); err != nil {
				return nil, err
			}
			taken[s.field] = true
		}
	}
	var missing []string
	lacks := func(what string, fs ...Field) {
		var accepted []string
		for _, s := range all {
			if slices.Contains(fs, s.field) {
				accepted = append(accepted, s.headers...)
			}
		}
		missing = append(missing, fmt.Sprintf("no column for %s (accepted: %s; or map one with %s=COLUMN)", what, strings.Join(accepted, ", "), fs[0]))
	}
	if !taken[ID] {
		lacks("the id", ID)
	}
	if !taken[Username] && !taken[Email] && !taken[UPN] {
		lacks("the login or the work address", Email, Username, UPN)
	}
	if missing != nil {
		return nil, fmt.Errorf("the staff list has %s; its columns are %s", strings.Join(missing, ", and "), headers(cols))
	}
	return cols, nil
}

func exactly(cols []Column, name string) []int {
	var at []int
	for i, c := range cols {
		if c.Header == name {
			at = append(at, i)
		}
	}
	return at
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func fieldNames(all []spec) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s.field)
	}
	return strings.Join(names, ", ")
}

// headers lists the first columns for a sentence.
func headers(cols []Column) string {
	const most = 30
	names := make([]string, 0, most)
	for _, c := range cols {
		if len(names) == most {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(cols)-most)
		}
		names = append(names, fmt.Sprintf("%q", clip(c.Header)))
	}
	return strings.Join(names, ", ")
}

// clip shortens a cell for a sentence.
func clip(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
