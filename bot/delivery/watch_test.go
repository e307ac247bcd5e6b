package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/delivery"
)

// A fake fails with what it is given.
type fake struct{ err error }

func (f *fake) SendCode(context.Context, bot.CodeMessage) (string, error) { return "", f.err }
func (f *fake) SendNotice(context.Context, bot.NoticeMessage) error       { return f.err }
func (f *fake) SendText(context.Context, bot.TextMessage) error           { return f.err }
func (f *fake) AskCode(context.Context, string, bot.Secret, time.Time) (string, error) {
	return "asked", nil
}

type rig struct {
	*delivery.Watch
	fake   *fake
	log    bytes.Buffer
	now    time.Time
	sender bot.Sender
	notice bot.Notifier
	text   bot.Texter
}

func newRig() *rig {
	r := &rig{fake: &fake{}, now: time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC)}
	r.Watch = delivery.New(slog.New(slog.NewTextHandler(&r.log, nil)), func() time.Time { return r.now })
	r.sender, r.notice, r.text = r.Sender(r.fake), r.Notifier(r.fake), r.Texter(r.fake)
	return r
}

func (r *rig) lines(text string) int { return strings.Count(r.log.String(), text) }

// An outage is a warning at its first failure, whoever meets it, and nothing
// more until it is over; the state names the newest failure.
func TestOutageIsToldOnce(t *testing.T) {
	r := newRig()
	r.fake.err = &bot.SendError{Kind: bot.SendRetry, Fix: "check host", Err: errors.New("connection refused")}
	began := r.now
	for range 3 {
		r.sender.SendCode(t.Context(), bot.CodeMessage{Via: bot.Mail, To: "ann@example.net"})
		r.notice.SendNotice(t.Context(), bot.NoticeMessage{To: "ann@example.net"})
		r.now = r.now.Add(time.Minute)
	}
	if r.lines("level=WARN") != 1 || r.lines("sender=mail class=retry") != 1 || r.lines("check host") != 1 || r.lines("ann@example.net") != 0 {
		t.Errorf("log:\n%s", &r.log)
	}
	r.fake.err = &bot.SendError{Kind: bot.SendThrottled, After: time.Minute, Err: errors.New("too many")}
	r.sender.SendCode(t.Context(), bot.CodeMessage{Via: bot.Mail})
	all := r.Outages()
	if len(all) != 1 || all[0].Via != bot.Mail || all[0].Tries != 7 || all[0].Class != "throttled" || !all[0].Since.Equal(began) || all[0].Fix != "" {
		t.Errorf("outages %+v", all)
	}
	r.fake.err = nil
	r.notice.SendNotice(t.Context(), bot.NoticeMessage{})
	if len(r.Outages()) != 0 || r.lines("works again") != 1 || r.lines("after=3m0s tries=7") != 1 {
		t.Errorf("outages %+v, log:\n%s", r.Outages(), &r.log)
	}
	r.fake.err = errors.New("a sender that does not classify")
	r.text.SendText(t.Context(), bot.TextMessage{})
	if all := r.Outages(); len(all) != 1 || all[0].Via != bot.SMS || all[0].Class != "uncertain" || r.lines("level=WARN") != 2 {
		t.Errorf("outages %+v, log:\n%s", all, &r.log)
	}
}

// A refusal that is the number's own is no outage, one that an operator can mend
// is; neither is the end of this process.
func TestWhatIsAnOutage(t *testing.T) {
	r := newRig()
	for _, err := range []error{
		&bot.SendError{Kind: bot.SendPermanent, Code: "landline", Err: errors.New("no")},
		&bot.SendError{Kind: bot.SendGone, Err: errors.New("no")},
	} {
		r.fake.err = err
		r.sender.SendCode(t.Context(), bot.CodeMessage{Via: bot.SMS})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r.fake.err = &bot.SendError{Kind: bot.SendUncertain, Err: context.Canceled}
	r.sender.SendCode(ctx, bot.CodeMessage{Via: bot.SMS})
	if len(r.Outages()) != 0 || r.log.Len() > 0 {
		t.Errorf("outages %+v, log:\n%s", r.Outages(), &r.log)
	}
	r.fake.err = &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Fix: "register the sender", Err: errors.New("no")}
	r.sender.SendCode(t.Context(), bot.CodeMessage{Via: bot.SMS})
	if all := r.Outages(); len(all) != 1 || all[0].Class != "refused" || all[0].Fix != "register the sender" {
		t.Errorf("outages %+v", all)
	}
}

// What a provider refuses after it has taken it is an outage until something is
// delivered, however many it takes.
func TestToldLater(t *testing.T) {
	r := newRig()
	r.Told(bot.SMS, &bot.SendError{Kind: bot.SendPermanent, Fix: "register the sender", Err: errors.New("30034")})
	r.sender.SendCode(t.Context(), bot.CodeMessage{Via: bot.SMS})
	if len(r.Outages()) != 1 {
		t.Error("a text that was taken ends an outage that only shows later")
	}
	r.Told(bot.SMS, nil)
	if len(r.Outages()) != 0 || r.lines("works again") != 1 {
		t.Errorf("outages %+v", r.Outages())
	}
}

// Who can be asked about a code stays so.
func TestAskerStays(t *testing.T) {
	a, ok := newRig().sender.(interface {
		AskCode(context.Context, string, bot.Secret, time.Time) (string, error)
	})
	if !ok {
		t.Fatal("a watched sender cannot be asked any more")
	}
	if ref, _ := a.AskCode(t.Context(), "", "", time.Time{}); ref != "asked" {
		t.Error(ref)
	}
	type plain struct{ bot.Sender }
	if _, ok := newRig().Sender(plain{&fake{}}).(interface {
		AskCode(context.Context, string, bot.Secret, time.Time) (string, error)
	}); ok {
		t.Error("a sender that cannot be asked looks as if it could")
	}
}
