package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

const campaignColumns = `id, state, code, next_at, gathered, settled, body, revision`

// PutCampaign implements bot.CampaignTx.
func (t *tx) PutCampaign(c *bot.Campaign) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	if c.MadeAt.IsZero() {
		c.MadeAt = t.now
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("store: campaign %q: %w", c.ID, err)
	}
	text := `INSERT INTO campaign (` + campaignColumns + `, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`
	args := []any{c.ID, int64(c.State), c.Code, millis(c.Next), string(c.Gathered), string(c.Settled), body, c.Revision + 1, millis(c.MadeAt)}
	if c.Revision > 0 {
		text = `UPDATE campaign SET state = $2, code = $3, next_at = $4, gathered = $5, settled = $6, body = $7, revision = $8 WHERE id = $1 AND revision = $9`
		args[8] = c.Revision
	}
	n, err := x.do(text, args...)
	if err != nil {
		return wrap("store a campaign", err)
	}
	if n == 0 {
		return fmt.Errorf("store: campaign %q at revision %d: %w", c.ID, c.Revision, bot.ErrConflict)
	}
	c.Revision++
	return nil
}

func (t *tx) campaigns(which string, args ...any) (cs []bot.Campaign, err error) {
	var bad error
	err = t.c.(texter).ask(`SELECT `+campaignColumns+` FROM campaign `+which, func(r row) {
		var c bot.Campaign
		if err := json.Unmarshal(r.blob(6), &c); err != nil {
			bad = fmt.Errorf("campaign %q: %w", r.text(0), err)
		}
		c.ID, c.State, c.Code, c.Next = r.text(0), bot.CampaignState(r.int(1)), r.text(2), fromMillis(r.int(3))
		c.Gathered, c.Settled, c.Revision = bot.PersonID(r.text(4)), bot.PersonID(r.text(5)), r.int(7)
		cs = append(cs, c)
	}, args...)
	return cs, wrap("read campaigns", errors.Join(err, bad))
}

func (t *tx) oneCampaign(which, arg string) (*bot.Campaign, error) {
	cs, err := t.campaigns(which, arg)
	if err != nil {
		return nil, err
	}
	if len(cs) == 0 {
		return nil, notFound("campaign", arg)
	}
	return &cs[0], nil
}

// Campaign implements bot.CampaignTx.
func (t *tx) Campaign(id string) (*bot.Campaign, error) { return t.oneCampaign(`WHERE id = $1`, id) }

// CampaignByCode implements bot.CampaignTx.
func (t *tx) CampaignByCode(code string) (*bot.Campaign, error) {
	return t.oneCampaign(`WHERE code = $1 AND code <> ''`, code)
}

// Campaigns implements bot.CampaignTx.
func (t *tx) Campaigns() ([]bot.Campaign, error) { return t.campaigns(`ORDER BY made_at DESC, id`) }

// CampaignsDue implements bot.CampaignTx.
func (t *tx) CampaignsDue() (ids []string, err error) {
	err = t.c.(texter).ask(`SELECT id FROM campaign WHERE state IN (1, 2) AND next_at <= $1
		OR state > 2 AND EXISTS (SELECT 1 FROM campaign_part c WHERE c.campaign = campaign.id AND c.state = 1) ORDER BY next_at, id`, func(r row) { ids = append(ids, r.text(0)) }, t.ms)
	return ids, wrap("look for campaigns that are due", err)
}

// DeleteCampaign implements bot.CampaignTx.
func (t *tx) DeleteCampaign(c *bot.Campaign) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	n, err := x.do(`DELETE FROM campaign WHERE id = $1 AND revision = $2`, c.ID, c.Revision)
	if err == nil && n == 0 {
		return fmt.Errorf("store: campaign %q at revision %d: %w", c.ID, c.Revision, bot.ErrConflict)
	}
	if err == nil {
		_, err = x.do(`DELETE FROM campaign_part WHERE campaign = $1`, c.ID)
	}
	if err != nil {
		return wrap("delete a campaign", err)
	}
	return t.ForgetNames(c.ID)
}

