// Package teamstest is a double of what lies behind Teams: the Bot Framework's
// connector, its key server, the identity service that gives tokens, and people
// with a client that shows Adaptive Cards.
//
// It is in charge of being as strict as Teams is documented to be: a token must
// be one that it gave, a card must fit and must be one that a client can show.
// It must not know the adapter: what it shows is read from the JSON that came.
// Only tests import it. What it sends and takes is itself checked by Microsoft's
// packages, see judge_test.go beside the adapter.
package teamstest
