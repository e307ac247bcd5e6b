package pass

import (
	"context"
	"time"

	"latchkey/bot"
)

// NewLink implements bot.Passes. It voids no older link of the same message:
// each opens once, and the prompt's number says whether an answer still fits.
func (r *Service) NewLink(ctx context.Context, pg bot.Page) (token bot.Secret, expires time.Time, err error) {
	token = newToken()
	err = r.o.Store.Update(ctx, func(tx bot.Tx) error {
		p, err := begin(tx, bot.PassLink, token, pg.Conversation, r.o.Policy.LinkLife, func(p *bot.Pass) any {
			pg.Asked, pg.Expires = p.CreatedAt, time.Time{} // not open yet
			return &pg
		})
		if err == nil {
			expires = p.ExpiresAt
		}
		return err
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, expires, nil
}

// OpenLink implements bot.Passes. The link is spent and its page begun at
// once: whoever gets an error can open the link again, and of two who open it
// together one gets the page.
func (r *Service) OpenLink(ctx context.Context, token bot.Secret) (bot.Secret, *bot.Page, error) {
	page := newToken()
	var pg *bot.Page
	err := r.change(ctx, bot.PassLink, token, func(tx bot.Tx, link *bot.Pass) error {
		pg = &bot.Page{}
		if err := read(link, pg); err != nil {
			return err
		}
		if err := spend(tx, link); err != nil {
			return err
		}
		_, err := begin(tx, bot.PassPage, page, link.Conversation, r.o.Policy.PageLife, func(p *bot.Pass) any {
			pg.Expires = p.ExpiresAt
			return pg
		})
		return err
	})
	if err != nil {
		return "", nil, err
	}
	return page, pg, nil
}

// Page implements bot.Passes.
func (r *Service) Page(ctx context.Context, page bot.Secret) (*bot.Page, error) {
	p, _, err := r.look(ctx, bot.PassPage, page)
	if err != nil {
		return nil, err
	}
	pg := &bot.Page{}
	if err := read(p, pg); err != nil {
		return nil, err
	}
	return pg, nil
}

// SavePage implements bot.Passes. Expires stays as it was.
func (r *Service) SavePage(ctx context.Context, page bot.Secret, pg bot.Page) error {
	return r.change(ctx, bot.PassPage, page, func(tx bot.Tx, p *bot.Pass) error {
		pg.Expires, p.Conversation = p.ExpiresAt, pg.Conversation
		if err := fill(p, &pg); err != nil {
			return err
		}
		return put(tx, p)
	})
}

// ClosePage implements bot.Passes. From then on the page is used, not unknown:
// who sends it twice is told that it is done. No error when it was over.
func (r *Service) ClosePage(ctx context.Context, page bot.Secret) error {
	err := r.change(ctx, bot.PassPage, page, func(tx bot.Tx, p *bot.Pass) error { return spend(tx, p) })
	if refusal(err) {
		return nil
	}
	return err
}