// ForgetNames implements bot.CampaignTx.
func (t *tx) ForgetNames(campaign string) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	_, err = x.do(`DELETE FROM campaign_name WHERE campaign = $1`, campaign)
	return wrap("forget whom a campaign names", err)
}

// NamePerson implements bot.CampaignTx.
func (t *tx) NamePerson(campaign string, p bot.PersonID, leaveOut bool) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	_, err = x.do(`INSERT INTO campaign_name (campaign, person, leave_out) VALUES ($1, $2, $3)
		ON CONFLICT (campaign, person) DO UPDATE SET leave_out = excluded.leave_out`, campaign, string(p), flag(leaveOut))
	return wrap("name somebody for a campaign", err)
}

// CopyNames implements bot.CampaignTx.
func (t *tx) CopyNames(from, to string) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	_, err = x.do(`INSERT INTO campaign_name (campaign, person, leave_out) SELECT $2, person, leave_out FROM campaign_name WHERE campaign = $1`, from, to)
	return wrap("copy whom a campaign names", err)
}

// campaignMethods counts what person p has that proves something.
const campaignMethods = `(SELECT count(*) FROM method m WHERE m.person = p.id AND m.state = 1 AND m.kind <> 'questions')`

// registered is the methods of person p in the registrar's report, or on their own
// page there.
func registered(list string) string {
	return `SELECT 1 FROM registration r, /*sqlite json_each(CAST(r.body AS TEXT), '$.` + list + `') m*/
		/*postgres json_array_elements_text(CASE WHEN json_typeof(CAST(convert_from(r.body, 'UTF8') AS json) -> '` + list + `') = 'array'
			THEN CAST(convert_from(r.body, 'UTF8') AS json) -> '` + list + `' ELSE '[]' END) m(value)*/ WHERE r.person = p.id`
}

// byPhone are methods that reach a phone by text or call, in the report's words.
const byPhone = `'mobilephone', 'alternatemobilephone', 'officephone', 'sms', 'voice'`

// textOrVoice: what the registrar's report has, where it has the person, else what
// is enrolled here.
var textOrVoice = `(CASE WHEN EXISTS (SELECT 1 FROM registration r WHERE r.person = p.id)
	THEN EXISTS (` + registered("methods") + ` AND lower(m.value) IN (` + byPhone + `))
		AND NOT EXISTS (` + registered("methods") + ` AND lower(m.value) NOT IN (` + byPhone + `, 'email', 'securityquestion'))
		AND NOT EXISTS (` + registered("direct") + ` AND lower(m.value) NOT IN (` + byPhone + `, 'email', 'securityquestion'))
	ELSE EXISTS (SELECT 1 FROM method m WHERE m.person = p.id AND m.state = 1 AND m.kind = 'phone')
		AND NOT EXISTS (SELECT 1 FROM method m WHERE m.person = p.id AND m.state = 1 AND m.kind NOT IN ('phone', 'questions')) END)`

// survives is a verdict that is stored with what the registrar holds.
func survives(v bot.Survival) string {
	return `EXISTS (SELECT 1 FROM registration r WHERE r.person = p.id AND /*sqlite json_extract(CAST(r.body AS TEXT), '$.survives')*/
		/*postgres CAST(convert_from(r.body, 'UTF8') AS json)->>'survives'*/ = '` + string(v) + `')`
}

