// Package chat is the kit that chat adapters are made with: what is the same on
// every platform, so that an adapter is the platform's wire and rendering.
//
// It is in charge of options, of what is taken in, of what goes on while an adapter
// runs, of order, memory, rates and health, and of words. It must not know any
// platform, and keeps nothing that a restart may not lose.
//
// The zero value of each type but Base is ready; its exported fields are set before
// it is first used. All of them are safe for concurrent use.
package chat
