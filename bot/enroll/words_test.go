package enroll_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
)

var update = flag.Bool("update", false, "write what the notices say into testdata")

// changes are all that people are told of.
var changes = []string{
	"method.begun", "method.proven", "method.replaced", "method.removed", "method.disabled", "method.suspended", "recovery.used",
	"identity.linked", "identity.refused", "identity.unlinked", "identity.disowned", "session.moved", "proof.failed", "proof.locked", "sign_in.locked",
	"person.frozen", "person.unfrozen", "person.reopened", "person.signed_out", "person.disabled", "person.enabled", "person.erased",
	"something.new", // a change that has no words yet
}

// TestWordsOfNotices: every change in both languages, by mail, by text and in a
// chat, with a link and without one, as it is sent.
func TestWordsOfNotices(t *testing.T) {
	for _, lang := range []string{"en", "es"} {
		t.Run(lang, func(t *testing.T) {
			h := newHouse(t, enroll.ByPassword)
			h.Enroll.Connect(h.Inbox)
			h.Enroll.Org, h.Enroll.Contact, h.Enroll.Phone = "Riverbend Schools", func(bot.Phrases, string) string { return "Technology Services, (555) 010-0199" }, "(555) 010-0199"
			if err := h.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.SetPersonLang(prooftest.AnnID, lang) }); err != nil {
				t.Fatal(err)
			}
			h.Phone("7045550148")
			h.linked("c2", "u2", 0)
			h.Jobs = nil
			phone := h.Methods(bot.Active)[0]
			var b strings.Builder
			tell := func(change string) {
				t.Helper()
				n := enroll.News{Change: change, From: "c1", Channel: "slack-acme", Lang: lang}
				if strings.HasPrefix(change, "method.") {
					n.Method = &phone
				}
				if strings.HasPrefix(change, "person.") && change != "person.reopened" {
					n.Channel = ""
				}
				mails, texts, chats := len(h.Notifier.Sent()), len(h.Phones.Sent()), len(h.Inbox.Events)
				h.tell(n)
				h.Deliver()
				h.Clock.Advance(25 * time.Hour)
				mail, text, chat := h.Notifier.Sent()[mails], h.Phones.Sent()[texts], h.Inbox.Events[chats]
				if strings.Contains(mail.Subject+mail.Body+text.Text, "<") || strings.ContainsAny(mail.Body+text.Text, "{}") {
					t.Errorf("%s: a text is missing: %+v %+v", change, mail, text)
				}
				said := ""
				for _, f := range chat.Signal.Facts {
					if f.Name == lang {
						said = f.Value
					}
				}
				link := func(s string) string { // the token is random
					for rest := s; ; {
						_, after, ok := strings.Cut(rest, "#")
						if !ok || len(after) < 43 {
							return s
						}
						s, rest = strings.Replace(s, after[:43], "TOKEN", 1), after[43:]
					}
				}
				fmt.Fprintf(&b, "== %s\n%s\n\n%s\n-- text\n%s\n-- chat (%s)\n%s\n\n", change, mail.Subject, strings.TrimSpace(link(mail.Body)), link(text.Text), chat.Signal.Name, strings.TrimSpace(said))
			}
			for _, c := range changes[:2] {
				tell(c)
			}
			h.Enroll.PressLink = func(token bot.Secret, lang, change string) bot.Secret {
				return "https://help.example.org/notme?lang=" + bot.Secret(lang) + "#" + token
			}
			for _, c := range changes {
				tell(c)
			}
			file := filepath.Join("testdata", "notices_"+lang+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("the notices say something else than %s; look, and run with -update:\n%s", file, b.String())
			}
		})
	}
}

// TestTextsOfNotices: at most two parts of a text, in the GSM alphabet, with an
// organisation of 40 letters and a long address.
func TestTextsOfNotices(t *testing.T) {
	h := newHouse(t, enroll.ByPassword)
	h.Enroll.Org, h.Enroll.Phone = strings.Repeat("O", 40), "(555) 010-0199 ext. 12345"
	h.Phone("7045550148")
	h.Jobs = nil
	for _, lang := range []string{"en", "es"} {
		for _, page := range []bool{false, true} {
			h.Enroll.PressLink = nil
			if page {
				h.Enroll.PressLink = func(token bot.Secret, lang, change string) bot.Secret {
					if change != "" {
						lang += "&c=" + change
					}
					return "https://latchkey.technology.riverbend-schools.example.org/notme?lang=" + bot.Secret(lang) + "#" + token
				}
			}
			for _, c := range changes {
				if err := h.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.SetPersonLang(prooftest.AnnID, lang) }); err != nil {
					t.Fatal(err)
				}
				n := len(h.Phones.Sent())
				h.tell(enroll.News{Change: c, Lang: lang})
				h.Work()
				h.Clock.Advance(25 * time.Hour)
				text := h.Phones.Sent()[n].Text
				if len([]rune(text)) > 306 {
					t.Errorf("%s in %s has %d letters: %s", c, lang, len([]rune(text)), text)
				}
				for _, r := range text {
					if !strings.ContainsRune(gsm7, r) {
						t.Errorf("%s in %s has %q, which is not in the GSM alphabet", c, lang, r)
					}
				}
			}
		}
	}
}
