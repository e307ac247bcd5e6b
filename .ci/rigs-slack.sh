# What the tests of Slack need beside the others' rigs; .ci/rigs.sh reads it.
# Exports SLACK_EMULATOR_DIR (an emulator of the Web API and of signed events),
# SLACK_BOLT_DIR (Slack's own framework, the judge of our signer and of our
# double of Socket Mode), SLACK_TYPES_DIR (Slack's own types of what an app
# sends) and SLACK_TYPESCRIPT_DIR (the compiler that checks them).

SLACK_BOLT_VERSION=5.1.0
SLACK_TYPES_VERSION=3.2.0
SLACK_TYPESCRIPT_VERSION=7.0.2

rigs_slack() {
	rigs_npm emulate "$EMULATE_VERSION" || return 1
	SLACK_EMULATOR_DIR=$rigs_npm_dir
	rigs_npm @slack/bolt "$SLACK_BOLT_VERSION" || return 1
	SLACK_BOLT_DIR=$rigs_npm_dir
	rigs_npm @slack/types "$SLACK_TYPES_VERSION" || return 1
	SLACK_TYPES_DIR=$rigs_npm_dir
	rigs_npm typescript "$SLACK_TYPESCRIPT_VERSION" || return 1
	SLACK_TYPESCRIPT_DIR=$rigs_npm_dir
	export SLACK_EMULATOR_DIR SLACK_BOLT_DIR SLACK_TYPES_DIR SLACK_TYPESCRIPT_DIR
}