// audienceRule is the rule of an audience as conditions on person p, its places
// beginning behind args; $1 is the campaign.
func (t *tx) audienceRule(a *bot.Audience, args []any) (in, done string, _ []any, err error) {
	switch a.Who {
	case bot.AudienceNotEnrolled:
		in, done = `p.stage < 2`, `p.stage = 2`
	case bot.AudienceHalfWay:
		in, done = `p.stage = 1`, `p.stage = 2`
	case bot.AudienceOneMethod:
		in, done = campaignMethods+` = 1`, campaignMethods+` >= 2`
	case bot.AudienceTextOrVoice:
		in, done = textOrVoice, `NOT `+textOrVoice
	case bot.AudienceLosing:
		in, done = survives(bot.SurvivesNo), survives(bot.SurvivesYes)
	case bot.AudienceEnrolled:
		in, done = `p.stage = 2`, `1 = 0`
	case bot.AudienceAll:
		in, done = `1 = 1`, `1 = 0`
	default:
		return "", "", nil, fmt.Errorf("store: an audience of %q is not known", a.Who)
	}
	here := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	set := func(list []string) string {
		low := make([]string, len(list))
		for i := range list {
			low[i] = strings.ToLower(list[i])
		}
		return strings.ReplaceAll(among, "$1", here(array(low)))
	}
	base := `p.disabled = 0 AND p.stopped_at = 0 AND p.kind IN ` + strings.ReplaceAll(among, "$1", here(array(append([]bot.PersonKind{"", bot.Staff}, a.Kinds...))))
	for _, f := range []struct {
		column string
		list   []string
		not    string
	}{{"department", a.Departments, ""}, {"site", a.Sites, ""}, {"department", a.NotDepartments, "NOT "}, {"site", a.NotSites, "NOT "}} {
		if len(f.list) > 0 {
			base += ` AND lower(p.` + f.column + `) ` + f.not + `IN ` + set(f.list)
		}
	}
	if a.HiredSince != "" {
		base += ` AND p.hired_on >= ` + here(a.HiredSince)
	}
	if a.EnrolledDays > 0 {
		base += ` AND p.done_at <> 0 AND p.done_at <= ` + here(millis(t.now.AddDate(0, 0, -a.EnrolledDays)))
	}
	named := `EXISTS (SELECT 1 FROM campaign_name n WHERE n.campaign = $1 AND n.person = p.id AND n.leave_out = `
	base += ` AND NOT ` + named + `1)`
	if a.Named {
		base += ` AND ` + named + `0)`
	}
	return base + ` AND ` + in, base + ` AND ` + done, args, nil
}

// personAs is personColumns of p.
var personAs = `p.` + strings.ReplaceAll(personColumns, ", ", ", p.")

// InAudience implements bot.CampaignTx.
func (t *tx) InAudience(campaign string, a *bot.Audience, after bot.PersonID, limit int) (ps []bot.Person, err error) {
	in, _, args, err := t.audienceRule(a, []any{campaign, string(after), int64(limit)})
	if err != nil {
		return nil, err
	}
	err = t.c.(texter).ask(`SELECT `+personAs+` FROM person p WHERE p.id > $2 AND `+in+` ORDER BY p.id LIMIT $3`, func(r row) { ps = append(ps, scanPerson(r)) }, args...)
	return ps, wrap("read an audience", err)
}

// CountAudience implements bot.CampaignTx.
func (t *tx) CountAudience(campaign string, a *bot.Audience) (n int, err error) {
	in, _, args, err := t.audienceRule(a, []any{campaign})
	if err != nil {
		return 0, err
	}
	err = t.c.(texter).ask(`SELECT count(*) FROM person p WHERE `+in, func(r row) { n = int(r.int(0)) }, args...)
	return n, wrap("count an audience", err)
}

// Judge implements bot.CampaignTx.
func (t *tx) Judge(campaign string, a *bot.Audience, p bot.PersonID) (in, done bool, err error) {
	isIn, isDone, args, err := t.audienceRule(a, []any{campaign, string(p)})
	if err != nil {
		return false, false, err
	}
	err = t.c.(texter).ask(`SELECT CASE WHEN `+isIn+` THEN 1 ELSE 0 END, CASE WHEN `+isDone+` THEN 1 ELSE 0 END FROM person p WHERE p.id = $2`,
		func(r row) { in, done = r.int(0) != 0, r.int(1) != 0 }, args...)
	return in, done, wrap("look whether somebody is in an audience", err)
}

