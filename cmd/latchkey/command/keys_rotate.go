package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/bot/typed"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

func rotateCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make a new key and seal everything again with it", Args: exactly(0, ""),
		Long: `Makes a new key and seals every secret in the store again with it, while the
service runs. It can be stopped at any point: the next run goes on. The old key
stays in the file for codes on their way; a later run with --drop-old takes out
the keys that seal nothing any more. What checks their lines of the audit record
stays until the last of these lines is past retention. Keep a copy of the old
key file as long as you keep backups of its time.

  latchkey keys rotate --config latchkey.yaml
  latchkey keys rotate --config latchkey.yaml --drop-old     a day later

Next: back the key file up again, apart from the store.`,
	}
	file := configFlag(cmd, s)
	drop := cmd.Flags().Bool("drop-old", false, "make no new key; take out the older ones that seal nothing any more")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			if *drop {
				return dropOld(cmd.Context(), s, p)
			}
			return rotate(cmd.Context(), s, p)
		})
	}
	return cmd
}

// rotatingKey stands in the store while a rotation is not finished.
const rotatingKey = "vault.rotating"

// rotate makes a new key, unless an earlier run was interrupted, and seals
// everything again.
func rotate(ctx context.Context, s std, p *program.Program) error {
	w := s.out
	switch to, err := p.DB.Meta(ctx, rotatingKey); {
	case errors.Is(err, bot.ErrNotFound) || err == nil && string(to) == "":
		old := p.Keys.KeyID()
		if _, err := p.Keys.AddKey(); err != nil {
			return err
		}
		if err := recordRotation(ctx, s, p, old); err != nil {
			return err
		}
		fmt.Fprintf(w, "new key %s; sealing everything again\n", p.Keys.KeyID())
	case err != nil:
		return err
	default:
		fmt.Fprintf(w, "going on with key %s\n", p.Keys.KeyID())
	}
	if err := p.DB.SetMeta(ctx, rotatingKey, []byte(p.Keys.KeyID())); err != nil {
		return err
	}
	check, err := p.Keys.SealCheck()
	if err != nil {
		return err
	}
	if err := p.DB.SetMeta(ctx, program.KeyCheck, check); err != nil {
		return err
	}
	n, err := resealAll(ctx, p)
	if err != nil {
		return fmt.Errorf("rotate: %w; what is done stays done, run it again", err)
	}
	if err := p.DB.SetMeta(ctx, rotatingKey, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d secrets sealed with key %s; back the key file up again\n", n, p.Keys.KeyID())
	return err
}

// recordRotation writes one line under the old key and one under the new, so
// that each vouches for the other.
func recordRotation(ctx context.Context, s std, p *program.Program, old string) error {
	return p.DB.Update(ctx, func(tx bot.Tx) error {
		for _, key := range []string{old, p.Keys.KeyID()} {
			_, err := tx.Audit(bot.AuditEntry{Actor: operatorActor(s), Action: "keys.rotated", Key: key,
				Subject: fmt.Sprintf("key %s follows key %s", p.Keys.KeyID(), old)})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// resealAll walks over the whole store and seals what another key sealed. It
// returns how many values that were.
func resealAll(ctx context.Context, p *program.Program) (int, error) {
	n := 0
	old := func(sealed []byte) bool { return len(sealed) > 0 && vault.KeyOf(sealed) != p.Keys.KeyID() }
	r := store.Resealer{
		Reseal: func(place string, sealed []byte) ([]byte, error) {
			if !old(sealed) {
				return nil, nil
			}
			plain, err := p.Keys.Open(sealed, place)
			if err != nil {
				return nil, err
			}
			n++
			return p.Keys.Seal(plain, place)
		},
		DestHash: func(m *bot.Method) ([]byte, error) {
			if !old(m.DestHash) || len(m.Sealed) == 0 {
				return nil, nil
			}
			plain, err := p.Keys.Open(m.Sealed, m.Place())
			if err != nil {
				return nil, err
			}
			return enroll.DestHash(p.Keys, m.Kind, typed.Destination(string(plain))), nil
		},
	}
	for more := true; more; {
		if ctx.Err() != nil {
			return n, errors.New("interrupted")
		}
		var err error
		if _, more, err = p.DB.Reseal(ctx, 500, r); err != nil {
			return n, err
		}
	}
	return n, nil
}

// keepKey is how long a key stays after the next one was made: codes may be
// compared with it, and what is counted by a hash is read under it.
func keepKey(p *policy.Policy) time.Duration {
	return max(p.ChallengeKeep+p.CodeLifeMail, p.T2Window, p.BreakerBlock, p.SMSPrefix.Per,
		policy.Widest(p.SMSNumber), policy.Widest(p.VoiceNumber), policy.Widest(p.MailAddress))
}

// dropOld takes keys out of the ring that seal nothing any more, each once
// it is not needed for comparing and counting either (keepKey).
func dropOld(ctx context.Context, s std, p *program.Program) error {
	w := s.out
	n, err := resealAll(ctx, p)
	if err != nil {
		return fmt.Errorf("drop old keys: %w; nothing was dropped", err)
	}
	if n > 0 {
		fmt.Fprintf(w, "%d secrets sealed with key %s\n", n, p.Keys.KeyID())
	}
	check, err := p.Keys.SealCheck()
	if err != nil {
		return err
	}
	if err := p.DB.SetMeta(ctx, program.KeyCheck, check); err != nil {
		return err
	}
	keys, stay := p.Keys.Keys(), 0
	for i, k := range keys {
		if k.Primary {
			continue
		}
		if i+1 == len(keys) || p.DB.Now().Sub(keys[i+1].Created) < keepKey(p.Config.Policy) {
			stay++
			continue
		}
		if err := p.Keys.Remove(k.ID); err != nil {
			return err
		}
		if err := record(ctx, p, s, "keys.retired", "key "+k.ID+" opens nothing any more"); err != nil {
			return err
		}
		fmt.Fprintf(w, "key %s taken out; back the key file up again\n", k.ID)
	}
	needed, err := p.DB.AuditKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range p.Keys.Retired() {
		if needed[k.ID] {
			fmt.Fprintf(w, "key %s stays for checking the audit record only, until its last line there is past retention\n", k.ID)
			continue
		}
		if err := p.Keys.Forget(k.ID); err != nil {
			return err
		}
		if err := record(ctx, p, s, "keys.forgotten", "key "+k.ID+", of which no line is left"); err != nil {
			return err
		}
	}
	if stay > 0 {
		fmt.Fprintf(w, "%d older keys stay for codes on their way; run this again in a day\n", stay)
	}
	return nil
}
