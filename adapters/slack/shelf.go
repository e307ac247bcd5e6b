package slack

import (
	"context"
	"crypto/sha256"
	"sync"

	"latchkey/bot"
)

// shelf remembers which pictures of the scripts Slack has already: they are no
// secret, are the same for everybody, and stay there. It also remembers QR
// pictures of which nobody knows whether they were shown: the next attempt shows
// the same file, so that none is left behind.
type shelf struct {
	mu    sync.Mutex
	m     map[string]drawing // by name
	loose map[string]string  // file by the mark of its delivery
}

// lay puts a file aside for the next attempt of a delivery.
func (s *shelf) lay(mark, file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loose == nil || len(s.loose) >= maxShelf {
		s.loose = map[string]string{}
	}
	s.loose[mark] = file
}

// pick takes it again.
func (s *shelf) pick(mark string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	file := s.loose[mark]
	delete(s.loose, mark)
	return file
}

type drawing struct {
	sum  [sha256.Size]byte
	file string
}

// maxShelf bounds the pictures that are remembered.
const maxShelf = 500

func (s *shelf) get(name string, sum [sha256.Size]byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.m[name]; d.sum == sum {
		return d.file
	}
	return ""
}

func (s *shelf) put(name string, d drawing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil || len(s.m) >= maxShelf {
		s.m = map[string]drawing{}
	}
	s.m[name] = d
}

func (s *shelf) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, name)
}

// drawing is Slack's id of a picture of the scripts, uploaded when Slack does
// not have it. Without one, the picture is told in words.
func (a *Adapter) drawing(ctx context.Context, p *bot.Picture) string {
	if a.o.Picture == nil {
		return ""
	}
	png, ok := a.o.Picture(p.Name)
	if !ok || len(png) == 0 {
		return ""
	}
	sum := sha256.Sum256(png)
	if file := a.shelf.get(p.Name, sum); file != "" {
		return file
	}
	file, _, err := a.uploadPNG(ctx, png, bot.Harmless(p.Alt))
	if err != nil {
		a.o.Log.Info("slack: a picture is told in words", "picture", p.Name, "err", err)
		return ""
	}
	a.shelf.put(p.Name, drawing{sum, file})
	return file
}
