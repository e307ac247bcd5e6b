package enroll

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// questionsBegin says whether questions are used at all; the gate has said that
// they may be set now.
func (r *Service) questionsBegin(bot.Tx, *bot.Call) (bot.Outcome, error) {
	if !r.Policy.QuestionsEnabled {
		return say("off"), nil
	}
	return say("ready"), nil
}

// An answer is one answer on its way from the form to the store: hashed, or
// with what is wrong with it. The answer itself is gone.
type answer struct {
	question string
	version  int // of the form that was hashed; see AnswerForm
	hash     string
	problem  string
}

// answered is what Prepare makes of a form.
type answered struct {
	wait   time.Duration // nothing was hashed: the person's budget is used up so long
	method bot.MethodID  // of answer_again: the pending method it belongs to
	all    []answer
}

// prepareAnswers checks and hashes the answers of the form.
func (r *Service) prepareAnswers(ctx context.Context, st bot.Store, c *bot.Call) (any, error) {
	p, err := r.asker(ctx, st, c)
	if errors.Is(err, errNobody) {
		return nil, nil // the gate says so
	}
	if err != nil {
		return nil, err
	}
	var out answered
	if out.wait, err = r.spend(ctx, st, p.ID); err != nil || out.wait > 0 {
		return out, err
	}
	names := r.namesOf(p)
	seen := map[string]bool{}
	for i := 1; i <= r.Policy.QuestionsPicked; i++ {
		n := strconv.Itoa(i)
		a := answer{question: c.Slot("q" + n)}
		if a.question == "" {
			return nil, fmt.Errorf("enroll: answers: question q%s was not picked", n)
		}
		text := string(c.Event.Form.Value("a" + n))
		form := AnswerForm(answerVersion, text)
		a.problem = answerProblem(text, r.question(c.Lang(), a.question), names, r.Policy)
		if a.problem == "" && seen[form] {
			a.problem = "clash"
		}
		if a.problem == "" {
			seen[form] = true
			if err = r.hashAnswer(ctx, &a, text); err != nil {
				return nil, err
			}
		}
		out.all = append(out.all, a)
	}
	return out, nil
}

// tryAnswers says what is wrong with the answers that are typed so far, by the
// rules of prepareAnswers.
func (r *Service) tryAnswers(ctx context.Context, st bot.Store, c *bot.Call) ([]bot.FieldProblem, error) {
	p, err := r.asker(ctx, st, c)
	if err != nil {
		return nil, err
	}
	names := r.namesOf(p)
	seen := map[string]bool{}
	var out []bot.FieldProblem
	for i := 1; i <= r.Policy.QuestionsPicked; i++ {
		n := strconv.Itoa(i)
		text := string(c.Event.Form.Value("a" + n))
		if typed.Fold(text) == "" {
			continue
		}
		form := AnswerForm(answerVersion, text)
		problem := answerProblem(text, r.question(c.Lang(), c.Slot("q"+n)), names, r.Policy)
		switch {
		case problem != "":
		case seen[form]:
			problem = "clash"
		default:
			seen[form] = true
			continue
		}
		out = append(out, r.problem(c.Lang(), "a"+n, problem))
	}
	return out, nil
}

// tryAgain does the same for the one answer that was asked again. Whether it is
// the same as another answer is said when it is sent: the others are hashes by
// now.
func (r *Service) tryAgain(ctx context.Context, st bot.Store, c *bot.Call) ([]bot.FieldProblem, error) {
	p, err := r.asker(ctx, st, c)
	if err != nil {
		return nil, err
	}
	text := string(c.Event.Form.Value("again"))
	if typed.Fold(text) == "" {
		return nil, nil
	}
	problem := answerProblem(text, r.question(c.Lang(), c.Slot("bad")), r.namesOf(p), r.Policy)
	if problem == "" {
		return nil, nil
	}
	return []bot.FieldProblem{r.problem(c.Lang(), "again", problem)}, nil
}

// problem puts a problem of an answer into words. Its phrases are
// answer.problem.*.
func (r *Service) problem(lang, field, problem string) bot.FieldProblem {
	return bot.FieldProblem{Field: field, Text: r.Phrases.Phrase(lang, "answer.problem."+problem,
		"min", strconv.Itoa(r.Policy.AnswerMin), "max", strconv.Itoa(r.Policy.AnswerMax))}
}

