package csv_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/csv"
	"latchkey/bot"
)

// Exports as each tool writes them; see testdata/exports.
func TestExports(t *testing.T) {
	const one, two, three, four = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
	type want struct {
		people []bot.Person
		unsaid bot.PersonFields // of these: said by no column
		notes  []string         // each is part of a notice
	}
	seen := map[string]bool{}
	for name, c := range map[string]want{
		"entra-download-users.csv": {people: []bot.Person{
			{ID: "7cc0c81b-f2a2-489a-8243-eda96da4214d", Username: "alee", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Department: "Kitchen", Title: "Cook", WorkPhone: "+1 555 010 0148", Site: "Central Elementary"},
			{ID: "7cc0c81b-f2a2-489a-8243-eda96da4214e", Username: "bray", Email: "bob.ray@riverbend.example", Name: "Bob Ray", GivenName: "Bob", Disabled: true},
			{ID: "7cc0c81b-f2a2-489a-8243-eda96da4214f", Username: "pat_partner.example#ext#", Email: "pat@partner.example", Name: "Pat Guest", Kind: bot.Guest},
		}, unsaid: bot.FieldManager | bot.FieldLang | bot.FieldTimeZone | bot.FieldHiredOn, notes: []string{"because of #EXT# in the user name: 1 row"}},
		"entra-bulk-block-template.csv": {people: []bot.Person{
			{ID: one, Username: "alee", Email: "alee@riverbend.example", Name: "Ann Lee"},
			{ID: two, Username: "bray", Email: "bray@riverbend.example", Name: "Bob Ray", Disabled: true},
		}, unsaid: bot.FieldDepartment | bot.FieldGivenName | bot.FieldKind, notes: []string{"skipped: 1 row, the template's example"}},
		"entra-bulk-block-template-es.csv": {people: []bot.Person{
			{ID: one, Username: "arios", Email: "arios@riverbend.example", Name: "Ana Ríos"},
			{ID: two, Username: "bluna", Email: "bluna@riverbend.example", Name: "Beto Luna", Disabled: true},
		}},
		"entra-bulk-block-template-de.csv": {people: []bot.Person{
			{ID: one, Username: "alee", Email: "alee@riverbend.example", Name: "Ann Lee"},
			{ID: two, Username: "bray", Email: "bray@riverbend.example", Name: "Bob Ray", Disabled: true},
		}},
		"m365-active-users.csv": {people: []bot.Person{
			{ID: one, Username: "alee", Email: "alee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Department: "IT", Title: "Cook", Lang: "en-US", Site: "Central"},
			{ID: two, Username: "bray", Email: "bray@riverbend.example", Name: "Bob Ray", GivenName: "Bob", Department: "IT", Title: "Cook", Lang: "en-US", Site: "Central", Disabled: true},
			{ID: three, Username: "cy", Email: "cy@riverbend.example", Name: "Cy Deleted", GivenName: "Cy", Department: "IT", Title: "Cook", Lang: "en-US", Site: "Central", Disabled: true},
		}},
		"m365-usuarios-activos.csv": {people: []bot.Person{
			{ID: one, Username: "arios", Email: "arios@riverbend.example", Name: "Ana Ríos", GivenName: "Ana", Department: "Cocina", Title: "Cocinera", Lang: "es-MX"},
			{ID: two, Username: "bnunez", Email: "bnunez@riverbend.example", Name: "Beto Núñez", GivenName: "Beto", Department: "Cocina", Title: "Cocinero", Lang: "es-MX", Disabled: true},
		}, notes: []string{"was read as Windows 1252; look whether the letters are right"}},
		"m365-sign-in-status.csv": {people: []bot.Person{
			{ID: one, Username: "alee", Email: "alee@riverbend.example", Name: "Ann Lee"},
			{ID: two, Username: "bray", Email: "bray@riverbend.example", Name: "Bob Ray", Disabled: true},
		}},
		"google-user-download.csv": {people: []bot.Person{
			{ID: "000417", Username: "", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Department: "Kitchen", Title: "Cook", Site: "CES", Kind: bot.Staff},
			{ID: "000418", Username: "", Email: "bob.ray@riverbend.example", Name: "Bob Ray", GivenName: "Bob", Department: "Kitchen", Title: "Cook", Site: "CES", Kind: bot.Staff, Disabled: true},
			{ID: "000419", Username: "", Email: "cy.old@riverbend.example", Name: "Cy Old", GivenName: "Cy", Department: "Kitchen", Title: "Cook", Site: "CES", Disabled: true},
			{ID: "000420", Username: "", Email: "sam.small@riverbend.example", Name: "Sam Small", GivenName: "Sam", Site: "CES", Kind: bot.Pupil},
		}, unsaid: bot.FieldUsername | bot.FieldLang},
		"ad-get-aduser.csv": {people: []bot.Person{
			{ID: "6f1c0c53-1111-4222-8333-9a8b7c6d5e4f", Username: "alee", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Title: "Cook", WorkPhone: "555-0148", Site: "Central"},
			{ID: "6f1c0c53-1111-4222-8333-9a8b7c6d5e50", Username: "bray", Email: "bray@riverbend.example", Name: "Bob Ray", GivenName: "Bob", Disabled: true},
		}},
		"ad-csvde.csv": {people: []bot.Person{
			{ID: "3f79048f-42cd-4c77-8426-835cd9f8a3ad", Username: "alee", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Department: "Kitchen", Title: "Cook", WorkPhone: "555-0148"},
			{ID: "3f79048f-42cd-4c77-8426-835cd9f8a3ae", Username: "bray", Email: "bray@riverbend.example", Name: "Beto Nuñez", GivenName: "Bob", Disabled: true},
		}, notes: []string{"skipped: 1 row, no account of a person (objectClass computer)", "(objectClass group)"}},
		"powerschool-teachers.txt": {people: []bot.Person{
			{ID: "4417", Username: "alee", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Title: "Teacher", Site: "12"},
			{ID: "4418", Username: "bray", Email: "bob.ray@riverbend.example", Name: "Bob O'Ray", GivenName: "Bob", Title: "Cook", Site: "12", Disabled: true},
		}, notes: []string{"for a school that is not their own"}},
		"powerschool-quick-export.txt": {people: []bot.Person{
			{ID: "4417", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Site: "Central"},
			{ID: "4418", Email: "bob.ray@riverbend.example", Name: "Bob Ray", GivenName: "Bob", Site: "Central", Disabled: true},
		}},
		"excel-sep-semicolon.csv": {people: []bot.Person{
			{ID: "000417", Email: "alee@riverbend.example", Name: "Ann Lee", GivenName: "Ann"},
			{ID: "000418", Email: "bray@riverbend.example", Name: "Bob Ray", GivenName: "Bob"},
		}, unsaid: bot.FieldDisabled | bot.FieldUsername, notes: []string{"2 rows without any cell filled in"}},
		"excel-unicode-text.txt": {people: []bot.Person{
			{ID: "417", Email: "alee@riverbend.example", Name: "Ann Lée", GivenName: "Ann", HiredOn: "2024-08-31"},
			{ID: "418", Email: "bray@riverbend.example", Name: "Bob Ray", GivenName: "Bob", HiredOn: "2024-03-04"},
		}},
		"excel-mac.csv": {people: []bot.Person{
			{ID: "417", Email: "alee@riverbend.example", Name: "Ann Lée", GivenName: "Ann"},
			{ID: "418", Email: "bray@riverbend.example", Name: "Bob Ray", GivenName: "Bob"},
		}, notes: []string{"was read as Macintosh"}},
		"exchange-mailboxes.csv": {people: []bot.Person{
			{ID: one, Username: "alee", Email: "ann.lee@riverbend.example", Name: "Ann Lee"},
			{ID: two, Username: "office", Email: "office@riverbend.example", Name: "Front Office", Kind: bot.Shared},
			{ID: three, Username: "boardroom", Email: "boardroom@riverbend.example", Name: "Board Room", Kind: bot.Place},
			{ID: four, Username: "projector", Email: "projector@riverbend.example", Name: "Projector", Kind: bot.Place},
		}},
		"hr-es.csv": {people: []bot.Person{
			{ID: "00417", Username: "arios", Email: "arios@riverbend.example", Name: "Ana Ríos", Title: "Cocinera", Site: "Plantel Norte", HiredOn: "2024-08-31", Kind: bot.Staff},
			{ID: "00418", Username: "bluna", Email: "bluna@riverbend.example", Name: "Beto Luna", Title: "Chofer", Site: "Plantel Sur", HiredOn: "2020-04-03", Kind: bot.Staff, Disabled: true},
		}},
	} {
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", "exports", name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			res := read(t, f, csv.Options{})
			if !slices.Equal(res.people, c.people) {
				t.Errorf("got  %+v\nwant %+v", res.people, c.people)
			}
			if len(res.report.Problems) > 0 {
				t.Error(problems(res.report))
			}
			if said := res.list.Says() & c.unsaid; said != 0 {
				t.Errorf("the list is taken to say %b, for which it has no column", said)
			}
			notices := strings.Join(res.list.Notices(), "\n")
			for _, n := range c.notes {
				if !strings.Contains(notices, n) {
					t.Errorf("noticed %q, want %q", notices, n)
				}
			}
			if len(c.notes) == 0 && notices != "" && !strings.Contains(notices, "dates like") && !strings.Contains(notices, "looks like") {
				t.Errorf("noticed %q", notices)
			}
		})
	}
	files, err := os.ReadDir(filepath.Join("testdata", "exports"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !seen[f.Name()] {
			t.Errorf("nothing is wanted of %s", f.Name())
		}
	}
}
