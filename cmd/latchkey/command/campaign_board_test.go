package command

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/store"
)

// ranTenDays has a campaign in the tenant's store that began ten days ago: North is
// done, nobody reaches the buses, and one whose school is not known has begun. In the four weeks before
// the desk got 20 tickets, and 5 since.
func ranTenDays(t *testing.T, cfg string) {
	t.Helper()
	inStore(t, cfg, func(db *store.DB) {
		err := db.Update(t.Context(), func(tx bot.Tx) error {
			began := tx.Now().AddDate(0, 0, -10)
			c := bot.Campaign{ID: "autumn", Code: "K7M2QP4X", State: bot.CampaignRunning, BeganAt: began, Plan: bot.CampaignPlan{Kind: campaign.KindFirst, Zone: "UTC", Deadline: tx.Now().AddDate(0, 0, 20), Audience: bot.Audience{Who: bot.AudienceNotEnrolled}}}
			if err := tx.PutCampaign(&c); err != nil {
				return err
			}
			for i := 1; i <= 10; i++ {
				who, err := tx.Person(bot.PersonID(fmt.Sprintf("p-%02d", i)))
				if err != nil {
					return err
				}
				p := bot.CampaignPart{Campaign: "autumn", Person: who.ID, Token: string(who.ID), State: bot.PartAccepted}
				switch {
				case who.Site == "North":
					p.State = bot.PartEnrolled
					err = tx.SetStage(who.ID, bot.Enrolled, began.AddDate(0, 0, i))
				case who.Department == "Buses":
					p.State = bot.PartFailed
				case i == 10:
					p.State = bot.PartAtStep
				}
				if err == nil {
					err = tx.PutPart(&p)
				}
				if err != nil {
					return err
				}
			}
			for i := range 25 {
				at := began.AddDate(0, 0, -1-i%20)
				if i >= 20 {
					at = began.AddDate(0, 0, i-19)
				}
				if err := tx.PutTicket(&bot.Ticket{ID: fmt.Sprint("K", i), Conversation: bot.ConversationID(fmt.Sprint("c", i)), At: at, WaitsSince: at}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The sheet has the campaign, the readiness and the calls with how old they are, and
// names nobody.
func TestCampaignBoard(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	ranTenDays(t, cfg)
	file := filepath.Join(t.TempDir(), "board.html")
	if code, out, errs := command(t, entraEnv, "campaign", "report", "autumn", "--board", file, "--config", cfg); code != exitOK || !strings.Contains(out, file+" is written") {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lacks(t, string(b), "Example: 4 of 10 have done it", "The campaign by school: 40% done", "<th scope=\"row\">North</th><td>4</td><td>4</td><td>0</td><td>0</td><td>0</td><td>100%</td>",
		"<th scope=\"row\">South</th><td>5</td><td>0</td><td>0</td><td>2</td><td>3</td><td>0%</td>", "<th scope=\"row\">no school known</th><td>1</td><td>0</td><td>1</td><td>0</td><td>0</td>",
		"<dt>at risk (60%)</dt><dd>6</dd>", "<dt>survive</dt><dd>3</dd>", "<dt>need a token</dt><dd>1</dd>", "<dt>not known</dt><dd>1</dd>", "(30 hours ago)", "policy of",
		"<dt>before (28 days)</dt><dd>5.0</dd>", "<dt>since it began (11 days)</dt><dd>3.2</dd>", "Tickets week by week: [0 6 7 7 5 0]; the campaign began with number 5.")
	for _, name := range []string{"Ann", "Ruiz", "p-01", "example.org", "<no value>", "ZgotmplZ", "<script", "src=", "href="} {
		if strings.Contains(string(b), name) {
			t.Errorf("the page has %q", name)
		}
	}
	if code, _, errs := command(t, entraEnv, "campaign", "report", "autumn", "--board", "-", "--csv", "--config", cfg); code != exitUsage || !strings.Contains(errs, "two ways to say one thing") {
		t.Errorf("two ways: %d %s", code, errs)
	}
	// Without the report, and before it began, it says so.
	plain := install(t, "")
	if code, out, errs := command(t, nil, "people", "import", writeFile(t, "id,username,name\ne1,ann,Ann Lee\n"), "--config", plain); code != exitOK {
		t.Fatal(out, errs)
	}
	if code, out, errs := command(t, nil, "campaign", "new", "a", "--kind", "first_enrollment", "--deadline", time.Now().AddDate(0, 1, 0).Format(time.DateOnly), "--config", plain); code != exitOK {
		t.Fatal(out, errs)
	}
	code, out, errs := command(t, nil, "campaign", "report", "a", "--board", "-", "--config", plain)
	if code != exitOK {
		t.Fatal(code, errs)
	}
	lacks(t, out, "0 of 0 have done it", "report was never read", "Calls before and after are not shown")
}

// With many schools it stays one sheet, and a screen reader and a phone can read it.
func TestCampaignBoardInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; run without -short")
	}
	t.Parallel()
	v := &boardView{Org: "Riverbend Schools", Campaign: "autumn", State: "running", Until: "2026-12-18", Printed: "30 November 2026, 18:00", Done: "1,203", People: "1,500", Share: "80%",
		Readiness: &boardReadiness{Survive: "400", AtRisk: "920", Share: "61%", Token: "31", Unknown: "180", Age: "Microsoft's report is of 29 November; it may be up to 36 hours behind.", Policy: "Judged by the tenant's policy of 30 November."},
		Calls:     &boardCalls{Before: "41.5", After: "12.0", Over: "28 days", Days: "10 days", Weeks: []boardWeek{{0, 2, 38, "before"}, {10, 20, 20, "before"}, {20, 30, 10, "since"}}, Width: 30, Text: "Tickets week by week: [40 20 10]; the campaign began with number 3."}}
	for i := range 25 {
		name := fmt.Sprintf("School <b>%d</b> with a long name, Career and Technical Education Center at Old Mill Road", i)
		v.Sites.add(newBoardSite(name, 60, []string{"yes", "begun", "unknown", "no"}, 40, 5, 10, 5))
		x := newBoardSite(name, 60, []string{"no", "yes", "unknown"}, 30, 20, 10)
		x.Numbers = append(x.Numbers, "3")
		v.Readiness.Sites.add(x)
	}
	var b bytes.Buffer
	if err := v.write(&b); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes())
	}))
	t.Cleanup(srv.Close) // after the page that it serves
	p := browsertest.Start(t).Open(t, browsertest.Desktop, srv.URL)
	p.May("favicon")
	for _, look := range []browsertest.Look{browsertest.Desktop, browsertest.Desktop.InDark(), browsertest.Narrow, browsertest.Narrow.InDark()} {
		p.Looks(look)
		p.Goto(srv.URL)
		p.Fits("board")
		p.Axe("board")
		p.Shot(fmt.Sprintf("board-%d-%v", look.Width, look.Dark))
	}
	p.Looks(browsertest.Desktop)
	for name, paper := range map[string][2]float64{"A4": {8.27, 11.69}, "Letter": {8.5, 11}} {
		if _, sheets := p.Printed(paper[0], paper[1]); sheets != 1 {
			t.Errorf("on %s it takes %d sheets", name, sheets)
		}
	}
}
