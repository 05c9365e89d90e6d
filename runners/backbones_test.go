package runners_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/datasets/picture"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/dino"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// recordedPixels are normalised pixels of a picture such as a_64x64, which lie with the recordings of DINO or with
// those of CLIP.
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

// ProxyCLIP's patch tokens as the authors' code gives them in float32 (golden/dino/index.json), square and oblong, from
// the files of torch.hub and from those of transformers, whose positions would be read otherwise there.
func TestRecordedProxyCLIP(t *testing.T) {
	dir := filepath.Join(golden(t), "dino")
	for _, network := range []string{"dino8/dino_pretrain.pth", "dino8/hf", "dino16/dino_pretrain.pth",
		"dinov2/dinov2_pretrain.pth", "dinov2reg/hf"} {
		second, err := dino.Open(filepath.Join(dir, network), "dino")
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Dir(network)
		ms := []runners.Named{{Name: "paper", Method: &methods.ProxyCLIP{Beta: 1.2, Gamma: 3}},
			{Name: "other", Method: &methods.ProxyCLIP{Beta: 1, Gamma: 5}}}
		for _, standard := range []bool{false, true} {
			o := runners.ImageOptions{StandardOps: standard, Backbones: map[string]methods.Backbone{"dino": &second.Tower}}
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

// LPOSS's features, and its scores before and behind the propagation over eight windows of a picture, as the authors'
// functions gave them (golden/dino/index.json: features and scores in float32, the propagation in float64).
func TestRecordedLPOSS(t *testing.T) {
	dir := filepath.Join(golden(t), "dino")
	second, err := dino.Open(filepath.Join(dir, "dino16", "dino_pretrain.pth"), "dino")
	if err != nil {
		t.Fatal(err)
	}
	texts := load(t, filepath.Join(golden(t), "tiny-vit", "class_embedding.npy"))
	method := func(k int) *methods.LPOSS {
		return &methods.LPOSS{Neighbours: k, Gamma: 3, Sigma: 0.01, Alpha: 0.95, Steps: 10}
	}
	ms := []runners.Named{
		{Name: "12", Method: method(12)}, {Name: "40", Method: method(40)}, {Name: "all", Method: method(400)},
		{Name: "scores", Method: &methods.MaskCLIP{Residual: true}},
	}
	for _, standard := range []bool{false, true} {
		o := runners.ImageOptions{Similarities: true, StandardOps: standard, Positions: vit.BicubicSize,
			Backbones: map[string]methods.Backbone{"dino": &second.Tower}}
		images, err := runners.NewImages(library(t), tinyCLIP(t), ms, o)
		if err != nil {
			t.Fatal(err)
		}
		defer images.Close()
		pixels := raw(recordedPixels(t, "a_96x160"))
		scan, err := images.Scan(t.Context(), runners.Picture{Pixels: pixels},
			runners.Sliding{Window: 64, Stride: 32}, runners.TextSet{Texts: texts})
		if err != nil {
			t.Fatal(err)
		}
		for m, name := range map[int]string{3: "scores", 0: "k12_propagated", 1: "k40_propagated"} {
			want := load(t, filepath.Join(dir, "a_lposs_"+name+".npy"))
			got := tensor.Dense{Shape: want.Shape}
			for w := range scan.Windows {
				got.Data = append(got.Data, scan.Maps(m, w, 0, texts.Shape[0]).Patches...)
			}
			equal(t, "lposs "+name, got, want)
		}
		// More neighbours than there are patches are all of them.
		if v := scan.Maps(2, 0, 0, texts.Shape[0]).Patches[0]; v != v || v == 0 {
			t.Errorf("with 400 of 128 neighbours: %v", v)
		}
		// Two sets of texts do not change each other, nor does a picture seen at once differ from a scan of one window.
		both, err := images.Scan(t.Context(), runners.Picture{Pixels: pixels},
			runners.Sliding{}, runners.TextSet{Texts: texts},
			runners.TextSet{Texts: texts.Rows(1, 3)})
		if err != nil {
			t.Fatal(err)
		}
		alone := similarities(t, images, recordedPixels(t, "a_96x160"), texts)[0]
		n := texts.Shape[0]
		if d := differ(both.Maps(0, 0, 0, n), runners.Maps{Global: alone.Data[:n], Patches: alone.Data[n:]}); d > 1e-5 {
			t.Errorf("a picture at once is %.2g from a scan", d)
		}
		if d := differ(both.Maps(0, 0, n, n+2), both.Maps(0, 0, 1, 3)); d > 1e-5 {
			t.Errorf("texts in another set are %.2g away", d)
		}
	}
}

// ProxyCLIP's patch tokens with Segment Anything's image encoder as the second network, from both forms of its files.
func TestRecordedProxyCLIPOnSAM(t *testing.T) {
	for _, file := range []string{"sam.pth", "hf"} {
		m, err := sam.Open(filepath.Join(golden(t), "sam", "wide", file))
		if err != nil {
			t.Fatal(err)
		}
		ms := []runners.Named{{Name: "sam", Method: &methods.ProxyCLIP{Beta: 1.2, Gamma: 3, VFM: "sam"}}}
		for _, standard := range []bool{false, true} {
			images, err := runners.NewImages(library(t), tinyCLIP(t), ms, runners.ImageOptions{StandardOps: standard,
				Backbones: map[string]methods.Backbone{"sam": m.Backbone("sam")}})
			if err != nil {
				t.Fatal(err)
			}
			defer images.Close()
			var both tensor.Dense
			for _, picture := range []string{"a", "b"} {
				pixels := recordedPixels(t, picture+"_64x64")
				want := load(t, filepath.Join(golden(t), "dino", picture+"_64x64_sam_proxyclip_tokens.npy"))
				equal(t, picture+" "+file, patches(tokens(t, images, pixels)[0]), want)
				both.Data = append(both.Data, pixels.Data...)
			}
			both.Shape = []int{2, 3, 64, 64}
			got := patches(tensor.Dense{Shape: []int{1, 65, 64}, Data: tokens(t, images, both)[0].At(1).Data})
			equal(t, "the second of two", got, load(t, filepath.Join(golden(t), "dino", "b_64x64_sam_proxyclip_tokens.npy")))
		}
	}
}

// CorrCLIP's patch tokens with regions and without, as the authors' code gives them in float32.
func TestRecordedCorrCLIP(t *testing.T) {
	dir := filepath.Join(golden(t), "dino")
	second, err := dino.Open(filepath.Join(dir, "dino8", "dino_pretrain.pth"), "dino")
	if err != nil {
		t.Fatal(err)
	}
	ids := load(t, filepath.Join(dir, "a_64x64_regions.npy"))
	regions := &runners.Regions{W: 64, H: 64}
	for _, v := range ids.Data {
		regions.IDs = append(regions.IDs, int32(v))
	}
	eye := tensor.New(64, 64) // cosines with these are the tokens, over their length
	for i := range 64 {
		eye.Data[65*i] = 1
	}
	method := func(regions bool) *methods.CorrCLIP {
		return &methods.CorrCLIP{Tau: 4, Merge: 0.2, Spatial: 1, Semantic: 0.5, Regions: regions}
	}
	ms := []runners.Named{{Name: "with", Method: method(true)}, {Name: "none", Method: method(false)}}
	for _, standard := range []bool{false, true} {
		images, err := runners.NewImages(library(t), tinyCLIP(t), ms, runners.ImageOptions{StandardOps: standard,
			Similarities: true, Backbones: map[string]methods.Backbone{"dino": &second.Tower}})
		if err != nil {
			t.Fatal(err)
		}
		defer images.Close()
		picture := runners.Picture{Pixels: raw(recordedPixels(t, "a_64x64"))}
		for _, given := range []*runners.Regions{regions, nil} {
			picture.Regions = given
			scan, err := images.Scan(t.Context(), picture, runners.Sliding{}, runners.TextSet{Texts: eye})
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{"regions", "none"} {
				if given == nil {
					name = "none" // masks that are not there segment nothing
				}
				want := load(t, filepath.Join(dir, "a_64x64_corrclip_"+name+"_tokens.npy")).At(0)
				runners.Normalize(want)
				got := tensor.Dense{Shape: []int{64, 64}, Data: scan.Maps(i, 0, 0, 64).Patches}
				equal(t, name, got, want)
			}
		}
	}
}

// Trident's patch tokens over eight windows of a picture, as the authors' code gives them in float32: with thresholds
// of three kinds, and Segment Anything on the picture as it was read.
func TestRecordedTrident(t *testing.T) {
	dir := filepath.Join(golden(t), "dino")
	second, err := dino.Open(filepath.Join(dir, "dino16", "dino_pretrain.pth"), "dino")
	if err != nil {
		t.Fatal(err)
	}
	third, err := sam.Open(filepath.Join(golden(t), "sam", "tiny", "sam.pth"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := picture.Read(filepath.Join(golden(t), "a.png"), picture.AsStored)
	if err != nil {
		t.Fatal(err)
	}
	eye := tensor.New(64, 64) // cosines with these are the tokens, over their length
	for i := range 64 {
		eye.Data[65*i] = 1
	}
	var ms []runners.Named
	names := []string{"cos1.2", "cos0", "cos3_noneg"}
	for i, cos := range []float64{1.2, 0, 3} {
		ms = append(ms, runners.Named{Name: names[i], Method: &methods.Trident{Beta: 1.2, Gamma: 3, Cos: cos,
			Negative: i < 2, Parts: 1}})
	}
	for _, standard := range []bool{false, true} {
		images, err := runners.NewImages(library(t), tinyCLIP(t), ms, runners.ImageOptions{StandardOps: standard,
			Similarities: true, Backbones: map[string]methods.Backbone{"dino": &second.Tower, "sam": third.Backbone("sam")}})
		if err != nil {
			t.Fatal(err)
		}
		defer images.Close()
		scan, err := images.Scan(t.Context(), runners.Picture{Pixels: raw(recordedPixels(t, "a_96x160")), Image: img},
			runners.Sliding{Window: 64, Stride: 32}, runners.TextSet{Texts: eye})
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			want := load(t, filepath.Join(dir, "a_96x160_trident_"+name+"_tokens.npy")).At(0)
			runners.Normalize(want)
			got := scan.Maps(i, 0, 0, 64)
			if got.Rows != 12 || got.Cols != 16 {
				t.Fatalf("a map of %d x %d", got.Rows, got.Cols)
			}
			equal(t, name, tensor.Dense{Shape: []int{192, 64}, Data: got.Patches}, want)
		}
	}
}

// What LPOSS+ says of a picture is what LPOSS says of it, spread over its pixels.
func TestLPOSSPlus(t *testing.T) {
	ms := []runners.Named{
		{Name: "patches", Method: &methods.LPOSS{Neighbours: 20, Gamma: 3, Sigma: 0.01, Alpha: 0.9, Steps: 7}},
		{Name: "plus", Method: &methods.LPOSSPlus{Neighbours: 20, Gamma: 3, Sigma: 0.01, Alpha: 0.9, Steps: 7, Reach: 2,
			Tau: 0.3}},
	}
	m := tinyModel(t)
	r := images(t, m, ms, runners.ImageOptions{Similarities: true})
	texts := tensor.Dense{Shape: []int{3, m.Embed}, Data: random(1, 3, m.Embed).Data[:3*m.Embed]}
	runners.Normalize(texts)
	pixels := raw(random(1, 32, 48))
	for i, v := range pixels.Data {
		pixels.Data[i] = min(max(v, 0), 255)
	}
	scan, err := r.Scan(t.Context(), runners.Picture{Pixels: pixels}, runners.Sliding{Window: 24, Stride: 12},
		runners.TextSet{Texts: texts.Rows(0, 1)}, runners.TextSet{Texts: texts})
	if err != nil {
		t.Fatal(err)
	}
	want, plane := make([]float32, 32*48*3), make([]float32, 32*48)
	for q := range 3 {
		scan.Mosaic(0, 1, 4).Plane(plane, 48, 32, q)
		for i, v := range plane {
			want[3*i+q] = v
		}
	}
	spread, err := resample.NewSpread(pixels.Data, 48, 32, 2, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	spread.Apply(want, 3, 0.9, 7)
	got := scan.Maps(1, 0, 1, 4)
	if got.Rows != 32 || got.Cols != 48 {
		t.Fatalf("a map of %d x %d", got.Rows, got.Cols)
	}
	equal(t, "pixels", tensor.Dense{Shape: []int{32 * 48, 3}, Data: got.Patches}, tensor.Dense{Shape: []int{32 * 48, 3},
		Data: want})
}

// A window is padded for each method as if it ran alone: CLIP's patches of 8 pixels and the second network's of 6 want
// other sizes.
func TestPaddingsOfTheirOwn(t *testing.T) {
	m := tinyModel(t)
	texts := random(1, 3, m.Embed)
	texts = tensor.Dense{Shape: []int{3, m.Embed}, Data: texts.Data[:3*m.Embed]}
	runners.Normalize(texts)
	pixels := raw(random(1, 50, 70))
	s := runners.Sliding{Window: 38, Stride: 20, Pad: runners.Around, Fill: vit.CLIP.Grey()}
	scan := func(names ...string) runners.Scan {
		images := images(t, m, named(t, names...), runners.ImageOptions{Similarities: true})
		out, err := images.Scan(t.Context(), runners.Picture{Pixels: pixels}, s, runners.TextSet{Texts: texts})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	both, clip, proxy := scan("clip", "proxyclip"), scan("clip"), scan("proxyclip")
	for w := range both.Windows {
		one, two := both.Maps(0, w, 0, 3), both.Maps(1, w, 0, 3)
		if one.Rows != 5 || two.Rows != 8 { // 40 pixels in patches of 8; 48, which both divide, in patches of 6
			t.Fatalf("grids of %d and %d rows", one.Rows, two.Rows)
		}
		if d := max(differ(one, clip.Maps(0, w, 0, 3)), differ(two, proxy.Maps(0, w, 0, 3))); d > 1e-5 {
			t.Errorf("window %d is %.2g from the method alone", w, d)
		}
	}
	plane := make([]float32, 70*50)
	both.Mosaic(1, 0, 3).Plane(plane, 70, 50, 0)
	other := make([]float32, 70*50)
	proxy.Mosaic(0, 0, 3).Plane(other, 70, 50, 0)
	for i, v := range plane {
		if math.Abs(float64(v-other[i])) > 1e-5 {
			t.Fatalf("pixel %d of the stitched map is %v beside another method, %v alone", i, v, other[i])
		}
	}
}

// tinyModel is the built-in random model.
func tinyModel(t *testing.T) *clip.Model {
	t.Helper()
	m, _ := open(t, filepath.Join("clip", "testdata", "micro", "hf"), filepath.Join("clip", "testdata", "micro", "hf"))
	return m
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}
