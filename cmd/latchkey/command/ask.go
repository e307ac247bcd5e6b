package command

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/flows"
)

// stepNames are short names of steps, for lists of what people write.
var stepNames = map[string]string{
	"idle": "", "welcome": "enroll.welcome", "done": "enroll.done", "sign_in": "sign_in.username", "username": "sign_in.username",
	"password": "sign_in.password", "app_intro": "authenticator.intro", "intro": "authenticator.intro", "phone_in_hand": "authenticator.ready",
	"ready": "authenticator.ready", "install": "authenticator.app", "store": "authenticator.app", "plus": "authenticator.plus",
	"kind": "authenticator.kind", "scan": "authenticator.scan", "qr": "authenticator.scan", "cannot_scan": "authenticator.scan",
	"via": "phone.via", "number": "phone.number", "confirm": "phone.confirm", "code": "phone.code", "email": "email.address",
	"email_code": "email.code", "questions": "questions.first", "my_methods": "methods.menu", "extras": "extras.menu",
}

func askCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ask [SENTENCE]", Short: "Tell how a sentence is understood at a step", Args: atMostOne,
		Long: `Tells what a sentence means where somebody is, and which rule or phrase says so:
the step's own answers (gate 1), words for everywhere (2), the nearest phrases of
senses/*.txt (3), or nothing (5).

  latchkey ask "it wont scan" --flow authenticator --step scan
  latchkey ask "mejor llámeme" --flow phone --step code --lang es
  latchkey ask --json < lines.tsv

Without a sentence it reads lines "step<TAB>sentence" from standard input. A step
is flow.step, or a short name: idle, welcome, sign_in, app_intro, phone_in_hand,
install, plus, kind, scan, via, number, confirm, code, email, email_code,
questions, my_methods, done.`,
	}
	which := languageFlag(cmd, s)
	flow := cmd.Flags().String("flow", "", "flow that runs; none: nothing runs")
	step := cmd.Flags().String("step", "", "step of the flow, or a short name without a flow")
	asJSON := cmd.Flags().Bool("json", false, "one JSON object a line: gate, kind, id, value, also, score")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, set, lang, err := which(nil)
		if err != nil {
			return err
		}
		at := *step
		if *flow != "" {
			at = *flow + "." + *step
		}
		if len(args) == 1 {
			return explain(cmd, s.out, set, at, lang, args[0], *asJSON)
		}
		lines := bufio.NewScanner(s.in)
		for lines.Scan() {
			where, text, ok := strings.Cut(lines.Text(), "\t")
			if !ok {
				where, text = at, where
			}
			text, _, _ = strings.Cut(text, "\t")
			if err := explain(cmd, s.out, set, where, lang, text, *asJSON); err != nil {
				return err
			}
		}
		return lines.Err()
	}
	return cmd
}

// explain prints how one sentence is understood.
func explain(cmd *cobra.Command, to io.Writer, set *flows.Set, at, lang, text string, asJSON bool) error {
	if long, ok := stepNames[at]; ok {
		at = long
	}
	flow, step, _ := strings.Cut(at, ".")
	if fl := set.Flow(flow); flow != "" && (fl == nil || fl.Steps[step] == nil) {
		return usage(cmd, "there is no step %q; give flow.step, as `latchkey flows show` lists them", at)
	}
	m := set.Explain(flow, step, lang, text)
	if asJSON {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(to, "%s\n", line)
		return err
	}
	_, err := fmt.Fprintf(to, "gate %d  %s %s", m.Gate, m.Kind, m.ID)
	if m.Value != "" {
		_, err = fmt.Fprintf(to, " %q", m.Value)
	}
	if m.Score != 1 {
		_, err = fmt.Fprintf(to, "  score %.2f", m.Score)
	}
	if len(m.Also) > 0 {
		_, err = fmt.Fprintf(to, "  also %s", strings.Join(m.Also, ", "))
	}
	if err == nil {
		_, err = fmt.Fprintln(to)
	}
	return err
}
