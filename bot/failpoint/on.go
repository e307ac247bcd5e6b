//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// plan is what the environment asks for, read at the first hit. It is the only
// state of the package and exists in builds for tests only.
type plan struct {
	sync.Mutex
	read bool
	name string   // kill at this point
	left int      // hits until then; 0 = never
	log  *os.File // nil = no log
}

var current plan

// Hit notes that the named point is passed, and does not return when this is
// the hit at which the process is to die. It panics when the environment asks
// for something that it does not understand: a sweep that tests nothing must
// not pass.
func Hit(name string) {
	current.Lock()
	defer current.Unlock()
	if !current.read {
		current.load()
	}
	if current.log != nil {
		if _, err := current.log.WriteString(name + "\n"); err != nil {
			panic(fmt.Sprintf("failpoint: write the log: %v", err))
		}
	}
	if current.left > 0 && current.name == name {
		if current.left--; current.left == 0 {
			kill()
		}
	}
}

func (p *plan) load() {
	p.read = true
	if v := os.Getenv("LATCHKEY_FAILPOINT"); v != "" {
		name, count, ok := strings.Cut(v, ":")
		n, err := strconv.Atoi(count)
		if !ok || name == "" || err != nil || n < 1 {
			panic(fmt.Sprintf("failpoint: LATCHKEY_FAILPOINT=%q: write NAME:N with N at least 1, for example send.before:3", v))
		}
		p.name, p.left = name, n
	}
	if v := os.Getenv("LATCHKEY_FAILPOINT_LOG"); v != "" {
		f, err := os.OpenFile(v, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			panic(fmt.Sprintf("failpoint: open the log: %v", err))
		}
		p.log = f
	}
}

// kill ends this process as a power cut would: no deferred call, no flush.
func kill() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("failpoint: kill this process: %v", err))
	}
	select {} // the signal is on its way
}
