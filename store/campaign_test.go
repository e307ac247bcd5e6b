package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// explain is how a database goes about a statement.
func explain(t *testing.T, dsn, text string, args ...any) string {
	t.Helper()
	var plan strings.Builder
	if filepath.IsAbs(dsn) {
		c, err := sql.Open("sqlite3", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		rows, err := c.Query("EXPLAIN QUERY PLAN "+text, args...)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var line string
			if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(line + "\n")
		}
		return plan.String()
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	rows, err := c.Query(ctx, "EXPLAIN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// fillParts puts n people into a campaign. One in twenty is due, and one in two is
// enrolled and is not.
const fillParts = `INSERT INTO campaign_part (campaign, person, state, why, step, progress, reminders, via, tried, row_id, due, place, token, first_at, last_at, revision)
	SELECT 'big', 'p' || n, CASE WHEN n % 2 = 0 THEN 6 ELSE 2 END, '', '', '', 1, 'slack', '', 0,
		CASE WHEN n % 2 = 0 THEN 0 WHEN n % 20 = 1 THEN 1000 + n ELSE 9000000000000 + n END, CAST((n * 7919) % 1000003 AS TEXT), 't' || n, 0, 0, 1 FROM `

// P8: of a million people in a campaign, a page of those who are due is read by the
// index alone: what is not due, and who has done it, costs nothing.
func TestDuePlan(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rows")
	}
	const people = 1_000_000
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		if filepath.IsAbs(dsn) {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			run(t, dsn, fillParts+fmt.Sprintf(`(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s)`, people))
			db = open(t, dsn)
		} else {
			run(t, dsn, fillParts+fmt.Sprintf(`generate_series(CAST(1 AS BIGINT), %d) s(n); ANALYZE campaign_part`, people))
		}
		plan := explain(t, dsn, store.PartsDueText(dsn), "big", int64(2000000), int64(500))
		if want := []string{"COVERING INDEX campaign_part_due (campaign=? AND due<?)", "Index Scan using campaign_part_due"}; !strings.Contains(plan, want[0]) && !strings.Contains(plan, want[1]) ||
			strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") {
			t.Errorf("the plan is\n%s", plan)
		}
		var due []bot.PartDue
		for range 5 {
			began := time.Now()
			if err := db.View(t.Context(), func(tx bot.Tx) (err error) { due, err = tx.PartsDue("big", 500); return err }); err != nil {
				t.Fatal(err)
			}
			t.Logf("a page of %d in %v", len(due), time.Since(began))
		}
		if len(due) != 500 || due[0].Person != "p1" || due[499].Person != "p9981" {
			t.Errorf("%d due, from %s to %s", len(due), due[0].Person, due[len(due)-1].Person)
		}
	})
}

// A campaign that is over long enough goes with everybody's part in it; one that
// runs stays, however old it is.
func TestPruneCampaigns(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		db := openClock(t, dsn, func() time.Time { return now })
		storetest.Seed(t, db, bot.Person{ID: "ann", Username: "ann"})
		for i, c := range []bot.Campaign{{ID: "over", State: bot.CampaignStopped, Next: now}, {ID: "runs", State: bot.CampaignRunning, Next: now}, {ID: "paused", State: bot.CampaignPaused, Next: now}} {
			c.Code = fmt.Sprint("code", i)
			update(t, db, func(tx bot.Tx) error {
				if err := tx.PutCampaign(&c); err != nil {
					return err
				}
				if err := tx.NamePerson(c.ID, "ann", false); err != nil {
					return err
				}
				return tx.PutPart(&bot.CampaignPart{Campaign: c.ID, Person: "ann", Token: c.ID})
			})
		}
		for _, want := range []int{0, 1, 0} {
			n, err := db.Prune(t.Context(), store.Ages{Removed: 90 * day})
			if err != nil || n != (store.Pruned{Campaigns: want}) {
				t.Errorf("on %s pruned %+v, %v", now.Format(time.DateOnly), n, err)
			}
			now = now.Add(91 * day)
		}
		var parts []bot.CampaignPart
		if err := db.View(t.Context(), func(tx bot.Tx) (err error) { parts, err = tx.PartsOf("ann"); return err }); err != nil || len(parts) != 2 {
			t.Errorf("left: %+v, %v", parts, err)
		}
	})
}

// What ran when a copy was made waits for an operator when the copy is restored.
func TestRestoredCampaigns(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for _, st := range []bot.CampaignState{bot.CampaignDraft, bot.CampaignScheduled, bot.CampaignRunning, bot.CampaignHalted, bot.CampaignStopped} {
			update(t, db, func(tx bot.Tx) error {
				return tx.PutCampaign(&bot.Campaign{ID: st.String(), Code: st.String(), State: st, Why: "before"})
			})
		}
		update(t, db, func(tx bot.Tx) error {
			return tx.PutCampaign(&bot.Campaign{ID: bot.CampaignLater, State: bot.CampaignRunning})
		})
		update(t, db, func(tx bot.Tx) error {
			for _, p := range []bot.CampaignPart{{Person: "mail", Via: "mail"}, {Person: "chat", Via: "test", Row: 1 << 40}} {
				p.Campaign, p.Token, p.State, p.Reminders = "running", string(p.Person), bot.PartSent, 1
				if err := tx.PutPart(&p); err != nil {
					return err
				}
			}
			return nil
		})
		r, err := db.AfterRestore(t.Context(), 0, "operator:ann", "")
		if err != nil || r.Campaigns != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		err = db.View(t.Context(), func(tx bot.Tx) error {
			// The mail's job is gone; the row was sent, and pruned.
			ps, err := tx.PartsOf("mail")
			if err != nil || len(ps) != 1 || ps[0].State != bot.PartFailed || ps[0].Why != "unknown" {
				t.Errorf("by mail: %+v, %v", ps, err)
			}
			if ps, err = tx.PartsOf("chat"); err != nil || len(ps) != 1 || ps[0].State != bot.PartSent {
				t.Errorf("sent before: %+v, %v", ps, err)
			}
			cs, err := tx.Campaigns()
			for _, c := range cs {
				waits := c.ID == "scheduled" || c.ID == "running"
				if (c.State == bot.CampaignPaused) != waits || (c.Why == bot.CampaignRestored) != waits {
					t.Errorf("%s is %s: %s", c.ID, c.State, c.Why)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// What waits for a conversation to be opened is found by index: a campaign opens
// thousands, and the outbox has months of messages.
func TestOpeningPlan(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		if filepath.IsAbs(dsn) {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			run(t, dsn, `INSERT INTO outbox (conversation, seq, message, fleeting, live, state, attempts, due, receipt, error, created_at, account, lane, expires)
				SELECT 'n' || i, 0, CAST('{"t":"nudge"}' AS BYTEA), 0, 1, 0, 0, 1, '', '', 1, 'test', 3, 4000000000000 FROM generate_series(1, 20000) i; ANALYZE outbox`)
		}
		args := [][]any{{"unopened-1", "c", int64(1)}, {"unopened-1", "gone", int64(1)}}
		for i, text := range store.OpeningTexts(dsn) {
			plan := explain(t, dsn, text, args[i]...)
			if strings.Contains(plan, "SCAN outbox") || strings.Contains(plan, "Seq Scan on outbox") || !strings.Contains(plan, "outbox_owned") {
				t.Errorf("the plan of %s is\n%s", text, plan)
			}
		}
	})
}
