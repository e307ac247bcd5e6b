package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// A pgTrouble is what an error of PostgreSQL means for an operator. Neither
// sentence names an address, a table or a value: health checks show them.
type pgTrouble struct {
	code string // SQLSTATE, or its class: the first two signs
	what string // what happened, and where
	do   string // what to do about it
}

// pgOldest is the oldest PostgreSQL whose statements these are.
const pgOldest = 14

// pgTroubles are the errors that an operator meets ("PostgreSQL Error Codes",
// appendix A of its manual). A code stands before its class.
var pgTroubles = []pgTrouble{
	{"08P01", "PostgreSQL, or a pooler before it, refuses the connection", "read the log of PostgreSQL and of the pooler (PgBouncer): a database or user that it does not know, a wrong password, or a server behind it that does not run"},
	{"08", "the connection to PostgreSQL broke", "see whether PostgreSQL runs and the network between here and there holds"},
	{"0A", pgTooOld, pgUpgrade},
	{"21", "PostgreSQL does not take a statement of this program", pgReport},
	{"22021", pgNotUTF8, pgEncode},
	{"22P05", pgNotUTF8, pgEncode},
	{"22", "PostgreSQL does not take a value of this program", pgReport},
	{"23", "a row does not fit what PostgreSQL holds", "see whether the tables were changed by hand; if not, " + pgReport},
	{"25006", "PostgreSQL is read-only", "see that the address leads to the server that takes writes and not to a standby (target_session_attrs=read-write), and that default_transaction_read_only is off"},
	{"25P03", "PostgreSQL ended a transaction that was idle", "set idle_in_transaction_session_timeout to 0 for this user"},
	{"25P04", "PostgreSQL ended a transaction that took too long", "set transaction_timeout to 0 for this user"},
	{"28000", "PostgreSQL does not let this user in from here", "see its pg_hba.conf (host, user, database, TLS), and the user in the address"},
	{"28", "PostgreSQL does not take the password", "compare user and password in the address with PostgreSQL's"},
	{"3D", "PostgreSQL has no such database", "make it (CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0), or mend its name in the address"},
	{"3F", "PostgreSQL has no such schema", "make the schema, or mend search_path of the user or the address"},
	{"40", "transactions stood in each other's way again and again", "see what else works in this database"},
	{"42501", "the user of PostgreSQL lacks a permission", "let the user own the database, or its schema and all tables in it (GRANT, ALTER ... OWNER TO)"},
	{"42601", pgTooOld, pgUpgrade},
	{"42883", pgTooOld, pgUpgrade},
	{"42", "PostgreSQL's tables are not those of this program", "see that the address names the right database and schema; if tables were changed or deleted by hand, restore a backup"},
	{"53100", "PostgreSQL's disk is full", "make room on the disk of PostgreSQL"},
	{"53200", "PostgreSQL has no memory left", "see what else takes the memory of its machine, and its settings work_mem and max_connections"},
	{"53300", "PostgreSQL has no connection left", fmt.Sprintf("raise max_connections (or the limit of the user or database), or end what holds them; each process of Latchkey takes up to %d", pgSessions)},
	{"53", "PostgreSQL has reached a limit of its machine or its settings", "PostgreSQL's log says which"},
	{"54", "PostgreSQL does not take a statement of this size", pgReport},
	{"55P03", pgLocked, pgUnlock},
	{"55", "PostgreSQL is not in the state for this", "PostgreSQL's log says why"},
	{"57014", pgLocked, pgUnlock},
	{"57P01", "PostgreSQL was stopped or restarted, or somebody ended its connection", "start PostgreSQL"},
	{"57P02", "PostgreSQL stopped because one of its processes crashed", "PostgreSQL's log says why; it starts again by itself"},
	{"57P03", "PostgreSQL is starting up or shutting down", "wait until it has started; if that takes long, PostgreSQL's log says what it does"},
	{"57P04", "PostgreSQL's database was deleted", "restore a backup"},
	{"57P05", "PostgreSQL ended a connection that was idle", "set idle_session_timeout to 0 for this user"},
	{"57", "an operator of PostgreSQL stepped in", "PostgreSQL's log says how"},
	{"58", "PostgreSQL's disk does not read or write", "look at the disk and at PostgreSQL's log"},
	{"F0", "PostgreSQL's configuration is broken", "PostgreSQL's log says where"},
	{"XX001", pgDamaged, pgRestore},
	{"XX002", pgDamaged, pgRestore},
	{"XX", "PostgreSQL has met an error of its own", "look at PostgreSQL's log"},
}

