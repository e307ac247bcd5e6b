package adaptertest

import (
	"path/filepath"
	"testing"

	"latchkey/bot"
)

// TicketForms are the forms that the buttons of a ticket's card open, with names
// that are meant as markup.
func TicketForms(ps bot.Phrases, lang string) map[string]*bot.TicketForm {
	say := func(key string) string { return ps.Phrase(lang, "desk.card.form."+key) }
	form := func(do string) *bot.TicketForm {
		return &bot.TicketForm{Choice: bot.ChoiceTicket + do + ".K7M-2QP", Title: say(do + ".title"), Label: say(do + ".label")}
	}
	heard := form("heard")
	heard.Choice += ".0123456789ABCDEF"
	verify := form("verify")
	verify.Optional = true
	verify.Lists = []bot.TicketList{
		{Label: say("verify.what"), Options: []bot.Option{{ID: "expire m-1", Label: "Switch off what is lost: Phone •••• 23"}, {ID: "again", Label: "Set up everything <!channel> anew"}}},
		{Label: say("verify.how"), Options: []bot.Option{{ID: "text m-1", Label: "Text to •••• 23"}, {ID: "badge", Label: "@everyone *sees* the <at>badge</at>"}}},
	}
	back := form("back")
	back.Label = ""
	back.Lists = []bot.TicketList{{Label: say("back.label"), Options: []bot.Option{{ID: "authenticator code", Label: "Authenticator app"}, {ID: "phone number", Label: "[Phone](https://x.example)"}}}}
	return map[string]*bot.TicketForm{"reply": form("say"), "note": form("note"), "heard": heard, "verify": verify, "back": back}
}

// GoldenTickets compares the forms of a ticket's card in every language, as they go
// over the wire, with the files tickets.<language>.json in folder dir.
func GoldenTickets(t *testing.T, dir string, render func(f *bot.TicketForm, ps bot.Phrases, lang string) any) {
	t.Helper()
	set := Script(t)
	for _, lang := range set.Languages() {
		all := map[string]any{}
		for name, f := range TicketForms(set, lang) {
			all[name] = render(f, set, lang)
		}
		text, err := encode(all)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join(dir, "tickets."+lang+".json"), text+"\n")
	}
}
