# Read by rigs.sh: what judges the webhooks of tickets, the verifier of Standard
# Webhooks for Node.js. Exports STANDARDWEBHOOKS_DIR.
STANDARDWEBHOOKS_VERSION=1.1.1

rigs_webhook() {
	rigs_npm standardwebhooks "$STANDARDWEBHOOKS_VERSION" || return 1
	STANDARDWEBHOOKS_DIR=$rigs_npm_dir
	export STANDARDWEBHOOKS_DIR
}
