package entra

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// seen is what Examine has read, for the assumptions to be held against. Nil or
// empty: it could not be read.
type seen struct {
	roles   []string // of the token
	opaque  bool     // the token cannot be looked into
	people  []bot.DirectoryChange
	narrow  bool // people are read without the undocumented properties
	members map[string]int
	rows    []detail
	policy  *bot.TenantPolicy
	own     []method
	asked   bool // for an own page
	now     time.Time
}

// An assumption is something that the client takes for true although no document
// of Microsoft's promises it, or only an old or a second-hand one does.
type assumption struct {
	name   string
	taken  string // what is taken for true
	origin string // where it comes from
	// look reports what is wrong, or "". Not ok: what was read cannot tell. Nil:
	// it cannot be looked at from here.
	look  func(s *seen) (wrong string, ok bool)
	grave bool   // wrong, it makes wrong people or wrong answers
	fix   string // what the operator does
}

const reportBug = "report this to the makers of Latchkey with this sentence; nothing wrong is stored meanwhile"

// assumptions is the one table of what the client relies on without a promise.
// Whatever can be looked at is looked at by `latchkey doctor`.
func assumptions() []assumption {
	return []assumption{
		{"token names permissions", "a token of the app is a JWT whose roles name its permissions", "access token reference; Microsoft asks not to rely on it, and nothing is decided by it",
			func(s *seen) (string, bool) {
				return when(s.opaque, "the token cannot be looked into, so missing and needless permissions are not told"), true
			}, false, "see which permissions the app registration has under API permissions"},
		{"delta tells who is off", "every account of a full reading says accountEnabled", "delta overview shows it, the list of default properties does not",
			func(s *seen) (string, bool) { return lacking(s, "accountEnabled") }, true, reportBug},
		{"delta tells guests", "every account of a full reading says userType", "as accountEnabled",
			func(s *seen) (string, bool) { return lacking(s, "userType") }, true, reportBug},
		{"delta tells managers", "managers come as manager@delta when manager is selected", "delta overview of 2022",
			func(s *seen) (string, bool) {
				n := has(s, managers) + has(s, "manager")
				return when(n == 0, fmt.Sprintf("none of the %d accounts that were looked at names a manager", len(s.people))), len(s.people) >= 20
			}, false, "if people have managers in Entra, report this; until then reports by manager stay empty"},
		{"delta takes account names", "a delta takes " + strings.Join(undocumented, " and "), "no page shows these in a delta",
			func(s *seen) (string, bool) {
				return when(s.narrow, "Graph refuses them, so people are read without: logins are what stands before the @ of the user principal name"), len(s.people) > 0
			}, false, "nothing breaks; report this"},
		{"group members by the narrow permission", "GroupMember.ReadBasic.All gives the ids of a group's people, and hidden memberships need Member.Read.Hidden", "permissions list of 2026-08; page on transitive members",
			func(s *seen) (string, bool) {
				var none []string
				for g, n := range s.members {
					if n == 0 {
						none = append(none, g)
					}
				}
				slices.Sort(none)
				return when(len(none) > 0, "nobody is seen in "+strings.Join(none, ", ")), len(s.members) > 0
			}, true, "if the group has people, its membership is hidden: add the application permission Member.Read.Hidden, or name another group"},
		{"report tells methods", "every row of the report says methodsRegistered, isSsprEnabled and isAdmin", "userRegistrationDetails; the properties are not marked as required",
			func(s *seen) (string, bool) {
				lacks := map[string]int{}
				for _, d := range s.rows {
					if name := d.lacks(); name != "" {
						lacks[name]++
					}
				}
				return when(len(lacks) > 0, "rows lack "+counted(lacks)+"; the whole page is refused, since such a row would call people safe or lost of whom it says nothing"), len(s.rows) > 0
			}, true, reportBug},
		{"report is at most 36 hours old", "lastUpdatedDateTime is when the report was made", "entra-docs, authentication methods activity",
			func(s *seen) (string, bool) {
				at := newest(s.rows)
				return when(s.now.Sub(at) > 72*time.Hour, "its newest row is of "+at.Format("2006-01-02 15:04 UTC")), !at.IsZero()
			}, false, "answers rest on old knowledge; see the service health of Microsoft Entra"},
		{"report's words are known", "methodsRegistered has the words of the beta list usageAuthMethod", "v1.0 says only that they are texts",
			func(s *seen) (string, bool) {
				var odd []string
				for _, d := range s.rows {
					if d.MethodsRegistered != nil {
						odd = append(odd, unknown(*d.MethodsRegistered)...)
					}
				}
				return when(len(odd) > 0, "words that Latchkey does not know: "+told(odd)), len(s.rows) > 0
			}, false, "they are kept and shown, and count for nothing; report them"},
		{"own page's types are known", "a person's own page has the types of v1.0 of August 2026", "msgraph-metadata",
			func(s *seen) (string, bool) {
				var odd []string
				for _, m := range s.own {
					odd = append(odd, unknown([]string{m.word()})...)
				}
				return when(len(odd) > 0, "types that Latchkey does not know: "+told(odd)), s.asked
			}, false, "they are kept and shown, and count for nothing; report them"},
		{"policy's words are known", "states, targets and methods of the policy are those of August 2026", "msgraph-metadata",
			func(s *seen) (string, bool) {
				if s.policy == nil {
					return "", false
				}
				odd := oddPolicy(s.policy)
				return when(len(odd) > 0, "words that Latchkey does not know: "+told(odd)), true
			}, false, "what they mean is not counted; report them"},
		{"own page lacks some kinds", "hardware tokens, questions, app passwords, QR codes and the codes of Microsoft Authenticator stand in the report only", "v1.0 of methods lists only kinds of its own version", nil, false, ""},
		{"deletion is told", "deleted and expired accounts come as @removed, and 410 or syncStateNotFound says that a delta is over", "delta overview of 2022", nil, false, ""},
		{"no licence is told", "without a P1 licence the report is refused with the code " + noLicence, "threads; no page lists it", nil, false, ""},
		{"report takes $top", "the report has pages of up to 999 rows and says by @odata.nextLink where it goes on", "other pages of Graph; this one names neither",
			func(s *seen) (string, bool) { return "", len(s.rows) > 0 }, true, ""},
		{"synced passkeys are told", "passKeySynced stands in v1.0, too", "beta list only", nil, false, ""},
		{"campaign's end is told", "enforceRegistrationAfterAllowedSnoozes is absent from v1.0 or means what the guide says", "guide and metadata differ", nil, false, ""},
		{"passkey profiles are told", "isAttestationEnforced says whether synced passkeys are out, and passkeyProfiles does where it comes without being asked for", "metadata of 2026-08; the old property goes in October 2027", nil, false, ""},
		{"China's sign-in", "tokens of the cloud of 21Vianet come from login.partner.microsoftonline.cn", "docs.azure.cn; older pages name login.chinacloudapi.cn", nil, false, "set entra.login_url"},
	}
}