// pageEnd reads the last key of a page of a table; empty: it is the last page.
func (t *tx) pageEnd(from, key, where string, args ...any) (end string, err error) {
	n := len(args)
	err = t.c.(texter).ask(fmt.Sprintf(`SELECT %[1]s FROM %[2]s WHERE %[3]s ORDER BY %[1]s LIMIT 1 OFFSET CAST($%[4]d AS BIGINT)`, key, from, where, n),
		func(r row) { end = r.text(0) }, args...)
	return end, err
}

// Gather implements bot.CampaignTx.
func (t *tx) Gather(campaign string, a *bot.Audience, after bot.PersonID, limit int, bySite bool) (last bot.PersonID, added int, err error) {
	x, err := t.rare()
	if err != nil {
		return "", 0, err
	}
	end, err := t.pageEnd("person", "id", "id > $1", string(after), int64(limit-1))
	if err != nil {
		return "", 0, wrap("gather an audience", err)
	}
	site := `''`
	if bySite {
		site = `lower(p.site) || '|'`
	}
	in, _, args, err := t.audienceRule(a, []any{campaign, string(after), end})
	if err != nil {
		return "", 0, err
	}
	n, err := x.do(`INSERT INTO campaign_part (`+partTable.names("")+`) SELECT $1, p.id, 0, '', '', '', 0, '', '', 0, 0,
		`+site+` || /*sqlite lower(hex(randomblob(8)))*/ /*postgres replace(CAST(gen_random_uuid() AS TEXT), '-', '')*/,
		/*sqlite lower(hex(randomblob(12)))*/ /*postgres substr(replace(CAST(gen_random_uuid() AS TEXT), '-', ''), 1, 24)*/, 0, 0, 1
		FROM person p WHERE p.id > $2 AND ($3 = '' OR p.id <= $3) AND `+in+` ON CONFLICT (campaign, person) DO NOTHING`, args...)
	return bot.PersonID(end), int(n), wrap("gather an audience", err)
}

// LetIn implements bot.CampaignTx.
func (t *tx) LetIn(campaign string, limit int, at time.Time) (int, error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	n, err := x.do(`UPDATE campaign_part SET due = $2, revision = revision + 1 WHERE campaign = $1 AND person IN (
		SELECT person FROM campaign_part WHERE campaign = $1 AND state = 0 AND due = 0 AND first_at = 0 ORDER BY place LIMIT $3)`, campaign, millis(at), int64(limit))
	return int(n), wrap("let people in", err)
}

// A partRow is a row of the table campaign_part.
type partRow struct {
	bot.CampaignPart
	state, reminders, due, first, last int64
}

// partTable is the one list of the table's columns.
var partTable = columns[partRow]{
	{name: "campaign", text: func(v *partRow) *string { return &v.Campaign }},
	{name: "person", text: func(v *partRow) *string { return (*string)(&v.Person) }},
	{name: "state", num: func(v *partRow) *int64 { return &v.state }},
	{name: "why", text: func(v *partRow) *string { return &v.Why }},
	{name: "step", text: func(v *partRow) *string { return &v.Step }},
	{name: "progress", text: func(v *partRow) *string { return &v.Progress }},
	{name: "reminders", num: func(v *partRow) *int64 { return &v.reminders }},
	{name: "via", text: func(v *partRow) *string { return &v.Via }},
	{name: "tried", text: func(v *partRow) *string { return &v.Tried }},
	{name: "row_id", num: func(v *partRow) *int64 { return &v.Row }},
	{name: "due", num: func(v *partRow) *int64 { return &v.due }},
	{name: "place", text: func(v *partRow) *string { return &v.Place }},
	{name: "token", text: func(v *partRow) *string { return &v.Token }},
	{name: "first_at", num: func(v *partRow) *int64 { return &v.first }},
	{name: "last_at", num: func(v *partRow) *int64 { return &v.last }},
	{name: "revision", num: func(v *partRow) *int64 { return &v.Revision }},
}

// partWidth is how many columns a part has.
var partWidth = len(partTable)

