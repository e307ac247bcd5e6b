package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
)

func testCampaigns(t *testing.T, s bot.Store) {
	c := bot.Campaign{ID: "first", Code: "K7M2QP4X", MadeBy: "operator:ann", Plan: bot.CampaignPlan{Kind: "first", Audience: bot.Audience{Who: bot.AudienceNotEnrolled, Sites: []string{"North"}},
		Deadline: time.Date(2026, 12, 18, 0, 0, 0, 0, time.UTC), Texts: map[string]string{"en": "Hello"}, Every: 3}}
	update(t, s, func(tx bot.Tx) error { return tx.PutCampaign(&c) })
	is(t, "revision", c.Revision, 1)
	for _, again := range []bot.Campaign{{ID: "first", Code: "OTHER"}, {ID: "second", Code: c.Code}, {ID: "first", Revision: 7}} {
		if err := s.Update(t.Context(), func(tx bot.Tx) error { return tx.PutCampaign(&again) }); !errors.Is(err, bot.ErrConflict) {
			t.Errorf("a campaign that is there already: %v", err)
		}
	}
	c.State, c.Why, c.Gathered, c.Audience = bot.CampaignRunning, "", "p7", 12
	update(t, s, func(tx bot.Tx) error { return tx.PutCampaign(&c) })
	view(t, s, func(tx bot.Tx) error {
		got, err := tx.Campaign("first")
		if err != nil {
			return err
		}
		if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", c) {
			t.Errorf("read %+v\nwant %+v", *got, c)
		}
		if by, err := tx.CampaignByCode(c.Code); err != nil || by.ID != "first" {
			t.Errorf("by code: %+v, %v", by, err)
		}
		for _, code := range []string{"", "K7M2QP4Y"} {
			if by, err := tx.CampaignByCode(code); !errors.Is(err, bot.ErrNotFound) {
				t.Errorf("by code %q: %+v, %v", code, by, err)
			}
		}
		all, err := tx.Campaigns()
		if err != nil || len(all) != 1 || all[0].ID != "first" {
			t.Errorf("all: %+v, %v", all, err)
		}
		due, err := tx.CampaignsDue()
		if err != nil || !slices.Contains(due, "first") {
			t.Errorf("due: %v, %v", due, err)
		}
		return nil
	})
	for _, later := range []bot.Campaign{{State: bot.CampaignRunning, Next: time.Now().Add(time.Hour)}, {State: bot.CampaignPaused}, {State: bot.CampaignHalted}, {State: bot.CampaignDraft}, {State: bot.CampaignStopped}, {State: bot.CampaignDone}} {
		c.State, c.Next = later.State, later.Next
		update(t, s, func(tx bot.Tx) error { return tx.PutCampaign(&c) })
		view(t, s, func(tx bot.Tx) error {
			if due, err := tx.CampaignsDue(); err != nil || slices.Contains(due, "first") {
				t.Errorf("%s, again %s: due %v, %v", c.State, c.Next, due, err)
			}
			return nil
		})
	}
}