// when is the sentence if it is so.
func when(so bool, sentence string) string {
	if so {
		return sentence
	}
	return ""
}

// has counts accounts that say something about a property.
func has(s *seen, name string) (n int) {
	for _, ch := range s.people {
		if !ch.Gone && strings.Contains(string(ch.Body), `"`+name+`":`) {
			n++
		}
	}
	return n
}

func lacking(s *seen, name string) (string, bool) {
	alive := 0
	for _, ch := range s.people {
		if !ch.Gone {
			alive++
		}
	}
	n := alive - has(s, name)
	return when(n > 0, fmt.Sprintf("%d of %d accounts that were looked at do not say %s", n, alive, name)), alive > 0
}

// newest is the latest time that the rows give for themselves.
func newest(rows []detail) (at time.Time) {
	for _, d := range rows {
		if t := d.LastUpdatedDateTime; t != nil && t.After(at) {
			at = t.UTC()
		}
	}
	return at
}

func counted(n map[string]int) string {
	var all []string
	for name, k := range n {
		all = append(all, fmt.Sprintf("%s (%d)", name, k))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// told are words of an answer for a sentence: each once, a few of them, and
// nothing that is no word.
func told(words []string) string {
	slices.Sort(words)
	words = slices.Compact(words)
	for i, w := range words {
		if !isCode(w) {
			words[i] = "(no word)"
		}
	}
	return strings.Join(words[:min(len(words), 8)], ", ")
}

// knownWords are the report's words, in lower case: the beta list usageAuthMethod
// of 2026-08-20, and fido2 of older data.
var knownWords = strings.Fields(`alternatemobilecall alternatemobilephone appcode appnotification apppassword email externalauthmethod fido fido2 fido2securitykey
	hardwareonetimepasscode macossecureenclavekey microsoftauthenticatorpasswordless microsoftauthenticatorpush mobilecall mobilephone mobilesms officephone
	onetimepasscode passkeydevicebound passkeydeviceboundauthenticator passkeydeviceboundwindowshello passkeysynced qrcode securityquestion sms
	softwareonetimepasscode temporaryaccesspass windowshelloforbusiness`)

// unknown are the words that nobody here knows.
func unknown(words []string) (odd []string) {
	for _, w := range words {
		if w != "" && !slices.Contains(knownWords, strings.ToLower(w)) {
			odd = append(odd, w)
		}
	}
	return odd
}
