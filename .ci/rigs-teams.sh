# Read by rigs.sh: what judges the payloads of the Teams adapter and of its
# double. Microsoft's own packages: the schema of activities, and the parser of
# Adaptive Cards. Exports AGENTS_ACTIVITY_DIR and ADAPTIVECARDS_DIR.
AGENTS_ACTIVITY_VERSION=1.8.1
ADAPTIVECARDS_VERSION=3.0.6

rigs_teams() {
	rigs_npm @microsoft/agents-activity "$AGENTS_ACTIVITY_VERSION" || return 1
	AGENTS_ACTIVITY_DIR=$rigs_npm_dir
	rigs_npm adaptivecards "$ADAPTIVECARDS_VERSION" || return 1
	ADAPTIVECARDS_DIR=$rigs_npm_dir
	export AGENTS_ACTIVITY_DIR ADAPTIVECARDS_DIR
}