const (
	pgTooOld  = "this PostgreSQL does not know what is asked of it: it is too old, or something that stands in for it"
	pgNotUTF8 = "PostgreSQL's database cannot hold all letters: its encoding is not UTF8"
	pgEncode  = "make a database with ENCODING 'UTF8' (TEMPLATE template0), and name it in the address"
	pgLocked  = "something holds a lock in PostgreSQL, or a statement was cancelled there"
	pgUnlock  = "see in pg_stat_activity what has been busy for long (a backup, a migration, a statement by hand), and end it"
	pgDamaged = "PostgreSQL says that its data is damaged"
	pgRestore = "stop the service, look at the disk and at PostgreSQL's log, and restore a backup"
	pgReport  = "report this with the line of the log"
)

var pgUpgrade = fmt.Sprintf("use PostgreSQL %d or newer", pgOldest)

// troubleOf says what an error of the connection to PostgreSQL means, or of a
// statement there; nil when err is neither.
func troubleOf(err error) *pgTrouble {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, errNoSession): // it says itself what to do
		return nil
	case errors.As(err, &pg):
		for i := range pgTroubles {
			if strings.HasPrefix(pg.Code, pgTroubles[i].code) {
				return &pgTroubles[i]
			}
		}
		return &pgTrouble{pg.Code, "PostgreSQL refuses, with its code " + pg.Code, "look at PostgreSQL's log"}
	case errors.As(err, &connect):
		return unanswered(connect)
	}
	return nil
}

// unanswered says why nobody answers at PostgreSQL's address.
func unanswered(err error) *pgTrouble {
	t := &pgTrouble{"", "PostgreSQL does not answer", "see whether PostgreSQL runs and lets this machine in, and whether its address (store.postgres_env) is right"}
	var name *net.DNSError
	var host x509.HostnameError
	var signer x509.UnknownAuthorityError
	var chain *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		t.what += ": the name of its host is not known here"
	case errors.As(err, &host), errors.As(err, &signer), errors.As(err, &chain):
		t.what = "PostgreSQL's certificate is not trusted"
		t.do = "see that sslrootcert in the address is the certificate of its authority, and that the host in it is the one that the certificate names"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		t.what += ": nothing listens at its address"
	}
	return t
}

// opened adds to an error of opening what it means and what to do.
func opened(err error) error {
	if t := troubleOf(err); t != nil {
		return fmt.Errorf("%w: %s; %s", err, t.what, t.do)
	}
	return err
}

// checkServer refuses a server whose statements or letters are not ours. told
// is what it says of itself when a connection begins; what a pooler in between
// keeps for itself is not looked at.
func checkServer(told func(parameter string) string) error {
	version := told("server_version") // "15.9 (Debian 15.9-0)", "18beta1"
	digits := strings.IndexFunc(version+".", func(r rune) bool { return r < '0' || r > '9' })
	if major, err := strconv.Atoi(version[:digits]); err == nil && major < pgOldest {
		return fmt.Errorf("this is PostgreSQL %s, which is too old: %s", version, pgUpgrade)
	}
	if e := told("server_encoding"); e != "" && e != "UTF8" {
		return fmt.Errorf("%s but %s; %s", pgNotUTF8, e, pgEncode)
	}
	return nil
}
