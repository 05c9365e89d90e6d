package checkpoint

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners/clip/cliptest"
	"ovbench/runners/tensor"
)

// recorded is a tensor as torch itself reads it.
type recorded struct {
	DType  string
	Shape  []int
	Values []float32
}

// read is a tensor as this package finds it.
func read(t *testing.T, r tensor.Ref) recorded {
	t.Helper()
	d, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	name, ok := map[tensor.DType]string{
		tensor.F64: "float64", tensor.F32: "float32", tensor.F16: "float16", tensor.BF16: "bfloat16", tensor.I64: "int64",
		tensor.I32: "int32", tensor.I16: "int16", tensor.I8: "int8", tensor.U8: "uint8", tensor.Bool: "bool",
	}[r.DType]
	if !ok {
		t.Fatalf("dtype %v", r.DType)
	}
	return recorded{name, d.Shape, d.Data}
}

// expected.json was written by testdata/make.py: what torch 2.15 (torch.load, torch.jit.load) and
// safetensors 0.8 read from the files it made.
func TestOpenReadsWhatTorchReads(t *testing.T) {
	text, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]map[string]recorded
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	formats := map[string]Format{"script.pt": TorchScript, "types.safetensors": Safetensors, "sharded": ShardedSafetensors}
	for file, want := range expected {
		t.Run(file, func(t *testing.T) {
			c := open(t, filepath.Join("testdata", file))
			got := map[string]recorded{}
			for name, r := range c.Tensors {
				got[name] = read(t, r)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("torch reads -, Open finds +\n%s", diff)
			}
			format, ok := formats[file]
			if !ok {
				format = StateDict
			}
			if c.Format != format {
				t.Errorf("format %q, want %q", c.Format, format)
			}
			if want := slices.Sorted(maps.Keys(want)); !slices.Equal(want, c.Names()) {
				t.Errorf("names %q, want %q", c.Names(), want)
			}
		})
	}
}

func open(t testing.TB, path string) *Checkpoint {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The views make.py takes, with the strides of torch.Tensor.stride(); contiguous ones have none.
func TestStrides(t *testing.T) {
	want := map[string][]int{
		"base": nil, "transposed": {1, 6}, "offset": nil, "columns": {6, 2}, "expanded": {0, 1},
		"empty": nil, "scalar": nil, "permuted": {1, 12, 4}, "diagonal": {7},
	}
	got := map[string][]int{}
	for name, r := range open(t, "testdata/views.pt").Tensors {
		got[name] = r.Strides
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTiedWeightsShareBytes(t *testing.T) {
	c := open(t, "testdata/parameters.pt")
	if diff := cmp.Diff(c.Tensors["tied.a"], c.Tensors["tied.b"]); diff != "" {
		t.Error(diff)
	}
	s := open(t, "testdata/script.pt")
	if diff := cmp.Diff(s.Tensors["blocks.0.fc.weight"], s.Tensors["again.fc.weight"]); diff != "" {
		t.Error(diff)
	}
}

func TestMetadataAndFiles(t *testing.T) {
	c := open(t, "testdata/types.safetensors")
	if diff := cmp.Diff(map[string]string{"format": "pt", "note": "ten types"}, c.Metadata); diff != "" {
		t.Error(diff)
	}
	c = open(t, "testdata/sharded/model.safetensors.index.json")
	want := []string{"testdata/sharded/model-00001-of-00002.safetensors",
		"testdata/sharded/model-00002-of-00002.safetensors"}
	if diff := cmp.Diff(want, c.Files); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"total_size": "40"}, c.Metadata); diff != "" {
		t.Error(diff)
	}
}

// A directory is read through the best of the files that are there.
func TestDirectory(t *testing.T) {
	pickle, safe := content(t, "testdata/plain.pt"), content(t, "testdata/types.safetensors")
	dir := t.TempDir()
	for _, name := range slices.Backward(WeightFiles) {
		if strings.HasSuffix(name, ".json") {
			continue // TestOpenReadsWhatTorchReads opens such a directory
		}
		file, format := safe, Safetensors
		if strings.HasSuffix(name, ".bin") {
			file, format = pickle, StateDict
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), file)
		c := open(t, dir)
		if want := []string{filepath.Join(dir, name)}; !slices.Equal(c.Files, want) || c.Format != format {
			t.Errorf("%s: %q as %s, want %q as %s", name, c.Files, c.Format, want, format)
		}
	}
}

