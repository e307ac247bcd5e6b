package enroll

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// News is a change that a person is told of.
type News struct {
	Change string             // the audit action; its words are the phrases notice.what.* and notice.short.*
	Method *bot.Method        // what changed; nil: not about a method
	To     []bot.MethodID     // the addresses and phones to tell, see addresses; nil: those of now
	From   bot.ConversationID // where it was done: that conversation is not told
	// Channel is where it was done, empty: at the help desk. User is the chat
	// account there that it is about, which is not told either; empty: none.
	Channel  bot.ChannelID
	User     string
	Lang     string // where the person's own is not known
	Operator bool   // the help desk has done it
}

// Notify is the job that tells one address, phone or conversation about one
// change. It holds ids and times only; the address is read when the notice is
// made.
type Notify struct {
	ID     string       `json:"id"`             // of the notice, the same for every attempt
	News   string       `json:"news,omitempty"` // the change: the same for all its notices
	Ways   int          `json:"ways,omitempty"` // how many notices of it can reach the person; 0: this one is not counted
	Change string       `json:"change"`         // the audit action
	Person bot.PersonID `json:"person"`
	Method bot.MethodID `json:"method,omitempty"` // what changed; empty: not about a method
	// To is a private mailbox or a phone, Chat a conversation; both empty: the
	// work address.
	To      bot.MethodID       `json:"to,omitempty"`
	Chat    bot.ConversationID `json:"chat,omitempty"`
	Lang    string             `json:"lang,omitempty"`
	Channel bot.ChannelID      `json:"channel,omitempty"`
	User    string             `json:"user,omitempty"`
	At      time.Time          `json:"at"`
	// Operator: the help desk has done it.
	Operator bool `json:"operator,omitempty"`
	// Last: the mailbox or phone goes with this change, so its address is wiped
	// after this notice, and not after an earlier one that was slower.
	Last bool `json:"last,omitempty"`
}

// Kind implements bot.Job.
func (Notify) Kind() string { return "notice" }

// Queue implements bot.QueuedJob.
func (Notify) Queue() bot.JobQueue { return notices }

// notices is the queue of what is told outside of a conversation. A mail server
// that hangs holds up these only.
var notices = bot.JobQueue{Name: "notices", Workers: 16, Timeout: time.Minute}

// work stands for the work address among the addresses to tell.
const work bot.MethodID = ""

// addresses lists where a person can be told now: the work address, and every
// private mailbox and phone that was proven, suspended ones too.
func addresses(p *bot.Person, ms []bot.Method) []bot.MethodID {
	to := []bot.MethodID{}
	if p.Email != "" {
		to = append(to, work)
	}
	for i := range ms {
		if proven(&ms[i]) && (ms[i].Kind == bot.Email || ms[i].Kind == bot.Phone) {
			to = append(to, ms[i].ID)
		}
	}
	return to
}

// Tell enqueues one notice for each way to reach a person: addresses, phones,
// and the chats that are linked to them. Where there is none, operators are
// alerted.
func (r *Service) Tell(tx bot.Tx, p *bot.Person, n News) error {
	_, err := r.tell(tx, p, n)
	return err
}

// tell is Tell, and says how many ways there are.
func (r *Service) tell(tx bot.Tx, p *bot.Person, n News) (ways int, err error) {
	if n.To == nil {
		ms, err := tx.Methods(p.ID)
		if err != nil {
			return 0, fmt.Errorf("enroll: methods: %w", err)
		}
		n.To = addresses(p, ms)
	}
	chats, held, err := r.chats(tx, p.ID, n)
	if err != nil {
		return 0, err
	}
	j := Notify{News: newID(), Ways: len(n.To) + len(chats), Change: n.Change, Person: p.ID, Lang: p.Lang, Channel: n.Channel, User: n.User, At: tx.Now(), Operator: n.Operator}
	if j.Lang == "" {
		j.Lang = n.Lang
	}
	if n.Method != nil {
		j.Method = n.Method.ID
	}
	if j.Ways == 0 {
		if err := r.untold(tx, p.ID, n.Change); err != nil {
			return 0, err
		}
	}
	enqueue := func(j Notify) error {
		j.ID = newID()
		if err := tx.Enqueue(j, time.Time{}); err != nil {
			return fmt.Errorf("enroll: enqueue notice: %w", err)
		}
		return nil
	}
	for _, a := range n.To {
		j.To, j.Last = a, false
		if a != work {
			m, err := tx.Method(a)
			if err != nil {
				return 0, fmt.Errorf("enroll: destination of a notice: %w", err)
			}
			j.Last = m.State == bot.Removed
		}
		if err := enqueue(j); err != nil {
			return 0, err
		}
	}
	j.To, j.Last = "", false
	for _, c := range chats {
		j.Chat = c
		if err := enqueue(j); err != nil {
			return 0, err
		}
	}
	// A link that somebody may have been talked into is told, too, but does
	// not count as having reached the person.
	j.Ways = 0
	for _, c := range held {
		j.Chat = c
		if err := enqueue(j); err != nil {
			return 0, err
		}
	}
	return len(n.To) + len(chats), nil
}

