package runners_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/tensor"
)

// A model that wants pixels of mean and deviation 0.5 gives for CLIP's pixels what it gives for its own.
func TestOtherNormalization(t *testing.T) {
	library(t) // or skip
	raw := random(1, 32, 48)
	as := func(n clip.Normalization) tensor.Dense {
		out := tensor.New(raw.Shape...)
		for i, v := range raw.Data {
			c := i / (32 * 48)
			out.Data[i] = (v - n.Mean[c]) / n.Std[c]
		}
		return out
	}
	half := clip.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	vit, rn := t.TempDir(), t.TempDir()
	if err := cliptest.Write(vit, cliptest.Shape{Image: 32, Patch: 16, Embed: 16, Vision: cliptest.Tower{Width: 64, Layers: 2, Heads: 1}, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := cliptest.WriteResNet(rn, cliptest.ResNet{Stages: [4]int{1, 1, 1, 1}, Width: 8, Image: 32, Embed: 12, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 9); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, file, config string }{
		{vit, "preprocessor_config.json", `{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}`},
		{rn, "open_clip_config.json", `{"model_cfg":{"vision_cfg":{},"text_cfg":{"heads":1}},"preprocess_cfg":{"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}}`},
	} {
		run := func(pixels tensor.Dense) tensor.Dense {
			m, err := clip.Open(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			return tokens(t, images(t, m, named(t, "clip"), runners.ImageOptions{}), pixels)[0]
		}
		want := run(as(half)) // of the model without the configuration, which computes on what it is given
		path := filepath.Join(c.dir, c.file)
		if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if d := distance(run(as(clip.CLIPPixels)), want); !(d < 1e-5) {
			t.Errorf("%s: distance %.2g", c.file, d)
		}
		for _, bad := range []struct{ from, to, message string }{
			{"[0.5,0.5,0.5],", "[0.5,0.5],", "are not of three channels"}, {"[0.5,0.5,0.5]}", "[0,0.5,0.5]}", "is not positive"},
		} {
			broken := strings.Replace(c.config, bad.from, bad.to, 1)
			if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := clip.Open(c.dir); err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(err.Error(), bad.message) {
				t.Errorf("%s: error %v, want %s", broken, err, bad.message)
			}
		}
	}
}