// The Hugging Face cache keeps files in blobs/, named by hash, and links to them from snapshots/.
func TestCacheLinks(t *testing.T) {
	root := t.TempDir()
	blobs, snapshot := filepath.Join(root, "blobs"), filepath.Join(root, "snapshots", "5c6e")
	for _, dir := range []string{blobs, snapshot} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir("testdata/sharded")
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		blob := strings.Repeat(string(rune('a'+i)), 64)
		write(t, filepath.Join(blobs, blob), content(t, filepath.Join("testdata/sharded", e.Name())))
		if err := os.Symlink(filepath.Join("..", "..", "blobs", blob), filepath.Join(snapshot, e.Name())); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	want, got := open(t, "testdata/sharded"), open(t, snapshot)
	for name, r := range want.Tensors {
		if diff := cmp.Diff(read(t, r), read(t, got.Tensors[name])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if err := os.Remove(filepath.Join(blobs, strings.Repeat("c", 64))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(snapshot); err == nil || !strings.Contains(err.Error(), "link leads nowhere") {
		t.Errorf("error %v for a dangling link", err)
	}
}

// Not names but contents decide.
func TestExtensionsDoNotCount(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]Format{"types.safetensors": Safetensors, "plain.pt": StateDict,
		"script.pt": TorchScript} {
		file := filepath.Join(dir, name+".json")
		write(t, file, content(t, filepath.Join("testdata", name)))
		if c := open(t, file); c.Format != want {
			t.Errorf("%s: %q, want %q", file, c.Format, want)
		}
	}
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// golden is a folder of recorded models, or skips the test.
func golden(t *testing.T, name string) string {
	t.Helper()
	return cliptest.Recorded(t, "golden", name)
}

// One random ViT in the four forms CLIP is published in, written by torch 1.13 and safetensors. Its
// numbers were drawn in float32; OpenAI's state dict rounds matrices to half, open_clip's file all.
func TestSameWeightsInEveryForm(t *testing.T) {
	dir := golden(t, "tiny-vit")
	full := open(t, filepath.Join(dir, "openai_jit.pt"))
	if full.Format != TorchScript {
		t.Errorf("format %q", full.Format)
	}
	for _, file := range []string{"openai.pt", "open_clip_model.safetensors"} {
		sameRounded(t, full, open(t, filepath.Join(dir, file)))
	}
	hf := open(t, filepath.Join(dir, "hf"))
	used := map[string]bool{}
	for _, name := range full.Names() {
		want := read(t, full.Tensors[name])
		parts, transposed := huggingFace(name)
		got := recorded{DType: "float32"}
		for _, p := range parts {
			r, ok := hf.Tensors[p]
			if !ok {
				t.Fatalf("%s: no %s", name, p)
			}
			used[p] = true
			if transposed {
				r = transpose(r)
			}
			part := read(t, r)
			got.Values = append(got.Values, part.Values...)
			got.Shape = part.Shape
		}
		if len(parts) > 1 {
			got.Shape = slices.Clone(got.Shape)
			got.Shape[0] *= len(parts)
		}
		same(t, "Hugging Face "+name, want, got)
	}
	for _, name := range hf.Names() {
		if !used[name] {
			t.Errorf("%s has no counterpart", name)
		}
	}
}

// A random modified ResNet: OpenAI's state dict is mixed, open_clip's file is all half but for counters.
func TestSameResNetInEveryForm(t *testing.T) {
	dir := golden(t, "tiny-rn")
	sameRounded(t, open(t, filepath.Join(dir, "openai.pt")), open(t, filepath.Join(dir, "open_clip_model.safetensors")))
}

// sameRounded compares a checkpoint with one of fewer bits.
func sameRounded(t *testing.T, full, rounded *Checkpoint) {
	t.Helper()
	if diff := cmp.Diff(full.Names(), rounded.Names()); diff != "" {
		t.Fatalf("%s: %s", rounded.Path, diff)
	}
	for name, r := range rounded.Tensors {
		want, got := read(t, full.Tensors[name]), read(t, r)
		want.DType = got.DType
		if r.DType == tensor.F16 {
			for i, v := range want.Values {
				want.Values[i] = toHalf(v)
			}
		}
		same(t, rounded.Path+": "+name, want, got)
	}
}

// same compares two forms of a weight. The safetensors files were written by a script that turned
// scalars into one-element vectors.
func same(t *testing.T, label string, want, got recorded) {
	t.Helper()
	if len(want.Shape) == 0 && len(got.Shape) == 1 {
		want.Shape = got.Shape
	}
	if want.DType == got.DType && slices.Equal(want.Shape, got.Shape) && slices.Equal(want.Values, got.Values) {
		return // cmp takes seconds over a million equal numbers
	}
	t.Errorf("%s: %s", label, cmp.Diff(want, got))
}

// toHalf rounds to the nearest binary16, ties to even: to a multiple of 2^(e-10), at least of 2^-24.
func toHalf(v float32) float32 {
	_, e := math.Frexp(float64(v))
	step := math.Ldexp(1, max(e-11, -24))
	return float32(math.RoundToEven(float64(v)/step) * step)
}

func transpose(r tensor.Ref) tensor.Ref {
	r.Strides = []int{1, r.Shape[1]}
	r.Shape = []int{r.Shape[1], r.Shape[0]}
	return r
}

// huggingFace gives the transformers names of one of OpenAI's: CLIPModel's conversion in reverse.
func huggingFace(name string) (parts []string, transposed bool) {
	switch name {
	case "logit_scale":
		return []string{name}, false
	case "visual.proj":
		return []string{"visual_projection.weight"}, true
	case "text_projection":
		return []string{"text_projection.weight"}, true
	}
	tower, rest := "text_model.", name
	if r, ok := strings.CutPrefix(name, "visual."); ok {
		tower, rest = "vision_model.", r
	}
	rest = strings.NewReplacer(
		"class_embedding", "embeddings.class_embedding", "positional_embedding", "embeddings.position_embedding.weight",
		"conv1.weight", "embeddings.patch_embedding.weight", "token_embedding", "embeddings.token_embedding",
		"ln_pre", "pre_layrnorm", "ln_post", "post_layernorm", "ln_final", "final_layer_norm",
		"transformer.resblocks", "encoder.layers", "attn.", "self_attn.", "ln_1", "layer_norm1", "ln_2", "layer_norm2",
		"c_fc", "fc1", "c_proj", "fc2",
	).Replace(rest)
	if head, kind, ok := strings.Cut(rest, "in_proj_"); ok {
		for _, p := range []string{"q_proj.", "k_proj.", "v_proj."} {
			parts = append(parts, tower+head+p+kind)
		}
		return parts, false
	}
	return []string{tower + rest}, false
}
