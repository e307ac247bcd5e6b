package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// ErrPostgresBackup is what Backup says on PostgreSQL.
var ErrPostgresBackup = errors.New("store: PostgreSQL makes its own backups: use pg_dump, and after a restore run `latchkey restore --mark`, which voids codes and messages of the past")

// Backup writes a consistent copy of an SQLite store to a new file while the
// store is in use. The file appears under its name when it is whole and on the
// disk. Secrets in it stay sealed: the keys are not part of it. On PostgreSQL
// it fails with ErrPostgresBackup.
func (db *DB) Backup(ctx context.Context, path string) error {
	l, ok := db.back.(*lite)
	if !ok {
		return ErrPostgresBackup
	}
	if err := MustNotExist(path); err != nil {
		return err
	}
	part := path + ".part"
	os.Remove(part)
	if err := l.copyTo(part); err != nil {
		os.Remove(part)
		return fmt.Errorf("store: back up to %s: %w", path, err)
	}
	if err := ctx.Err(); err != nil {
		os.Remove(part)
		return err
	}
	return SettleFile(part, path)
}

// MustNotExist fails, with what to do, when there is a file of that name.
func MustNotExist(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("store: %s exists already: choose another name or move it away", path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// copyTo copies the database with SQLite's online backup. All pages go in one
// step: it reads one snapshot, which in WAL mode keeps no writer waiting, where
// smaller steps would begin anew after every commit.
func (l *lite) copyTo(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	src, err := openLite(l.path, "", &counters{}, "query_only=1")
	if err != nil {
		return err
	}
	defer src.close()
	dst, err := openLite(path, "", &counters{})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := dst.close(); err == nil {
			err = cerr
		}
	}()
	b, err := dst.c.Backup("main", src.c, "main")
	if err != nil {
		return err
	}
	done, err := b.Step(-1)
	if ferr := b.Finish(); err == nil {
		err = ferr
	}
	if err == nil && !done {
		err = errors.New("the copy did not end")
	}
	return err
}

// SettleFile makes a written file durable under its final name, which must not
// exist.
func SettleFile(part, path string) error {
	if err := MustNotExist(path); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err == nil {
		err = f.Sync()
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err == nil {
		var dir *os.File
		if dir, err = os.Open(filepath.Dir(path)); err == nil {
			err = dir.Sync()
			dir.Close()
		}
	}
	return wrap("write "+path, err)
}

// BackupHead is the last line of the audit record in a backup of an SQLite
// store, or in the file of one that nobody has open.
func BackupHead(path string) (audit.Head, error) {
	c, err := openLite(path, "&mode=ro&immutable=1", &counters{})
	if err != nil {
		return audit.Head{}, err
	}
	defer c.close()
	var h audit.Head
	err = c.ask(`SELECT seq, hash FROM audit_head WHERE one = 1`, func(r row) { h = audit.Head{Seq: r.int(0), Hash: r.blob(1)} })
	return h, wrap("read the audit head of "+path, err)
}

// Restore checks a backup of an SQLite store and copies it to target, which
// must not exist. Call AfterRestore on the opened store before anything else
// happens to it.
func Restore(ctx context.Context, backup, target string) error {
	if isPostgres(target) {
		return ErrPostgresBackup
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := MustNotExist(target + suffix); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("store: make the data folder: %w", err)
	}
	lock, err := takeFile(target, target+".lock", lockFile) // there is no database yet
	if err != nil {
		return err
	}
	defer unlockFile(lock)
	in, err := os.Open(backup)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	defer in.Close()
	part := target + ".part"
	os.Remove(part)
	defer os.Remove(part)
	out, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("store: copy %s: %w", backup, err)
	}
	if err := checkBackup(part, backup); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return SettleFile(part, target)
}

// checkBackup reads the whole file and refuses one that is damaged, not ours
// or of a newer program.
func checkBackup(path, name string) error {
	c, err := openLite(path, "&mode=ro&immutable=1", &counters{})
	if err != nil {
		return err
	}
	defer c.close()
	v, err := c.value("PRAGMA integrity_check(1)")
	if err != nil || v != "ok" {
		return fmt.Errorf("store: the backup %s is damaged (%v %v): take an older one", name, v, err)
	}
	v, err = c.value("SELECT version FROM latchkey_schema")
	version, ok := v.(int64)
	if err != nil || !ok || version < 1 {
		return fmt.Errorf("store: %s is not a backup of Latchkey: %v", name, err)
	}
	if version > schemaVersion {
		return tooNew(name, version)
	}
	return nil
}

// EpochKey is the meta key of the epoch: how often this store was restored, as
// a decimal number. Nothing: never.
const EpochKey = "epoch"

// Restored tells what AfterRestore did.
type Restored struct {
	Epoch          int64
	Challenges     int // open codes that were voided
	Pending        int // methods that were begun and not proven: removed
	Authenticators int // whose codes up to now count as used
	Messages       int // that were not sent and never will be
	Jobs           int // that will not be done
	Passes         int // sessions and one-time links that were voided
	Campaigns      int // that were running or would have begun: they wait for an operator
}

// AfterRestore makes a restored copy safe, in one transaction: codes that were
// open are void, sessions and one-time links too, methods that were begun are removed, every authenticator's
// codes up to now count as used (the copy does not know which were), messages
// and jobs of the past are dropped, campaigns wait for an operator, the directory is read anew, and the epoch goes up. The store's time is
// the clock's again (see clock). period is the
// authenticators' time step; 0: 30 s. actor and note go into the audit line:
// who restored, and what else is to be known. It works on both databases.
func (db *DB) AfterRestore(ctx context.Context, period time.Duration, actor, note string) (Restored, error) {
	if period <= 0 {
		period = 30 * time.Second
	}
	var res Restored
	db.clock.restart() // what the store's time was ahead for is void
	err := db.update(ctx, func(t *tx) error {
		res = Restored{}
		old, err := t.meta(EpochKey)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		res.Epoch, _ = strconv.ParseInt(string(old), 10, 64)
		res.Epoch++
		if err := t.setMeta(EpochKey, strconv.AppendInt(nil, res.Epoch, 10)); err != nil {
			return err
		}
		x := t.c.(texter)
		for _, s := range []struct {
			n    *int
			text string
			args []any
		}{
			{&res.Challenges, `UPDATE challenge SET closed_at = $1, sealed_code = NULL, sealed_to = NULL WHERE closed_at = 0`, []any{t.ms}},
			{nil, `DELETE FROM method_secret WHERE method IN (SELECT id FROM method WHERE state = 0)`, nil},
			{&res.Pending, `UPDATE method SET state = 2, sealed = NULL, dest_hash = NULL WHERE state = 0`, nil},
			{&res.Authenticators, `UPDATE method SET last_step = $1 WHERE kind = 'authenticator' AND state IN (1, 3) AND last_step < $1`, []any{t.real.Unix() / int64(period/time.Second)}},
			{&res.Messages, `UPDATE outbox SET state = 2, live = 0, error = 'restored',
				message = CASE WHEN kept = 1 THEN message END WHERE live = 1 AND state = 0`, nil},
			// What a kept one showed for a while is not shown again.
			{nil, `UPDATE outbox SET live = 0, state = CASE WHEN kept = 1 THEN 3 ELSE state END WHERE live = 1`, nil},
			// What people wrote before the copy was made is not answered now.
			{nil, `DELETE FROM inbound`, nil},
			// What was proven, or signed in to, before the copy says nothing now.
			{nil, `DELETE FROM tally WHERE bucket IN ('proof', 'signed_in')`, nil},
			// The copy does not know which were spent or ended since.
			{&res.Passes, `DELETE FROM pass`, nil},
			{nil, `DELETE FROM meta WHERE key = $1 OR key = $2`, []any{resealKey, clockKey}},
			{nil, `UPDATE tally SET at = $1 WHERE at > $1`, []any{t.ms}},
			{&res.Jobs, `UPDATE river_job SET state = 'cancelled', finalized_at = /*sqlite strftime('%Y-%m-%d %H:%M:%f', 'now')*/ /*postgres now()*/
				WHERE state NOT IN ('completed', 'cancelled', 'discarded')`, nil},
		} {
			n, err := x.do(s.text, s.args...)
			if err != nil {
				return err
			}
			if s.n != nil {
				*s.n = int(n)
			}
		}
		if err := t.syncsAnew(); err != nil {
			return err
		}
		if res.Campaigns, err = t.pauseCampaigns(); err != nil {
			return err
		}
		_, err = t.Audit(bot.AuditEntry{Actor: actor, Action: "store.restored", Subject: "epoch " + strconv.FormatInt(res.Epoch, 10), Evidence: note})
		return err
	})
	return res, wrap("mark the restored store", err)
}
