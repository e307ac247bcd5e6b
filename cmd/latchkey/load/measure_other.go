//go:build !unix

package load

// cpu is not known on this system.
func cpu() float64 { return 0 }
