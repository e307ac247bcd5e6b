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
// good rows, and Unsaid what each of them says nothing about; Report says
// afterwards what was wrong with the others, and Notices what is odd about the
// file. Files are UTF-8 with or without byte order mark, UTF-16 with one, or
// Windows-1252 (Mac Roman where lines end in CR), with commas, semicolons or tabs, quotes and line breaks in cells (RFC 4180), and lines
// that end in LF, CR LF or CR. A million rows take less than 32 MB, almost
// all of it to notice two rows with the same id. Whether a login or an address belongs
// to two people is for the store to say, which also knows those imported before.
//
// Exports of Entra ID, the Microsoft 365 admin centre, Google Workspace, Active
// Directory (Get-ADUser, csvde) and PowerSchool are read as they come: see
// testdata/exports. A workbook, a PDF or an archive is refused by its name.
//
// Whether an account is on: of all columns that say so (Enabled, Block
// credential, Status, userAccountControl, ...), one that says off is enough; an
// empty cell says nothing; a word that is not understood is a wrong row.
//
// Ids are kept as they are, but a GUID, which gets one spelling (lower case, no
// braces); a number that a spreadsheet rounded (1E+11) is refused. Addresses and logins are lower-cased and in Unicode
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
