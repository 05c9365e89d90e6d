package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/reports/results"
)

// The label maps of runs under protocols with windows, padding, refinement and thresholds are those that numpy makes of
// the exported method, from pixels on, holding the whole canvas of every query.
func TestProtocolsInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, Pillow and onnxruntime")
	}
	const common = ", size: 56, filter: bicubic, templates: openai80, queries: plain, datasets: {voc21: {scale: 40, " +
		"threshold: 0.08, area_threshold: 0.1}}"
	for name, protocol := range map[string]string{
		"windows": "base: sclip, window: 32, stride: 20" + common,
		"padded":  "base: clearclip, window: 29, stride: 13" + common,
		"corner":  "base: clearclip, window: 29, stride: 13, pad: corner" + common,
		"refined": "base: naclip, window: 32, stride: 20, pamr: 3" + common,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			suite, run := filepath.Join(dir, "suite.yaml"), filepath.Join(dir, "run")
			text := "model: micro\ndatasets: [{name: voc21, root: <demo>}]\nmethods: [sclip]\npanels: 8\nresamples: " +
				"0\nprotocol: {" + protocol + "}\n"
			if err := os.WriteFile(suite, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			command(t, "run", suite, "--out", run, "--save", "labels")
			model, texts := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "texts.npy")
			command(t, "export", "--model", "micro", "--method", "sclip", "--size", "32", "--out", model)
			r, err := results.Read(run)
			if err != nil {
				t.Fatal(err)
			}
			encode := []string{"encode", "text", "--model", "micro", "--templates", "openai80", "--out", texts}
			for _, queries := range r.Datasets[0].Queries {
				encode = append(encode, queries...)
			}
			command(t, encode...)
			var differ map[string][3]int
			if err := json.Unmarshal([]byte(python(t, "protocol.py", run, model, texts)), &differ); err != nil {
				t.Fatal(err)
			}
			most := 0
			for id, d := range differ {
				most = max(most, d[2])
				if d[0]*1000 > d[1] { // ties, at the last bits of float32
					t.Errorf("%s: %d of %d labels differ from numpy's", id, d[0], d[1])
				}
			}
			if len(differ) != 8 || most < 3 {
				t.Errorf("%d pictures of at most %d labels test nothing: %s", len(differ), most, strings.TrimSpace(text))
			}
		})
	}
}