var (
	partInsert = `INSERT INTO campaign_part (` + partTable.names("") + `) VALUES (` + partTable.params(1) + `) ON CONFLICT DO NOTHING`
	partUpdate = `UPDATE campaign_part SET ` + partTable[2:].sets(3) + fmt.Sprintf(` WHERE campaign = $1 AND person = $2 AND revision = $%d`, partWidth+1)
)

// partsDue is the page of those who are due (P8). On SQLite the index has all of it.
const partsDue = `SELECT c.person, c.due FROM campaign_part c WHERE c.campaign = $1 AND c.due <> 0 AND c.due <= $2 ORDER BY c.due, c.place LIMIT $3`

func scanPart(r row) bot.CampaignPart {
	var v partRow
	partTable.scan(r, 0, &v)
	p := v.CampaignPart
	p.State, p.Reminders, p.Due, p.FirstAt, p.LastAt = bot.PartState(v.state), int(v.reminders), fromMillis(v.due), fromMillis(v.first), fromMillis(v.last)
	return p
}

func (t *tx) parts(which string, args ...any) (ps []bot.CampaignPart, err error) {
	err = t.c.(texter).ask(`SELECT `+partTable.names("c.")+` FROM campaign_part c `+which, func(r row) { ps = append(ps, scanPart(r)) }, args...)
	return ps, wrap("read parts in a campaign", err)
}

func (t *tx) onePart(what, which string, args ...any) (*bot.CampaignPart, error) {
	if t.g != nil { // held until the end
		which += ` /*postgres FOR UPDATE*/`
	}
	ps, err := t.parts(which, args...)
	if err != nil {
		return nil, err
	}
	if len(ps) == 0 {
		return nil, notFound("part in a campaign", what)
	}
	return &ps[0], nil
}

// PartsDue implements bot.CampaignTx.
func (t *tx) PartsDue(campaign string, limit int) ([]bot.PartDue, error) {
	ds := make([]bot.PartDue, 0, limit)
	err := t.c.(texter).ask(partsDue, func(r row) { ds = append(ds, bot.PartDue{Person: bot.PersonID(r.text(0)), Due: fromMillis(r.int(1))}) }, campaign, t.ms, int64(limit))
	return ds, wrap("read who is due in a campaign", err)
}

// Unsettled implements bot.CampaignTx.
func (t *tx) Unsettled(campaign string, a *bot.Audience, after bot.PersonID, limit int) (parts []bot.CampaignPart, stages []bot.Stage, last bot.PersonID, err error) {
	end, err := t.pageEnd("campaign_part", "person", "campaign = $1 AND person > $2", campaign, string(after), int64(limit-1))
	if err != nil {
		return nil, nil, "", wrap("read who is further in a campaign", err)
	}
	_, done, args, err := t.audienceRule(a, []any{campaign, string(after), end})
	if err != nil {
		return nil, nil, "", err
	}
	begun := fmt.Sprintf(`p.stage = 1 AND c.state IN (%d, %d, %d, %d, %d)`, bot.PartSent, bot.PartAccepted, bot.PartSnoozed, bot.PartStarted, bot.PartAtStep)
	err = t.c.(texter).ask(`SELECT `+partTable.names("c.")+`, CASE WHEN `+done+` THEN 2 ELSE 1 END FROM campaign_part c JOIN person p ON p.id = c.person
		WHERE c.campaign = $1 AND c.person > $2 AND ($3 = '' OR c.person <= $3) AND c.state <> `+fmt.Sprint(int(bot.PartEnrolled))+` AND ((`+done+`) OR `+begun+`) ORDER BY c.person`,
		func(r row) {
			parts, stages = append(parts, scanPart(r)), append(stages, bot.Stage(r.int(partWidth)))
		}, args...)
	return parts, stages, bot.PersonID(end), wrap("read who is further in a campaign", err)
}

