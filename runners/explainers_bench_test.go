package runners_test

import (
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// BenchmarkExplainers is one picture at 224 px and five texts through ViT-B/16: each explanation alone, and eight of
// them in one session. The metrics are the least processor seconds over those of clip, the forward pass that all share;
// both take turns.
func BenchmarkExplainers(b *testing.B) {
	m := vitB16(b)
	pixels, texts := raw(noise(224)), tensor.New(5, m.Embed)
	for i := range texts.Data {
		texts.Data[i] = float32(i*i%17) - 8
	}
	runners.Normalize(texts)
	open := func(specs string) *runners.Images {
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
	clip := open("clip")
	defer clip.Close()
	for name, specs := range map[string]string{
		"raw_attention": "raw_attention", "rollout": "rollout", "chefer": "chefer", "chefer-all": "chefer:blocks=all",
		"gradcam":     "gradcam",
		"gradcam-cls": "gradcam:layer=cls", "gradcam-input": "gradcam:layer=input",
		"gradcam-attention": "gradcam:layer=attention",
		"grad_eclip":        "grad_eclip", "legrad": "legrad", "clip_es": "clip_es",
		"eight": "raw_attention rollout chefer gradcam gradcam:layer=cls grad_eclip legrad clip_es",
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
