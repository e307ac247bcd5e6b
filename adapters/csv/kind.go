package csv

import (
	"strings"

	"latchkey/bot"
)

// readKind understands the words of directories and personnel systems for what
// sort of account it is, folded.
func readKind(word string) (bot.PersonKind, bool) {
	switch word {
	case "member", "user", "usermailbox", "remoteusermailbox", "linkedmailbox", "mailuser", "miembro", "usuario":
		return "", true // no guest and no thing, but it may be a pupil's
	case "staff", "employee", "faculty", "teacher", "substitute", "contractor",
		"fulltime", "parttime", "regular", "permanent", "temporary", "certified", "classified", "person",
		"personal", "empleado", "empleada", "docente", "maestro", "maestra", "profesor", "profesora", "tiempocompleto", "mediotiempo":
		return bot.Staff, true
	case "pupil", "student", "learner", "alumno", "alumna", "estudiante":
		return bot.Pupil, true
	case "guest", "guestuser", "guestmailuser", "external", "externaluser", "visitor", "invitado", "invitada", "externo", "externa", "visitante":
		return bot.Guest, true
	case "service", "serviceaccount", "system", "application", "bot", "robot", "svc",
		"msdsgroupmanagedserviceaccount", "msdsmanagedserviceaccount", "servicio", "cuentadeservicio", "sistema":
		return bot.Service, true
	case "shared", "sharedmailbox", "remotesharedmailbox", "groupmailbox", "functional", "generic", "compartido", "compartida", "buzoncompartido", "generico":
		return bot.Shared, true
	case "room", "roommailbox", "remoteroommailbox", "equipment", "equipmentmailbox", "remoteequipmentmailbox", "resource", "device", "kiosk", "place",
		"sala", "recurso", "equipo", "aula":
		return bot.Place, true
	}
	return "", false
}

// lookalike reports whether a login is more often of a thing than of a person. It
// is told, and decides nothing: Roman Sala is a person.
func lookalike(login string) bool {
	if i := strings.IndexAny(login, "-_.0123456789"); i >= 0 {
		login = login[:i]
	}
	switch login {
	case "svc", "service", "srv", "sql", "backup", "scan", "scanner", "copier", "printer", "kiosk", "noreply", "no", "donotreply", "test", "shared", "room", "conf", "conference",
		"guest", "student", "info", "office", "frontdesk", "reception", "sala", "aula", "servicio", "impresora", "invitado":
		return true
	}
	return false
}

// isPerson reports whether Active Directory's objectClass is an account, and
// which kind that makes it.
func isPerson(class string) (kind bot.PersonKind, ok bool) {
	switch class {
	case "", "user", "person", "organizationalperson", "inetorgperson":
		return "", true
	case "msdsgroupmanagedserviceaccount", "msdsmanagedserviceaccount":
		return bot.Service, true
	}
	return "", false
}
