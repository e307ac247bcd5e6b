// Package understand is in charge of what a sentence means: whether somebody asks
// for a person or wants to stop, whatever else stands in the line, and which of a
// list of senses it is nearest to. It knows English and Spanish, and both are
// always looked for, since people mix them.
//
//   - Commanded finds the wish for a person, and the wish to stop, by patterns.
//   - Index finds the sense of a line by phrases in which people said it.
//
// It is pure: no clock, no network, no state, no import of the program but typed;
// the same line has the same meaning on every platform and database. What is done
// about a meaning is decided by the scripts. Values in a sentence are found by
// package typed.
package understand
