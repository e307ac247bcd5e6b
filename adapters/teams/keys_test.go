package teams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/adapters/chat"
)

// A keyServer is Microsoft's, in memory.
type keyServer struct {
	mu   sync.Mutex
	ids  []string // of its keys
	down bool
	asks []time.Duration // when it was asked, since began
	from time.Time
}

// change changes it, or what is looked at beside it, while it may be asked.
func (s *keyServer) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// asked tells when it was asked.
func (s *keyServer) asked() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asks)
}

// RoundTrip implements http.RoundTripper.
func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	if r.URL.Path == "/metadata" {
		s.asks = append(s.asks, time.Since(s.from))
		if s.down {
			return answer(http.StatusServiceUnavailable, "")
		}
		return answer(http.StatusOK, `{"jwks_uri":"https://keys.example/keys"}`)
	}
	var set []string
	for _, id := range s.ids {
		set = append(set, strings.Replace(rsaKey, `"kid":"a"`, `"kid":"`+id+`"`, 1))
	}
	return answer(http.StatusOK, `{"keys":[`+strings.Join(set, ",")+`]}`)
}

func (s *keyServer) keys() *keys {
	s.from = time.Now()
	return newKeys(&Options{KeysURL: "https://keys.example/metadata", Options: chat.Options{Now: time.Now}}, &http.Client{Transport: s})
}

// TestKeysAreTriedAgain: a look at the key server that failed is repeated after
// 1, 2 and 5 seconds, a caller who comes meanwhile waits for that, and once
// there are keys a day passes before the next look.
func TestKeysAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{ids: []string{"a"}, down: true}
		k := s.keys()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var told []error
		go k.keep(ctx, func(err error) { s.change(func() { told = append(told, err) }) })
		health := func() (all []error) {
			s.change(func() { all = slices.Clone(told) })
			return all
		}
		time.Sleep(2500 * time.Millisecond)
		s.change(func() { s.down = false })
		if _, ok, err := k.find(t.Context(), "a"); !ok || err != nil {
			t.Errorf("a caller while the server comes back: %t, %v", ok, err)
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if want := "[0s 1s 3s 24h0m3s]"; fmt.Sprint(s.asked()) != want {
			t.Errorf("asked at %v, want %s", s.asked(), want)
		}
		if told := health(); len(told) != 4 || told[0] == nil || told[1] == nil || told[2] != nil || told[3] != nil {
			t.Errorf("health was told %v", told)
		}
		s.change(func() { s.down = true })
		time.Sleep(24 * time.Hour)
		if _, ok, err := k.find(t.Context(), "a"); !ok || err != nil {
			t.Errorf("a key that is there, while the server is away: %t, %v", ok, err)
		}
		if told := health(); told[len(told)-1] != nil {
			t.Errorf("health while there are keys: %v", told[len(told)-1])
		}
		time.Sleep(5 * 24 * time.Hour)
		if _, ok, err := k.find(t.Context(), "a"); ok || !errors.Is(err, errKeys) {
			t.Errorf("a key of six days ago: %t, %v", ok, err)
		}
		stop()
		synctest.Wait()
	})
}

// TestUnknownKeys: a rotated key is found by the first token that names it;
// forged tokens make the server be asked three times, and then six times a
// minute, however many they are.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{ids: []string{"a"}}
		k := s.keys()
		if _, ok, err := k.find(t.Context(), "a"); !ok || err != nil {
			t.Fatalf("the first caller: %t, %v", ok, err)
		}
		s.change(func() { s.ids = []string{"b"} })
		if _, ok, err := k.find(t.Context(), "b"); !ok || err != nil {
			t.Errorf("a rotated key: %t, %v", ok, err)
		}
		for i := range 6000 {
			if _, ok, err := k.find(t.Context(), fmt.Sprint("forged", i)); ok || err != nil {
				t.Fatalf("a forged key: %t, %v", ok, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if len(s.asked()) > 1+3+6 {
			t.Errorf("asked %d times for forged keys in a minute: %v", len(s.asked()), s.asked())
		}
		s.change(func() { s.ids = []string{"c"} })
		time.Sleep(unknownEvery)
		if _, ok, err := k.find(t.Context(), "c"); !ok || err != nil {
			t.Errorf("a rotated key after the forged ones: %t, %v", ok, err)
		}
		s.change(func() { s.down = true })
		time.Sleep(unknownEvery)
		if _, ok, err := k.find(t.Context(), "d"); ok || !errors.Is(err, errKeys) {
			t.Errorf("an unknown key while the server is away: %t, %v; nobody knows whether it is forged", ok, err)
		}
	})
}
