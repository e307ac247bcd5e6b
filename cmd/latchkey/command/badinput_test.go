package command

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/csv"
	"latchkey/adapters/localdir"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/policy"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store"
)

// A slip is one thing that people get wrong, with what they then read, word
// for word. After it the next right input works: nothing is lost.
type slip struct {
	surface string
	lang    string // "es" for Spanish
	at      string // the step, see counter.reach
	input   string // what is typed; in <brackets>: what is done
	do      func(*counter)
	says    string // the whole first paragraph of the answer, "" for silence; {…} stands for what the row cannot know
	tries   string // where tries are counted: "kept" or "one used"
	then    func(*counter)
}

const (
	notUnderstood = "I did not understand that."
	codeFormat    = "The code has six digits, for example 123456. This did not count as a try."
	totpFormat    = "I need the six digits that the app shows, for example 123456. This did not count as a try."
	phoneFormat   = "That is not a phone number. Type the digits with the area code, for example (201) 555-0123."
	phoneBad      = "That is not a phone number that exists. Please check the digits; an example is (201) 555-0123."
	phoneShort    = "That is too short for a phone number. Please add the area code, for example (201) 555-0123."
	phonePremium  = "That number costs extra, and I do not send codes to such numbers. Please type an ordinary one."
	mailFormat    = "An e-mail address has an @ in the middle, for example ada@example.net."
	mailBad       = "That is not an e-mail address that mail can be sent to. An example is ada@example.net."
	severalMails  = "I see more than one address there. Please type only the one that should get the code."
	loginFormat   = "A user name is one word without spaces, for example \"jdoe\"."
	onlyText      = "I can only read text. Pictures, files and voice messages do not reach me."
	tooLong       = "That is longer than I can read (4,000 characters at most). Please send a shorter message."
	wrongSignIn   = "The user name and the password do not match. Please check both and try again. Tries before a pause: 2."
	codeGood      = "Your phone {masked} is set up."
	outage        = "canary-outage" // the password at which the test's directory fails
	staleButton   = "That button belonged to an earlier step. Here is where we are."
)

