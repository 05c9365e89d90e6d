package checkpoint

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A directory's weights are its usual file, else the one there is.
func TestWeights(t *testing.T) {
	for _, c := range []struct {
		names string
		want  string
	}{
		{"config.json model.safetensors model.fp16.safetensors pytorch_model.bin", "model.safetensors"},
		{"config.json model.fp16.safetensors vocab.json", "model.fp16.safetensors"},
		{"open_clip_model.bf16.safetensors pytorch_model.fp16.bin",
			"several weight files: open_clip_model.bf16.safetensors, pytorch_model.fp16.bin"},
		{"pytorch_model.fp16.bin tuned.pth", "pytorch_model.fp16.bin"},
		{"pytorch_model-00001-of-00002.bin pytorch_model-00002-of-00002.bin pytorch_model.bin.index.json",
			"pytorch_model.bin.index.json"},
		{"modules.json 0_CLIPModel/config.json 0_CLIPModel/model.safetensors", "0_CLIPModel/model.safetensors"},
		{"README.md tuned.safetensors", "tuned.safetensors"},
		{"epoch_9.pt training_args.bin", "epoch_9.pt"},
		{"epoch_8.pt epoch_9.pt", "several weight files: epoch_8.pt, epoch_9.pt"},
		{"adapter_config.json adapter_model.safetensors", "only an adapter (LoRA) lies here"},
		{"config.json tokenizer.json", "no weights in this directory: none of model.safetensors,"},
	} {
		got, err := Weights(strings.Fields(c.names))
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.names, got, c.want)
		}
	}
}

// A weight file of an unusual name is taken, and that is said.
func TestOpenSaysWhichFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.fp16.safetensors"), content(t, "testdata/types.safetensors"))
	want := []string{"weights of model.fp16.safetensors, the only weight file in the folder"}
	if diff := cmp.Diff(want, open(t, dir).Notes); diff != "" {
		t.Error(diff)
	}
}

// Training scripts keep a state dict under keys of their own, and averages of the weights beside it.
func TestWrappers(t *testing.T) {
	tensors := func(name string) string { return opSet(opText(name), opTensor("0", 6, 0, []int{6}, []int{1})) }
	for _, c := range []struct{ root, want string }{
		{opSet(opText("epoch"), opInt(3), opText("anything"), tensors("a")), "a []"},
		{opSet(opText("model"), tensors("a"), opText("model_ema"), tensors("b")), `a [weights under "model"; those under ["model_ema"] are not read]`},
		{opSet(opText("state_dict_ema"), tensors("b"), opText("net"), tensors("a")), `a [weights under "net"; those under ["state_dict_ema"] are not read]`},
		{opSet(opText("ema"), tensors("b")), "b []"},
		{opSet(opText("net"), opSet(opText("state_dict"), tensors("a"))), "a []"},
		{opSet(opText("left"), tensors("a"), opText("right"), tensors("b")), `several state dicts, under ["left" "right"]; save the one that is meant`},
		{opSet(opText("optimizer"), tensors("b"), opText("module"), tensors("a")), "a []"},
	} {
		path := filepath.Join(t.TempDir(), "w.pt")
		write(t, path, []byte(torchOf(t, c.root)))
		got := ""
		if o, err := Open(path); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(strings.Join(o.Names(), " "), " ", o.Notes)
		}
		if !strings.HasSuffix(got, c.want) {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	plain, wrapped := open(t, "testdata/plain.pt"), open(t, "testdata/weights.pt")
	if !slices.Equal(plain.Names(), wrapped.Names()) {
		t.Errorf("%q, want %q", wrapped.Names(), plain.Names())
	}
}

// Large models are saved as several pickles with an index.
func TestShardsOfPickles(t *testing.T) {
	dir := t.TempDir()
	index := filepath.Join(dir, "pytorch_model.bin.index.json")
	write(t, filepath.Join(dir, "1.bin"), []byte(torchOf(t, opSet(opText("a"), opTensor("0", 6, 0, []int{6}, []int{1})))))
	write(t, filepath.Join(dir, "2.bin"), []byte(torchOf(t, opSet(opText("b"), opTensor("0", 6, 2, []int{4}, []int{1})))))
	write(t, index, []byte(`{"weight_map":{"a":"1.bin","b":"2.bin"}}`))
	c := open(t, dir)
	if c.Format != ShardedStateDict || !slices.Equal(c.Names(), []string{"a", "b"}) ||
		c.Tensors["b"].Path != filepath.Join(dir, "2.bin") {
		t.Errorf("%s with %v", c.Format, c.Tensors)
	}
	shards, err := Shards(index)
	if diff := cmp.Diff([]string{"1.bin", "2.bin"}, shards); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
