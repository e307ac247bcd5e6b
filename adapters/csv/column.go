package csv

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"latchkey/bot"
)

// A Field is what a column can hold, by the name that Options.Map takes.
type Field string

// The fields of a staff list.
const (
	ID         Field = "id"          // required; the directory's immutable id
	Username   Field = "username"    // login, with or without a domain
	Email      Field = "email"       // work address
	UPN        Field = "upn"         // stands in for an empty username and an empty email
	Name       Field = "name"        // as shown
	GivenName  Field = "given_name"  //
	FamilyName Field = "family_name" // with the given name it makes the name when there is none
	Department Field = "department"
	Title      Field = "title"
	Manager    Field = "manager" // the manager's id
	Phone      Field = "phone"   // at work
	Language   Field = "language"
	TimeZone   Field = "time_zone"
	Site       Field = "site"     // school or office
	HiredOn    Field = "hired_on" // a date
	Kind       Field = "kind"     // staff, pupil, guest, service, shared or room
	Class      Field = "class"    // Active Directory's objectClass: computers and groups are left out

	// Whether the account is on. All columns of these count together: a
	// person is active when none of them says otherwise.
	Enabled  Field = "enabled"  // true or false
	Disabled Field = "disabled" // true or false: blocked, suspended
	Status   Field = "status"   // active, suspended, ...
	UAC      Field = "uac"      // Active Directory's userAccountControl, a number
	Deleted  Field = "deleted"  // when it was deleted; empty: not
)

// switches are the fields that say whether the account is on.
var switches = [...]Field{Enabled, Disabled, Status, UAC, Deleted}

// several reports whether a file may have more than one column of a field, which
// then all count.
func several(f Field) bool { return f == Kind || slices.Contains(switches[:], f) }

// A spec lists the headers that are understood as a field, the best first:
// when a file has several, the first is used. Case, accents, spaces and
// punctuation of a header do not count.
type spec struct {
	field   Field
	headers []string
}

// specs holds the names used by Entra ID, the Microsoft 365 admin centre,
// Active Directory, Google Workspace, PowerSchool and HR systems, in English and
// Spanish.
func specs() []spec {
	return []spec{
		{ID, []string{"id", "objectId", "Object ID", "objectGUID", "immutableId", "External Directory Object Id", "personId", "userId",
			"employeeId", "employeeNumber", "Employee No", "Emp ID", "staffId", "Staff Number", "personnelNumber", "workerId", "associateId", "Badge Number",
			"Id. de objeto", "Identificador de objeto", "Id de usuario", "Id de empleado", "Número de empleado", "N.º de empleado", "Nro. de empleado",
			"Núm. de empleado", "No. de empleado", "Código de empleado", "Clave de empleado", "Número de personal", "Legajo", "Teacher Number", "DCID", "objectSid", "SID"}},
		{Username, []string{"username", "sAMAccountName", "onPremisesSamAccountName", "login", "loginName", "User Login", "Login ID", "logonName", "accountName", "uid", "networkId",
			"Teacher Login ID", "Nombre de usuario", "Usuario", "Cuenta", "Nombre de cuenta", "Inicio de sesión"}},
		{Email, []string{"email", "mail", "emailAddress", "Email Addr", "workEmail", "E-mail", "E-mail Address", "businessEmail", "primaryEmail", "Primary Email Address",
			"primarySmtpAddress", "officialEmail", "School Email", "Correo electrónico", "Correo", "Dirección de correo electrónico", "Dirección de correo", "Correo de trabajo",
			"Correo institucional", "Correo laboral"}},
		{UPN, []string{"userPrincipalName", "upn", "principalName", "signInName", "Nombre principal de usuario", "Nombre principal del usuario"}},
		{Name, []string{"displayName", "fullName", "preferredName", "employeeName", "name", "cn", "commonName", "LastFirst",
			"Nombre para mostrar", "Nombre completo", "Nombre y apellidos", "Apellidos y nombre"}},
		{GivenName, []string{"givenName", "firstName", "First", "forename", "preferredFirstName", "Nombre", "Nombres", "Primer nombre", "Nombre de pila"}},
		{FamilyName, []string{"familyName", "surname", "lastName", "Last", "sn", "Apellidos", "Apellido", "Primer apellido", "Apellido paterno"}},
		{Department, []string{"department", "dept", "departmentName", "orgUnit", "organizationalUnit", "division", "Org Unit Path", "Departamento", "Área", "Unidad organizativa"}},
		{Title, []string{"title", "jobTitle", "position", "positionTitle", "employeeTitle", "role", "Puesto", "Cargo", "Título", "Puesto de trabajo"}},
		{Manager, []string{"manager", "managerId", "Manager Object ID", "supervisorId", "managerEmployeeId", "reportsTo", "Id del jefe", "Id del supervisor"}},
		{Phone, []string{"phone", "telephoneNumber", "businessPhones", "workPhone", "officePhone", "businessPhone", "phoneNumber", "telephone", "School Phone",
			"Teléfono", "Teléfono de trabajo", "Teléfono de la oficina", "Teléfono de oficina", "Número de teléfono", "Teléfono laboral"}},
		{Language, []string{"language", "preferredLanguage", "lang", "locale", "preferredLocale", "Idioma", "Idioma preferido", "Lengua"}},
		{TimeZone, []string{"timeZone", "tz", "timezoneName", "Zona horaria", "Huso horario"}},
		{Site, []string{"site", "siteName", "school", "schoolName", "Home School", "Home School Name", "officeLocation", "physicalDeliveryOfficeName", "office", "location", "locationName", "campus", "building",
			"buildingName", "Building ID", "Home School ID", "School ID", "Escuela", "Plantel", "Sede", "Centro", "Centro de trabajo", "Edificio", "Oficina", "Ubicación de la oficina"}},
		{HiredOn, []string{"hiredOn", "hireDate", "hired", "Date of Hire", "Date Hired", "employeeHireDate", "Original Hire Date", "startDate", "Start of Employment",
			"Fecha de contratación", "Fecha de ingreso", "Fecha de alta", "Fecha de inicio"}},
		{Kind, []string{"kind", "userType", "accountType", "mailboxType", "recipientTypeDetails", "Recipient Type", "employeeType", "personType", "type",
			"Tipo", "Tipo de usuario", "Tipo de cuenta", "Tipo de buzón", "Tipo de empleado"}},
		{Class, []string{"objectClass"}},
		{Enabled, []string{"enabled", "accountEnabled", "isEnabled", "active", "isActive", "Sign-in allowed", "Activo", "Habilitado", "Cuenta habilitada"}},
		{Disabled, []string{"disabled", "accountDisabled", "isDisabled", "suspended", "isSuspended", "blocked", "isBlocked", "archived", "isArchived", "inactive", "terminated",
			"Block credential", "Block credentials", "Block sign in", "Sign-in blocked", "Is sign-in blocked", "Credential blocked", "Account blocked",
			"Bloqueado", "Deshabilitado", "Desactivado", "Suspendido", "Inactivo", "Bloquear credencial", "Credencial bloqueada", "Bloquear inicio de sesión", "Inicio de sesión bloqueado"}},
		{Status, []string{"status", "accountStatus", "employmentStatus", "employeeStatus", "userStatus", "Sign-in status", "Sign-in state", "Login status", "accountState",
			"Estado", "Estatus", "Situación", "Estado de la cuenta", "Estado del empleado", "Estado de inicio de sesión", "Situación laboral"}},
		{UAC, []string{"userAccountControl"}},
		{Deleted, []string{"Soft deletion time stamp", "deletedDateTime", "Deletion date", "Termination Date", "Fecha de baja"}},
	}
}