// Posted implements bot.CampaignTx.
func (t *tx) Posted(campaign string, limit int) (parts []bot.CampaignPart, rows []bot.OutboxRow, err error) {
	err = t.c.(texter).ask(`SELECT `+partTable.names("c.")+`, coalesce(o.state, 1), coalesce(o.error, ''), coalesce(o.doubt, 0) FROM campaign_part c LEFT JOIN outbox o ON o.id = c.row_id
		WHERE c.campaign = $1 AND c.state = $2 AND c.row_id <> 0 AND (o.id IS NULL OR o.state <> 0) ORDER BY c.place LIMIT $3`, func(r row) {
		parts = append(parts, scanPart(r))
		rows = append(rows, bot.OutboxRow{ID: parts[len(parts)-1].Row, State: bot.OutboxState(r.int(partWidth)), Error: r.text(partWidth + 1), Doubt: int(r.int(partWidth + 2))})
	}, campaign, int64(bot.PartSent), int64(limit))
	return parts, rows, wrap("read what was posted", err)
}

// mailJobs are the jobs of kind campaign.Mail that wait or run, of campaign $1.
const mailJobs = `river_job j WHERE j.kind = 'campaign_mail' AND j.state NOT IN ('completed', 'cancelled', 'discarded')
	AND /*sqlite json_extract(j.args, '$.campaign')*/ /*postgres j.args->>'campaign'*/ = $1`

// LostMails implements bot.CampaignTx.
func (t *tx) LostMails(campaign string, limit int) ([]bot.CampaignPart, error) {
	return t.parts(`WHERE c.campaign = $1 AND c.state = 1 AND c.row_id = 0 AND c.via = 'mail'
		AND c.person NOT IN (SELECT /*sqlite json_extract(j.args, '$.person')*/ /*postgres j.args->>'person'*/ FROM `+mailJobs+`) ORDER BY c.place LIMIT $2`, campaign, int64(limit))
}

// Part implements bot.CampaignTx.
func (t *tx) Part(campaign string, p bot.PersonID) (*bot.CampaignPart, error) {
	return t.onePart(string(p), `WHERE c.campaign = $1 AND c.person = $2`, campaign, string(p))
}

// PartByToken implements bot.CampaignTx.
func (t *tx) PartByToken(token string) (*bot.CampaignPart, error) {
	return t.onePart(token, `WHERE c.token = $1`, token)
}

// PartByRow implements bot.CampaignTx.
func (t *tx) PartByRow(row int64) (*bot.CampaignPart, error) {
	return t.onePart(fmt.Sprint("of message ", row), `WHERE c.row_id = $1 AND c.row_id <> 0`, row)
}

// PartsOf implements bot.CampaignTx.
func (t *tx) PartsOf(p bot.PersonID) ([]bot.CampaignPart, error) {
	return t.parts(`WHERE c.person = $1 ORDER BY c.campaign`, string(p))
}

// PartsIn implements bot.CampaignTx.
func (t *tx) PartsIn(campaign string, s bot.PartState, after bot.PersonID, limit int) ([]bot.CampaignPart, error) {
	return t.parts(`WHERE c.campaign = $1 AND c.state = $2 AND c.person > $3 ORDER BY c.person LIMIT $4`, campaign, int64(s), string(after), int64(limit))
}

// PutPart implements bot.CampaignTx.
func (t *tx) PutPart(p *bot.CampaignPart) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	v := partRow{CampaignPart: *p, state: int64(p.State), reminders: int64(p.Reminders), due: millis(p.Due), first: millis(p.FirstAt), last: millis(p.LastAt)}
	v.Revision++
	text, args := partInsert, partTable.args(nil, &v)
	if p.Revision > 0 {
		text, args = partUpdate, append(args, p.Revision)
	}
	n, err := x.do(text, args...)
	if err != nil {
		return wrap("store a part in a campaign", err)
	}
	if n == 0 {
		return fmt.Errorf("store: part of %q in campaign %q at revision %d: %w", p.Person, p.Campaign, p.Revision, bot.ErrConflict)
	}
	p.Revision++
	return nil
}

// partWritten: a message was handed over, and not refused.
const partWritten = `CASE WHEN c.reminders > 1 OR c.reminders = 1 AND c.state NOT IN (1, 8) THEN 1 ELSE 0 END`

