// Package csv reads and writes staff lists.
//
// It is in charge of the file: its encoding, its columns, what is wrong with a
// row, and how a list is written so that a spreadsheet runs nothing in it. It
// must not know the database or decide what becomes of a person: it yields
// bot.Person row by row, in bounded memory, and reports what it left out.
//
// # Reading
//
// Open reads the header and finds the columns by their names; People yields the
// good rows; Report says afterwards what was wrong with the others. Files are
// UTF-8 with or without byte order mark, or UTF-16 with one, with commas,
// semicolons or tabs, quotes and line breaks in cells (RFC 4180), and lines
// that end in LF, CR LF or CR. A million rows take less than 32 MB, almost
// all of it to notice two rows with the same id. Whether a login or an address belongs
// to two people is for the store to say, which also knows those imported before.
//
// Ids are kept as they are, addresses and logins are lower-cased and in Unicode
// normal form C, texts are trimmed and in form C, telephone numbers stay as
// written.
//
// # Formulas
//
// A cell that begins with = + - @ (or their full-width forms), a tab or a
// carriage return can run as a formula in a spreadsheet (OWASP ASVS 5.0,
// 1.2.10). Write puts an apostrophe before such a cell, and before one that
// already looks so guarded; Open takes exactly one off again. A cell without
// the apostrophe that begins like a formula is refused as an id, a login or an
// address; anywhere else it is text.
package csv
