package main

import (
	"os"
	"path/filepath"
	"testing"

	"ovbench/reports/results"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/tensor"
)

// Every command that takes a model takes a ResNet.
func TestCommandsWithResNet(t *testing.T) {
	dir := t.TempDir()
	model, err := cliptest.WriteResNet(dir, cliptest.ResNet{
		Stages: [4]int{1, 2, 1, 1}, Width: 8, Image: 64, Embed: 12, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1},
		Vocab: 647,
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	micro := filepath.Join("..", "runners", "clip", "testdata", "micro")
	picture := filepath.Join(micro, "image.png")
	in := func(name string) string { return filepath.Join(dir, name) }
	with := func(args ...string) {
		t.Helper()
		command(t, append(args, "--model", model, "--vocab", filepath.Join(micro, "hf"))...)
	}
	with("encode", "image", picture, "--method", "clip_surgery", "--size", "96x160", "--out", in("tokens.npy"))
	with("encode", "text", "cat", "--out", in("text.npy"))
	with("explain", picture, "--text", "cat", "--text", "dog", "--size", "128", "--out", in("maps"))
	with("explain", picture, "--caption", "a cat", "--size", "128", "--out", in("caption"))
	with("export", "--method", "clip,clip_surgery", "--size", "64", "--out", in("model.onnx"))
	with("export", "--method", "clip_surgery", "--standard-ops", "--out", in("standard.onnx"))
	with("run", "micro", "--set", "protocol.size=128", "--out", in("run"))

	f, err := os.Open(in("tokens.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tokens, err := tensor.ReadNPY(f)
	if err != nil || len(tokens.Shape) != 3 || tokens.Shape[1] != 1+3*5 || tokens.Shape[2] != 12 {
		t.Errorf("tokens %v, %v", tokens.Shape, err)
	}
	r, err := results.Read(in("run"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Model.Activation != "relu (text: quick_gelu)" || len(r.Cells) == 0 {
		t.Errorf("activation %q, %d cells", r.Model.Activation, len(r.Cells))
	}
}