// slips is the table.
func slips() []slip {
	wrongAnswer := func(says string, answers ...string) slip {
		return slip{surface: "Answers", at: "answers", input: strings.Join(answers, " / "), says: says, do: func(c *counter) { c.answer(answers...) },
			then: func(c *counter) {
				c.Submit("answer_again", "again", "Maple Harbor 9").Expect("Your security questions are set up.")
			}}
	}
	first := "What was the first concert that you went to?"
	return []slip{
		{surface: "Free text", at: "via", input: "", says: onlyText},
		{surface: "Free text", at: "via", input: " \n\t ", says: onlyText},
		{surface: "Free text", at: "via", input: "<a picture, a file, a voice message>", do: func(c *counter) { c.Say("") }, says: onlyText},
		{surface: "Free text", at: "via", input: "🙂", says: "Good. Go on here whenever you are ready."},
		{surface: "Free text", at: "via", input: "\x00\x01\x1b[2J", says: notUnderstood},
		{surface: "Free text", at: "via", input: "z̸̢̛a̷͎͠l̴̨͝g̵̙̈o̷̺͐", says: notUnderstood},
		{surface: "Free text", at: "via", input: "\u202eevil\u2066", says: notUnderstood},
		{surface: "Free text", at: "via", input: "je ne comprends pas", says: notUnderstood},
		{surface: "Free text", at: "via", input: "99", says: notUnderstood},
		{surface: "Free text", at: "via", input: "<the second time in a row>", do: func(c *counter) { c.Say("hmpf").Say("hmpf") }, says: "Let me put it another way. You can press a button, or type its number or its words."},
		{surface: "Free text", at: "via", input: "<the third time in a row>", do: func(c *counter) { c.Say("hmpf").Say("hmpf").Say("hmpf") }, says: "I am sorry, I still do not understand. Write \"human\" and a colleague will help you, or \"help\" to see what I understand."},
		{surface: "Free text", at: "via", input: "<100,000 characters>", do: func(c *counter) { c.Say(strings.Repeat("a ", 50000)) }, says: tooLong},
		{surface: "Free text", at: "via", input: "<201 messages within seconds>", do: flood, says: "You write faster than I can read. Please wait ten seconds; I have not read anything after this.", then: func(*counter) {}},
		{surface: "Free text", at: "intro", input: "skip", says: "This step cannot be skipped. \"later\" keeps your place, and \"human\" reaches a person."},
		{surface: "Free text", at: "welcome", input: "back", says: "This is the first step. There is nothing before it."},
		{surface: "Free text", at: "via", input: "resend", says: "There is nothing to send again in this step."},
		{surface: "Free text", lang: "es", at: "via", input: "🙂", says: "Bien. Siga aquí cuando quiera."},
		{surface: "Free text", lang: "es", at: "via", input: "<100,000 characters>", do: func(c *counter) { c.Say(strings.Repeat("a ", 50000)) }, says: "Ese mensaje es más largo de lo que puedo leer (4000 caracteres como máximo). Por favor, envíe uno más corto."},

		{surface: "Sign-in", at: "username", input: "ada okafor smith", says: loginFormat},
		{surface: "Sign-in", at: "username", input: "my user name is ada", says: "Is \"ada\" your user name?", then: func(c *counter) {
			c.Press("no").Say(c.user)
			c.signIn()
		}},
		{surface: "Sign-in", at: "username", input: "ada@elsewhere.example", says: "I can only help with accounts of Riverbend Schools, which end in @riverbend.example. \"elsewhere.example\" is another organisation."},
		{surface: "Sign-in", at: "username", input: "@", says: "That does not look like a user name. It is one word, for example \"jdoe\" or \"jdoe@riverbend.example\"."},
		{surface: "Sign-in", at: "password", input: "open-sesame-2468", says: "Please do not type a password into the chat. I have not kept what you wrote. If it was your password, delete the message and change the password. Use the private form instead."},
		{surface: "Sign-in", at: "password", input: "<a wrong password>", do: func(c *counter) { c.Submit("sign_in", "password", "wrong-horse") }, says: wrongSignIn, tries: "one used"},
		{surface: "Sign-in", at: "username", input: "<an unknown user name>", do: func(c *counter) { c.Say("nobody").Submit("sign_in", "password", "wrong-horse") }, says: wrongSignIn, then: func(c *counter) {
			c.Press("other").Say(c.user)
			c.signIn()
		}},
		{surface: "Sign-in", at: "password", input: "<an empty password>", do: func(c *counter) { c.Submit("sign_in", "password", "") }, says: "The private form was closed without an answer. Nothing was changed.", tries: "kept"},
		{surface: "Sign-in", at: "password", input: "<the form is closed>", do: func(c *counter) { c.Submit("sign_in") }, says: "The private form was closed without an answer. Nothing was changed.", tries: "kept"},
		{surface: "Sign-in", at: "password", input: "<a password of 5,000 characters>", do: func(c *counter) { c.Submit("sign_in", "password", strings.Repeat("p", 5000)) }, says: tooLong, tries: "kept"},
		{surface: "Sign-in", at: "password", input: "<the directory does not answer>", do: func(c *counter) { c.Submit("sign_in", "password", outage) }, says: "I cannot reach the sign-in right now. Nothing was changed. Please try again in a moment.", tries: "kept"},
		{surface: "Sign-in", at: "password", input: "<three wrong passwords>", do: func(c *counter) {
			for range 3 {
				c.Submit("sign_in", "password", "wrong-horse").Last()
			}
		}, says: "The password for \"{user}\" was wrong too many times. To keep others out, I take the next try in 30 seconds, at {until}. Your account itself is not locked.", then: func(c *counter) {
			c.Press("again").Expect("I take the next try in")
			c.d.later(31 * time.Second)
			c.Press("again")
			c.signIn()
		}},
		{surface: "Sign-in", at: "username", input: "<a disabled account>", do: func(c *counter) { c.Say("off").Submit("sign_in", "password", string(localdir.DemoPassword)) }, says: "I cannot set anything up for this account at the moment. Please ask the help desk: (555) 010-0199, Monday to Friday, 7:30 to 16:30.", then: func(c *counter) {
			c.Say("hi").Press("start").Say(c.user)
			c.signIn()
		}},
		{surface: "Sign-in", lang: "es", at: "password", input: "<a wrong password>", do: func(c *counter) { c.Submit("sign_in", "password", "wrong-horse") }, says: "El nombre de usuario y la contraseña no coinciden. Revise los dos e intente de nuevo, por favor. Intentos antes de una pausa: 2.", tries: "one used"},

		{surface: "Texted code", at: "code", input: "12345", says: codeFormat, tries: "kept"},
		{surface: "Texted code", at: "code", input: "1234567", says: codeFormat, tries: "kept"},
		{surface: "Texted code", at: "code", input: "abcdef", says: codeFormat, tries: "kept"},
		{surface: "Texted code", at: "code", input: "12E456", says: codeFormat, tries: "kept"},
		{surface: "Texted code", at: "code", input: "123456 or 654321", says: codeFormat, tries: "kept"},
		{surface: "Texted code", at: "code", input: "<another code>", do: func(c *counter) { c.Say(programtest.OtherCode(c.code(1))) }, says: "That is not the code. Please look again at the newest message. Tries left: 4.", tries: "one used"},
		{surface: "Texted code", at: "code", input: "<somebody else's code>", do: func(c *counter) { c.Say(c.strangersCode()) }, says: "That is not the code. Please look again at the newest message. Tries left: 4.", tries: "one used"},
		{surface: "Texted code", at: "code", input: "<five other codes>", do: func(c *counter) {
			for range 5 {
				c.Say(programtest.OtherCode(c.code(1))).Last()
			}
		}, says: "That was one try too many for this code, so it no longer works. Shall I send a new one?", then: func(c *counter) { c.Press("new"); c.Say(c.code(2)).Expect("is set up") }},
		{surface: "Texted code", at: "code", input: "<the first code, after a second one>", do: func(c *counter) { c.code(1); c.Press("resend").Last(); c.code(2); c.Say(c.code(1)) }, says: "That code was already used or replaced by a newer one. Please type the newest code.", then: func(c *counter) { c.Say(c.code(2)).Expect("is set up") }},
		{surface: "Texted code", at: "code", input: "<the right code, 11 minutes later>", do: func(c *counter) { c.code(1); c.d.later(11 * time.Minute); c.Say(c.code(1)) }, says: "The code for {masked} has become too old. Shall I send a new one?", then: func(c *counter) { c.Press("new"); c.Say(c.code(2)).Expect("is set up") }},
		{surface: "Texted code", at: "code", input: "<the code with blanks and a dash>", do: func(c *counter) { k := c.code(1); c.Say(" " + k[:2] + " " + k[2:3] + "-" + k[3:] + " ") }, says: codeGood, then: nothing},
		{surface: "Texted code", at: "code", input: "<the code in full-width digits>", do: func(c *counter) { c.Say(digitsFrom('０', c.code(1))) }, says: codeGood, then: nothing},
		{surface: "Texted code", at: "code", input: "<the code in Arabic-Indic digits>", do: func(c *counter) { c.Say(digitsFrom('٠', c.code(1))) }, says: codeGood, then: nothing},
		{surface: "Texted code", at: "code", input: "<the whole text, pasted>", do: func(c *counter) {
			c.Say(c.code(1) + " is your Riverbend Schools code to add this phone. Good for 10 min.")
		}, says: codeGood, then: nothing},
		{surface: "Texted code", at: "code", input: "<eleven codes within a day>", do: func(c *counter) {
			for n := 1; n < 11; n++ {
				c.code(n)
				c.Say("resend").Last()
			}
		}, says: "I cannot send more codes for now. You can try again in 24 hours. Your place is kept.", then: func(c *counter) {
			c.d.later(25 * time.Hour)
			c.Press("again").Last()
			c.Say(c.code(11)).Expect("is set up")
		}},
		{surface: "Texted code", at: "code", input: "<the phone is off, says the network>", do: undeliverable("unreachable"), says: "The phone {masked} could not be reached. It may be switched off or without a signal.", then: sendAgain},
		{surface: "Texted code", at: "code", input: "<it is a land-line, says the network>", do: undeliverable("landline"), says: "The phone network says that {masked} is a land-line.", then: sendAgain},
		{surface: "Texted code", at: "code", input: "<it said STOP once, says the network>", do: undeliverable("opted_out"), says: "The phone {masked} has blocked our texts. Text START to the number they come from, or take a call.", then: sendAgain},
		{surface: "Texted code", at: "code", input: "<not delivered, says the network>", do: undeliverable(""), says: "The message to {masked} could not be delivered.", then: sendAgain},
		{surface: "Texted code", lang: "es", at: "code", input: "<the phone is off, says the network>", do: undeliverable("unreachable"), says: "No se pudo conectar con el teléfono {masked}. Puede estar apagado o sin señal.", then: sendAgain},
		{surface: "Texted code", lang: "es", at: "code", input: "12345", says: "El código tiene seis cifras, por ejemplo 123456. Esto no contó como intento.", tries: "kept"},

		{surface: "App's digits", at: "scan", input: "six", says: totpFormat, tries: "kept"},
		{surface: "App's digits", at: "scan", input: "12345678", says: totpFormat, tries: "kept"},
		{surface: "App's digits", at: "scan", input: "<another entry's digits>", do: func(c *counter) { c.Say(programtest.OtherCode(c.totp(0))) }, says: "These digits do not match. Please look at the entry named \"Riverbend Schools\" and type its newest six digits. Tries left: 14.", tries: "one used"},
		{surface: "App's digits", at: "scan", input: "<a phone whose clock is 5 minutes ahead>", do: func(c *counter) { c.Say(c.totp(5 * time.Minute)) }, says: "These digits belong to another time: the clock of your phone seems to be about 5 minutes fast. Switch on automatic date and time in the phone's settings, then type the new digits. Tries left: 14.", tries: "one used"},
		{surface: "App's digits", at: "scan", input: "<the right digits, an hour later>", do: func(c *counter) { c.LastDelivery(); c.d.later(time.Hour); c.Say(c.totp(0)) }, says: "That picture is too old now. Please delete the entry \"Riverbend Schools\" in the app, then scan this new one."},
		{surface: "App's digits", lang: "es", at: "scan", input: "seis", says: "Necesito las seis cifras que muestra la aplicación, por ejemplo 123456. Esto no contó como intento.", tries: "kept"},

		{surface: "Phone", at: "number", input: "my mobile", says: phoneFormat},
		{surface: "Phone", at: "number", input: "704-555-CALL", says: phoneFormat},
		{surface: "Phone", at: "number", input: "7045550148 or 7045550149", says: "I see more than one number there. Please type only the one that should get the code."},
		{surface: "Phone", at: "number", input: "my number is (704) 555-0148, thanks", says: "I took this number from what you wrote.", then: changed},
		{surface: "Phone", at: "number", input: "seven oh four, five five five, oh one four eight", says: "I took this number from what you wrote.", then: changed},
		{surface: "Phone", at: "number", input: "+999 123 456 789", says: phoneBad},
		{surface: "Phone", at: "number", input: strings.Repeat("7", 30), says: phoneBad},
		{surface: "Phone", at: "number", input: "911", says: phoneShort},
		{surface: "Phone", at: "number", input: "555-0148", says: phoneShort},
		{surface: "Phone", at: "number", input: "704-296-3143 x12", says: "I cannot dial extensions. Please type a number that rings directly, or ask the help desk for another way."},
		{surface: "Phone", at: "number", input: "0049 30 123456", says: "I cannot send codes to numbers in Germany. Please type another number, or talk to the help desk (write \"human\")."},
		{surface: "Phone", at: "number", input: "+1 900 234 5678", says: phonePremium},
		{surface: "Phone", at: "number", input: "800 234 5678", says: "That is a toll-free number, which cannot get codes. Please type your own number."},
		{surface: "Phone", at: "number", input: "<the own office number>", do: func(c *counter) { c.Say("+44 20 7946 0999") }, says: "That is your office number, and it cannot get texts. I can call it: write \"back\" and choose \"Call me\". Or type another number."},
		{surface: "Phone", at: "number", input: "+44 20 7946 0958", says: "•••• 58 looks like a land-line, which cannot get texts. I can call it instead and read the code out.", then: func(c *counter) { c.Press("change"); c.prove() }},
		{surface: "Phone", at: "other number", input: "<the number that is set up>", do: func(c *counter) { c.Say(c.number()) }, says: "{masked} is already set up for you. Type another number, or write \"skip\" to go on.", then: func(c *counter) {
			c.i += 5000
			c.Say(c.number())
			c.Press("send").Last()
			c.Say(c.code(1)).Expect("Replaced.")
		}},
		{surface: "Phone", lang: "es", at: "number", input: "555-0148", says: "Eso es demasiado corto para un número de teléfono. Por favor, agregue el código de área, por ejemplo (201) 555-0123."},
		{surface: "Phone", lang: "es", at: "number", input: "0049 30 123456", says: "No puedo enviar códigos a números de Alemania. Por favor, escriba otro número o hable con la mesa de ayuda (escriba \"persona\")."},

		{surface: "E-mail", at: "email", input: "ada.example.net", says: mailFormat},
		{surface: "E-mail", at: "email", input: "ada@home@example.net", says: mailBad},
		{surface: "E-mail", at: "email", input: "<ada@example.net>.", says: "The code goes to a•••@example.net. Is that right?", then: changed},
		{surface: "E-mail", at: "email", input: "my mail is ada@example.net", says: "I took this address from what you wrote.", then: changed},
		{surface: "E-mail", at: "email", input: "ada at example dot net", says: "I took this address from what you wrote.", then: changed},
		{surface: "E-mail", at: "email", input: "ada@gmial.com", says: "You wrote ada@gmial.com. Did you mean @gmail.com?", then: func(c *counter) { c.Press("keep").Press("change"); c.prove() }},
		{surface: "E-mail", at: "email", input: "ada@example.net or ada@example.org", says: severalMails},
		{surface: "E-mail", at: "email", input: "ada@localhost", says: mailBad},
		{surface: "E-mail", at: "email", input: "\"ada okafor\"@example.net", says: mailBad},
		{surface: "E-mail", at: "email", input: "ada(private)@example.net", says: mailBad},
		{surface: "E-mail", at: "email", input: "ada@example.net\r\nBcc: all@example.net", says: severalMails},
		{surface: "E-mail", at: "email", input: "<300 characters>", do: func(c *counter) {
			c.Say(strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 56)+".", 4) + "example.net")
		}, says: "That is longer than an e-mail address can be. Please check it."},
		{surface: "E-mail", at: "email", input: "ada@riverbend.example", says: "@riverbend.example belongs to Riverbend Schools: you could not read it when you are locked out. Please use a private address."},
		{surface: "E-mail", at: "email", input: "ada@riverbеnd.example", says: "That address has letters that only look like plain ones. Please type it again in plain letters."},
		{surface: "E-mail", at: "email", input: "ada@mailinator.com", says: "That mailbox is a temporary one. Please use one that you keep."},
		{surface: "E-mail", at: "mailed code", input: "12 34", says: codeFormat, tries: "kept"},
		{surface: "E-mail", at: "mailed code", input: "<another code>", do: func(c *counter) { c.Say(programtest.OtherCode(c.mailed(1))) }, says: "That is not the code. Please look again at the newest mail. Tries left: 4.", tries: "one used"},
		{surface: "E-mail", at: "mailed code", input: "<the right code, 31 minutes later>", do: func(c *counter) { c.mailed(1); c.d.later(31 * time.Minute); c.Say(c.mailed(1)) }, says: "Before I change a method, please prove that it is you. Which method will you use?", then: func(c *counter) {
			c.Press(c.method("Phone")).Last()
			c.Say(c.code(2)).Expect("no longer works. Shall I send a new one?")
			c.Press("new")
			c.Say(c.mailed(2)).Expect("is set up")
		}},
		{surface: "E-mail", lang: "es", at: "email", input: "ada@riverbend.example", says: "@riverbend.example es de Riverbend Schools: no podría leerlo cuando no pueda entrar en su cuenta. Por favor, use una dirección privada."},

		wrongAnswer("The answer to \"In what town was your first job?\" is the same as another of your answers. Please give a different one.", "Bluebird Lane", "Aunt Philomena", "  bluebird   LANE "),
		wrongAnswer("The answer to \""+first+"\" is too short. It needs at least three letters or digits.", "ab", "Aunt Philomena", "Maple"),
		wrongAnswer("The answer to \""+first+"\" is too long. Please keep it under 64 letters.", strings.Repeat("ab ", 40), "Aunt Philomena", "Maple"),
		wrongAnswer("The answer to \""+first+"\" uses the words of its own question. Please choose something that is not in it.", "concert", "Aunt Philomena", "Maple"),
		wrongAnswer("The answer to \""+first+"\" has your own name in it, which is easy to guess. Please choose something else.", "Okafor Band", "Aunt Philomena", "Maple"),
		wrongAnswer("The answer to \""+first+"\" is one that very many people give. Please choose one that is harder to guess.", "Pizza", "Aunt Philomena", "Maple"),
		wrongAnswer("The answer to \""+first+"\" is one letter over and over. Please choose a real answer.", "aaaaaa", "Aunt Philomena", "Maple"),
		{surface: "Answers", at: "answers", input: "Bluebird Lane", says: "Please do not type an answer into the chat. I have not kept what you wrote. Use the private form."},
		{surface: "Answers", at: "answers", input: "<the form is closed>", do: func(c *counter) { c.Submit("answers") }, says: "The private form was closed without an answer. Nothing was changed."},
		{surface: "Answers", at: "answers", input: "<one answer is missing>", do: func(c *counter) { c.Submit("answers", "a1", "Bluebird Lane", "a3", "Maple") }, says: "The answer to \"What was the name of the street where you played as a child?\" is too short. It needs at least three letters or digits.", then: func(c *counter) {
			c.Submit("answer_again", "again", "Aunt Philomena").Expect("Your security questions are set up.")
		}},
		{surface: "Recovery codes", at: "recovery", input: "ABCD-EFGH-JKMN-PQRS", says: "Please do not type recovery codes into the chat."},
		{surface: "Recovery codes", at: "recovery", input: "<confirmed without having looked>", do: func(c *counter) { c.Submit("recovery", "saved", "saved") }, says: "These codes were not confirmed in time, so they do not count. Here are new ones."},

		{surface: "Proof", at: "proof", input: "half past six", says: totpFormat},
		{surface: "Proof", at: "proof", input: "<other digits>", do: func(c *counter) { c.Say(programtest.OtherCode(c.totp(0))) }, says: "That did not match. Please check it and type it again. Tries left: 4.", tries: "one used"},
		{surface: "Proof", at: "proof", input: "<two tries within a second>", do: func(c *counter) { c.Say(programtest.OtherCode(c.totp(0))).Last(); c.Say(c.totp(0)) }, says: "That was a little quick: after a wrong try I look at the next one only 2 seconds later. It did not count as a try. Please type the digits again then."},
		{surface: "Proof", at: "proof", input: "<the same digits twice>", do: func(c *counter) {
			k := c.totp(0)
			c.Say(k).Expect("authenticator app")
			c.d.oldProofs()
			c.Say("my methods").Press(c.method("Authenticator")).Press("replace").Press(c.method("Authenticator")).Say(k)
		}, says: "These digits were already used. Please wait until the app shows new ones, and type those.", then: func(c *counter) { c.d.later(time.Minute); c.prove() }},
		{surface: "Proof", at: "proof", input: "<five other codes>", do: func(c *counter) {
			for range 5 {
				c.Say(programtest.OtherCode(c.totp(0))).Last()
				c.d.shift("tally", time.Minute, "at")
			}
		}, says: "That failed too many times. To keep your account safe, I take no more tries for 24 hours. A colleague at the help desk can help you sooner.", then: func(c *counter) {
			c.d.later(25 * time.Hour)
			c.Press("leave").Expect("")
		}},

		{surface: "Buttons", at: "via", input: "<a button of an earlier step>", do: func(c *counter) { c.PressOld("start", 1) }, says: staleButton},
		{surface: "Buttons", at: "via", input: "<a button that never was>", do: func(c *counter) { c.PressOld("frobnicate", c.Last().Prompt) }, says: staleButton},
		{surface: "Buttons", at: "via", input: "<the same button twice>", do: func(c *counter) {
			p := c.Last().Prompt
			c.Press("sms").Last()
			c.PressOld("sms", p)
		}, says: staleButton, then: func(c *counter) { c.at = "number"; c.prove() }},
		{surface: "Buttons", at: "via", input: "<a form that is over>", do: func(c *counter) {
			c.Do(bot.Event{Kind: bot.Submit, Prompt: 3, Form: &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: localdir.DemoPassword}}}})
		}, says: staleButton},
		{surface: "Buttons", at: "via", input: "<somebody else presses>", do: func(c *counter) {
			c.Do(bot.Event{Kind: bot.Press, Choice: "sms", Prompt: c.Last().Prompt, From: "stranger"}).Quiet()
		}, says: ""},
		{surface: "Buttons", at: "done", input: "<a button after the end>", do: func(c *counter) {
			p := c.Last().Prompt
			c.Press("done").Last()
			c.PressOld("more", p)
		}, says: "That is already finished. Write to me whenever you need something.", then: func(c *counter) { c.Say("my methods").Expect("These are your methods") }},
		{surface: "Buttons", lang: "es", at: "via", input: "<a button of an earlier step>", do: func(c *counter) { c.PressOld("start", 1) }, says: "Ese botón era de un paso anterior. Estamos aquí."},
	}
}

