// Package adaptertest holds what every chat adapter must do, as tests: Run. It
// also has what the tests of several adapters share. Their counterparties are
// in package rigs below it.
//
// It is in charge of the contract, of the house that an adapter stands before
// in a test (House), and of fakes of what an adapter is given. Only tests
// import it, and it knows no adapter.
//
// # The contract
//
// The tables takesIn (in.go), givesOut (out.go) and reaches (reach.go: people who
// never wrote, rooms, edits) are the contract, one sentence to a line, and each
// sentence is a subtest:
//
//	go test ./adapters/web -run 'TestContract$' -v
//
// Every sentence can fail: contract_test.go breaks one promise after the other
// in an adapter of its own and wants it noticed.
//
// # How to write a harness
//
// A Harness is one platform as the suite sees it: not the adapter, but what is
// on the other side of it. Use the platform's real or documented counterparty
// (an emulator, a browser, a pipe), never the adapter's own functions, or the
// suite only shows that the adapter agrees with itself. toy_test.go is a
// complete one, of a platform that lacks nothing.
//
//  1. Platform. Open makes an account with nobody in it; Connect makes the
//     adapter as the command does. The suite calls Run, with the House as the
//     inbox, and Connect again after each restart, so an account keeps its people.
//
//  2. Person. Act as the platform's own program does: Press only what is there
//     to press, Say fails when the platform refuses the text. Deliver again and
//     again until it is acknowledged, if the platform does. Sees is what the
//     person has before them now: undo the platform's escapes in Text, and put
//     into Active whatever the platform would make of the text by itself. Screen
//     has more, to find what must not be there: addresses, file names, what can be
//     seen while it is typed.
//
//  3. Mangle. Ten thousand inputs that the platform would never send: cut,
//     swapped types, wrong and missing signatures, nested too deep, not UTF-8,
//     too large. Put word where values go; no log may repeat it. Say of each
//     how many events must come of it, nearly always none.
//
//  4. Wire, Forger, Renamer, Faulty, Forgetful, Staller, Directory, RoomKeeper, as
//     far as the platform can do what they are for. Sign at delivery. A Forger
//     needs every way in which a packet may be false: no signature, an old one,
//     changed afterwards, the attacker in the victim's name.
//
//  5. Lacks. What the platform cannot do, each with a reason that an operator
//     would accept. It is tried all the same and must fail, so that nobody keeps
//     an excuse that is no longer one.
//
// Then one test:
//
//	func TestContract(t *testing.T) {
//		t.Parallel()
//		adaptertest.Run(t, adaptertest.Harness{Name: "slack", Open: openWorkspace, Lacks: map[adaptertest.Ability]string{
//			adaptertest.Forms: "nothing private is typed into a modal, which shows it: a button leads to a one-time page",
//		}})
//	}
//
// Failures is beside the contract: a table of what the platform may answer, each
// line run through the real outbox for an hour of simulated time, with what the
// person and the operator see of it then.
//
// A platform with two ways in (events and sockets, with and without a script) has
// two harnesses and passes twice. The suite's texts fit into 600 runes, its labels
// into 30, and 5 choices. Waiting is by Person.Sees and House; nothing is timed.
// Many checks run at once, each with a Platform of its own.
package adaptertest
