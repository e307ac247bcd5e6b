package command

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot/audit"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/program"
)

func keysCommand(s std) *cobra.Command {
	fresh := &cobra.Command{
		Use: "new FILE", Short: "Make a new key file", Args: exactly(1, "the path of the new file"),
		Long: `Makes a key file with one new key, readable by you only. The keys in it seal every
secret in the store. Without it the enrolled methods are lost; with it and the
store, everything can be read. So back it up, apart from the store.

  latchkey keys new /etc/latchkey/latchkey.keys

Next: name it as keys.file in the configuration.`,
		RunE: func(_ *cobra.Command, args []string) error {
			ring, err := vault.Create(args[0])
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s: is there already, and it may be in use; choose another name, or rotate its keys with `latchkey keys rotate`", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s: made, key %s; back it up apart from the store\n", args[0], ring.KeyID())
			return err
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List the keys of the key file, never their material", Args: exactly(0, ""),
		Long: `Lists the keys by id and age. Rotate once a year.

  latchkey keys list --config latchkey.yaml`,
	}
	listFile := configFlag(list, s)
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, s, *listFile)
		if err != nil {
			return err
		}
		ring, err := program.LoadKeys(cfg)
		if err != nil {
			return err
		}
		for _, k := range ring.Keys() {
			use := "opens old secrets"
			if k.Primary {
				use = "in use"
			}
			fmt.Fprintf(s.out, "%s  %s  %s\n", k.ID, k.Created.Format(time.DateOnly), use)
		}
		for _, k := range ring.Retired() {
			fmt.Fprintf(s.out, "%s  %s  taken out; checks the audit record\n", k.ID, k.Created.Format(time.DateOnly))
		}
		return nil
	}
	public := &cobra.Command{
		Use: "public", Short: "Print the public keys that check signatures", Args: exactly(0, ""),
		Long: `Prints the public keys, the one in use first. They are no secret: whoever gets an
export checks it with them.

  latchkey keys public --config latchkey.yaml > latchkey.pub

Next: latchkey verify FILE --key latchkey.pub`,
	}
	publicFile := configFlag(public, s)
	public.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, s, *publicFile)
		if err != nil {
			return err
		}
		ring, err := program.LoadKeys(cfg)
		if err != nil {
			return err
		}
		for _, k := range ring.PublicKeys() {
			fmt.Fprintln(s.out, audit.PublicKey{ID: k.ID, Key: k.Key})
		}
		return nil
	}
	return group("keys", "Make, list and rotate the keys that seal secrets",
		"The key file seals every secret in the store: seeds, numbers, addresses, answers.", fresh, list, public, rotateCommand(s))
}
