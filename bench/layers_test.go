package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// floors is the house: a package imports only packages of lower floors. A tool of tests counts as what it tests.
var floors = map[string]int{
	"bench":                             10,
	"bench/engine":                      9,
	"bench/analysis":                    9,
	"bench/tasks":                       8,
	"bench/predictions":                 7,
	"bench/records":                     2,
	"runners":                           7,
	"runners/methods":                   6,
	"runners/methods/methodstest":       1,
	"runners/clip":                      5,
	"runners/vit":                       4,
	"runners/dino":                      5,
	"runners/dino/dinotest":             2,
	"runners/sam":                       5,
	"runners/sam/samtest":               2,
	"runners/checkpoint/checkpointtest": 1,
	"runners/weights":                   3,
	"bench/cluster":                     3,
	"runners/hub":                       3,
	"runners/tokenizer":                 2,
	"runners/textcache":                 1,
	"runners/files":                     1,
	"runners/clip/cliptest":             2,
	"runners/checkpoint":                2,
	"runners/onnx":                      2,
	"runners/ort":                       2,
	"reports":                           4,
	"reports/pdf":                       3,
	"reports/draw/drawtest":             2,
	"reports/draw":                      2,
	"datasets/datasetstest":             7,
	"metrics/metricstest":               2,
	"runners/tensor":                    1,
	"runners/resample":                  1,
	"configs":                           1,
	"datasets":                          6,
	"datasets/mat":                      5,
	"datasets/labelmap":                 4,
	"datasets/picture":                  3,
	"datasets/jpeg":                     2,
	"datasets/mask":                     2,
	"datasets/files":                    1,
	"datasets/jsonscan":                 1,
	"metrics":                           1,
	"reports/results":                   1,
	"reports/plain":                     1,
}

// wings never import each other: only bench knows them all.
var wings = []string{"configs", "datasets", "metrics", "runners", "reports"}

func TestFloors(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "ovbench/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, "ovbench/")
		found[name] = true
		floor, ok := floors[name]
		if !ok {
			t.Errorf("package %s has no floor: give it one in this test and in CONTRIBUTING.md", name)
			continue
		}
		for _, i := range p.Imports {
			dep, ours := strings.CutPrefix(i, "ovbench/")
			if !ours {
				continue
			}
			if floors[dep] >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): an arrow only goes down", name, floor, dep, floors[dep])
			}
			if a, b := wing(name), wing(dep); a != "" && a != b {
				t.Errorf("%s imports %s: %s never import each other, translate in bench", name, dep, strings.Join(wings, ", "))
			}
		}
	}
	for name := range floors {
		if !found[name] {
			t.Errorf("package %s has a floor but does not exist", name)
		}
	}
}

// wing is the top folder of a package outside bench.
func wing(name string) string {
	top, _, _ := strings.Cut(name, "/")
	if top == "bench" {
		return ""
	}
	return top
}

// The top folders are given; there is no other place for code.
func TestTopFolders(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}}", "ovbench/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		top, _, _ := strings.Cut(strings.TrimPrefix(p, "ovbench/"), "/")
		if w := wing(top); w != "" && !strings.Contains(strings.Join(wings, " "), w) {
			t.Errorf("package %s lies outside the folders bench, %s", p, strings.Join(wings, ", "))
		}
	}
}