var errNobody = errors.New("enroll: a form of answers, and nobody is signed in")

// asker is the person of a form.
func (r *Service) asker(ctx context.Context, st bot.Store, c *bot.Call) (p *bot.Person, err error) {
	if c.Event == nil || c.Event.Form == nil {
		return nil, errors.New("enroll: no form was submitted")
	}
	err = st.View(ctx, func(tx bot.Tx) (err error) {
		p, err = someone(tx, c)
		return err
	})
	if err == nil && p == nil {
		err = errNobody
	}
	return p, err
}

func (r *Service) question(lang, id string) string {
	if r.Question == nil {
		return ""
	}
	return r.Question(lang, id)
}

// prepareAgain checks and hashes the one answer that was asked again, and
// compares it with those that are kept.
func (r *Service) prepareAgain(ctx context.Context, st bot.Store, c *bot.Call) (any, error) {
	p, err := r.asker(ctx, st, c)
	if errors.Is(err, errNobody) {
		return nil, nil // the gate says so
	}
	if err != nil {
		return nil, err
	}
	out := answered{all: []answer{{question: c.Slot("bad")}}}
	if out.wait, err = r.spend(ctx, st, p.ID); err != nil || out.wait > 0 {
		return out, err
	}
	a := &out.all[0]
	var hashes [answerVersion + 1][]string // of the other answers, by the version of their form
	err = st.View(ctx, func(tx bot.Tx) error {
		clear(hashes[:])
		m, kept, err := r.pendingAnswers(tx, c)
		if err != nil || m == nil {
			return err
		}
		out.method = m.ID
		for _, k := range kept {
			if k.hash != "" && k.question != a.question {
				hashes[k.version] = append(hashes[k.version], k.hash)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	text := string(c.Event.Form.Value("again"))
	if a.problem = answerProblem(text, r.question(c.Lang(), a.question), r.namesOf(p), r.Policy); a.problem != "" {
		return out, nil
	}
	for version, hs := range hashes { // each hash is compared once, in the form that it was made of
		if len(hs) == 0 {
			continue
		}
		i, err := r.Hashes.VerifyAny(ctx, hs, []byte(AnswerForm(version, text)))
		if err != nil {
			return nil, fmt.Errorf("enroll: compare answers: %w", err)
		}
		if i >= 0 {
			a.problem = "clash"
			return out, nil
		}
	}
	return out, r.hashAnswer(ctx, a, text)
}

// hashAnswer hashes an answer in the form of today.
func (r *Service) hashAnswer(ctx context.Context, a *answer, text string) (err error) {
	a.version = answerVersion
	if a.hash, err = r.Hashes.Hash(ctx, []byte(AnswerForm(answerVersion, text))); err != nil {
		return fmt.Errorf("enroll: hash answer: %w", err)
	}
	return nil
}

// An answer is sealed as the version of its form and its hash, which begins with
// "$": "2$argon2id$…". Without a number it is of version 1. One that is still
// missing is problemMark and what was wrong with it.
func (a *answer) plain() string {
	if a.hash == "" {
		return problemMark + a.problem
	}
	return strconv.Itoa(a.version) + a.hash
}

// readAnswer reads what plain gave.
func readAnswer(question, plain string) (a answer, err error) {
	a.question = question
	if problem, missing := strings.CutPrefix(plain, problemMark); missing {
		a.problem = problem
		return a, nil
	}
	version, hash, _ := strings.Cut(plain, "$")
	a.version, a.hash = 1, "$"+hash
	if version != "" {
		if a.version, err = strconv.Atoi(version); err != nil || a.version < 1 || a.version > answerVersion {
			return a, fmt.Errorf("its form is of version %q, and this program knows 1 to %d: was it stored by a newer one?", version, answerVersion)
		}
	}
	return a, nil
}

// problemMark begins the sealed text of an answer that is still missing.
const problemMark = "!"

// pendingAnswers reads the answers that this conversation keeps until the
// missing ones are there; nil when none are.
func (r *Service) pendingAnswers(tx bot.Tx, c *bot.Call) (*bot.Method, []answer, error) {
	p := c.Person()
	ms, err := tx.Methods(p)
	if err != nil {
		return nil, nil, fmt.Errorf("enroll: methods: %w", err)
	}
	for i := range ms {
		m := &ms[i]
		if m.Kind != bot.Questions || m.State != bot.Pending || m.Conversation != c.Conversation.ID || tx.Now().Sub(m.CreatedAt) >= r.pendingLife(m.Kind) {
			continue
		}
		ss, err := tx.Secrets(m.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("enroll: answers: %w", err)
		}
		var as []answer
		for j := range ss {
			plain, err := r.Vault.Open(ss[j].Sealed, ss[j].Place(p))
			if err != nil {
				return nil, nil, fmt.Errorf("enroll: answer %d: %w", ss[j].No, err)
			}
			a, err := readAnswer(ss[j].Name, string(plain))
			if err != nil {
				return nil, nil, fmt.Errorf("enroll: answer %d: %w", ss[j].No, err)
			}
			as = append(as, a)
		}
		return m, as, nil
	}
	return nil, nil, nil
}

// questionsSave stores the answers. Good ones are kept, pending, while another
// is asked again; nothing counts until all are good.
func (r *Service) questionsSave(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	in, ok := c.Prepared.(answered)
	if ok && in.wait > 0 {
		return r.paused(c, in.wait), nil
	}
	if !ok || len(in.all) == 0 {
		return bot.Outcome{}, errors.New("enroll: save answers: the form was not prepared")
	}
	p, ms := c.Standing.Person, c.Standing.Methods
	if err := r.dropPending(tx, c, ms, bot.Questions, nil); err != nil {
		return bot.Outcome{}, err
	}
	m := &bot.Method{ID: bot.MethodID(newID()), Person: p.ID, Kind: bot.Questions, State: bot.Pending, CreatedAt: tx.Now(),
		Label: strconv.Itoa(len(in.all)), Conversation: c.Conversation.ID}
	if err := tx.PutMethod(m); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: store answers: %w", err)
	}
	if err := r.lapseLater(tx, m, m.CreatedAt.Add(r.pendingLife(m.Kind))); err != nil {
		return bot.Outcome{}, err
	}
	oc, err := r.keep(tx, c, m, in.all)
	if err != nil || oc.Name == "ok" {
		return oc, err
	}
	return oc, r.begun(tx, c, p, ms, m)
}

// questionsSaveAgain puts the one answer in its place.
func (r *Service) questionsSaveAgain(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	in, ok := c.Prepared.(answered)
	if ok && in.wait > 0 {
		return r.paused(c, in.wait), nil
	}
	if !ok || len(in.all) != 1 {
		return bot.Outcome{}, errors.New("enroll: save an answer: the form was not prepared")
	}
	m, kept, err := r.pendingAnswers(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	if m == nil || m.ID != in.method {
		return fail("gone", "answers_lapsed"), nil
	}
	for i := range kept {
		if kept[i].question == in.all[0].question {
			kept[i] = in.all[0]
		}
	}
	return r.keep(tx, c, m, kept)
}

// keep stores the answers of a pending method and makes it active when none is
// missing.
func (r *Service) keep(tx bot.Tx, c *bot.Call, m *bot.Method, all []answer) (bot.Outcome, error) {
	ss := make([]bot.MethodSecret, len(all))
	missing := -1
	for i, a := range all {
		if a.hash == "" && missing < 0 {
			missing = i
		}
		ss[i] = bot.MethodSecret{Method: m.ID, No: i + 1, Name: a.question}
		var err error
		if ss[i].Sealed, err = r.Vault.Seal([]byte(a.plain()), ss[i].Place(m.Person)); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: seal answer: %w", err)
		}
	}
	if err := tx.PutSecrets(m.ID, ss); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: store answers: %w", err)
	}
	if missing >= 0 {
		return fail("again", "answer_"+all[missing].problem, "bad", all[missing].question, "problem", all[missing].problem), nil
	}
	if err := r.Activate(tx, c, m, "form"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok"), nil
}