// steady are PowerSchool's names for an id that is the same at all schools; its
// ID and DCID are not, and are taken only without them.
var steady = []string{"Users DCID", "Teacher Number"}

// A Column of the file.
type Column struct {
	No     int    // 1 for the first
	Header string // as written
	Field  Field  // empty: not used
	Also   Field  // a second use: an address that Options.Map made the id
}

var (
	// PowerSchool names the table of a field: TEACHERS.LAST_NAME, [Users]Title.
	tableName = regexp.MustCompile(`(?i)^(\[[^\]]*\]\s*|(teachers|users|schoolstaff|staff)\.)`)
	// What forms say of a field besides its name.
	remark = regexp.MustCompile(`(?i)\((yes */ *no|s[ií] */ *no|true */ *false|required|optional|obligatorio|opcional)\)`)
)

// keys gives the names of a header: the one that people read, and the one that
// stands in brackets behind it, as in "Name [displayName] Required".
func keys(header string) (name, property string) {
	if m := tableName.FindString(header); m != "" && len(m) < len(header) {
		if rest := fold(header[len(m):]); rest != "required" && rest != "obligatorio" {
			header = header[len(m):]
		}
	}
	before, in, ok := strings.Cut(header, "[")
	if ok {
		in, _, _ = strings.Cut(in, "]")
	}
	return fold(remark.ReplaceAllString(before, "")), fold(in)
}

// fold gives the letters and digits of a word, in lower case and without
// accents: what remains is the same however a header or a word was written.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return r
	}, strings.ToLower(norm.NFKD.String(s)))
}