// CountParts implements bot.CampaignTx.
func (t *tx) CountParts(campaign string) (gs []bot.CampaignGroup, total int, err error) {
	x := t.c.(texter)
	err = x.ask(`SELECT c.state, c.why, c.step, coalesce(p.stage, 0), count(*), sum(`+partWritten+`) FROM campaign_part c LEFT JOIN person p ON p.id = c.person
		WHERE c.campaign = $1 GROUP BY c.state, c.why, c.step, coalesce(p.stage, 0) ORDER BY 1, 2, 3, 4`, func(r row) {
		gs = append(gs, bot.CampaignGroup{State: bot.PartState(r.int(0)), Why: r.text(1), Step: r.text(2), Stage: bot.Stage(r.int(3)), N: int(r.int(4)), Written: int(r.int(5))})
	}, campaign)
	if err == nil {
		err = x.ask(`SELECT count(*) FROM campaign_part WHERE campaign = $1`, func(r row) { total = int(r.int(0)) }, campaign)
	}
	return gs, total, wrap("count a campaign", err)
}

// CountSites implements bot.CampaignTx.
func (t *tx) CountSites(campaign string) (gs []bot.CampaignGroup, err error) {
	err = t.c.(texter).ask(`SELECT coalesce(p.site, ''), c.state, coalesce(p.stage, 0), count(*) FROM campaign_part c LEFT JOIN person p ON p.id = c.person
		WHERE c.campaign = $1 GROUP BY coalesce(p.site, ''), c.state, coalesce(p.stage, 0) ORDER BY 1, 2, 3`, func(r row) {
		gs = append(gs, bot.CampaignGroup{Site: r.text(0), State: bot.PartState(r.int(1)), Stage: bot.Stage(r.int(2)), N: int(r.int(3))})
	}, campaign)
	return gs, wrap("count a campaign by site", err)
}

// CampaignHealth implements bot.CampaignTx.
func (t *tx) CampaignHealth(campaign string, since time.Time) (written, failed, denied, asked int, err error) {
	err = t.c.(texter).ask(`SELECT count(*), coalesce(sum(CASE WHEN c.state = 8 THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN p.frozen_at >= c.last_at AND p.frozen_at <> 0 THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN EXISTS (SELECT 1 FROM ticket k WHERE k.person = c.person AND k.at >= c.last_at) THEN 1 ELSE 0 END), 0)
		FROM campaign_part c LEFT JOIN person p ON p.id = c.person WHERE c.campaign = $1 AND c.last_at <> 0 AND c.last_at >= $2`,
		func(r row) {
			written, failed, denied, asked = int(r.int(0)), int(r.int(1)), int(r.int(2)), int(r.int(3))
		}, campaign, millis(since))
	return written, failed, denied, asked, wrap("look how a campaign does", err)
}

// ClaimNudge implements bot.CampaignTx.
func (t *tx) ClaimNudge(p bot.PersonID, next time.Time) (bool, error) {
	x, err := t.rare()
	if err != nil {
		return false, err
	}
	n, err := x.do(`UPDATE person SET next_nudge = $2 WHERE id = $1 AND next_nudge <= $3`, string(p), millis(next), t.ms)
	return n == 1, wrap("claim a person's next nudge", err)
}

// FreeNudge implements bot.CampaignTx.
func (t *tx) FreeNudge(p bot.PersonID) error { return t.freeNudges([]string{string(p)}) }

// freeNudges frees people. Whoever asked to be reminded has a part that is due when
// they may be written to.
func (t *tx) freeNudges(people []string) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	_, err = x.do(`UPDATE person SET next_nudge = $2 WHERE id IN `+among+` AND next_nudge > $2
		AND NOT EXISTS (SELECT 1 FROM campaign_part c WHERE c.person = person.id AND c.state = 3 AND c.due >= person.next_nudge)`, array(people), t.ms)
	return wrap("free a person's next nudge", err)
}

