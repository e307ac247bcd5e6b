package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/program"
	"latchkey/flows"
	"latchkey/flows/library"
)

func flowsCommand(s std) *cobra.Command {
	return group("flows", "Check, test, show, print and draw the scripts",
		`What the bot says is YAML that you may change: a folder of your own (scripts.dir)
goes over the shipped scripts. Copy one, change it, check it:

  latchkey flows show phone --source > my-scripts/phone.yaml
  latchkey flows lint --dir my-scripts
  latchkey flows test --dir my-scripts
  latchkey flows print --dir my-scripts > guide.html`,
		lintCommand(s), testCommand(s), showFlowsCommand(s), printCommand(s), drawCommand(s))
}

// scriptsFlag adds the flags that say which scripts a command is about.
func scriptsFlag(cmd *cobra.Command, s std) func() (*config.Config, error) {
	file := configFlag(cmd, s)
	dir := cmd.Flags().String("dir", "", "folder of own scripts, instead of scripts.dir in the configuration")
	return func() (*config.Config, error) {
		cfg := demo.Config(".")
		cfg.File = "demo"
		if *file != "" {
			var err error
			if cfg, err = config.Load(*file, s.env); err != nil {
				return nil, err
			}
		}
		if *dir != "" {
			cfg.Scripts = *dir
		}
		return cfg, nil
	}
}

// loaded reads the configuration that scriptsFlag is about, and its scripts.
func loaded(which func() (*config.Config, error)) (*config.Config, *flows.Set, error) {
	cfg, err := which()
	if err != nil {
		return nil, nil, err
	}
	set, err := program.LoadScripts(cfg, slog.New(slog.DiscardHandler))
	return cfg, set, err
}

// languageFlag adds the flags of scriptsFlag and --lang. The function it returns
// refuses a language, or one of the named flows, that the scripts do not have.
func languageFlag(cmd *cobra.Command, s std) func(names []string) (*config.Config, *flows.Set, string, error) {
	which := scriptsFlag(cmd, s)
	lang := cmd.Flags().String("lang", flows.Base, "language")
	return func(names []string) (*config.Config, *flows.Set, string, error) {
		cfg, set, err := loaded(which)
		if err == nil {
			err = known(cmd, set, *lang, names)
		}
		return cfg, set, *lang, err
	}
}

func lintCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "lint", Short: "Check the scripts and languages", Args: exactly(0, ""),
		Long: `Checks the shipped scripts, and your own folder over them, as the service does
before it takes them: every problem with file and line.

  latchkey flows lint
  latchkey flows lint --dir my-scripts`,
	}
	which := scriptsFlag(cmd, s)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := which()
		if err != nil {
			return err
		}
		own, err := program.OwnScripts(cfg)
		if err != nil {
			return err
		}
		set, problems := flows.Inspect(library.FS, own, program.LintCatalogue(cfg))
		for _, p := range problems {
			fmt.Fprintln(s.err, p.String())
		}
		if n := len(problems.Errors()); n > 0 {
			fmt.Fprintf(s.err, "latchkey: %d problems; the scripts are refused as a whole until they are mended\n", n)
			return codeError(exitError)
		}
		_, err = fmt.Fprintf(s.out, "%d scripts in %d languages: good\n", len(set.Flows()), len(set.Languages()))
		return err
	}
	return cmd
}

func testCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "test [FOLDER]", Short: "Play the transcripts and report which steps they enter", Args: atMostOne,
		Long: `Plays transcripts: conversations as plain text that say what people type and what
the bot answers. Without a folder, the ones of the shipped scripts; with one, all
*.txt in it. A transcript that comes out differently is a failure.

  latchkey flows test
  latchkey flows test my-transcripts --dir my-scripts`,
	}
	which := scriptsFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, set, err := loaded(which)
		if err != nil {
			return err
		}
		transcripts, err := fs.Sub(flows.Transcripts, "testdata")
		if err != nil {
			return err
		}
		if len(args) == 1 {
			if st, err := os.Stat(args[0]); err != nil || !st.IsDir() {
				return usage(cmd, "%s is not a folder", args[0])
			}
			transcripts = os.DirFS(args[0])
		}
		err = flows.TestReport(s.out, set, transcripts)
		if errors.Is(err, flows.ErrTranscripts) {
			fmt.Fprintln(s.err, "latchkey: transcripts failed; mend the script, or the transcript where the new words are meant")
			return codeError(exitError)
		}
		return err
	}
	return cmd
}

func showFlowsCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [FLOW]", Short: "List the flows, or the steps of one, and what scripts may name", Args: atMostOne,
		Long: `Without a name, lists the flows, the checks that scripts may ask and the facts that
they may say. With the name of a flow, shows its steps, choices and texts.

  latchkey flows show
  latchkey flows show phone
  latchkey flows show phone --shipped     the shipped one, also when your own replaces it
  latchkey flows show phone --source      its YAML, ready to be changed in your own folder`,
	}
	which := scriptsFlag(cmd, s)
	shipped := cmd.Flags().Bool("shipped", false, "leave your own scripts out")
	source := cmd.Flags().Bool("source", false, "print the shipped YAML with its based_on line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := which()
		if err != nil {
			return err
		}
		if *shipped || *source {
			cfg.Scripts = ""
		}
		set, err := program.LoadScripts(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return showCatalogue(s.out, set, program.LintCatalogue(cfg))
		}
		f := set.Flow(args[0])
		switch {
		case f == nil:
			return usage(cmd, "there is no flow %q; `latchkey flows show` lists them", args[0])
		case *source:
			return showSource(s.out, f)
		}
		return flows.Show(s.out, set, f.Name)
	}
	return cmd
}

// showSource prints a shipped script as the start of an own one.
func showSource(w io.Writer, f *flows.Flow) error {
	text, err := fs.ReadFile(library.FS, f.Pos.File)
	if err != nil {
		return err
	}
	out := strings.Replace(string(text), "flow: "+f.Name+"\n", "flow: "+f.Name+"\nbased_on: "+f.Hash+"\n", 1)
	_, err = io.WriteString(w, out)
	return err
}

func printCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "print [FLOW ...]", Short: "Write the paper guide from the live scripts (HTML that prints well)", Args: cobra.ArbitraryArgs,
		Long: `Writes the printed guide as one HTML file, from the scripts that the bot speaks, so
that hand-out and bot never drift apart. Without names: all flows in the order in
which people meet them.

  latchkey flows print > guide.html
  latchkey flows print --lang es --config latchkey.yaml > guia.html`,
	}
	spoken := languageFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, set, lang, err := spoken(args)
		if err != nil {
			return err
		}
		return flows.Print(s.out, set, lang, args, program.Facts(cfg))
	}
	return cmd
}

func drawCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "draw FLOW", Short: "Draw a flow as a picture (SVG or Mermaid)", Args: exactly(1, "FLOW"),
		Long: `Draws one flow: its steps as boxes, its choices and outcomes as arrows.

  latchkey flows draw phone > phone.svg
  latchkey flows draw phone --format mermaid`,
	}
	spoken := languageFlag(cmd, s)
	format := cmd.Flags().String("format", "svg", "svg or mermaid")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, set, lang, err := spoken(args)
		if err != nil {
			return err
		}
		if *format != "svg" && *format != "mermaid" {
			return usage(cmd, "format %q does not exist; use svg or mermaid", *format)
		}
		return flows.Draw(s.out, set, args[0], lang, *format)
	}
	return cmd
}

// known refuses a language or a flow that the scripts do not have.
func known(cmd *cobra.Command, set *flows.Set, lang string, names []string) error {
	if !slices.Contains(set.Languages(), lang) {
		return usage(cmd, "the scripts do not speak %q; they speak %s", lang, strings.Join(set.Languages(), ", "))
	}
	for _, name := range names {
		if set.Flow(name) == nil {
			return usage(cmd, "there is no flow %q; `latchkey flows show` lists them", name)
		}
	}
	return nil
}

// showCatalogue lists what there is and what scripts may name.
func showCatalogue(w io.Writer, set *flows.Set, cat bot.Catalogue) error {
	var b strings.Builder
	b.WriteString("Flows\n")
	for _, f := range set.Flows() {
		fmt.Fprintf(&b, "  %-18s %d steps\n", f.Name, len(f.Order))
	}
	b.WriteString("\nChecks: name, what it answers, and the facts that come with an answer\n")
	for _, name := range slices.Sorted(maps.Keys(cat.Checks)) {
		c := cat.Checks[name]
		fmt.Fprintf(&b, "  %-22s %s\n", name, c.Doc)
		for _, oc := range slices.Sorted(maps.Keys(c.Answers())) {
			fmt.Fprintf(&b, "      %s\n", strings.TrimSpace(oc+" "+strings.Join(c.Answers()[oc], " ")))
		}
	}
	b.WriteString("\nPrivate forms\n")
	for _, name := range slices.Sorted(maps.Keys(cat.Forms)) {
		fmt.Fprintf(&b, "  %-22s %s\n", name, cat.Forms[name].Doc)
	}
	b.WriteString("\nFacts\n")
	for _, name := range slices.Sorted(maps.Keys(cat.Facts)) {
		fmt.Fprintf(&b, "  {%s}  %s\n", name, cat.Facts[name])
	}
	_, err := io.WriteString(w, b.String())
	return err
}
