package understand

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"latchkey/bot/typed"
)

// A Sense is one thing that people may mean, with phrases in which they said it,
// of all languages.
type Sense struct {
	ID      string
	Phrases []string
}

// An Index finds the sense that a line has, by phrases: by the phrases that are
// nearest to it (cosine), and by what tells each sense's phrases from those of all
// others (a linear model). It never changes after New and is safe for concurrent
// use.
type Index struct {
	senses []string            // ids
	of     []int32             // sense, by phrase
	ids    [2]map[string]int32 // of runs of letters, of words
	idf    []float32
	rows   [][]entry // by feature: which phrases have it
	model  []float32 // by feature, by sense
}

type entry struct {
	phrase int32
	weight float32
}

// A Hit is a sense and how sure it is, from 0 to 1.
type Hit struct {
	Sense string
	Score float64
}

const (
	charShare   = 0.6 // of letters in what makes two lines alike; the rest is of words
	secondShare = 0.5 // how much the second nearest phrase of a sense counts
	unknown     = 17  // how much a feature that no phrase has makes a line different
	epochs      = 8   // how often the model sees each phrase
	firstStep   = 4.0 // how far it is moved at first
	stepDecay   = 0.8
)

// New makes the index of some senses: for two thousand phrases in a tenth of a
// second.
func New(senses []Sense) *Index {
	x := &Index{ids: [2]map[string]int32{{}, {}}}
	var texts []string
	for i, s := range senses {
		x.senses = append(x.senses, s.ID)
		for _, p := range s.Phrases {
			texts = append(texts, normal(p))
			x.of = append(x.of, int32(i))
		}
	}
	x.learn(texts)
	return x
}

func (x *Index) learn(texts []string) {
	for _, text := range texts {
		for kind := range x.ids {
			v, _ := x.count(kind, text, true)
			for _, f := range v {
				x.idf[f.id]++ // in how many phrases, for now
			}
		}
	}
	for id, n := range x.idf {
		x.idf[id] = float32(math.Log(float64(len(texts)+1) / float64(n+0.5)))
	}
	x.rows = make([][]entry, len(x.idf))
	vectors := make([][]feature, len(texts))
	for i, text := range texts {
		vectors[i] = x.vector(text)
		for _, f := range vectors[i] {
			x.rows[f.id] = append(x.rows[f.id], entry{int32(i), f.weight})
		}
	}
	x.model = make([]float32, len(x.idf)*len(x.senses))
	if len(texts) == 0 {
		return
	}
	step, p := float32(firstStep), make([]float32, len(x.senses))
	for range epochs {
		for j := range vectors {
			i := j * stride % len(vectors)
			x.likely(vectors[i], p)
			p[x.of[i]]--
			for _, f := range vectors[i] {
				row, w := x.row(f.id), f.weight*step
				for c := range row {
					row[c] -= w * p[c]
				}
			}
		}
		step *= stepDecay
	}
}

// stride is a prime larger than any number of phrases that divides none: so each
// is seen once, and those of one sense not one after the other.
const stride = 7919

// row is what the model knows of a feature, by sense.
func (x *Index) row(id int32) []float32 {
	n := len(x.senses)
	return x.model[int(id)*n : int(id)*n+n]
}

