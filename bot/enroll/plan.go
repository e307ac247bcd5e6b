package enroll

import (
	"regexp"
	"strconv"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// A rewrite turns a number of before, without its country code, into the one of
// today.
type rewrite struct {
	before *regexp.Regexp
	today  string
}

func plan(pairs ...string) (rs []rewrite) {
	for i := 0; i < len(pairs); i += 2 {
		rs = append(rs, rewrite{regexp.MustCompile("^(?:" + pairs[i] + ")$"), pairs[i+1]})
	}
	return rs
}

// plans are the countries whose numbers became longer, by calling code, as the
// regulators announced it (ITU Operational Bulletin). People go on writing what
// stands in their phone: a number is rewritten only when it is none of today's
// and the new one is, and the person is asked.
//
// They are made at the first number that needs them, not at every start.
var plans = sync.OnceValue(func() map[int32][]rewrite {
	return map[int32][]rewrite{
		52:  plan(`(?:0?1|04[45])(\d{10})`, "$1"),                                                                                                                          // Mexico, 2019: no 1, 01, 044, 045
		54:  plan(`9?(\d{2,4})15(\d{6,8})`, "9$1$2", `0(\d{10})`, "$1"),                                                                                                    // Argentina: 15 is the 9 of home
		55:  plan(`0?(?:\d\d)?(\d\d)([6-9]\d{7})`, "${1}9$2"),                                                                                                              // Brazil, 2016: nine digits
		56:  plan(`([5-9]\d{7})`, "9$1"),                                                                                                                                   // Chile, 2013
		57:  plan(`0?([124-8]\d{7})`, "60$1"),                                                                                                                              // Colombia, 2021: land-lines
		225: plan(`([23]\d8\d{5})`, "21$1", `([23]\d0\d{5})`, "25$1", `([23]\d{7})`, "27$1", `(\d[0-3]\d{6})`, "01$1", `(\d[4-6]\d{6})`, "05$1", `(\d[7-9]\d{6})`, "07$1"), // Côte d'Ivoire, 2021
		229: plan(`(\d{8})`, "01$1"),                                                                                                                                       // Benin, 2024
		230: plan(`([57-9]\d{6})`, "5$1"),                                                                                                                                  // Mauritius, 2013
		237: plan(`([5-9]\d{7})`, "6$1", `([23]\d{7})`, "2$1"),                                                                                                             // Cameroon, 2014
		593: plan(`0?([89]\d{7})`, "9$1"),                                                                                                                                  // Ecuador, 2012
		84: plan(`0?16([2-9]\d{7})`, "3$1", `0?120(\d{7})`, "70$1", `0?121(\d{7})`, "79$1", `0?122(\d{7})`, "77$1", `0?126(\d{7})`, "76$1", // Vietnam, 2018
			`0?128(\d{7})`, "78$1", `0?123(\d{7})`, "83$1", `0?124(\d{7})`, "84$1", `0?125(\d{7})`, "85$1", `0?127(\d{7})`, "81$1",
			`0?129(\d{7})`, "82$1", `0?18([68])(\d{7})`, "5$1$2", `0?199(\d{7})`, "59$1"),
	}
})

// renumber gives a number that is none the form that its country has today, and
// reports whether it did.
func renumber(n **phonenumbers.PhoneNumber) bool {
	if phonenumbers.IsValidNumber(*n) {
		return false
	}
	nsn := phonenumbers.GetNationalSignificantNumber(*n)
	for _, r := range plans()[(*n).GetCountryCode()] {
		if !r.before.MatchString(nsn) {
			continue
		}
		now, err := phonenumbers.Parse("+"+strconv.Itoa(int((*n).GetCountryCode()))+r.before.ReplaceAllString(nsn, r.today), "")
		if err == nil && phonenumbers.IsValidNumber(now) {
			*n = now
			return true
		}
	}
	return false
}
