# Read by rigs.sh: what judges the Entra adapter and the pretend Microsoft 365
# tenant, Microsoft's own types of Graph; the compiler is rigs-discord.sh's.
# Exports GRAPH_TYPES_DIR.
GRAPH_TYPES_VERSION=2.43.1

rigs_entra() {
	rigs_npm @microsoft/microsoft-graph-types "$GRAPH_TYPES_VERSION" || return 1
	GRAPH_TYPES_DIR=$rigs_npm_dir
	export GRAPH_TYPES_DIR
}