// TestBadInput gives people's slips to the real rooms. With -v it prints the
// table as Markdown.
func TestBadInput(t *testing.T) {
	t.Parallel()
	d := openCounters(t)
	var table strings.Builder
	table.WriteString("| where | what is typed or done | what the person reads | tries |\n|---|---|---|---|\n")
	for i, s := range slips() {
		if s.do == nil {
			text := s.input
			s.do = func(c *counter) { c.Say(text) }
		}
		ok := t.Run(fmt.Sprintf("%s/%02d", s.surface, i), func(t *testing.T) {
			c := d.counter(t, i, s.lang)
			c.reach(s.at)
			s.do(c)
			got := c.Last().Text
			if s.says != "" && !said(s.says, got) {
				t.Fatalf("%q at %s\n got: %s\nwant: %s", s.input, s.at, got, s.says)
			}
			c.checkTries(s.tries)
			if s.then != nil {
				s.then(c)
			} else {
				c.prove()
			}
		})
		if ok {
			show := strings.NewReplacer("|", "\\|", "\n", "⏎", "\r", "␍", "\x00", "␀", "\x01", "␁", "\x1b", "␛", "\u202e", "⟨RLO⟩", "\u2066", "⟨LRI⟩", "\t", "⇥")
			in := show.Replace(s.input)
			if n := []rune(in); len(n) > 60 {
				in = string(n[:60]) + "…"
			}
			if s.says == "" {
				s.says = "(nothing)"
			}
			if in == "" {
				in = "<nothing>"
			}
			fmt.Fprintf(&table, "| %s: %s | `%s` | %s | %s |\n", s.surface, s.at, in, show.Replace(s.says), s.tries)
		}
	}
	d.noSecrets(t)
	t.Logf("\n%s", table.String())
}

