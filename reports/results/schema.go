package results

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// JSONSchema is the JSON Schema (draft 2020-12) of results.json, for readers in other languages. It says less than
// [Run.Validate]: names that must be unique or known, and paths that must stay inside the folder, are not in it. A
// test makes it from the types of this package and their comments.
func JSONSchema() []byte { return slices.Clone(schema) }
