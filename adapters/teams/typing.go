package teams

import (
	"context"
	"time"
)

// expect shows the typing sign when nothing is said for a while; nobody misses it
// when that fails.
func (a *Adapter) expect(v *visit) {
	a.signs.Expect(string(v.conv), func() bool {
		return a.run.Do(5*time.Second, func(ctx context.Context) {
			if err := a.Typing(ctx, v.address); err != nil {
				a.o.Log.Debug("no typing sign", "err", err)
			}
		})
	}, nil)
}
