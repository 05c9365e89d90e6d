package runners_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// towers runs testdata/peer/towers.py on pixels and texts, and gives what it computed; or skips where OVBENCH_PYTHON
// names no Python.
func towers(t *testing.T, kind, source, out string, pixels tensor.Dense, ids []int32, texts int) (image,
	text tensor.Dense) {
	t.Helper()
	write := func(name string, fill func(*os.File) error) string {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err == nil {
			err = fill(f)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		return f.Name()
	}
	p := write("pixels.npy", func(f *os.File) error { return tensor.WriteNPY(f, pixels) })
	i := write("ids.npy", func(f *os.File) error { return tensor.WriteNPYInt32(f, []int{texts, len(ids) / texts}, ids) })
	cmd := exec.CommandContext(t.Context(), os.Getenv("OVBENCH_PYTHON"), filepath.Join("testdata", "peer", "towers.py"),
		kind, source, p, i, out)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return load(t, filepath.Join(out, "image.npy")), load(t, filepath.Join(out, "text.npy"))
}

func needPython(t *testing.T, with string) {
	t.Helper()
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with torch and " + with)
	}
}

// Heads of 80 and exact GELU, as in ViT-H/14: all tokens of both towers are transformers'.
func TestTowersInTransformers(t *testing.T) {
	needPython(t, "transformers")
	lib := library(t)
	vocab := filepath.Join("clip", "testdata", "micro", "hf")
	for _, activation := range []string{"gelu", "quick_gelu"} {
		dir := t.TempDir()
		shape := cliptest.Shape{
			Image: 42, Patch: 14, Embed: 24, Vision: cliptest.Tower{Width: 160, Layers: 3, Heads: 2},
			Text: cliptest.Tower{Width: 128, Layers: 2, Heads: 2}, Vocab: 647, Activation: activation,
		}
		if err := cliptest.Write(dir, shape, 3); err != nil {
			t.Fatal(err)
		}
		m, tok := open(t, dir, vocab)
		c, err := runners.EncodeCaption(t.Context(), lib, m, tok, "a photo of a cat", ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		pixels := random(2, 42, 42)
		image, text := towers(t, "hf", dir, t.TempDir(), pixels, c.IDs, 1)
		equal(t, activation+" image", tokens(t, images(t, m, named(t, "clip"), runners.ImageOptions{}), pixels)[0], image)
		equal(t, activation+" text", c.Embeddings, text.At(0))
	}
}

// Models that open_clip makes of its configurations are read as it reads them.
func TestTowersInOpenCLIP(t *testing.T) {
	needPython(t, "open_clip_torch")
	lib := library(t)
	for _, c := range []struct {
		name   string
		side   int
		config string
	}{
		{"ViT, gelu, heads of 80", 28, `{"model_cfg":{"embed_dim":24,"vision_cfg":{"image_size":28,"patch_size":14,"width":160,"layers":3,"head_width":80},
			"text_cfg":{"context_length":77,"vocab_size":647,"width":128,"heads":4,"layers":2}}}`},
		{"ViT, quick_gelu, heads of 32", 32, `{"model_cfg":{"embed_dim":24,"quick_gelu":true,"vision_cfg":{"image_size":32,"patch_size":8,"width":64,"layers":2,"head_width":32},
			"text_cfg":{"context_length":77,"vocab_size":647,"width":64,"heads":1,"layers":2}}}`},
		{"CustomTextCLIP", 16, `{"model_cfg":{"custom_text":true,"embed_dim":24,"vision_cfg":{"image_size":16,"patch_size":8,"width":64,"layers":1},
			"text_cfg":{"context_length":77,"vocab_size":647,"width":64,"heads":2,"layers":1}}}`},
		{"ResNet, gelu text", 64, `{"model_cfg":{"embed_dim":20,"vision_cfg":{"image_size":64,"layers":[2,1,1,2],"width":16,"patch_size":null},
			"text_cfg":{"context_length":77,"vocab_size":647,"width":64,"heads":2,"layers":2}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			source := filepath.Join(dir, "asked.json")
			if err := os.WriteFile(source, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			_, tok := open(t, filepath.Join("clip", "testdata", "micro", "hf"), filepath.Join("clip", "testdata", "micro", "hf"))
			texts := []string{"a photo of a cat", "dog"}
			var ids []int32
			for _, text := range texts {
				padded, err := tok.Padded(text, 77, false)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, padded...)
			}
			pixels := random(2, c.side, c.side)
			image, text := towers(t, "open_clip", source, dir, pixels, ids, len(texts))
			m, err := clip.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			got := tokens(t, images(t, m, named(t, "clip"), runners.ImageOptions{}), pixels)[0]
			class := tensor.New(2, m.Embed)
			for i := range 2 {
				copy(class.At(i).Data, got.At(i).Data)
			}
			equal(t, "class token", class, image)
			tower, err := runners.NewTexts(lib, m, tok, ort.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tower.Close()
			e, err := tower.Encode(t.Context(), texts, nil)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "text", e, text)
		})
	}
}