// said reports whether an answer begins with a sentence as its first paragraph.
func said(want, got string) bool {
	pattern := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(want), `\S+(?: \S+)?`)
	return regexp.MustCompile(`^` + pattern + `(?:\n|$)`).MatchString(got)
}

func nothing(*counter) {}

// digitsFrom writes a code in the digits of another script.
func digitsFrom(zero rune, code string) string {
	return strings.Map(func(r rune) rune { return zero + r - '0' }, code)
}

// undeliverable is the telephone network's word about the last text.
func undeliverable(reason string) func(*counter) {
	return func(c *counter) {
		c.code(1)
		sent := c.d.sms.Sent()
		for i := range sent {
			if string(sent[i].To) == c.number() {
				if err := c.d.h.Verify.HandleStatus(context.Background(), fmt.Sprintf("ref-%d", i+1), bot.SendFailed, reason); err != nil {
					c.t.Fatal(err)
				}
			}
		}
		c.Await()
	}
}

func sendAgain(c *counter) {
	c.Press("again").Last()
	c.Say(c.code(2)).Expect("•••• ")
}

// shaky is a directory that fails at one password.
type shaky struct{ bot.Directory }

func (s shaky) Verify(p *bot.Person, password bot.Secret) (bool, error) {
	if password == outage {
		return false, errors.New("the directory does not answer")
	}
	return s.Directory.Verify(p, password)
}

