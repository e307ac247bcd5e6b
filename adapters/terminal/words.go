package terminal

// The keys of the short texts around the conversation, in the language files.
const (
	wordLink        = "reveal.link"          // label of the same-phone link
	wordKey         = "reveal.key"           // label of the typed key
	wordPicture     = "reveal.picture"       // label of the picture's path
	wordInvert      = "reveal.invert"        // "dark screen? type /invert"
	wordDeleted     = "reveal.deleted"       // the picture file was deleted
	wordTooSmall    = "reveal.too_small"     // the window is too small for the picture
	wordOpen        = "reveal.open"          // which key shows the picture
	wordClose       = "reveal.close"         // any key: back
	wordGone        = "reveal.gone"          // stands where the picture was
	wordRecommended = "choice.recommended"   // marks the recommended choice
	wordPictureOf   = "terminal.picture"     // {alt}: a picture in words
	wordPrivate     = "form.private"         // what you type next does not enter the chat
	wordPrivateBox  = "form.private_box"     // the same in the full screen
	wordLeft        = "form.left"            // the form was left, nothing was sent
	wordShow        = "form.show"            // {button}: type yes to see it; its last word is what must be typed
	wordShowKey     = "form.show_key"        // Enter shows them
	wordNoShow      = "form.no_show"         // cannot be shown here
	wordPage        = "terminal.page"        // before the address of a one-time page
	wordNoPage      = "terminal.no_page"     // there is none
	wordHelp        = "terminal.help"        // the commands
	wordUnknown     = "terminal.unknown"     // {command}
	wordFailed      = "terminal.failed"      // could not be saved, type it again
	wordNoQR        = "terminal.no_qr"       // no picture to scan yet
	wordNoPhone     = "terminal.no_phone"    // no pretend phone here
	wordScanned     = "terminal.scanned"     // {name}
	wordScanFailed  = "terminal.scan_failed" // {problem}
	wordEmpty       = "terminal.empty"       // nothing on the phone yet
	wordBye         = "terminal.bye"         // everything is kept
	wordText        = "phone.text"           // {from}
	wordCall        = "phone.call"           // {from}
	wordMail        = "phone.mail"           // {from} {subject}
	wordCode        = "phone.code"           // {name} {code} {seconds}
	wordYou         = "terminal.you"         // name of the person in the conversation
	wordPhonePane   = "terminal.phone"       // heading of the right side
	wordChatPane    = "terminal.chat"        // heading of the left side
	wordHint        = "terminal.hint"        // in the empty input line, with choices
	wordHintText    = "terminal.hint_text"   // the same without choices
	wordKeys        = "terminal.keys"        // the keys of the full screen
	wordKeysMore    = "terminal.keys_more"   // the same, longer
	wordAuthPane    = "terminal.codes"       // heading over authenticator codes
	wordEscLeaves   = "form.keys"            // Enter next, Esc leaves
)
