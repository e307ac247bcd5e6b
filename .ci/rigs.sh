#!/bin/sh
# The programs that the tests talk to and that we did not write: a mail server,
# a Twilio emulator, an OpenID provider, a browser, a checker of accessibility,
# a QR reader, a one-time password tool, PostgreSQL's server and PgBouncer.
#
#   . .ci/rigs.sh        in a POSIX shell: installs what is missing, exports
#                        PATH, MAILPIT, TWILIO_EMULATOR_DIR, OIDC_PROVIDER_DIR,
#                        AXE_JS and CHROMIUM
#
# For a Debian machine with Go, npm and root (or with everything installed).
# Running it again costs nothing. Nothing is left running: the packages of
# PostgreSQL and PgBouncer would start a server, so they are kept from it. Downloads are kept in
# LATCHKEY_RIGS, by default a folder of the user's cache.

MAILPIT_VERSION=v1.27.11
EMULATE_VERSION=0.12.2
OIDC_PROVIDER_VERSION=8.8.1 # version 9 wants a newer Node.js than Debian 12 has
AXE_VERSION=4.14.1
STATICCHECK_VERSION=v0.8.2

# Where this file is: a POSIX shell does not tell, so the checkout's root, or .ci
# itself, must be the working folder.
rigs_here=.ci
[ -e "$rigs_here/rigs.sh" ] || rigs_here=.

rigs_fail() { echo "rigs: $*" >&2; return 1; }

# rigs_need COMMAND PACKAGE: notes the package when the command is missing.
rigs_need() {
	command -v "$1" >/dev/null 2>&1 && return 0
	rigs_packages="$rigs_packages $2"
}

rigs_postgres() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }

# rigs_fonts: a browser without any font shows boxes, and measures them.
rigs_fonts() { ls /usr/share/fonts/truetype/liberation*/LiberationSans-Regular.ttf >/dev/null 2>&1; }

# rigs_npm NAME VERSION: installs a package in a folder of its own, $rigs_npm_dir.
rigs_npm() {
	rigs_npm_dir=$rigs_dir/$1-$2
	[ -e "$rigs_npm_dir/done" ] && return 0
	rm -rf "$rigs_npm_dir" && mkdir -p "$rigs_npm_dir" &&
		npm install --prefix "$rigs_npm_dir" --no-audit --no-fund --no-save --loglevel=error "$1@$2" >/dev/null &&
		: >"$rigs_npm_dir/done"
}

# rigs_go COMMAND MODULE VERSION: installs a program from its Go module.
rigs_go() {
	if [ ! -x "$rigs_dir/bin/$1-$3" ]; then
		rigs_tmp=$(mktemp -d) || return 1
		(cd "$rigs_tmp" && GOBIN="$rigs_tmp" GOFLAGS=-mod=mod go install "$2@$3") &&
			mv "$rigs_tmp/$1" "$rigs_dir/bin/$1-$3" || { rm -rf "$rigs_tmp"; return 1; }
		rm -rf "$rigs_tmp"
	fi
	ln -sf "$1-$3" "$rigs_dir/bin/$1"
}

rigs_install() {
	rigs_dir=${LATCHKEY_RIGS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/latchkey-rigs}
	mkdir -p "$rigs_dir/bin" || return 1

	rigs_packages=
	rigs_need zbarimg zbar-tools
	rigs_need oathtool oathtool
	rigs_need tmux tmux
	rigs_need chromium chromium
	rigs_fonts || rigs_packages="$rigs_packages fonts-liberation"
	# A Node.js from elsewhere brings its own npm and conflicts with Debian's.
	rigs_need node "nodejs npm"
	rigs_postgres || rigs_packages="$rigs_packages postgresql"
	[ -x /usr/sbin/pgbouncer ] || rigs_need pgbouncer pgbouncer
	if [ -n "$rigs_packages" ]; then
		[ "$(id -u)" = 0 ] || { rigs_fail "missing:$rigs_packages; install them, or run this as root"; return 1; }
		# Keeps PostgreSQL's package from making and starting a cluster.
		if ! rigs_postgres && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
			mkdir -p /etc/postgresql-common
			printf 'create_main_cluster = false\nstart_conf = manual\n' >/etc/postgresql-common/createcluster.conf
		fi
		apt-get update -qq || return 1
		# shellcheck disable=SC2086 # a list of words
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold \
			$rigs_packages >/dev/null || return 1
	fi

	command -v go >/dev/null 2>&1 || { rigs_fail "go is missing"; return 1; }
	command -v npm >/dev/null 2>&1 || { rigs_fail "npm is missing; install the one that belongs to your Node.js"; return 1; }

	rigs_go mailpit github.com/axllent/mailpit "$MAILPIT_VERSION" || return 1
	rigs_go staticcheck honnef.co/go/tools/cmd/staticcheck "$STATICCHECK_VERSION" || return 1

	rigs_npm emulate "$EMULATE_VERSION" || return 1
	TWILIO_EMULATOR_DIR=$rigs_npm_dir
	rigs_npm oidc-provider "$OIDC_PROVIDER_VERSION" || return 1
	OIDC_PROVIDER_DIR=$rigs_npm_dir
	rigs_npm axe-core "$AXE_VERSION" || return 1
	AXE_JS=$rigs_npm_dir/node_modules/axe-core/axe.min.js

	# What only one platform's tests need stands in a file of its own.
	for rigs_part in slack teams discord entra webhook; do
		[ ! -e "$rigs_here/rigs-$rigs_part.sh" ] || { . "$rigs_here/rigs-$rigs_part.sh" && "rigs_$rigs_part"; } || return 1
	done

	PATH=$rigs_dir/bin:$PATH
	MAILPIT=$rigs_dir/bin/mailpit
	CHROMIUM=$(command -v chromium)
	export PATH MAILPIT TWILIO_EMULATOR_DIR OIDC_PROVIDER_DIR AXE_JS CHROMIUM
}

rigs_install || rigs_fail "a program that the tests need is missing, see above"