func flood(c *counter) {
	for range 220 {
		if strings.HasPrefix(c.Last().Text, "You write faster") {
			return
		}
		c.Say("hmpf")
	}
}

// counters is one program in which everybody makes a slip.
type counters struct {
	dir       string
	h         *program.Program
	chat      *bottest.Adapter
	sms, mail *bottest.Sender
	logs      *programtest.Buffer
	stop      context.CancelFunc
	ended     chan error
}

func openCounters(t *testing.T) *counters {
	t.Helper()
	dir := t.TempDir()
	cfg := demo.Config(dir)
	p := cfg.Policy
	p.Countries = []string{"US", "GB"}
	p.ChatBurst = policy.Limit{N: 200, Per: 10 * time.Second}
	p.ResendWaits, p.SMSUser, p.SMSNumber = nil, []policy.Limit{{N: 10, Per: 24 * time.Hour}}, nil
	p.SMSPrefix, p.SMSBudgetFloor, p.BreakerSends = policy.Limit{N: 1000, Per: time.Hour}, 1000, 0
	if _, err := vault.Create(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	d := &counters{dir: dir, chat: bottest.NewAdapter("test"), sms: &bottest.Sender{}, mail: &bottest.Sender{}, logs: &programtest.Buffer{}, ended: make(chan error, 1)}
	cfg.Log.Level = "debug"
	prog, err := program.New(t.Context(), cfg, newLogger(d.logs, cfg.Log), program.Integration{Name: "test", Connect: func(prog *program.Program) (err error) {
		prog.Connections.AddChannel(d.chat)
		prog.Connections.Senders[bot.SMS], prog.Connections.Senders[bot.Voice], prog.Connections.Senders[bot.Mail] = d.sms, d.sms, d.mail
		prog.Connections.Notifier = &bottest.Notifier{}
		local, err := localdir.New(localdir.Options{Demo: true})
		prog.Connections.Directory = shaky{local}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.h = prog
	var staff strings.Builder
	staff.WriteString("id,username,email,name,given_name,language,phone,enabled\noff,off,off@riverbend.example,Off Duty,Off,en,,false\n")
	for i := range 400 {
		lang := "en"
		if i >= 200 {
			lang = "es"
		}
		fmt.Fprintf(&staff, "e%03d,p%03d,p%03d@riverbend.example,Ada Okafor,Ada,%s,+442079460999,true\n", i, i, i, lang)
	}
	l, err := csv.Open(strings.NewReader(staff.String()), csv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rep, err := prog.DB.ImportPeople(t.Context(), l.People(), store.ImportOptions{}); err != nil || !rep.Stored {
		t.Fatalf("%+v %v", rep, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go func() { d.ended <- prog.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-d.ended; err != nil {
			t.Error(err)
		}
		prog.Close()
	})
	return d
}

// later makes what is stored older, as site.daysLater does.
func (d *counters) later(by time.Duration) {
	for table, columns := range times {
		d.shift(table, by, columns...)
	}
	d.exec(fmt.Sprintf("UPDATE method SET last_step = last_step - %d WHERE last_step > 0", int(by/(30*time.Second))))
}

// oldProofs makes earlier proofs too old to change methods with.
func (d *counters) oldProofs() {
	d.shift("method", time.Hour, "created_at", "proven_at", "used_at")
	d.shift("tally", time.Hour, "at")
	d.shift("challenge", time.Hour, "created_at", "expires_at", "closed_at")
}

func (d *counters) shift(table string, by time.Duration, columns ...string) {
	for _, c := range columns {
		d.exec(fmt.Sprintf("UPDATE %s SET %s = %s - %d WHERE %s > 0", table, c, c, by.Milliseconds(), c))
	}
}

func (d *counters) exec(q string) {
	if err := (&site{dir: d.dir}).change(q); err != nil {
		panic(err)
	}
}

func (d *counters) noSecrets(t *testing.T) {
	t.Helper()
	s := &site{secrets: map[string]string{"password": string(localdir.DemoPassword), "wrong password": "wrong-horse", "answer": "bluebird", "address": "private@example.net"}}
	s.noSecrets(t, d.logs.String())
	db, err := os.ReadFile(filepath.Join(d.dir, "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	wal, _ := os.ReadFile(filepath.Join(d.dir, "latchkey.db-wal"))
	s.noSecrets(t, string(db)+string(wal))
}

// A counter is one person's conversation.
type counter struct {
	*bottest.Conversation
	t    *testing.T
	d    *counters
	i    int
	user string
	lang string
	at   string
	uri  string
	addr string
}

func (d *counters) counter(t *testing.T, i int, lang string) *counter {
	c := &counter{t: t, d: d, i: i, lang: lang, user: fmt.Sprintf("p%03d", i), addr: fmt.Sprintf("private%03d@example.net", i)}
	if lang == "es" {
		c.user = fmt.Sprintf("p%03d", 200+i)
	}
	c.Conversation = bottest.Talk(t, d.h.Turn, d.chat, bot.ConversationID("test|"+c.user), c.user)
	c.Locale = lang
	return c
}

func (c *counter) number() string { return fmt.Sprintf("+1201550%04d", c.i) }

// reach goes to a step as people do.
func (c *counter) reach(at string) {
	c.t.Helper()
	c.at = at
	path := map[string][]string{
		"welcome":      {"welcome"},
		"username":     {"welcome", "start"},
		"password":     {"welcome", "start", "user"},
		"intro":        {"welcome", "start", "user", "password"},
		"via":          {"welcome", "start", "user", "password", "other"},
		"number":       {"welcome", "start", "user", "password", "other", "sms"},
		"code":         {"welcome", "start", "user", "password", "other", "sms", "number", "send"},
		"done":         {"welcome", "start", "user", "password", "other", "sms", "number", "send", "code"},
		"extras":       {"at done", "more"},
		"other number": {"at done", "press done", "my methods", "the phone", "replace", "sms"},
		"email":        {"at done", "more", "email"},
		"mailed code":  {"at done", "more", "email", "address", "send"},
		"answers":      {"at done", "more", "questions", "1", "1", "1"},
		"recovery":     {"at done", "more", "recovery"},
		"scan":         {"welcome", "start", "user", "password", "next", "yes", "have", "next", "next"},
		"proof":        {"at scan", "digits", "other", "press done", "again", "my methods", "the app", "replace", "the app"},
	}
	for _, step := range path[at] {
		c.step(step, at)
	}
	if c.Last(); at == "scan" {
		c.totp(0) // keeps the key
	}
}

func (c *counter) step(step, at string) {
	c.t.Helper()
	switch step {
	case "welcome":
		c.Open()
	case "user":
		c.Say(c.user)
	case "password":
		c.Submit("sign_in", "password", string(localdir.DemoPassword))
	case "number":
		c.Say(c.number())
	case "code":
		c.Say(c.code(1))
	case "address":
		c.Say(c.addr)
	case "1":
		c.Say("1")
	case "digits":
		c.Say(c.totp(0)).Last()
	case "again":
		c.d.oldProofs()
		c.d.exec("UPDATE method SET last_step = last_step - 120 WHERE last_step > 0")
	case "my methods":
		c.Say("my methods")
	case "the app":
		c.Press(c.method("Authenticator"))
	case "the phone":
		c.Press(c.method("Phone"))
	case "press done":
		c.Press("done")
	case "at done", "at scan":
		c.reach(strings.TrimPrefix(step, "at "))
		c.at = at
	default:
		c.Press(step)
	}
	c.Last()
}

// method is the id of the choice whose label begins so.
func (c *counter) method(label string) string {
	c.t.Helper()
	for _, ch := range c.Last().Choices {
		if strings.HasPrefix(ch.Label, label) {
			return ch.ID
		}
	}
	c.t.Fatalf("no choice %q in\n%s", label, bottest.Screen(c.Last()))
	return ""
}

func (c *counter) signIn() {
	c.t.Helper()
	c.Submit("sign_in", "password", string(localdir.DemoPassword)).Expect("Ada")
}

func (c *counter) answer(a ...string) {
	c.t.Helper()
	c.Submit("answers", "a1", a[0], "a2", a[1], "a3", a[2])
}

// code is the n-th code that was texted to this person.
func (c *counter) code(n int) string { return c.nth(c.d.sms, c.number(), n) }

// mailed is the n-th code that was mailed.
func (c *counter) mailed(n int) string { return c.nth(c.d.mail, c.addr, n) }

func (c *counter) nth(from *bottest.Sender, to string, n int) string {
	c.t.Helper()
	c.Last()
	var code string
	rigs.Until(c.t, fmt.Sprintf("code %d to %s", n, to), func() bool {
		var got []string
		for _, m := range from.Sent() {
			if string(m.To) == to {
				got = append(got, string(m.Code))
			}
		}
		if len(got) < n {
			return false
		}
		code = got[n-1]
		return true
	})
	return code
}

// strangersCode is a code that another person waits for.
func (c *counter) strangersCode() string {
	c.t.Helper()
	o := c.d.counter(c.t, 150+c.i, "")
	o.i = 9000 + c.i // a number of their own
	o.reach("code")
	if code := o.code(1); code != c.code(1) {
		return code
	}
	return programtest.OtherCode(c.code(1))
}

// totp is what the app shows, on a phone whose clock is off.
func (c *counter) totp(off time.Duration) string {
	c.t.Helper()
	if d := c.LastDelivery(); d.Revealed != nil && d.Revealed.URI != "" {
		c.uri = string(d.Revealed.URI)
	}
	u, err := url.Parse(c.uri)
	if err != nil || c.uri == "" {
		c.t.Fatalf("no key: %v", err)
	}
	code, err := totp.GenerateCode(u.Query().Get("secret"), time.Now().Add(off))
	if err != nil {
		c.t.Fatal(err)
	}
	return code
}

// checkTries spends a try on purpose and looks how many are left.
func (c *counter) checkTries(tries string) {
	c.t.Helper()
	if tries == "" {
		return
	}
	all := 5
	var wrong func()
	switch c.at {
	case "password":
		all = 3
		wrong = func() { c.Submit("sign_in", "password", "wrong-horse") }
	case "code":
		wrong = func() { c.Say(programtest.OtherCode(c.code(1))) }
	case "mailed code":
		wrong = func() { c.Say(programtest.OtherCode(c.mailed(1))) }
	case "scan":
		all = 15
		wrong = func() { c.Say(programtest.OtherCode(c.totp(0))) }
	case "proof":
		c.d.shift("tally", time.Minute, "at") // the breath between two tries is over
		wrong = func() { c.Say(programtest.OtherCode(c.totp(0))) }
		defer c.d.shift("tally", time.Minute, "at")
	}
	left := all - 1
	if tries == "one used" {
		left--
	}
	wrong()
	if got := c.Last().Text; !strings.Contains(got, fmt.Sprintf(": %d.", left)) {
		c.t.Errorf("want %d tries left after one more, got %s", left, got)
	}
}

// changed says that the value that was asked about is not the one, and gives it
// again.
func changed(c *counter) {
	c.Press("change").Last()
	c.prove()
}

// prove gives the right input at the step and sees that it works.
func (c *counter) prove() {
	c.t.Helper()
	es := c.lang == "es"
	word := func(en, sp string) string {
		if es {
			return sp
		}
		return en
	}
	switch c.at {
	case "welcome":
		c.Press("start").Expect(word("user name", "nombre de usuario"))
	case "username":
		c.Say(c.user)
		c.signIn()
	case "password":
		c.signIn()
	case "intro":
		c.Press("next").Expect("smartphone")
	case "via":
		c.Press("sms").Expect(word("Which number?", "¿Cuál es el número?"))
	case "number":
		c.Say(c.number()).Expect("•••• ")
		c.Press("send").Last()
		c.Say(c.code(1)).Expect(word("is set up", "está completa"))
	case "code":
		c.Say(c.code(1)).Expect(word("is set up", "está completa"))
	case "scan":
		c.Say(c.totp(0)).Expect(word("is set up", "está configurada"))
	case "email":
		c.Say(c.addr)
		c.Press("send").Last()
		c.Say(c.mailed(1)).Expect("•••@example.net")
	case "mailed code":
		c.Say(c.mailed(1)).Expect("is set up")
	case "answers":
		c.answer("Bluebird Lane", "Aunt Philomena", "Maple Harbor 9")
		c.Expect("Your security questions are set up.")
	case "recovery":
		codes, err := c.d.h.Turn.Reveal(context.Background(), c.ID, "recovery")
		if err != nil || len(codes) != 10 {
			c.t.Fatalf("%d codes, %v", len(codes), err)
		}
		c.Submit("recovery", "saved", "saved").Expect("Your 10 recovery codes are set up.")
	case "proof":
		c.d.shift("tally", time.Minute, "at")
		c.Say(c.totp(0)).Expect("authenticator app")
	default:
		c.t.Fatalf("no right input at %q", c.at)
	}
}

// TestBadOperatorInput gives operators' slips to the commands: the
// configuration, the staff list, the command line. Each ends with one line that
// says where, what and how to mend it. With -v it prints the table.
func TestBadOperatorInput(t *testing.T) {
	t.Parallel()
	env := []string{"TOKEN=" + strings.Repeat("a1", 16), "DSN=postgres://u:canary-secret@h/d"}
	var table strings.Builder
	table.WriteString("| surface | input | what the operator reads | exit |\n|---|---|---|---|\n")
	check := func(t *testing.T, surface, input string, code, want int, errs, says string) {
		t.Helper()
		if code != want || !strings.Contains(errs, says) {
			t.Errorf("%s: %q: exit %d\n got: %s\nwant: %s", surface, input, code, errs, says)
			return
		}
		if strings.Contains(errs, "canary-secret") || strings.Contains(errs, "hunter2") {
			t.Errorf("%s: %q prints a secret: %s", surface, input, errs)
		}
		input = strings.NewReplacer("\n", "⏎", "|", "\\|").Replace(strings.ToValidUTF8(strings.TrimSpace(input), "�"))
		fmt.Fprintf(&table, "| %s | `%s` | %s | %d |\n", surface, input, strings.ReplaceAll(says, "|", "\\|"), want)
	}

	for _, c := range []struct {
		input, says string
		exit        int
	}{
		{"colour: blue", ":11: colour: is not a key; remove it, `latchkey config describe` lists them all", exitError},
		{"smtp: {prot: 25}", ":11: smtp.prot: is not a key; did you mean smtp.port?", exitError},
		{"policy: {codes: {tries: 500}}", ":11: policy.codes.tries: 500 is above the cap 10; set 10 or less", exitError},
		{"policy: {codes: {tries: -1}}", ":11: policy.codes.tries: -1 is below the floor 1; set 1 or more", exitError},
		{"policy: {codes: {tries: many}}", ":11: policy.codes.tries: \"many\" is not a whole number; write it like 5", exitError},
		{"store: {path: a.db, postgres_env: DSN}", ":11: store.path: store.postgres is set too; keep one of the two stores", exitError},
		{"smtp: {host: h, from: a@example.org, username: u, password_env: NOPE}", ":11: smtp.password_env: names an environment variable that is not set; set it before the start, or use password_file", exitError},
		{"smtp: {host: h, from: a@example.org, username: u, password: hunter2}", ":11: smtp.password: a secret must not stand in this file; write password_env: NAME_OF_A_VARIABLE or password_file: PATH instead, and change the secret if others could read this file", exitError},
		{"twilio: {account_sid: AC" + strings.Repeat("0", 32) + ", auth_token_env: TOKEN, from: '+15555550100'}", "note: no http.public_url: Twilio cannot tell whether a text arrived, and calls do not wait for a key press", exitOK},
	} {
		code, _, errs := command(t, env, "config", "check", "--config", install(t, c.input+"\n"))
		check(t, "Configuration", c.input, code, c.exit, errs, c.says)
	}

	cfg := install(t, "")
	for _, c := range []struct {
		input, says string
		exit        int
	}{
		{"id,username,email\n,ann,a@example.org\n2,bob,b@example.org\n", ": line 2, row 1, column \"id\": the id is empty", exitError},
		{"id,username,email\n1,ann,a@example.org\n1,bob,b@example.org\n", ": line 3, row 2, column \"id\": the id \"1\" stands in line 2 already", exitError},
		{"id,username,email\n1,ann,a@example.org\n2,ANN,b@example.org\n", ": line 3, column \"username\": user name \"ann\" stands in line 2 already", exitError},
		{"name,title\nAnn,Cook\n", "the staff list has no column for the id", exitError},
		{"id,username,email\n1,ann,not-an-address\n", ": line 2, row 1, column \"email\": \"not-an-address\" is not an address: it has no @", exitError},
		{"id,username,email\n1,ann,a@example.org,extra\n", ": line 2, row 1: it has 4 cells and the header has 3; a cell with a delimiter in it must stand in quotation marks", exitError},
		{"id,username,email\n1,\"ann,a@example.org\n", ": line 2, row 1: a quotation mark is not closed, or stands inside a cell; write it twice and the cell in quotation marks", exitError},
		{"", ": the staff list is empty: its first line must name the columns", exitError},
		{"id,username,email,name\n2,b\xe9a,b@example.org,Zo\u00eb\n", ": line 2, row 1, column \"name\": it holds characters that cannot be read: save the list as CSV UTF-8", exitError},
		{"id,username,email,language\n1,ann,a@example.org,klingon\n", ": line 2, row 1, column \"language\", left empty: \"klingon\" is not a language like en or es-MX", exitOK},
	} {
		code, _, errs := command(t, nil, "people", "import", writeFile(t, c.input), "--config", cfg)
		check(t, "Staff list", c.input, code, c.exit, errs, c.says)
		if c.exit == exitError {
			if _, out, _ := command(t, nil, "people", "list", "--config", cfg); out != "" {
				t.Errorf("a bad list was stored in part: %s", out)
			}
		}
	}

	for _, c := range []struct {
		input []string
		says  string
		exit  int
	}{
		{[]string{"dmeo"}, "latchkey: unknown command \"dmeo\" for \"latchkey\" Did you mean this? demo; see `latchkey --help`", exitUsage},
		{[]string{"people", "show", "nobody", "--config", cfg}, "latchkey: nobody has the id, user name or work address \"nobody\"; look with `latchkey people list --search TEXT`", exitError},
		{[]string{"people", "list", "--stage", "asleep", "--config", cfg}, "latchkey: --stage \"asleep\" is none of \"not started\", \"started\", \"enrolled\"; see `latchkey people list --help`", exitUsage},
		{[]string{"people", "import", "none.csv", "--config", cfg}, "none.csv: no such file or directory; give the path of a CSV file", exitError},
		{[]string{"keys", "new", filepath.Join(filepath.Dir(cfg), "latchkey.keys")}, "latchkey.keys: is there already, and it may be in use; choose another name, or rotate its keys with `latchkey keys rotate`", exitError},
		{[]string{"outbox", "drop", "nobody", "3", "--config", cfg}, "latchkey: message 3 of nobody does not wait; see `latchkey outbox list`", exitError},
		{[]string{"audit", "verify", "--head", "x", "--config", cfg}, "latchkey: --head: \"x\" is not a head of the audit record; give it as `latchkey audit verify` printed it", exitUsage},
		{[]string{"people", "list", "--config", "/nowhere/latchkey.yaml"}, "/nowhere/latchkey.yaml", exitError},
	} {
		code, _, errs := command(t, nil, c.input...)
		input := strings.ReplaceAll(strings.Join(c.input, " "), filepath.Dir(cfg)+"/", "")
		check(t, "Command line", input, code, c.exit, errs, c.says)
	}
	t.Logf("\n%s", table.String())
}

// TestBadCallbacks gives the provider's pages what they must not believe, and
// what comes twice, late or about somebody else's text.
func TestBadCallbacks(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("a1", 16)
	port := rigs.FreePort(t)
	cfg := install(t, "twilio:\n  account_sid: AC"+strings.Repeat("0", 32)+"\n  auth_token_env: TOKEN\n  from: '+15555550100'\n")
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := os.WriteFile(cfg, []byte(strings.Replace(string(text), `http: {addr: "127.0.0.1:0"}`, fmt.Sprintf(`http: {addr: "127.0.0.1:%d", public_url: %q}`, port, public), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	startService(t, cfg, "TOKEN="+token)
	const page = "/twilio/status"
	form := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"undelivered"}, "ErrorCode": {"30003"}}
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"about a text of nobody", nil, http.StatusNoContent},
		{"the same again", nil, http.StatusNoContent},
		{"not signed", func(r *http.Request) { r.Header.Del("X-Twilio-Signature") }, http.StatusUnauthorized},
		{"signed by somebody else", func(r *http.Request) { r.Header.Set("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=") }, http.StatusForbidden},
		{"for another address", func(r *http.Request) { r.URL.RawQuery = "x=1" }, http.StatusForbidden},
		{"another host in the request", func(r *http.Request) { r.Host = "evil.example" }, http.StatusNoContent},
		{"json", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, http.StatusUnsupportedMediaType},
		{"get, with the signature of a post", func(r *http.Request) { r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0 }, http.StatusForbidden},
	} {
		r, err := http.NewRequest(http.MethodPost, public+page, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Twilio-Signature", signature(token, public+page, form))
		if c.change != nil {
			c.change(r)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.want || len(body) != 0 {
			t.Errorf("%s: %d %q, want %d and no word", c.name, res.StatusCode, body, c.want)
		}
	}
	r, err := http.Post(public+page, "application/x-www-form-urlencoded", strings.NewReader("a="+strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusRequestEntityTooLarge && r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a megabyte: %d", r.StatusCode)
	}
}

// signature signs a form as Twilio does (twilio.com/docs/usage/security).
func signature(token, address string, form url.Values) string {
	var keys []string
	for k := range form {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		address += k + form.Get(k)
	}
	m := hmac.New(sha1.New, []byte(token))
	m.Write([]byte(address))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// A stored message that cannot be read, by a disk's fault or a newer version's
// hand, is given up; it holds up neither its own conversation nor others.
func TestUnreadableMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears("[1] Start")
	p.leaves()
	s := &site{dir: dir}
	if err := s.change(`INSERT INTO conversation (id, channel, user_id, out_seq, version, updated) VALUES ('terminal|other', 'terminal', 'other', 0, 0, 1)`); err != nil {
		t.Fatal(err)
	}
	for _, conversation := range []string{"terminal:demo", "terminal|other"} {
		if err := s.change(fmt.Sprintf(`INSERT INTO outbox (conversation, seq, message, fleeting, live, state, attempts, due, receipt, error, created_at, account)
			VALUES ('%s', 0, x'7b', 0, 1, 0, 0, 0, '', '', 1, 'terminal')`, conversation)); err != nil {
			t.Fatal(err)
		}
	}
	p = sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears("[1] Start")
	p.types("1")
	p.hears("user name")
	rigs.Until(t, "both are given up", func() bool {
		log, err := os.ReadFile(filepath.Join(dir, "demo.log"))
		return err == nil && strings.Count(string(log), "cannot be read and is given up") == 2
	})
	p.leaves()
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(dir, "latchkey.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(t.Context(), func(tx bot.Tx) error {
		rows, err := tx.Pending(10)
		if len(rows) != 0 {
			t.Errorf("still waiting: %+v", rows)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "demo.log"))
	if err != nil || strings.Count(string(log), "cannot be read and is given up") != 2 {
		t.Errorf("log: %s %v", log, err)
	}
}