// chats lists the conversations of a person that are told: of each linked chat
// account the one used last, at most NoticeChats, without the one that made
// the change. Those of held links come apart.
func (r *Service) chats(tx bot.Tx, p bot.PersonID, n News) (settled, held []bot.ConversationID, err error) {
	cs, err := tx.ConversationsOf(p)
	if err != nil {
		return nil, nil, fmt.Errorf("enroll: conversations to tell: %w", err)
	}
	type account struct {
		ch   bot.ChannelID
		user string
	}
	seen := map[account]bool{{n.Channel, n.User}: n.User != ""}
	for i := range cs {
		if cs[i].ID == n.From {
			seen[account{cs[i].Channel, cs[i].User}] = true
		}
	}
	until := map[account]time.Time{}
	for i := range cs {
		c := &cs[i]
		a := account{c.Channel, c.User}
		if seen[a] || c.Level < bot.L2 {
			continue
		}
		if len(until) == 0 {
			ids, err := tx.IdentitiesOf(p)
			if err != nil {
				return nil, nil, fmt.Errorf("enroll: links to tell: %w", err)
			}
			for _, id := range ids {
				until[account{id.Channel, id.User}] = id.HeldUntil
			}
		}
		seen[a] = true
		if tx.Now().Before(until[a]) {
			held = append(held, c.ID)
		} else {
			settled = append(settled, c.ID)
		}
		if len(settled)+len(held) >= r.Policy.NoticeChats {
			break
		}
	}
	return settled, held, nil
}

// How long a notice is tried. The store gives a job about two hours; after
// that the notice asks for another one each hour.
const (
	jobTries   = 90 * time.Minute
	nextTry    = time.Hour
	noticeTime = 48 * time.Hour // also how long the address of a removed mailbox or phone is kept for it
)

// errLost says that a notice will never arrive.
type errLost struct{ why string }

func (e errLost) Error() string { return e.why }

// ErrTexts ends the job of a notice by text, wrapped: no more texts may be sent
// to that phone for now.
var ErrTexts error = errLost{"the budget of texts is used up, or the number takes none"}

// errOthers ends the job of a notice in a chat that is not the person's any more.
var errOthers error = errLost{"the conversation is not the person's any more"}

// HandleNotify sends one notice. A nil error ends the job; a *bot.DropJob ends
// it as failed; any other error asks for a retry, which sends the same message
// id again. When every way to reach the person has failed, operators are
// alerted.
func (r *Service) HandleNotify(ctx context.Context, j Notify) error {
	if j.News == "" {
		j.News = j.ID
	}
	var p *bot.Person
	var m, dest *bot.Method
	var now time.Time
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		p, m, dest, now = nil, nil, nil, tx.Now()
		if p, err = tx.Person(j.Person); err != nil {
			return err
		}
		if j.Method != "" {
			if m, err = tx.Method(j.Method); err != nil {
				return err
			}
		}
		if j.To != work {
			dest, err = tx.Method(j.To)
		}
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return &bot.DropJob{Err: fmt.Errorf("enroll: notice %s: %w", j.ID, err), Quiet: true}
	}
	if err != nil {
		return fmt.Errorf("enroll: notice %s: %w", j.ID, err)
	}
	if err = r.deliver(ctx, j, p, m, dest); err == nil {
		if j.Last {
			if err := r.forget(ctx, dest); err != nil {
				return err
			}
		}
		return nil
	}
	var se *bot.SendError
	final := errors.As(err, new(errLost)) || errors.As(err, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone)
	err = fmt.Errorf("enroll: notice %s: %w", j.ID, err)
	switch age := now.Sub(j.At); {
	case final:
	case age < jobTries:
		return err
	case age < noticeTime:
		return r.tryLater(ctx, j, now, err)
	}
	if j.Last {
		if e := r.forget(ctx, dest); e != nil {
			return errors.Join(e, err)
		}
	}
	if e := r.lost(ctx, j); e != nil {
		return errors.Join(e, err)
	}
	// Who has another way is told by that; whom nobody can tell is an alert.
	return &bot.DropJob{Err: err, Quiet: errors.Is(err, ErrTexts) || errors.Is(err, errOthers)}
}