// crowd is people of every sort for audiences.
func crowd(t *testing.T, s bot.Store) {
	Seed(t, s, bot.Person{ID: "a", Username: "a", Department: "Kitchen", Site: "North", HiredOn: "2026-09-01"}, bot.Person{ID: "b", Username: "b", Kind: bot.Staff, Department: "kitchen", Site: "South"},
		bot.Person{ID: "c", Username: "c", Site: "North"}, bot.Person{ID: "d", Username: "d"}, bot.Person{ID: "e", Username: "e"}, bot.Person{ID: "f", Username: "f"},
		bot.Person{ID: "g-guest", Username: "g", Kind: bot.Guest}, bot.Person{ID: "h-off", Username: "h", Disabled: true}, bot.Person{ID: "i-stopped", Username: "i"},
		bot.Person{ID: "j-service", Username: "j", Kind: bot.Service}, bot.Person{ID: "k-shared", Username: "k", Kind: bot.Shared}, bot.Person{ID: "l-room", Username: "l", Kind: bot.Place}, bot.Person{ID: "m-pupil", Username: "m", Kind: bot.Pupil})
	update(t, s, func(tx bot.Tx) error {
		method := func(p bot.PersonID, no int, k bot.MethodKind, st bot.MethodState) error {
			return tx.PutMethod(&bot.Method{ID: bot.MethodID(fmt.Sprint(p, no)), Person: p, Kind: k, State: st, CreatedAt: tx.Now()})
		}
		return errors.Join(tx.SetStopped("i-stopped", tx.Now()), tx.SetStage("c", bot.Started, tx.Now()),
			tx.SetStage("d", bot.Enrolled, tx.Now()), method("d", 1, bot.Phone, bot.Active), method("d", 2, bot.Questions, bot.Active), method("d", 3, bot.Authenticator, bot.Removed),
			tx.SetStage("e", bot.Enrolled, tx.Now()), method("e", 1, bot.Phone, bot.Active), method("e", 2, bot.Authenticator, bot.Active),
			tx.SetStage("f", bot.Enrolled, tx.Now()), method("f", 1, bot.Authenticator, bot.Active),
			tx.NamePerson("x", "a", false), tx.NamePerson("x", "c", false), tx.NamePerson("x", "h-off", false), tx.NamePerson("out", "a", true), tx.NamePerson("other", "b", true))
	})
}

