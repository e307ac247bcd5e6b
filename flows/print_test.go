package flows_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"latchkey/flows"
)

func TestPrintedGuide(t *testing.T) {
	set := shipped(t)
	for _, lang := range set.Languages() {
		var b bytes.Buffer
		if err := flows.Print(&b, set, lang, nil, map[string]string{"entra": "yes"}); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if dir := os.Getenv("LATCHKEY_SHOW"); dir != "" { // to look at it
			if err := os.WriteFile(dir+"/guide-"+lang+".html", b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{`<html lang="` + lang + `">`, "Riverbend Schools", "(555) 010-0199", ">A5<", ">P1<", "<svg aria-label="} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the guide lacks %s", lang, want)
			}
		}
		body := page[strings.Index(page, "</style>"):]
		for _, bad := range []string{"<script", "src=", "href=", "{", "@import"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: the guide has %q", lang, bad)
			}
		}
		// every step that people see has its number in it, once
		for _, f := range set.Flows() {
			for _, s := range f.Order {
				if s.Kind != flows.Ask && s.Kind != flows.Form || s.Ref == "" || f.System && f.Name != "help" {
					continue
				}
				if n := strings.Count(page, `<div class="no">`+s.Ref+`</div>`); n != 1 {
					t.Errorf("%s: step %s (%s.%s) stands there %d times", lang, s.Ref, f.Name, s.ID, n)
				}
			}
		}
		if m := regexp.MustCompile(`&lt;[a-z_.]+&gt;`).FindString(page); m != "" {
			t.Errorf("%s: a phrase is missing: %s", lang, m)
		}
	}
	var b bytes.Buffer
	if err := flows.Print(&b, set, "en", nil, nil); err != nil || strings.Contains(b.String(), ">W1<") || strings.Contains(b.String(), "aka.ms") {
		t.Errorf("the guide tells of Microsoft's page where nothing of Microsoft is read (%v)", err)
	}
	if err := flows.Print(&b, set, "xx", nil, nil); err == nil {
		t.Error("an unknown language was printed")
	}
	if err := flows.Print(&b, set, "en", []string{"phnoe"}, nil); err == nil || !strings.Contains(err.Error(), "phone") {
		t.Errorf("an unknown flow: %v", err)
	}
}
