// Package library holds the shipped scripts, their languages and pictures.
// Scripts are data; see package flows for what they may say.
package library

import "embed"

// FS holds *.yaml (one flow each), system/*.yaml (the words that work at every
// step), lang/*.yaml (one language each), senses/*.txt (what people write, by what
// they mean) and pictures/*.svg.
//
//go:embed *.yaml system/*.yaml lang/*.yaml senses/*.txt pictures
var FS embed.FS
