package prooftest

import (
	"errors"

	"latchkey/bot"
	"latchkey/store"
)

// AnnID is the person whose conversation the rig holds.
const AnnID bot.PersonID = "p1"

// Ann is that person as the staff list has her.
func Ann() bot.Person {
	return bot.Person{ID: AnnID, Username: "ann", Email: "ann.lee@example.org", Name: "Ann Lee", GivenName: "Ann", WorkPhone: "+17042963143"}
}

// Password is the directory's only one, for whoever is in it. The directory
// does not answer when it is asked about the password "down".
const Password = "canary-Horse-Staple-7"

type directory struct{}

func (directory) Verify(p *bot.Person, pw bot.Secret) (bool, error) {
	if string(pw) == "down" {
		return false, errors.New("directory is down")
	}
	return p != nil && string(pw) == Password, nil
}

// People imports a whole staff list.
func (r *Rig) People(ps ...bot.Person) {
	r.Helper()
	report, err := r.DB.ImportPeople(r.Context(), func(yield func(bot.Person, int) bool) {
		for i, p := range ps {
			if !yield(p, i) {
				return
			}
		}
	}, store.ImportOptions{})
	if err != nil || !report.Stored {
		r.Fatalf("import: %+v, %v", report, err)
	}
}

// Talk makes a stored conversation, whose user is not proven.
func (r *Rig) Talk(id bot.ConversationID, user string) (conv bot.Conversation) {
	r.Helper()
	ev := &bot.Event{ID: "open-" + string(id), Channel: "test", Conversation: id, From: user, Kind: bot.Open}
	err := r.DB.Turn(r.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
		conv = *c
		return tx.SaveConversation(c)
	})
	if err != nil {
		r.Fatal(err)
	}
	conv.ID, conv.Channel, conv.User = id, "test", user
	return conv
}
