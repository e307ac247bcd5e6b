package program

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/directory"
	"latchkey/bot/enroll"
	"latchkey/bot/readiness"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/config"
	"latchkey/flows"
	"latchkey/flows/library"
)

// LoadScripts reads the shipped scripts with the operator's own over them.
func LoadScripts(cfg *config.Config, log *slog.Logger) (*flows.Set, error) {
	own, err := OwnScripts(cfg)
	if err != nil {
		return nil, err
	}
	set, err := flows.Load(library.FS, own, LintCatalogue(cfg))
	if err != nil {
		return nil, err
	}
	for _, w := range set.Warnings {
		log.Warn("script", "problem", w.String())
	}
	return set, nil
}

// OwnScripts is the operator's folder, or nil.
func OwnScripts(cfg *config.Config) (fs.FS, error) {
	if cfg.Scripts == "" {
		return nil, nil
	}
	if st, err := os.Stat(cfg.Scripts); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s: scripts.dir: %s is not a folder; make it, or remove the key", cfg.File, cfg.Scripts)
	}
	return os.DirFS(cfg.Scripts), nil
}

// LintCatalogue is what scripts may name, without anything behind it.
func LintCatalogue(cfg *config.Config) bot.Catalogue {
	return catalogue(cfg, new(enroll.Service), new(verify.Service), desk.New(desk.Options{}), campaign.New(campaign.Options{}), new(directory.Service), new(readiness.Service))
}

// A service declares what scripts may name.
type service interface {
	Specs() []bot.CheckSpec
	Forms() []bot.FormSpec
}

// catalogue collects what scripts may name: the checks and forms of the services,
// and the facts of the organisation.
func catalogue(cfg *config.Config, services ...service) bot.Catalogue {
	cat := bot.Catalogue{Checks: map[string]bot.CheckSpec{}, Forms: map[string]bot.FormSpec{}, Facts: Facts(cfg)}
	for _, r := range services {
		for _, s := range r.Specs() {
			cat.Checks[s.Name] = s
		}
		for _, f := range r.Forms() {
			cat.Forms[f.Name] = f
		}
	}
	return cat
}
