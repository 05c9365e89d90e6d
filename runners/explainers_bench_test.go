package runners_test

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// eightExplainers are one of each kind that takes a single pass.
const eightExplainers = "raw_attention rollout chefer gradcam gradcam:layer=cls grad_eclip legrad clip_es"

// fiveTexts are embeddings [5, E] of no texts in particular, normalised.
func fiveTexts(m *clip.Model) tensor.Dense {
	texts := tensor.New(5, m.Embed)
	for i := range texts.Data {
		texts.Data[i] = float32(i*i%17) - 8
	}
	runners.Normalize(texts)
	return texts
}

// explainers are methods in one session, for pictures of 224 px.
func explainers(b *testing.B, m *clip.Model, specs string) *runners.Images {
	b.Helper()
	var ms []runners.Named
	for spec := range strings.FieldsSeq(specs) {
		method, err := methods.Parse(spec)
		if err != nil {
			b.Fatal(err)
		}
		ms = append(ms, runners.Named{Name: spec, Method: method})
	}
	r, err := runners.NewImages(library(b), m, ms, runners.ImageOptions{Height: 224, Width: 224, Positions: vit.Bilinear,
		Similarities: true})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkExplainersPyTorch is eight explanations of five texts in one session, against the same in PyTorch as their
// authors run them, one after the other and text by text (testdata/explain.py), with as many threads. Both give the
// same values. The metrics are ratios of processor seconds, the least and the largest of the repeats. OVBENCH_PYTHON
// names a Python with torch, safetensors and numpy.
func BenchmarkExplainersPyTorch(b *testing.B) {
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" {
		b.Skip("set OVBENCH_PYTHON to a Python with torch, safetensors and numpy")
	}
	m, x := vitB16(b), noise(224)
	texts, dir := fiveTexts(m), b.TempDir()
	for name, d := range map[string]tensor.Dense{"pixels.npy": x, "texts.npy": texts} {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = tensor.WriteNPY(f, d)
		}
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	session := explainers(b, m, eightExplainers)
	defer session.Close()
	peers := map[string]string{"gradcam:layer=cls": "gradcam_cls"}
	args := []string{"testdata/explain.py", m.Path, filepath.Join(dir, "pixels.npy"), filepath.Join(dir, "texts.npy"),
		strconv.Itoa(runtime.GOMAXPROCS(0)), "3", dir}
	for _, spec := range session.Methods() {
		args = append(args, cmp.Or(peers[spec], spec))
	}
	var ratios []float64
	for b.Loop() {
		var ours []float64
		var results []runners.Batch
		var err error
		for range 4 { // the first warms up
			start := cpuSeconds(b)
			if results, err = session.Similarities(b.Context(), raw(x), texts); err != nil {
				b.Fatal(err)
			}
			ours = append(ours, cpuSeconds(b)-start)
		}
		out, err := exec.CommandContext(b.Context(), python, args...).Output()
		if err != nil {
			b.Fatal(err)
		}
		var peer struct{ Seconds [][2]float64 }
		if err := json.Unmarshal(out, &peer); err != nil {
			b.Fatal(err)
		}
		for i, s := range peer.Seconds {
			ratios = append(ratios, s[0]/ours[i+1])
		}
		for i, spec := range session.Methods() {
			want := load(b, filepath.Join(dir, cmp.Or(peers[spec], spec)+".npy"))
			got := tensor.New(want.Shape...)
			for k, v := range results[i].Values.Data {
				got.At(k % 5).Data[k/5] = v
			}
			if d := distance(got, want); !(d < tolerance) {
				b.Errorf("%s: distance %.2g from PyTorch", spec, d)
			}
		}
	}
	b.ReportMetric(slices.Min(ratios), "PyTorch/ours-min")
	b.ReportMetric(slices.Max(ratios), "PyTorch/ours-max")
}

// BenchmarkExplainers is one picture at 224 px and five texts through ViT-B/16: each explanation alone, and eight of
// them in one session. The metrics are the least processor seconds over those of clip, the forward pass that all share;
// both take turns.
func BenchmarkExplainers(b *testing.B) {
	m := vitB16(b)
	pixels, texts := raw(noise(224)), fiveTexts(m)
	open := func(specs string) *runners.Images { return explainers(b, m, specs) }
	clip := open("clip")
	defer clip.Close()
	for name, specs := range map[string]string{
		"raw_attention": "raw_attention", "rollout": "rollout", "chefer": "chefer", "chefer-all": "chefer:blocks=all",
		"gradcam":     "gradcam",
		"gradcam-cls": "gradcam:layer=cls", "gradcam-input": "gradcam:layer=input",
		"gradcam-attention": "gradcam:layer=attention",
		"grad_eclip":        "grad_eclip", "legrad": "legrad", "clip_es": "clip_es",
		"eight": eightExplainers,
	} {
		b.Run(name, func(b *testing.B) {
			r := open(specs)
			defer r.Close()
			best := map[*runners.Images]float64{}
			for b.Loop() {
				for _, images := range []*runners.Images{clip, r} {
					start := cpuSeconds(b)
					if _, err := images.Similarities(b.Context(), pixels, texts); err != nil {
						b.Fatal(err)
					}
					if d := cpuSeconds(b) - start; best[images] == 0 || d < best[images] {
						best[images] = d
					}
				}
			}
			b.ReportMetric(best[r]/best[clip], "/clip")
		})
	}
}
