package understand

import (
	"reflect"
	"testing"
)

var some = []Sense{
	{"call", []string{"call me", "ring me instead", "i want a phone call", "llámeme", "por llamada"}},
	{"text", []string{"text me", "send a text message", "txt please", "por mensaje", "mándeme un mensaje"}},
	{"free", []string{"is it free", "what does it cost", "do i pay", "cuánto cuesta", "es gratis"}},
}

func TestNearest(t *testing.T) {
	x := New(some)
	for text, want := range map[string]string{
		"can you ring me": "call", "CALL me pls!!": "call", "a txt msg": "text", "sned a mesage": "text", "how much does it cost": "free", "cuanto me cuesta": "free", "mejor llamame": "call",
	} {
		if hits := x.Nearest(text); len(hits) == 0 || hits[0].Sense != want {
			t.Errorf("%q is %v, want %s", text, hits, want)
		}
	}
	if hits := x.Nearest("♥"); len(hits) > 0 && hits[0].Score > 0.3 {
		t.Errorf("a heart is %v", hits)
	}
	if !x.Knows("please pay") || x.Knows("xyzzy plugh") {
		t.Error("Knows knows nothing, or everything")
	}
}

// The same line has the same meaning, to the last digit, however often the index
// is made.
func TestSameMeaningEveryTime(t *testing.T) {
	first := New(some).Nearest("can you please text me or call")
	for range 5 {
		if again := New(some).Nearest("can you please text me or call"); !reflect.DeepEqual(first, again) {
			t.Fatalf("%v, then %v", first, again)
		}
	}
}

func TestNormal(t *testing.T) {
	for text, want := range map[string]string{"Helppppp!!": "helpp", "u r here": "you are here", "¿X q?": "por que", "1111": "1111"} {
		if got := normal(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
