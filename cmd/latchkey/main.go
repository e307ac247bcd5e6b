// Command latchkey is a chat-bot help desk that enrolls staff for self-service
// password reset.
//
// Here is only the way in. Package command has the commands, one file each, and
// what they print; package program puts configuration, store and adapters
// together and runs them; package config reads the configuration. Arrows go
// down only: command uses program, program uses config, and neither the other
// way round. None of them decides anything about conversations, codes or people.
package main

import "latchkey/cmd/latchkey/command"

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() { command.Main(version) }