func testAudiences(t *testing.T, s bot.Store) {
	crowd(t, s)
	report := func(p bot.PersonID, methods, direct []string) {
		update(t, s, func(tx bot.Tx) error {
			return tx.PutRegistration(&bot.Registration{Person: p, ReadAt: tx.Now(), Methods: methods, Direct: direct})
		})
	}
	for _, x := range []struct {
		id   string
		a    bot.Audience
		want string
	}{
		{"", bot.Audience{Who: bot.AudienceNotEnrolled}, "a b c"},
		{"", bot.Audience{Who: bot.AudienceHalfWay}, "c"},
		{"", bot.Audience{Who: bot.AudienceOneMethod}, "d f"},
		{"", bot.Audience{Who: bot.AudienceTextOrVoice}, "d"},
		{"", bot.Audience{Who: bot.AudienceAll}, "a b c d e f"},
		{"", bot.Audience{Who: bot.AudienceAll, Kinds: []bot.PersonKind{bot.Guest, bot.Pupil}}, "a b c d e f g-guest m-pupil"},
		{"", bot.Audience{Who: bot.AudienceNotEnrolled, Departments: []string{"KITCHEN"}}, "a b"},
		{"", bot.Audience{Who: bot.AudienceNotEnrolled, NotDepartments: []string{"Kitchen"}}, "c"},
		{"", bot.Audience{Who: bot.AudienceNotEnrolled, Sites: []string{"north", "west"}}, "a c"},
		{"", bot.Audience{Who: bot.AudienceNotEnrolled, NotSites: []string{"north"}, Departments: []string{"kitchen"}}, "b"},
		{"", bot.Audience{Who: bot.AudienceAll, HiredSince: "2026-09-01"}, "a"},
		{"", bot.Audience{Who: bot.AudienceAll, HiredSince: "2026-09-02"}, ""},
		{"x", bot.Audience{Who: bot.AudienceAll, Named: true}, "a c"},
		{"y", bot.Audience{Who: bot.AudienceAll, Named: true}, ""},
		{"out", bot.Audience{Who: bot.AudienceNotEnrolled}, "b c"},
	} {
		view(t, s, func(tx bot.Tx) error {
			ps, err := tx.InAudience(x.id, &x.a, "", 100)
			got := ids(ps)
			n, cerr := tx.CountAudience(x.id, &x.a)
			if err != nil || cerr != nil || got != x.want || n != len(ps) {
				t.Errorf("%+v of %q: %q (%d), want %q; %v %v", x.a, x.id, got, n, x.want, err, cerr)
			}
			for _, p := range []bot.PersonID{"a", "b", "c", "d", "e", "f", "g-guest", "h-off", "i-stopped", "nobody"} {
				in, _, err := tx.Judge(x.id, &x.a, p)
				if err != nil || in != slices.ContainsFunc(ps, func(q bot.Person) bool { return q.ID == p }) {
					t.Errorf("%+v of %q: %s is in: %v, %v", x.a, x.id, p, in, err)
				}
			}
			return nil
		})
	}
	if err := s.View(t.Context(), func(tx bot.Tx) error { _, err := tx.CountAudience("x", &bot.Audience{Who: "somebody"}); return err }); err == nil {
		t.Error("an audience that is not known was counted")
	}
	done := func(who string, p bot.PersonID, want bool) {
		t.Helper()
		view(t, s, func(tx bot.Tx) error {
			if _, done, err := tx.Judge("x", &bot.Audience{Who: who}, p); err != nil || done != want {
				t.Errorf("%s: %s has done it: %v, %v, want %v", who, p, done, err, want)
			}
			return nil
		})
	}
	done(bot.AudienceNotEnrolled, "c", false)
	done(bot.AudienceNotEnrolled, "d", true)
	done(bot.AudienceHalfWay, "d", true)
	done(bot.AudienceOneMethod, "f", false)
	done(bot.AudienceOneMethod, "e", true)
	done(bot.AudienceTextOrVoice, "e", true)
	done(bot.AudienceTextOrVoice, "d", false)
	done(bot.AudienceAll, "e", false)
	// The registrar's word goes before what is enrolled here.
	report("e", []string{"mobilePhone", "email"}, nil)
	done(bot.AudienceTextOrVoice, "e", false)
	report("e", []string{"mobilePhone"}, []string{"mobilePhone", "microsoftAuthenticatorPush"})
	done(bot.AudienceTextOrVoice, "e", true)
	report("d", []string{"MobilePhone", "microsoftAuthenticatorPush"}, nil)
	done(bot.AudienceTextOrVoice, "d", true)
	report("a", nil, nil)
	judged := func(p bot.PersonID, v bot.Survival) {
		update(t, s, func(tx bot.Tx) error { return tx.PutRegistration(&bot.Registration{Person: p, Survives: v}) })
	}
	judged("b", bot.SurvivesNo)
	judged("c", bot.SurvivesYes)
	judged("h-off", bot.SurvivesNo)
	done(bot.AudienceLosing, "c", true)
	done(bot.AudienceLosing, "b", false)
	done(bot.AudienceLosing, "d", false) // nobody has judged
	done(bot.AudienceEnrolled, "e", false)
	update(t, s, func(tx bot.Tx) error {
		return errors.Join(tx.SetStage("a", bot.Enrolled, tx.Now().AddDate(0, 0, -30)), tx.CopyNames("x", "y"))
	})
	for want, a := range map[string]bot.Audience{"b": {Who: bot.AudienceLosing}, "a d e f": {Who: bot.AudienceEnrolled}, "a": {Who: bot.AudienceEnrolled, EnrolledDays: 29}, "": {Who: bot.AudienceEnrolled, EnrolledDays: 31}} {
		view(t, s, func(tx bot.Tx) error {
			ps, err := tx.InAudience("z", &a, "", 100)
			is(t, a.Who, ids(ps), want)
			return err
		})
	}
	view(t, s, func(tx bot.Tx) error {
		ps, err := tx.InAudience("y", &bot.Audience{Who: bot.AudienceAll, Named: true}, "", 100)
		is(t, "named by the copy", ids(ps), "a c")
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		ps, err := tx.InAudience("x", &bot.Audience{Who: bot.AudienceTextOrVoice}, "", 100)
		is(t, "nothing but texts, in the end", ids(ps), "")
		return err
	})
}

