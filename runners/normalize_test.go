package runners_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// A model that wants pixels of mean and deviation 0.5 sees what another one is given in CLIP's, whether its
// configuration says so or a caller.
func TestOtherNormalization(t *testing.T) {
	library(t) // or skip
	raw := random(1, 32, 48)
	half := vit.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	dir, rn := t.TempDir(), t.TempDir()
	if err := cliptest.Write(dir, cliptest.Shape{Image: 32, Patch: 16, Embed: 16, Vision: cliptest.Tower{Width: 64,
		Layers: 2, Heads: 1}, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := cliptest.WriteResNet(rn, cliptest.ResNet{Stages: [4]int{1, 1, 1, 1}, Width: 8, Image: 32, Embed: 12,
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 9); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, file, config string }{
		{dir, "preprocessor_config.json", `{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}`},
		{rn, "open_clip_config.json", `{"model_cfg":{"vision_cfg":{},"text_cfg":{"heads":1}},"preprocess_cfg":{"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}}`},
	} {
		load := func() *clip.Model {
			m, err := clip.Open(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		run := func(m *clip.Model) tensor.Dense {
			out, err := images(t, m, named(t, "clip"), runners.ImageOptions{}).Tokens(t.Context(), raw)
			return values(t, out, err)[0]
		}
		usual := load()
		want := tokens(t, images(t, usual, named(t, "clip"), runners.ImageOptions{}), half.Values(raw))[0]
		if d := distance(run(usual.Normalised(half)), want); !(d < 1e-5) {
			t.Errorf("%s: distance %.2g by a caller", c.dir, d)
		}
		path := filepath.Join(c.dir, c.file)
		if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if d := distance(run(load()), want); !(d < 1e-5) {
			t.Errorf("%s: distance %.2g", c.file, d)
		}
		for _, bad := range []struct{ from, to, message string }{
			{"[0.5,0.5,0.5],", "[0.5,0.5],", "are not of three channels"}, {"[0.5,0.5,0.5]}", "[0,0.5,0.5]}", "is not positive"},
		} {
			broken := strings.Replace(c.config, bad.from, bad.to, 1)
			if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := clip.Open(c.dir); err == nil || !strings.Contains(err.Error(), c.file) ||
				!strings.Contains(err.Error(), bad.message) {
				t.Errorf("%s: error %v, want %s", broken, err, bad.message)
			}
		}
	}
}

// What is no number wins no pixel, so a model that gives it is refused, not scored.
func TestNaNIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := cliptest.Write(dir, cliptest.Shape{Image: 32, Patch: 16, Embed: 16, Vision: cliptest.Tower{Width: 64,
		Layers: 2, Heads: 1}, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 9); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := images(t, m, named(t, "clip", "maskclip"), runners.ImageOptions{})
	pixels := random(1, 32, 32)
	if _, err := r.Tokens(t.Context(), pixels); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		pixels.Data[700] = float32(bad)
		if _, err := r.Tokens(t.Context(), pixels); err == nil || !strings.Contains(err.Error(), "clip gives NaN or infinity") {
			t.Errorf("error %v", err)
		}
	}
}
