// Package chat is the kit that chat adapters are made with: what is the same on
// every platform, so that an adapter is the platform's wire and rendering.
//
// It is in charge of what is configured and done everywhere (Options, Base), of
// what is posted (Body) and taken in or kept for later (Base.Accept), of what goes
// on while an adapter runs (Runner), of each person's order (Queues), of what is
// remembered and may be forgotten (Recent, Seldom), of the sign that an answer
// takes time (Signs), of rates (Pace), of what is wrong (Troubles), and of words:
// languages, bounds, and why somebody cannot be written to. It must not know any
// platform, and keeps nothing that a restart may not lose.
//
// The zero value of each type but Base is ready; its exported fields are set before
// it is first used. All of them are safe for concurrent use.
package chat