func ids(ps []bot.Person) (s string) {
	for i := range ps {
		if i > 0 {
			s += " "
		}
		s += string(ps[i].ID)
	}
	return s
}

func testParts(t *testing.T, s bot.Store) {
	crowd(t, s)
	a := bot.Audience{Who: bot.AudienceNotEnrolled}
	gather := func(want int) {
		t.Helper()
		n, after := 0, bot.PersonID("")
		for range 20 {
			var k int
			update(t, s, func(tx bot.Tx) (err error) {
				after, k, err = tx.Gather("x", &a, after, 2, true)
				return err
			})
			if n += k; after == "" {
				break
			}
		}
		is(t, "gathered", n, want)
	}
	gather(3)
	gather(0)
	due := func(want ...bot.PersonID) []bot.PartDue {
		t.Helper()
		var ps []bot.PartDue
		view(t, s, func(tx bot.Tx) (err error) { ps, err = tx.PartsDue("x", 10); return err })
		var got []bot.PersonID
		for _, p := range ps {
			got = append(got, p.Person)
		}
		if !slices.Equal(got, want) {
			t.Errorf("due: %v, want %v", got, want)
		}
		return ps
	}
	due()
	var now time.Time
	update(t, s, func(tx bot.Tx) error {
		now = tx.Now()
		n, err := tx.LetIn("x", 2, now)
		is(t, "let in", n, 2)
		return err
	})
	// By site: two of the North before the one of the South; within it by chance.
	var first []bot.CampaignPart
	view(t, s, func(tx bot.Tx) error {
		ds, err := tx.PartsDue("x", 10)
		for _, d := range ds {
			p, perr := tx.Part("x", d.Person)
			if err = errors.Join(err, perr); perr == nil {
				first = append(first, *p)
			}
		}
		return err
	})
	if len(first) != 2 || first[0].Person == "b" || first[1].Person == "b" || first[0].Token == first[1].Token || len(first[0].Token) != 24 {
		t.Fatalf("due: %+v", first)
	}
	slices.SortFunc(first, func(x, y bot.CampaignPart) int { return int(x.Person[0]) - int(y.Person[0]) })
	p := first[0]
	update(t, s, func(tx bot.Tx) error {
		p.State, p.Via, p.Due, p.Reminders, p.FirstAt, p.LastAt = bot.PartSent, "test", time.Time{}, 1, now, now
		return tx.PutPart(&p)
	})
	due("c")
	if err := s.Update(t.Context(), func(tx bot.Tx) error { return tx.PutPart(&first[0]) }); !errors.Is(err, bot.ErrConflict) {
		t.Errorf("a part that was changed meanwhile: %v", err)
	}
	view(t, s, func(tx bot.Tx) error {
		for _, get := range []func() (*bot.CampaignPart, error){func() (*bot.CampaignPart, error) { return tx.Part("x", "a") }, func() (*bot.CampaignPart, error) { return tx.PartByToken(p.Token) }} {
			if got, err := get(); err != nil || *got != p {
				t.Errorf("read %+v, %v, want %+v", got, err, p)
			}
		}
		if _, err := tx.Part("x", "d"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("a part of nobody: %v", err)
		}
		if _, err := tx.PartByRow(0); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("a part of no row: %v", err)
		}
		of, err := tx.PartsOf("a")
		if err != nil || len(of) != 1 || of[0] != p {
			t.Errorf("parts of a: %+v, %v", of, err)
		}
		return nil
	})

	// The post office has them, and somebody takes them back.
	say := func(p *bot.CampaignPart) {
		t.Helper()
		update(t, s, func(tx bot.Tx) error {
			to, err := tx.Direct("test", p.Person)
			if err != nil {
				return err
			}
			row := bot.OutboxRow{Conversation: to, Lane: bot.LaneCampaign, Campaign: "x", Message: bot.Message{Text: "Hello"}}
			if err := errors.Join(tx.Say(&row), tx.Number(&row)); err != nil {
				return err
			}
			p.State, p.Row, p.Due = bot.PartSent, row.ID, time.Time{}
			return tx.PutPart(p)
		})
	}
	say(&p)
	c := first[1]
	say(&c)
	posted := func(want int) ([]bot.CampaignPart, []bot.OutboxRow) {
		t.Helper()
		var ps []bot.CampaignPart
		var rows []bot.OutboxRow
		view(t, s, func(tx bot.Tx) (err error) {
			ps, rows, err = tx.Posted("x", 10)
			if n, merr := tx.CampaignMail("x"); merr != nil || n != 2-want {
				t.Errorf("%d rows wait, %v, want %d", n, merr, 2-want)
			}
			return err
		})
		is(t, "posted", len(ps), want)
		return ps, rows
	}
	posted(0)
	update(t, s, func(tx bot.Tx) error {
		row, err := tx.Row(c.Row)
		if err != nil {
			return err
		}
		row.State, row.Error = bot.OutboxDead, "gone"
		return tx.MarkOutbox(row)
	})
	if ps, rows := posted(1); len(ps) == 1 && (ps[0].Person != "c" || rows[0].ID != c.Row || rows[0].State != bot.OutboxDead || rows[0].Error != "gone") {
		t.Errorf("posted %+v %+v", ps, rows)
	}
	update(t, s, func(tx bot.Tx) error { // by mail
		b, err := tx.Part("x", "b")
		if err != nil {
			return err
		}
		b.State, b.Via, b.Reminders = bot.PartSent, "mail", 1
		return errors.Join(tx.PutPart(b), tx.SetNextNudge("b", now.Add(time.Hour)))
	})
	view(t, s, func(tx bot.Tx) error {
		lost, err := tx.LostMails("x", 10)
		if len(lost) != 1 || lost[0].Person != "b" {
			t.Errorf("mails without a job: %+v", lost)
		}
		return err
	})
	update(t, s, func(tx bot.Tx) error { return tx.Enqueue(campaignMail{"x", "b"}, time.Time{}) })
	view(t, s, func(tx bot.Tx) error {
		if lost, err := tx.LostMails("x", 10); err != nil || len(lost) != 0 {
			t.Errorf("a mail that waits is lost: %+v, %v", lost, err)
		}
		return nil
	})
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.RecallCampaign("x")
		is(t, "taken back", n, 2)
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		if b, err := tx.Part("x", "b"); err != nil || b.State != bot.PartWaiting || b.Reminders != 0 {
			t.Errorf("after the mail was taken back: %+v, %v", b, err)
		}
		if b, err := tx.Person("b"); err != nil || b.NextNudge.After(tx.Now()) {
			t.Errorf("after the mail was taken back, written to from %s; %v", b.NextNudge, err)
		}
		got, err := tx.Part("x", "a")
		if err != nil || got.State != bot.PartWaiting || got.Row != 0 || got.Reminders != 0 || !got.Due.IsZero() {
			t.Errorf("after it was taken back: %+v, %v", got, err)
		}
		row, err := tx.Row(p.Row)
		if err != nil || row.State != bot.OutboxRetracted || row.Message.Text != "" {
			t.Errorf("its row: %+v, %v", row, err)
		}
		return nil
	})

	// Who is further.
	update(t, s, func(tx bot.Tx) error { return tx.SetStage("b", bot.Enrolled, tx.Now()) })
	view(t, s, func(tx bot.Tx) error {
		ps, stages, last, err := tx.Unsettled("x", &a, "", 10)
		if err != nil || last != "" || len(ps) != 2 || ps[0].Person != "b" || stages[0] != bot.Enrolled || ps[1].Person != "c" || stages[1] != bot.Started {
			t.Errorf("unsettled: %+v %v %q, %v", ps, stages, last, err)
		}
		if _, _, last, err := tx.Unsettled("x", &a, "", 2); err != nil || last != "b" {
			t.Errorf("a page ends at %q, %v", last, err)
		}
		gs, total, err := tx.CountParts("x")
		n := 0
		for _, g := range gs {
			n += g.N
		}
		if err != nil || total != 3 || n != 3 {
			t.Errorf("counts %+v of %d, %v", gs, total, err)
		}
		gs, err = tx.CountSites("x")
		if err != nil || len(gs) != 3 || gs[0].Site != "North" || gs[2].Site != "South" || gs[2].Stage != bot.Enrolled {
			t.Errorf("by site %+v, %v", gs, err)
		}
		in, err := tx.PartsIn("x", bot.PartWaiting, "a", 10)
		if err != nil || len(in) != 1 || in[0].Person != "b" {
			t.Errorf("waiting behind a: %+v, %v", in, err)
		}
		return nil
	})

	// Of many that want to write to one person at once, one does.
	got := make(chan bool, 8)
	for range cap(got) {
		go func() {
			var ok bool
			err := s.Update(context.WithoutCancel(t.Context()), func(tx bot.Tx) (err error) {
				ok, err = tx.ClaimNudge("a", tx.Now().Add(time.Hour))
				return err
			})
			if err != nil {
				t.Error(err)
			}
			got <- ok
		}()
	}
	n := 0
	for range cap(got) {
		if <-got {
			n++
		}
	}
	is(t, "claims of one nudge", n, 1)
}

