package teams

// Unpaced lets an adapter send as fast as a test does.
func Unpaced(a *Adapter) *Adapter { a.pace.off = true; return a }

// Paced makes it keep the rates again.
func Paced(a *Adapter) { a.pace.off = false }