// likely fills p with how likely each sense is, by the model.
func (x *Index) likely(v []feature, p []float32) {
	clear(p)
	for _, f := range v {
		for c, w := range x.row(f.id) {
			p[c] += f.weight * w
		}
	}
	most, sum := slices.Max(p), float32(0)
	for c := range p {
		p[c] = float32(math.Exp(float64(p[c] - most)))
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
}

// A feature of a text, and its weight.
type feature struct {
	id     int32
	weight float32
}

// vector is a text as its features. Their order is that of the text, since sums of
// floats depend on it and a line has one meaning.
func (x *Index) vector(text string) []feature {
	var all []feature
	for kind, share := range [2]float64{charShare, 1 - charShare} {
		v, strange := x.count(kind, text, false)
		norm := float64(strange) * unknown
		for i, f := range v {
			w := (1 + math.Log(float64(f.weight))) * float64(x.idf[f.id])
			v[i].weight = float32(w)
			norm += w * w
		}
		for _, f := range v {
			all = append(all, feature{f.id, f.weight * float32(math.Sqrt(share/norm))})
		}
	}
	return all
}

// count lists the features of one kind that a text has, with how often each one
// occurs, and says how many others there are, which no phrase has. learn makes
// these known.
func (x *Index) count(kind int, text string, learn bool) (v []feature, strange int) {
	at := make(map[int32]int, len(text))
	each := charFeatures
	if kind == 1 {
		each = wordFeatures
	}
	each(text, func(f string) {
		id, ok := x.ids[kind][f]
		if !ok {
			if !learn {
				strange++
				return
			}
			id = int32(len(x.idf))
			x.ids[kind][f] = id
			x.idf = append(x.idf, 0)
		}
		if i, seen := at[id]; seen {
			v[i].weight++
			return
		}
		at[id] = len(v)
		v = append(v, feature{id, 1})
	})
	return v, strange
}

// Nearest lists the senses, the most sure one first. Text that shares no feature
// with any phrase has none.
func (x *Index) Nearest(text string) []Hit {
	v := x.vector(normal(text))
	if len(v) == 0 || len(x.senses) == 0 {
		return nil
	}
	near := make([]float32, len(x.of))
	for _, f := range v {
		for _, e := range x.rows[f.id] {
			near[e.phrase] += f.weight * e.weight
		}
	}
	first, second := make([]float32, len(x.senses)), make([]float32, len(x.senses))
	for p, s := range near {
		switch of := x.of[p]; {
		case s > first[of]:
			first[of], second[of] = s, first[of]
		case s > second[of]:
			second[of] = s
		}
	}
	hits, likely := make([]Hit, len(x.senses)), make([]float32, len(x.senses))
	x.likely(v, likely)
	for c, p := range likely {
		hits[c] = Hit{x.senses[c], float64(p+(first[c]+secondShare*second[c])/(1+secondShare)) / 2}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) })
	return hits
}

// Knows reports whether any word of a text occurs in a phrase.
func (x *Index) Knows(text string) bool {
	return slices.ContainsFunc(strings.Fields(normal(text)), func(w string) bool {
		_, ok := x.ids[1][w]
		return ok && len(w) > 1
	})
}

// charFeatures gives the runs of two to five letters in each word, with its edges.
func charFeatures(text string, f func(string)) {
	text = " " + text + " "
	for size := 2; size <= 5; size++ {
		for i := 0; i+size <= len(text); i++ {
			f(text[i : i+size])
		}
	}
}

// wordFeatures gives the words, and the pairs of neighbours, edges among them.
func wordFeatures(text string, f func(string)) {
	last := "^"
	for w := range strings.SplitSeq(text, " ") {
		f(w)
		f(last + " " + w)
		last = w
	}
	f(last + " $")
}

// short are spellings of chats, and what they stand for.
var short = map[string]string{
	"u": "you", "ur": "your", "r": "are", "pls": "please", "plz": "please", "plis": "please", "ya'll": "you all", "n": "and", "w": "with", "txt": "text", "msg": "message",
	"thru": "through", "rn": "right now", "idk": "i dont know", "wanna": "want to", "gonna": "going to", "gotta": "have to", "gimme": "give me", "lemme": "let me",
	"cuz": "because", "bc": "because", "acct": "account", "pw": "password", "pwd": "password", "passwrd": "password", "pic": "picture", "ph": "phone", "num": "number", "yea": "yes", "yeah": "yes", "yep": "yes", "yup": "yes", "cell": "phone", "cellphone": "phone", "mobile": "phone",
	"q": "que", "k": "que", "ke": "que", "xq": "por que", "pq": "por que", "porq": "por que", "porque": "por que", "x": "por", "xfa": "por favor", "porfa": "por favor", "porfavor": "por favor", "tmb": "tambien", "tb": "tambien", "d": "de", "toy": "estoy", "ta": "esta", "pa": "para",
	"cel": "celular", "celu": "celular", "fono": "telefono", "tel": "telefono", "movil": "celular", "clave": "contrasena", "compu": "computadora", "sms": "text",
}

// maxNormal is how much of a text is compared, in bytes: phrases are short.
const maxNormal = 240

// normal is a text as it is compared: folded, short spellings written out, runs of
// one letter at most two long.
func normal(text string) string {
	text = typed.Fold(text)
	if len(text) > maxNormal {
		text = text[:maxNormal]
	}
	words := strings.Fields(text)
	for i, w := range words {
		if long, ok := short[w]; ok {
			words[i] = long
			continue
		}
		words[i] = squeeze(w)
	}
	return strings.Join(words, " ")
}

// squeeze shortens runs of three and more of one letter to two: "helpppp".
func squeeze(w string) string {
	for i := 2; i < len(w); i++ {
		if w[i] == w[i-1] && w[i] == w[i-2] && w[i] > '9' {
			b := []byte(w[:i])
			for ; i < len(w); i++ {
				if n := len(b); w[i] != b[n-1] || w[i] != b[n-2] {
					b = append(b, w[i])
				}
			}
			return string(b)
		}
	}
	return w
}
