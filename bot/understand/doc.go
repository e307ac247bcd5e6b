// Package understand is in charge of what a sentence means: whether somebody
// asks for a person or wants to stop, whatever else stands in the line. It knows
// English and Spanish, and both are always looked for, since people mix them.
//
// It is pure: no clock, no network, no state; the same line has the same meaning
// on every platform and database. What is done about a meaning is decided by the
// scripts. Values in a sentence are found by package typed.
package understand