// tryLater ends a job that has been tried for long and asks for another one.
func (r *Service) tryLater(ctx context.Context, j Notify, now time.Time, cause error) error {
	r.Log.Warn("a notice waits for its mail server, texts or chat; it is tried again in an hour", "notice", j.ID, "since", j.At, "err", cause)
	err := r.Store.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(j, now.Add(nextTry)) })
	if err != nil {
		return errors.Join(fmt.Errorf("enroll: try a notice again later: %w", err), cause)
	}
	return nil
}

// deliver makes one attempt: by mail, by text or in a chat.
func (r *Service) deliver(ctx context.Context, j Notify, p *bot.Person, m, dest *bot.Method) error {
	if j.Chat != "" {
		return r.tellChat(ctx, j, p, m)
	}
	to := p.Email
	if dest != nil {
		if dest.Sealed == nil {
			return nil // told before, and wiped
		}
		plain, err := r.Vault.Open(dest.Sealed, dest.Place())
		if err != nil {
			return errLost{fmt.Sprintf("address of method %s: %v", dest.ID, err)}
		}
		to = string(plain)
	}
	if to == "" {
		return errLost{"the person has no work address any more"}
	}
	link, err := r.pressLink(ctx, j, dest != nil && dest.Kind == bot.Phone)
	if err != nil {
		return err
	}
	if dest != nil && dest.Kind == bot.Phone {
		return r.tellPhone(ctx, j, p, dest, to, link)
	}
	failpoint.Hit(failpoint.NoticeBefore)
	err = r.Notifier.SendNotice(ctx, r.letter(j, p, m, to, link))
	failpoint.Hit(failpoint.NoticeAfter)
	return err
}

// tellPhone sends a short notice by text.
func (r *Service) tellPhone(ctx context.Context, j Notify, p *bot.Person, phone *bot.Method, to string, link bot.Secret) error {
	return r.text(ctx, p.ID, bot.TextMessage{ID: j.ID, To: bot.Secret(to), Lang: j.Lang, Text: r.short(j, link)})
}

// text sends a text, if the budgets allow one more.
func (r *Service) text(ctx context.Context, p bot.PersonID, m bot.TextMessage) error {
	if r.Texts == nil || r.MayText == nil {
		return errLost{"no texts are sent here; configure twilio"}
	}
	may := false
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		n, _, err := tx.Tallied(noticeTexts, m.ID, time.Time{})
		if may = n > 0; err != nil || may { // counted by an earlier attempt
			return err
		}
		if may, err = r.MayText(tx, p, string(m.To)); err != nil || !may {
			return err
		}
		return tx.Tally(noticeTexts, m.ID)
	})
	if err != nil {
		return fmt.Errorf("count a text: %w", err)
	}
	if !may {
		return ErrTexts
	}
	failpoint.Hit(failpoint.NoticeBefore)
	err = r.Texts.SendText(ctx, m)
	failpoint.Hit(failpoint.NoticeAfter)
	var se *bot.SendError
	if errors.As(err, &se) && se.Kind == bot.SendUncertain {
		return nil // a second text would cost, and the first has most likely come
	}
	return err
}

// noticeTexts marks the notices that were counted in the budgets of texts; the
// key is the notice.
const noticeTexts = "notice.text"

// tellChat writes into another conversation of the person. A conversation that
// is not theirs any more is left alone.
func (r *Service) tellChat(ctx context.Context, j Notify, p *bot.Person, m *bot.Method) error {
	var conv *bot.Conversation
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		conv, err = tx.Conversation(j.Chat)
		return err
	})
	switch {
	case errors.Is(err, bot.ErrNotFound), err == nil && (conv.Person != p.ID || conv.Level < bot.L2):
		return errOthers
	case err != nil:
		return err
	case r.inbox == nil, r.Serves != nil && !r.Serves(conv.Channel):
		return errLost{fmt.Sprintf("channel %s is not configured", conv.Channel)}
	}
	name, key := bot.SignalTold, "notice.chat"
	if quiet[j.Change] {
		name, key = bot.SignalToldOnly, "notice.chat.ask"
	}
	var texts []bot.Fact
	for _, lang := range r.Phrases.Languages() {
		l := j
		l.Lang = lang
		what, when, where := r.told(l, p, m)
		texts = append(texts, bot.Fact{Name: lang, Value: r.Phrases.Phrase(lang, key, "what", what, "when", when, "where", where,
			"contact", r.Contact(r.Phrases, lang), "org", r.Org)})
	}
	return r.inbox.Accept(ctx, bot.Event{ID: "notice|" + j.ID, Channel: conv.Channel, Conversation: conv.ID, Kind: bot.Notice,
		Signal: &bot.Signal{Name: name, Ref: j.ID, Facts: texts}})
}

