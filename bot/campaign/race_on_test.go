//go:build race

package campaign_test

// slow is by how much fewer people the simulation has under the race detector.
const slow = 10
