#!/bin/sh
# What only the Discord tests need: the official client, its types with a
# compiler that checks them, and a parser of Discord's Markdown. .ci/rigs.sh
# reads this file; it exports DISCORD_JS_DIR, DISCORD_TYPES_DIR, TYPESCRIPT_DIR
# and DISCORD_MARKDOWN_DIR.

DISCORD_JS_VERSION=14.28.1
DISCORD_TYPES_VERSION=0.38.57
DISCORD_TYPESCRIPT_VERSION=5.9.3
DISCORD_MARKDOWN_VERSION=3.3.0

rigs_discord() {
	rigs_npm discord.js "$DISCORD_JS_VERSION" || return 1
	DISCORD_JS_DIR=$rigs_npm_dir
	rigs_npm discord-api-types "$DISCORD_TYPES_VERSION" || return 1
	DISCORD_TYPES_DIR=$rigs_npm_dir
	rigs_npm typescript "$DISCORD_TYPESCRIPT_VERSION" || return 1
	TYPESCRIPT_DIR=$rigs_npm_dir
	rigs_npm @odiffey/discord-markdown "$DISCORD_MARKDOWN_VERSION" || return 1
	DISCORD_MARKDOWN_DIR=$rigs_npm_dir
	export DISCORD_JS_DIR DISCORD_TYPES_DIR TYPESCRIPT_DIR DISCORD_MARKDOWN_DIR
}