// campaignMail is a job as campaign.Mail stores it.
type campaignMail struct {
	Campaign string `json:"campaign"`
	Person   string `json:"person"`
}

func (campaignMail) Kind() string { return "campaign_mail" }

func testDeleteCampaign(t *testing.T, s bot.Store) {
	crowd(t, s)
	all := bot.Audience{Who: bot.AudienceAll, Named: true}
	for _, id := range []string{"x", "stays"} {
		c := bot.Campaign{ID: id}
		update(t, s, func(tx bot.Tx) error {
			_, _, err := tx.Gather(id, &bot.Audience{Who: bot.AudienceAll}, "", 100, false)
			return errors.Join(tx.PutCampaign(&c), tx.NamePerson(id, "b", false), err)
		})
	}
	update(t, s, func(tx bot.Tx) error { return tx.ForgetNames("stays") })
	is(t, "people who are named still", count(t, s, "x", &all), 3)
	is(t, "people who were forgotten", count(t, s, "stays", &all), 0)
	if err := s.Update(t.Context(), func(tx bot.Tx) error { return tx.DeleteCampaign(&bot.Campaign{ID: "x", Revision: 7}) }); !errors.Is(err, bot.ErrConflict) {
		t.Errorf("a campaign that was changed meanwhile is deleted: %v", err)
	}
	update(t, s, func(tx bot.Tx) error { return tx.DeleteCampaign(&bot.Campaign{ID: "x", Revision: 1}) })
	is(t, "people who are named", count(t, s, "x", &all), 0)
	view(t, s, func(tx bot.Tx) error {
		_, gone := tx.Campaign("x")
		_, there := tx.Campaign("stays")
		_, none, err := tx.CountParts("x")
		_, some, err2 := tx.CountParts("stays")
		if !errors.Is(gone, bot.ErrNotFound) || there != nil || none != 0 || some != 6 {
			t.Errorf("after the deletion: %v, %d parts; the other: %v, %d", gone, none, there, some)
		}
		return errors.Join(err, err2)
	})
}

func count(t *testing.T, s bot.Store, id string, a *bot.Audience) (n int) {
	t.Helper()
	view(t, s, func(tx bot.Tx) (err error) { n, err = tx.CountAudience(id, a); return err })
	return n
}
