package runners_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/methods"
	"ovbench/runners/sam"
	"ovbench/runners/sam/samtest"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// random are pixels [batch, 3, h, w].
func random(batch, h, w int) tensor.Dense {
	rng := rand.New(rand.NewPCG(uint64(h), uint64(w)))
	x := tensor.New(batch, 3, h, w)
	for i := range x.Data {
		x.Data[i] = rng.Float32()*4 - 2
	}
	return x
}

func images(t testing.TB, m *clip.Model, ms []runners.Named, o runners.ImageOptions) *runners.Images {
	t.Helper()
	o.Backbones = backbones(t)
	r, err := runners.NewImages(library(t), m, ms, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// backbones are what methods ask for beside CLIP: a random tower of another patch than the models of tests have, and a
// random image encoder of Segment Anything.
func backbones(t testing.TB) map[string]methods.Backbone {
	t.Helper()
	dir := t.TempDir()
	shape := cliptest.Shape{Image: 24, Patch: 6, Embed: 8, Vision: cliptest.Tower{Width: 16, Layers: 2, Heads: 2},
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}
	if err := cliptest.Write(dir, shape, 5); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tower := m.Encoder().(*clip.ViT).Tower
	tower.Prefix = "dino."
	third := filepath.Join(dir, "sam.safetensors")
	if err := samtest.Write(third, samtest.Tiny, 6); err != nil {
		t.Fatal(err)
	}
	e, err := sam.Open(third)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]methods.Backbone{"dino": &tower, "sam": e.Backbone("sam")}
}

func tokens(t testing.TB, r *runners.Images, pixels tensor.Dense) []tensor.Dense {
	t.Helper()
	out, err := r.Tokens(t.Context(), raw(pixels))
	return values(t, out, err)
}

// raw undoes CLIP's normalisation: pixels of recordings, and of this package's own, are normalised.
func raw(pixels tensor.Dense) tensor.Dense {
	out := tensor.New(pixels.Shape...)
	plane := pixels.Shape[2] * pixels.Shape[3]
	for i, v := range pixels.Data {
		c := i / plane % 3
		out.Data[i] = float32(255 * (float64(v)*float64(vit.CLIP.Std[c]) + float64(vit.CLIP.Mean[c])))
	}
	return out
}

// values are those of all methods.
func values(t testing.TB, out []runners.Batch, err error) (list []tensor.Dense) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range out {
		list = append(list, b.Values)
	}
	return list
}

// A graph of open size gives at every size what a graph of that size gives: for all methods, for every interpolation,
// in batches, for sides that are no multiple of the patch, and at a size seen before exactly what it gave then.
func TestOpenSize(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, _ := open(t, micro, micro)
	sizes := [][3]int{{1, 32, 32}, {2, 48, 64}, {3, 72, 41}, {1, 8, 100}} // batch, height, width
	for _, p := range append(vit.Interpolations, "") {
		for _, standard := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s standard=%v", p, standard), func(t *testing.T) {
				o := runners.ImageOptions{Positions: p, StandardOps: standard}
				any := images(t, m, every(t, m), o)
				var first [][]tensor.Dense
				for _, s := range sizes {
					o.Height, o.Width = s[1], s[2]
					pixels := random(s[0], s[1], s[2])
					got, want := tokens(t, any, pixels), tokens(t, images(t, m, every(t, m), o), pixels)
					for i, name := range any.Methods() {
						if d := distance(got[i], want[i]); !(d < 1e-6) {
							t.Errorf("%s at %v: distance %.2g of the open size from the fixed one", name, s, d)
						}
					}
					first = append(first, got)
				}
				for i, s := range sizes {
					if diff := cmp.Diff(first[i], tokens(t, any, random(s[0], s[1], s[2]))); diff != "" {
						t.Errorf("%v gives other tokens after other sizes\n%.300s", s, diff)
					}
				}
			})
		}
	}
}

// What an image tower cannot take is refused in words.
func TestPixelsThatDoNotFit(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, _ := open(t, micro, micro)
	fixed := images(t, m, named(t, "clip"), runners.ImageOptions{Height: 32, Width: 48})
	any := images(t, m, named(t, "clip"), runners.ImageOptions{})
	sims := images(t, m, named(t, "clip"), runners.ImageOptions{Similarities: true})
	for _, c := range []struct {
		name, want string
		run        func() error
	}{
		{"other size", "pixels are 48x32, but this image tower was built for 32x48",
			func() error { _, err := fixed.Tokens(t.Context(), random(1, 48, 32)); return err }},
		{"less than a patch", "size 7x32 is out of range",
			func() error { _, err := any.Tokens(t.Context(), random(1, 7, 32)); return err }},
		{"too large", "size 8x4097 is out of range",
			func() error { _, err := any.Tokens(t.Context(), random(1, 8, 4097)); return err }},
		{"no batch", "pixels have shape [3 32 32]",
			func() error { _, err := any.Tokens(t.Context(), tensor.New(3, 32, 32)); return err }},
		{"empty batch", "pixels have shape [0 3 32 32]",
			func() error { _, err := any.Tokens(t.Context(), tensor.New(0, 3, 32, 32)); return err }},
		{"no texts", "texts have shape [32]",
			func() error { _, err := sims.Similarities(t.Context(), random(1, 32, 32), tensor.New(32)); return err }},
		{"tokens wanted", "gives similarities, not tokens",
			func() error { _, err := sims.Tokens(t.Context(), random(1, 32, 32)); return err }},
	} {
		if err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	// Tables over pairs of patches are refused before they are made.
	for _, o := range []runners.ImageOptions{{}, {Height: 2048, Width: 2048}} {
		r, err := runners.NewImages(library(t), m, named(t, "naclip"), o)
		if err == nil {
			defer r.Close()
			_, err = r.Tokens(t.Context(), tensor.New(1, 3, 2048, 2048))
		}
		if err == nil || !strings.Contains(err.Error(),
			"256x256 patches are too many for these methods: tables over pairs of patches take 17.2 GB") {
			t.Errorf("a table over pairs of 65536 patches: error %v", err)
		}
	}
	// Methods may have the names of whatever is in a graph, but not each other's and not those of inputs.
	odd := named(t, "clip", "naclip", "clip", "clip")
	odd[0].Name, odd[1].Name, odd[2].Name, odd[3].Name = "positions.bicubic", "ints", "neighbourhood.5",
		"vision_model.embeddings.patch_embedding.weight"
	for _, o := range []runners.ImageOptions{{}, {Height: 32, Width: 32}} {
		if got := tokens(t, images(t, m, odd, o), random(1, 32, 32)); distance(got[0], got[2]) > 0 {
			t.Error("the same method under other names gives other tokens")
		}
	}
	for _, name := range []string{"", "pixels", "texts", "ints"} {
		odd[0].Name = name
		if _, err := runners.NewImages(library(t), m, odd, runners.ImageOptions{}); err == nil ||
			!strings.Contains(err.Error(), "is taken") {
			t.Errorf("a method called %q: error %v", name, err)
		}
	}
	if _, err := runners.NewImages(library(t), m, named(t, "clip"), runners.ImageOptions{Height: 32}); err == nil {
		t.Error("an image tower of 32x0 was built")
	}
}
