package entratest

import "time"

// properties are those of a user that this tenant fills in (the page "user
// resource type").
var properties = []string{
	"accountEnabled", "businessPhones", "city", "companyName", "country", "createdDateTime", "department", "displayName", "employeeHireDate", "employeeId",
	"externalUserState", "givenName", "jobTitle", "mail", "mailNickname", "mobilePhone", "officeLocation", "onPremisesSamAccountName", "onPremisesSyncEnabled",
	"preferredLanguage", "surname", "usageLocation", "userPrincipalName", "userType", "manager",
}

// unfilled are other properties of a user that a $select may name; here nobody
// has anything in them.
var unfilled = []string{
	"aboutMe", "ageGroup", "assignedLicenses", "assignedPlans", "authorizationInfo", "birthday", "consentProvidedForMinor", "creationType",
	"customSecurityAttributes", "employeeLeaveDateTime", "employeeOrgData", "employeeType", "externalUserStateChangeDateTime", "faxNumber", "hireDate",
	"identities", "imAddresses", "interests", "isManagementRestricted", "isResourceAccount", "lastPasswordChangeDateTime", "legalAgeGroupClassification",
	"licenseAssignmentStates", "mailboxSettings", "mySite", "onPremisesDistinguishedName", "onPremisesDomainName", "onPremisesExtensionAttributes",
	"onPremisesImmutableId", "onPremisesLastSyncDateTime", "onPremisesProvisioningErrors", "onPremisesSecurityIdentifier", "onPremisesUserPrincipalName",
	"otherMails", "passwordPolicies", "passwordProfile", "postalCode", "preferredDataLocation", "preferredName", "provisionedPlans", "proxyAddresses",
	"responsibilities", "schools", "securityIdentifier", "serviceProvisioningErrors", "showInAddressList", "signInActivity", "signInSessionsValidFromDateTime",
	"skills", "state", "streetAddress",
}

// usual are the properties that come without a $select (the page "Get a user").
var usual = []string{
	"businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName",
}

// basic are what User.ReadBasic.All shows (the page "Microsoft Graph
// permissions reference").
var basic = []string{"id", "displayName", "givenName", "mail", "photo", "securityIdentifier", "surname", "userPrincipalName"}

// value is a property of a user; nil is null. The manager is an object id here.
func value(p *Person, name string) any {
	switch name {
	case "accountEnabled":
		return p.Enabled
	case "businessPhones":
		if p.Phone == "" {
			return []string{}
		}
		return []string{p.Phone}
	case "city":
		return text(pick(p.Kind == Staff, "Riverside"))
	case "companyName":
		return text(pick(p.Kind != Guest, District))
	case "country", "usageLocation":
		return text(pick(p.Kind != Guest, "US"))
	case "createdDateTime":
		if p.HiredOn.IsZero() {
			return nil
		}
		return stamp(p.HiredOn)
	case "department":
		return text(p.Department)
	case "displayName":
		return text(p.Name)
	case "employeeHireDate":
		if p.HiredOn.IsZero() {
			return nil
		}
		return stamp(p.HiredOn)
	case "employeeId":
		return text(p.EmployeeID)
	case "externalUserState":
		return text(pick(p.Kind == Guest, "Accepted"))
	case "givenName":
		return text(p.GivenName)
	case "jobTitle":
		return text(p.Title)
	case "mail":
		return text(p.Mail)
	case "mailNickname", "onPremisesSamAccountName":
		if name == "onPremisesSamAccountName" && p.Kind != Staff {
			return nil
		}
		for i, c := range p.UPN {
			if c == '@' || c == '#' {
				return p.UPN[:i]
			}
		}
		return text(p.UPN)
	case "officeLocation":
		return text(p.School)
	case "onPremisesSyncEnabled":
		if p.Kind == Staff {
			return true
		}
	case "preferredLanguage":
		return text(p.Lang)
	case "surname":
		return text(p.Surname)
	case "userPrincipalName":
		return text(p.UPN)
	case "userType":
		if p.Kind == Guest {
			return "Guest"
		}
		return "Member"
	case "manager":
		return text(p.Manager)
	case "assignedLicenses", "assignedPlans", "otherMails", "provisionedPlans", "proxyAddresses":
		return []string{}
	case "birthday", "hireDate": // never null, says @microsoft/microsoft-graph-types
		return "0001-01-01T00:00:00Z"
	}
	return nil
}

// text is a string, or null for the empty one.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func pick(cond bool, s string) string {
	if cond {
		return s
	}
	return ""
}

// stamp is a time as Graph writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// user is an account with the selected properties, null for what it has not.
func user(p *Person, selected []string) object {
	u := object{"id": p.ID}
	for _, name := range selected {
		if name != "manager" { // a relation: GET does not give it by $select
			u[name] = value(p, name)
		}
	}
	u["id"] = p.ID
	return u
}

// object is a JSON object.
type object map[string]any
