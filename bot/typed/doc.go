// Package typed is in charge of reading what people type: commands, answers,
// codes, phone numbers, mail addresses and user names. Every other package
// compares and searches typed text by what stands here, so that a phone's curly
// quotes, a pasted no-break space or an emoji behind a word mean the same
// everywhere. It knows text only: whether a number exists or a code is right is
// decided elsewhere.
//
//   - Plain is text without what nobody meant to type; it still reads the same.
//   - Fold is what two spellings of the same words have in common.
//   - Digits6, Base32, Numbers, Addresses and Login find a value in a text, which
//     may be a whole sentence or be dictated word by word.
//   - AsksSecret finds what no line of an agent and no text of a campaign asks for, Links
//     what no text of a campaign names.
package typed
