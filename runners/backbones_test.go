package runners_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/dino"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// recordedPixels are normalised pixels of a picture such as a_64x64, which lie with the recordings of DINO or with those of CLIP.
func recordedPixels(t *testing.T, name string) tensor.Dense {
	t.Helper()
	own := filepath.Join(golden(t), "dino", name+"_pixels.npy")
	if found, _ := filepath.Glob(own); len(found) == 0 {
		own = filepath.Join(golden(t), "tiny-vit", name+"_pixels.npy")
	}
	return load(t, own)
}

// tinyCLIP is the model that the recordings with second networks were made with.
func tinyCLIP(t *testing.T) *clip.Model {
	t.Helper()
	m, err := clip.Open(filepath.Join(golden(t), "tiny-vit", "hf"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ProxyCLIP's patch tokens as the authors' code gives them in float32 (golden/dino/index.json), square and oblong, from the files of
// torch.hub and from those of transformers, whose positions would be read otherwise there.
func TestRecordedProxyCLIP(t *testing.T) {
	dir := filepath.Join(golden(t), "dino")
	for _, network := range []string{"dino8/dino_pretrain.pth", "dino8/hf", "dino16/dino_pretrain.pth", "dinov2/dinov2_pretrain.pth", "dinov2reg/hf"} {
		second, err := dino.Open(filepath.Join(dir, network), "dino")
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Dir(network)
		ms := []runners.Named{{Name: "paper", Method: &methods.ProxyCLIP{Beta: 1.2, Gamma: 3}}, {Name: "other", Method: &methods.ProxyCLIP{Beta: 1, Gamma: 5}}}
		for _, standard := range []bool{false, true} {
			o := runners.ImageOptions{StandardOps: standard, Backbones: map[string]*vit.Tower{"dino": &second.Tower}}
			images, err := runners.NewImages(library(t), tinyCLIP(t), ms, o)
			if err != nil {
				t.Fatal(err)
			}
			defer images.Close()
			found, _ := filepath.Glob(filepath.Join(dir, "*_"+name+"_proxyclip_tokens.npy"))
			if len(found) == 0 {
				t.Errorf("%s has no recordings", name)
			}
			for _, path := range found {
				picture, _, _ := strings.Cut(filepath.Base(path), "_"+name)
				out := tokens(t, images, recordedPixels(t, picture))
				equal(t, picture+" "+network, patches(out[0]), load(t, path))
				if other := strings.Replace(path, "proxyclip", "proxyclip_b1.0_g5", 1); len(must(filepath.Glob(other))) > 0 {
					equal(t, picture+" with other parameters", patches(out[1]), load(t, other))
				}
			}
		}
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}
