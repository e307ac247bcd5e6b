//go:build !race

package campaign_test

const slow = 1
