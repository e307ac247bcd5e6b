//go:build race

package turn_test

// raceDetector: pools forget on purpose under it, so allocations are not those
// of the program.
const raceDetector = true
