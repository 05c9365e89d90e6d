package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ovbench/datasets"
	"ovbench/reports"
)

// What runs write, and the built-in suites, are valid by the schemas that the command prints.
func TestSchemasInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with jsonschema and PyYAML")
	}
	dir := t.TempDir()
	files := map[string][]string{}
	for _, task := range []string{"segmentation", "explain", "multilabel"} {
		out := filepath.Join(dir, task)
		command(t, "run", "micro", "--set", "task="+task, "--out", out)
		files["results"] = append(files["results"], filepath.Join(out, "results.json"))
	}
	suites, err := filepath.Glob(filepath.Join("..", "configs", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files["suite"] = slices.DeleteFunc(suites, func(s string) bool { return filepath.Base(s) == "protocols.yaml" })
	for kind, list := range files {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), &stdout, &stderr, []string{"schema", kind}); code != exitDone || len(list) < 3 {
			t.Fatalf("%d files, exit code %d\n%s", len(list), code, stderr.String())
		}
		path := filepath.Join(dir, kind+".schema.json")
		if err := os.WriteFile(path, stdout.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		if faults := python(t, "schema.py", append([]string{path}, list...)...); faults != "" {
			t.Errorf("%s:\n%s", kind, faults)
		}
	}
}

// Published numbers speak of data sets that can be opened.
func TestPublishedDataSetsAreKnown(t *testing.T) {
	for _, c := range reports.Published() {
		for name := range c.Cells {
			if !slices.ContainsFunc(datasets.All, func(e datasets.Entry) bool { return e.Name == name }) {
				t.Errorf("%s, %s: data set %q is not known", c.File, c.Label, name)
			}
		}
	}
}
