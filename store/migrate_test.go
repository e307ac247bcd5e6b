package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/store/storetest"
)

// before2 to before12 take a migration back, the newest first, so that a store
// is as the program before it left it.
const (
	before2 = `DROP TABLE pass; DROP INDEX outbox_kept; ALTER TABLE outbox DROP COLUMN kept; UPDATE latchkey_schema SET version = 1;`
	before3 = `ALTER TABLE person DROP COLUMN stopped_at; ALTER TABLE person DROP COLUMN frozen_at; ALTER TABLE person DROP COLUMN first_method_at;
		ALTER TABLE person DROP COLUMN kind; ALTER TABLE person DROP COLUMN site; ALTER TABLE person DROP COLUMN hired_on;
		ALTER TABLE person DROP COLUMN unlisted_at; DROP TABLE tombstone;
		ALTER TABLE identity DROP COLUMN held_until; ALTER TABLE identity DROP COLUMN evidence;
		ALTER TABLE method DROP COLUMN conversation; ALTER TABLE method DROP COLUMN held_until; ALTER TABLE method DROP COLUMN drift;
		DROP INDEX person_ref; ALTER TABLE person DROP COLUMN ref; ALTER TABLE audit RENAME COLUMN ref TO person;
		ALTER TABLE audit DROP COLUMN key; ALTER TABLE audit DROP COLUMN was;
		ALTER TABLE audit_head DROP COLUMN from_seq; ALTER TABLE audit_head DROP COLUMN from_at; ALTER TABLE audit_head DROP COLUMN from_hash;
		ALTER TABLE audit_head DROP COLUMN from_key; ALTER TABLE audit_head DROP COLUMN from_seal; ALTER TABLE method DROP COLUMN removed_at;
		DROP TABLE alert;
		UPDATE latchkey_schema SET version = 2;`
	before4 = `ALTER TABLE person DROP COLUMN ref_key; ALTER TABLE person DROP COLUMN ref_seal; DROP TABLE registration; DROP TABLE directory_entry; DROP TABLE directory_member; DROP TABLE readiness_day;
		ALTER TABLE person DROP COLUMN synced;
		UPDATE latchkey_schema SET version = 3;`
	before5 = `DROP TABLE worker; ALTER TABLE conversation DROP COLUMN kind; ALTER TABLE conversation DROP COLUMN parent; ALTER TABLE conversation DROP COLUMN route;
		DROP INDEX outbox_owned; DROP INDEX outbox_wait; DROP INDEX outbox_due; DROP INDEX outbox_given_up;
		ALTER TABLE outbox RENAME COLUMN due TO not_before; ALTER TABLE outbox DROP COLUMN account; ALTER TABLE outbox DROP COLUMN author;
		ALTER TABLE outbox DROP COLUMN lane; ALTER TABLE outbox DROP COLUMN expires; ALTER TABLE outbox DROP COLUMN owner; ALTER TABLE outbox DROP COLUMN op;
		ALTER TABLE outbox DROP COLUMN target; ALTER TABLE outbox DROP COLUMN doubt; ALTER TABLE outbox DROP COLUMN campaign;
		CREATE INDEX outbox_live ON outbox (conversation, seq) WHERE live = 1;
		UPDATE latchkey_schema SET version = 4;`
	before6 = `DROP TABLE inbound; UPDATE latchkey_schema SET version = 5;`
	before7 = `DROP TABLE IF EXISTS budget; ALTER TABLE inbound DROP COLUMN owner; ALTER TABLE inbound ADD COLUMN owner TEXT NOT NULL DEFAULT '';
		ALTER TABLE inbound ADD COLUMN until BIGINT NOT NULL DEFAULT 0; UPDATE latchkey_schema SET version = 6;`
	before8 = `DROP INDEX ticket_open; DROP INDEX ticket_at; DROP INDEX ticket_person; DROP INDEX ticket_closed; DROP TABLE ticket_line; DROP TABLE agent;
		ALTER TABLE ticket DROP COLUMN matter; ALTER TABLE ticket DROP COLUMN state; ALTER TABLE ticket DROP COLUMN agent; ALTER TABLE ticket DROP COLUMN revision;
		ALTER TABLE ticket DROP COLUMN waits_since; ALTER TABLE ticket DROP COLUMN taken_at; ALTER TABLE ticket DROP COLUMN answered_at; ALTER TABLE ticket DROP COLUMN words;
		ALTER TABLE ticket DROP COLUMN rating; ALTER TABLE ticket DROP COLUMN contact; ALTER TABLE ticket RENAME TO request;
		CREATE UNIQUE INDEX request_open ON request (conversation) WHERE closed_at = 0; CREATE INDEX request_at ON request (at, id) WHERE closed_at = 0;
		UPDATE latchkey_schema SET version = 7;`
	before9  = `DROP TABLE opening; UPDATE latchkey_schema SET version = 8;`
	before10 = `ALTER TABLE ticket DROP COLUMN telling; UPDATE latchkey_schema SET version = 9;`
	before11 = `DROP TABLE caller_check; UPDATE latchkey_schema SET version = 10;`
	before12 = `DROP TABLE campaign_part; DROP TABLE campaign_name; DROP TABLE campaign; UPDATE latchkey_schema SET version = 11;`
)

// run runs a text on a database that nobody has open.
func run(t testing.TB, dsn, text string) {
	t.Helper()
	if filepath.IsAbs(dsn) {
		exec(t, dsn, text)
		return
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	if err == nil {
		_, err = c.Exec(ctx, text)
		c.Close(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A store of the version before keeps its rows and takes new ones.
func TestMigrateOld(t *testing.T) {
	migrate := func(t *testing.T, dsn string) {
		ctx := context.Background()
		db := open(t, dsn)
		say(t, db, "1", "a")
		say(t, db, "2", "a")
		if err := db.Update(ctx, func(tx bot.Tx) error {
			return tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 1, State: bot.OutboxSent})
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, dsn, before12+before11+before10+before9+before8+before7+before6+before5+before4+before3+before2)
		for again := range 2 { // migrated, then as it is
			db = open(t, dsn)
			err := db.Update(ctx, func(tx bot.Tx) error {
				rows, err := tx.Pending(10)
				if err != nil || len(rows) != 1 || rows[0].Seq != 2 || rows[0].Message.Text != "hello" || rows[0].Keep {
					t.Errorf("pending %+v %v", rows, err)
				}
				rows, err = tx.Said("a", 0, 10)
				if err != nil || len(rows) != again { // the old ones were not kept
					t.Errorf("said %+v %v", rows, err)
				}
				h, err := tx.Heads([]bot.ConversationID{"a"})
				if err != nil || h["a"] != 2 {
					t.Errorf("heads %v %v", h, err)
				}
				if _, err := tx.Pass([]byte("h")); errors.Is(err, bot.ErrNotFound) == (again == 1) {
					t.Errorf("pass: %v", err)
				}
				kept := bot.OutboxRow{Conversation: "a", Seq: 3, Message: bot.Message{Text: "new"}, Keep: true}
				if again == 1 {
					return nil
				}
				sent := kept
				sent.State = bot.OutboxSent
				return errors.Join(tx.PutPass(&bot.Pass{Hash: []byte("h")}), tx.Say(&kept), tx.MarkOutbox(&sent))
			})
			if err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { migrate(t, filepath.Join(t.TempDir(), "a.db")) })
	t.Run("postgres", func(t *testing.T) { migrate(t, storetest.EmptyPostgres(t)) })
}
