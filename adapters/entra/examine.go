package entra

import (
	"context"

	"latchkey/bot"
)

// Examine implements bot.Examiner.
func (c *Client) Examine(ctx context.Context) []bot.Finding { return nil }