// lost notes that one way to reach the person has failed for good. When all
// have, operators are alerted.
func (r *Service) lost(ctx context.Context, j Notify) error {
	if j.Ways == 0 {
		return nil
	}
	bucket := "notice.lost|" + j.News
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		if err := tx.Tally(bucket, j.ID); err != nil {
			return err
		}
		if err := oneAtATime(tx); err != nil {
			return err
		}
		_, ways, err := tx.TalliedKeys(bucket, time.Time{})
		if err != nil || ways < j.Ways {
			return err
		}
		return r.untold(tx, j.Person, j.Change)
	})
	if err != nil {
		return fmt.Errorf("enroll: note that notice %s is lost: %w", j.ID, err)
	}
	return nil
}

// forget wipes the address of a removed mailbox or phone once it was told.
func (r *Service) forget(ctx context.Context, dest *bot.Method) error {
	if dest == nil || dest.State != bot.Removed {
		return nil
	}
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		m, err := tx.Method(dest.ID)
		if err != nil || m.State != bot.Removed {
			return err
		}
		m.Sealed = nil
		return tx.PutMethod(m)
	})
	if err != nil {
		return fmt.Errorf("enroll: wipe the address of a removed method: %w", err)
	}
	return nil
}

// phraseOf is the last part of a phrase about a change: "method_proven".
func phraseOf(change string) string { return strings.ReplaceAll(change, ".", "_") }

// words are the phrase of a change; a change that has none is told all the same.
func (r *Service) words(j Notify, prefix string, kv ...string) string {
	if s := r.Phrases.Phrase(j.Lang, prefix+phraseOf(j.Change), kv...); !strings.HasPrefix(s, "<") {
		return s
	}
	return r.Phrases.Phrase(j.Lang, prefix+"other", kv...)
}

// told puts a change into words: what it was, when and where.
func (r *Service) told(j Notify, p *bot.Person, m *bot.Method) (what, when, where string) {
	say := func(key string, kv ...string) string { return r.Phrases.Phrase(j.Lang, key, kv...) }
	method := ""
	if m != nil {
		method = r.Label(j.Lang, m)
	}
	what = r.words(j, "notice.what.", "method", method, "org", r.Org, "channel", string(j.Channel))
	switch where = string(j.Channel); j.Channel {
	case "":
		where = say("notice.where.desk")
	case byLink:
		where = say("notice.where.link")
	}
	return what, r.moment(j.Lang, p, j.At), where
}

// moment is a day and a time in the person's language and time zone.
func (r *Service) moment(lang string, p *bot.Person, at time.Time) string {
	return bot.Moment(r.Phrases, lang, p.TimeZone, at)
}

// letter writes a notice. It names the change, when and through which channel
// it was made, the link "this was not me" and whom to call; it holds no secret
// of a method.
func (r *Service) letter(j Notify, p *bot.Person, m *bot.Method, to string, link bot.Secret) bot.NoticeMessage {
	say := func(key string, kv ...string) string { return r.Phrases.Phrase(j.Lang, key, kv...) }
	what, when, where := r.told(j, p, m)
	way, subject, body := "notice.way.phone", "notice.subject."+subjectOf(j.Change), "notice.body"
	switch {
	case quiet[j.Change]:
		way = "notice.way.ask"
	case link != "":
		way = "notice.way.link"
	}
	if j.Operator {
		subject, body = "notice.subject.operator", "notice.body.operator"
		if way != "notice.way.link" {
			way = "notice.way"
		}
		way += ".operator"
	}
	contact := r.Contact(r.Phrases, j.Lang)
	return bot.NoticeMessage{
		ID: j.ID, To: to, Name: p.Name, Lang: j.Lang, Link: string(link), Button: say("notice.button"),
		Subject: say(subject, "org", r.Org),
		Body: say(body, "name", called(p), "what", what, "when", when, "channel", where,
			"way", say(way, "link", string(link), "contact", contact), "contact", contact, "org", r.Org),
	}
}

// subjectOf sorts changes by what the subject of a mail says.
func subjectOf(change string) string {
	switch kind, _, _ := strings.Cut(change, "."); kind {
	case "method", "recovery":
		return "methods"
	case "identity":
		return "chat"
	}
	return "account"
}

// short is the notice for a phone: one or two parts of a text.
func (r *Service) short(j Notify, link bot.Secret) string {
	say := func(key string, kv ...string) string { return r.Phrases.Phrase(j.Lang, key, kv...) }
	way := "sms.notice.phone"
	switch {
	case quiet[j.Change]:
		way = "sms.notice.ask"
	case link != "":
		way = "sms.notice.link"
	}
	return say(way, "org", r.Org, "what", r.words(j, "notice.short."), "link", string(link), "phone", r.Phone)
}
