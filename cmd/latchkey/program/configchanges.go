package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// configSeen is the meta value that holds the configuration which the service
// ran with last, without secrets, as JSON: key to value.
const configSeen = "config.seen"

// RecordConfig writes a line for every key of the configuration that is not as
// it was when the service ran last, since a number of the policy is as good a
// way in as any command. Of the policy the line has the values, of other keys
// only the name. actor is who started the service, as the audit record has it.
func (p *Program) RecordConfig(ctx context.Context, actor string) error {
	now := map[string]string{}
	for _, k := range config.Keys() {
		v := k.Value(p.Config)
		if k.Kind == "path" && v != "" { // however the file was named when it was read
			if abs, err := filepath.Abs(v); err == nil {
				v = abs
			}
		}
		if v != "" {
			now[k.Path] = v
		}
	}
	last := map[string]string{}
	b, err := p.DB.Meta(ctx, configSeen)
	first := errors.Is(err, bot.ErrNotFound)
	if err == nil {
		err = json.Unmarshal(b, &last)
	}
	if err != nil && !first {
		return fmt.Errorf("configuration of the last start: %w", err)
	}
	if !first {
		if err := p.recordChanges(ctx, actor, last, now); err != nil {
			return err
		}
	}
	if maps.Equal(last, now) {
		return nil
	}
	if b, err = json.Marshal(now); err != nil {
		return err
	}
	return p.DB.SetMeta(ctx, configSeen, b)
}

func (p *Program) recordChanges(ctx context.Context, actor string, last, now map[string]string) error {
	both := maps.Clone(last)
	maps.Copy(both, now)
	var lines []bot.AuditEntry
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if last[key] == now[key] {
			continue
		}
		e := bot.AuditEntry{Actor: actor, Action: "config.changed", Subject: key}
		if strings.HasPrefix(key, "policy.") {
			e.Evidence = fmt.Sprintf("%s, before %s", now[key], last[key])
		}
		lines = append(lines, e)
	}
	if len(lines) == 0 {
		return nil
	}
	return p.DB.Update(ctx, func(tx bot.Tx) error {
		for _, e := range lines {
			if _, err := tx.Audit(e); err != nil {
				return err
			}
		}
		return nil
	})
}