// campaignWaits is what of a campaign nobody has claimed. Its first words are those
// of the index outbox_due.
const campaignWaits = `live = 1 AND owner = 0 AND lane = 3 AND state = 0 AND campaign = $1`

// CampaignMail implements bot.CampaignTx.
func (t *tx) CampaignMail(campaign string) (n int, err error) {
	err = t.c.(texter).ask(`SELECT count(*) FROM outbox WHERE `+campaignWaits, func(r row) { n = int(r.int(0)) }, campaign)
	return n, wrap("count a campaign's messages", err)
}

// RecallCampaign implements bot.CampaignTx. What may have been sent is not known to
// be taken back.
func (t *tx) RecallCampaign(campaign string) (int, error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	var ids, people []string // rows that were not sent, and whom they were for
	untold := func(r row) { people = append(people, r.text(0)) }
	err = x.ask(`UPDATE outbox SET message = NULL, live = 0, owner = -1, error = 'recalled', state = CASE WHEN doubt > 0 THEN 4 ELSE 3 END WHERE `+campaignWaits+` RETURNING id, doubt`,
		func(r row) {
			if r.int(1) == 0 {
				ids = append(ids, fmt.Sprint(r.int(0)))
			}
		}, campaign)
	for page := range slices.Chunk(ids, 500) {
		if err != nil {
			break
		}
		err = x.ask(`UPDATE campaign_part SET state = 0, due = 0, row_id = 0, reminders = reminders - 1, revision = revision + 1 WHERE campaign = $2 AND state = 1
			AND row_id IN (SELECT CAST(value AS BIGINT) FROM /*sqlite json_each($1)*/ /*postgres json_array_elements_text(CAST($1 AS json)) ids(value)*/) RETURNING person`,
			untold, array(page), campaign)
	}
	if err != nil {
		return 0, wrap("take back a campaign's messages", err)
	}
	// A mail that nobody has begun to send. Its job is of the kind of campaign.Mail.
	chats := len(people)
	err = x.ask(`UPDATE campaign_part SET state = 0, due = 0, reminders = reminders - 1, revision = revision + 1 WHERE campaign = $1 AND state = 1 AND row_id = 0 AND why = '' RETURNING person`,
		untold, campaign)
	mails := len(people) - chats
	if err == nil && mails > 0 {
		_, err = x.do(`DELETE FROM river_job WHERE kind = 'campaign_mail' AND state IN ('available', 'scheduled', 'retryable', 'pending')
			AND /*sqlite json_extract(args, '$.campaign')*/ /*postgres args->>'campaign'*/ = $1`, campaign)
	}
	if err != nil {
		return 0, wrap("take back a campaign's mails", err)
	}
	for page := range slices.Chunk(people, 500) {
		if err := t.freeNudges(page); err != nil {
			return 0, err
		}
	}
	return len(ids) + mails, nil
}

// pauseCampaigns has those of a restored copy wait: it does not know what was sent
// since. Of messages and mails that were dropped nobody knows whether they went out.
func (t *tx) pauseCampaigns() (int, error) {
	if _, err := t.c.(texter).do(`UPDATE campaign_part SET state = 8, why = 'unknown', due = 0, row_id = 0, revision = revision + 1
		WHERE state = 1 AND (row_id = 0 OR row_id IN (SELECT id FROM outbox WHERE error = 'restored'))`); err != nil {
		return 0, wrap("note what was dropped of campaigns", err)
	}
	cs, err := t.campaigns(`WHERE state IN (1, 2) AND (id <> $1 OR EXISTS (SELECT 1 FROM campaign_part c WHERE c.campaign = campaign.id AND c.due <> 0))
		ORDER BY id /*postgres FOR UPDATE*/`, bot.CampaignLater)
	for i := range cs {
		if err != nil {
			break
		}
		cs[i].State, cs[i].Why = bot.CampaignPaused, bot.CampaignRestored
		err = t.PutCampaign(&cs[i])
	}
	return len(cs), err
}
