package command

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
)

// TestDoctorPrints: what was found, with its fix where something is to be done;
// broken is an error.
func TestDoctorPrints(t *testing.T) {
	t.Parallel()
	store := program.Section{Name: "store", Findings: []bot.Finding{{What: "clock", Text: "no step seen", Fix: "nothing"}}}
	slack := program.Section{Name: "slack-good", Platform: true, Findings: []bot.Finding{
		{What: "bot token", Text: "wor\x1bks"}, {What: "clock", State: bot.Doubtful, Text: "is 40 s behind", Fix: "switch on time synchronisation"}, {What: "scopes", State: bot.Skipped, Text: "no token"}}}
	broken := program.Section{Name: "senders", Findings: []bot.Finding{{What: "mail", State: bot.Broken, Text: "refuses us", Fix: "look at the password"}}}
	for _, c := range []struct {
		sections []program.Section
		want     string
		err      string
	}{
		{[]program.Section{store}, "store\n  good     clock: no step seen\nno chat platform is configured; see channels.slack, channels.teams and channels.discord in `latchkey config describe`\n", ""},
		{[]program.Section{store, slack}, "store\n  good     clock: no step seen\nslack-good\n  good     bot token: works\n  look     clock: is 40 s behind\n           switch on time synchronisation\n  skipped  scopes: no token\n2 good, 1 to look at, 1 not looked at\n", ""},
		{[]program.Section{broken, slack}, "senders\n  BROKEN   mail: refuses us\n           look at the password\nslack-good\n  good     bot token: works\n  look     clock: is 40 s behind\n           switch on time synchronisation\n  skipped  scopes: no token\n", "1 of 4 broken; see above what to do"},
	} {
		var out strings.Builder
		var d doctorOutput
		for _, s := range c.sections {
			d.section(&out, s)
		}
		err := d.sum(&out)
		if out.String() != c.want {
			t.Errorf("printed:\n%s\nwant:\n%s", out.String(), c.want)
		}
		if (err != nil) != (c.err != "") || err != nil && err.Error() != c.err {
			t.Errorf("error %v, want %q", err, c.err)
		}
	}
}
