package csv

import "hash/maphash"

// seen remembers ids and the line that each stood in, as 64-bit hashes in 256
// tables that grow one at a time: about 20 bytes an id and no jump in memory.
// Two different ids of a million have the same hash once in 37 million files.
type seen struct {
	seed   maphash.Seed
	tables [256]table
}

type table struct {
	keys  []uint64 // 0 = free
	lines []uint32
	n     int
}

// add gives the line in which the id stood before, or notes this one and gives 0.
func (s *seen) add(id string, line int) int {
	if s.seed == (maphash.Seed{}) {
		s.seed = maphash.MakeSeed()
	}
	h := max(1, maphash.String(s.seed, id))
	return s.tables[h>>56].add(h, uint32(min(line, 1<<32-1)))
}

func (t *table) add(h uint64, line uint32) int {
	if t.n*8 >= len(t.keys)*7 {
		t.grow()
	}
	i := t.find(h)
	if t.keys[i] == h {
		return int(t.lines[i])
	}
	t.keys[i], t.lines[i] = h, line
	t.n++
	return 0
}

// find gives the slot of h, or the free one where it belongs.
func (t *table) find(h uint64) int {
	for i := int(h % uint64(len(t.keys))); ; i++ {
		if i == len(t.keys) {
			i = 0
		}
		if t.keys[i] == h || t.keys[i] == 0 {
			return i
		}
	}
}

func (t *table) grow() {
	old := *t
	size := max(16, len(old.keys)*3/2)
	*t = table{keys: make([]uint64, size), lines: make([]uint32, size), n: old.n}
	for i, h := range old.keys {
		if h != 0 {
			j := t.find(h)
			t.keys[j], t.lines[j] = h, old.lines[i]
		}
	}
}
