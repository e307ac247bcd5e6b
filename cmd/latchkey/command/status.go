package command

import (
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func statusCommand(s std) *cobra.Command {
	return group("status", "Say how the staff stand: who will still get in after 1 February 2027",
		"Says how the staff stand.\n\nNext: latchkey status entra --config latchkey.yaml", statusEntraCommand(s))
}

// statusFlags are how the answer is wanted.
type statusFlags struct {
	json, csv, list bool
	appendix        bool
	page, person    string
	only            only
}

// clash says which flags do not go together; empty: they do.
func (f *statusFlags) clash() string {
	switch {
	case f.json && f.csv || f.json && f.page != "" || f.csv && f.page != "":
		return "--json, --csv and --page are three ways to say one thing; give one of them"
	case f.person != "" && (f.csv || f.page != "" || f.list || f.only != only{}):
		return "--person goes with --json, or with no other flag"
	case f.appendix && f.page == "":
		return "--appendix goes with --page, and comes behind it"
	case f.list && (f.csv || f.page != ""):
		return "--people goes with text and --json; --csv has everybody, and the page names nobody"
	}
	return ""
}

func statusEntraCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "entra", Short: "Say who will still sign in and reset a password after 1 February 2027", Args: exactly(0, ""),
		Long: `On 1 February 2027 Microsoft ends its own text and voice codes, for the sign-in
and for the reset of passwords. This says who will still get in then, by what
Microsoft's report had of each person when it was last read. It asks Microsoft
nothing.

Two things are judged apart, because a passkey saves the one and not the other:
  sign-in   there is a second factor that goes on: an app, a passkey, a token,
            Windows Hello. Mail, questions and passes are none.
  reset     there are as many different methods as the tenant asks for
            (entra.methods_needed; administrators need two). App and token are
            one method together; mail is one; passkeys and questions are none.
Phones count where the tenant has its own telephony provider, and only there
(entra.sms_provider, entra.voice_provider). What Microsoft calls capable today
stands beside our figure, with the reason where they differ.

At risk is who will not sign in or not reset. Staff count whose account is on;
whom the report does not have is "not known", and never fine.

  latchkey status entra --config latchkey.yaml
  ... --person mgarcia       one person: each method, and why
  ... --people               and everybody at risk, with what to do
  ... --page february.html   one sheet to print for the director; --appendix
                             adds all schools, and how it was judged
  ... --csv > people.csv     one line a person, for a spreadsheet
  ... --json                 for a program
  ... --school "North High"  one school, or one --department: all of these

Nothing read yet? latchkey people sync --report --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	var f statusFlags
	cmd.Flags().BoolVar(&f.json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&f.csv, "csv", false, "write CSV: one line a person")
	cmd.Flags().BoolVar(&f.list, "people", false, "list the people at risk, too (text and JSON)")
	cmd.Flags().StringVar(&f.page, "page", "", "write one sheet to print into this HTML `FILE`; - writes it to standard output")
	cmd.Flags().BoolVar(&f.appendix, "appendix", false, "with --page: add an appendix on sheets of its own, with all schools and departments, settings to look at, and how it was judged")
	cmd.Flags().StringVar(&f.person, "person", "", "explain one `PERSON`: an id, a user name or a work address")
	cmd.Flags().StringVar(&f.only.school, "school", "", "only the people of this `SCHOOL`")
	cmd.Flags().StringVar(&f.only.department, "department", "", "only the people of this `DEPARTMENT`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if clash := f.clash(); clash != "" {
			return usage(cmd, "%s", clash)
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			r := newReadinessReport(p)
			if f.person != "" {
				return r.explain(cmd.Context(), s.out, f)
			}
			r.only = f.only
			if err := r.read(cmd.Context()); err != nil {
				return err
			}
			if f.csv || f.list { // names, with what each has registered
				if err := record(cmd.Context(), p, s, "people.exported", "who will still get in"); err != nil {
					return err
				}
			}
			switch {
			case f.csv:
				return r.writeCSV(cmd.Context(), s.out)
			case f.json:
				return r.writeJSON(cmd.Context(), s.out, f.list)
			case f.page == "-":
				return r.writePage(s.out, f.appendix)
			case f.page != "":
				return savePage(s, f.page, "--page", func(w io.Writer) error { return r.writePage(w, f.appendix) })
			}
			return r.writeText(cmd.Context(), s.out, f.list)
		})
	}
	return cmd
}

// savePage writes a page into a file, which is there in full or not at all.
func savePage(s std, file, flag string, write func(io.Writer) error) error {
	path := s.path(file)
	failed := func(err error) error { return notWritten(path, err, "another file with "+flag) }
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return failed(syscall.EISDIR)
	}
	out, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*") // mode 0600, and no link of somebody else's
	if err != nil {
		return failed(err)
	}
	err = write(out)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		os.Remove(out.Name())
		return failed(err)
	}
	_, err = io.WriteString(s.out, textfmt.Printable(path)+" is written; open it in a browser and print it\n")
	return err
}
