package load

import (
	"context"
	"os"
	"testing"
)

func TestRun(t *testing.T) {
	users := 20
	seed := 100
	if os.Getenv("BIG") != "" {
		users, seed = 5000, 100000
	}
	r, err := Run(context.Background(), Options{DSN: dsn(t), Users: users, Conc: 50, Warm: 5, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
}

func dsn(t *testing.T) string {
	if d := os.Getenv("DSN"); d != "" {
		return d
	}
	return t.TempDir() + "/l.db"
}