// mapColumns finds the column of each field, or says which it cannot find.
func mapColumns(header []string, explicit map[string]string) ([]Column, error) {
	cols := make([]Column, len(header))
	names, properties := map[string][]int{}, map[string][]int{}
	all := specs()
	says := func(f Field, name string) bool {
		return slices.ContainsFunc(all, func(s spec) bool {
			return s.field == f && slices.ContainsFunc(s.headers, func(h string) bool { return fold(h) == name })
		})
	}
	for i, h := range header {
		h = strings.TrimSpace(bot.UnguardCell(strings.TrimSpace(h)))
		cols[i] = Column{No: i + 1, Header: h}
		name, property := keys(h)
		names[name] = append(names[name], i)
		if property == "accountenabled" && name != "" && !says(Enabled, name) {
			// Microsoft's templates ask "Block sign in" and keep the answer
			// under accountEnabled, in every language.
			property = "blocksignin"
		}
		properties[property] = append(properties[property], i)
	}
	delete(names, "")
	delete(properties, "")
	taken := map[Field]bool{}
	use := func(f Field, name string, at []int) error {
		if len(at) > 1 && !several(f) {
			return fmt.Errorf("the staff list has %d columns called %q; rename all but the one to use", len(at), name)
		}
		for _, i := range at {
			if other := cols[i].Field; other != "" {
				return fmt.Errorf("column %q is mapped to both %s and %s", name, other, f)
			}
			cols[i].Field = f
		}
		taken[f] = true
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(explicit)) {
		f := Field(strings.TrimSpace(name))
		if !slices.ContainsFunc(all, func(s spec) bool { return s.field == f }) {
			return nil, fmt.Errorf("there is no field %q to map; fields are %s", name, fieldNames(all))
		}
		col := strings.TrimSpace(explicit[name])
		at := exactly(cols, col)
		if at == nil {
			key, _ := keys(col)
			at = names[key]
		}
		if len(at) == 0 {
			return nil, fmt.Errorf("the staff list has no column %q for %s; it has %s", clip(col), f, headers(cols))
		}
		if err := use(f, col, at); err != nil {
			return nil, err
		}
	}
	explicitly := maps.Clone(taken)
	for _, by := range []map[string][]int{properties, names} {
		for _, s := range all {
			if s.field == ID {
				s.headers = slices.Concat(steady, s.headers)
			}
			for _, h := range s.headers {
				at := slices.DeleteFunc(slices.Clone(by[fold(h)]), func(i int) bool { return cols[i].Field != "" })
				if len(at) == 0 || explicitly[s.field] || taken[s.field] && !several(s.field) {
					continue
				}
				if err := use(s.field, cols[at[0]].Header, at); err != nil {
					return nil, err
				}
			}
		}
	}
	if i := slices.IndexFunc(cols, func(c Column) bool { return c.Field == GivenName && strings.HasPrefix(fold(c.Header), "nombre") }); i >= 0 && !taken[Name] && !taken[FamilyName] {
		cols[i].Field = Name // "Nombre" alone is the whole name
	}
	if !taken[Username] && !taken[Email] && !taken[UPN] && explicitly[ID] {
		at := slices.IndexFunc(cols, func(c Column) bool { return c.Field == ID })
		name, property := keys(cols[at].Header)
		for _, f := range []Field{Username, Email, UPN} {
			if (says(f, name) || says(f, property)) && cols[at].Also == "" {
				cols[at].Also = f
				taken[f] = true
			}
		}
	}
	if len(cols) == 1 && strings.ContainsAny(cols[0].Header, ",;\t") {
		return nil, fmt.Errorf("each line of the staff list stands in quotation marks as one cell: %q; open it in a spreadsheet, spread it over columns, and save it as CSV UTF-8", clip(cols[0].Header))
	}
	var missing []string
	lacks := func(what string, fs ...Field) {
		var accepted []string
		for _, s := range all {
			if slices.Contains(fs, s.field) {
				accepted = append(accepted, s.headers[:min(12, len(s.headers))]...)
			}
		}
		missing = append(missing, fmt.Sprintf("no column for %s (accepted: %s, and others; or map one with %s=COLUMN)", what, strings.Join(accepted, ", "), fs[0]))
	}
	if !taken[ID] {
		lacks("the id", ID)
	}
	if !taken[Username] && !taken[Email] && !taken[UPN] {
		lacks("the login or the work address", Email, Username, UPN)
	}
	if missing != nil {
		return nil, fmt.Errorf("the staff list has %s; its columns are %s", strings.Join(missing, ", and "), headers(cols))
	}
	return cols, nil
}

func exactly(cols []Column, name string) []int {
	var at []int
	for i, c := range cols {
		if c.Header == name {
			at = append(at, i)
		}
	}
	return at
}

func fieldNames(all []spec) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s.field)
	}
	return strings.Join(names, ", ")
}

// headers lists the first columns for a sentence.
func headers(cols []Column) string {
	const most = 30
	names := make([]string, 0, most)
	for _, c := range cols {
		if len(names) == most {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(cols)-most)
		}
		names = append(names, fmt.Sprintf("%q", clip(c.Header)))
	}
	return strings.Join(names, ", ")
}

// clip shortens a cell for a sentence.
func clip(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
