package emission

import (
	"embed"
	"strings"
)

//go:embed schema/*.json
var schemas embed.FS

// SchemaPath returns the path under which the schema of a type's data is
// served, such as /schemas/escalation-routed.v1.json.
func SchemaPath(typ string) string { return "/schemas/" + schemaName(typ) }

// Schema returns the JSON Schema that is served under a path, or false.
func Schema(path string) ([]byte, bool) {
	name, ok := strings.CutPrefix(path, "/schemas/")
	if !ok {
		return nil, false
	}
	b, err := schemas.ReadFile("schema/" + name)
	return b, err == nil
}

// schemaName turns handoff.escalation.context_added.v1 into
// escalation-context-added.v1.json.
func schemaName(typ string) string {
	typ = strings.TrimPrefix(typ, "handoff.")
	i := strings.LastIndex(typ, ".v")
	return strings.NewReplacer(".", "-", "_", "-").Replace(typ[:i]) + typ[i:] + ".json"
}
