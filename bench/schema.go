package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/configs"
	"ovbench/reports/results"
)

// schemas are the formats that have one.
var schemas = map[string]func() []byte{"suite": configs.Schema, "results": results.JSONSchema}

func schemaCommand() *cobra.Command {
	kinds := slices.Sorted(maps.Keys(schemas))
	return &cobra.Command{
		Use:   "schema " + strings.Join(kinds, "|"),
		Short: "Print the JSON Schema of a file format",
		Long: `Print the JSON Schema (draft 2020-12) of suites, for editors that complete and check YAML, or of results.json, for
readers in other languages.`,
		Example:   "  ovbench schema suite > suite.schema.json",
		ValidArgs: kinds,
		Args:      oneOf(kinds),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := c.OutOrStdout().Write(schemas[args[0]]())
			return err
		},
	}
}
