package runners_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// recordedExplainers are explanations by the names of what was recorded of them: float64 with weights as stored, cast,
// which agrees with the authors' code in float32 (index.json beside them says how well). Values that an ending
// rectifies were recorded before that.
var recordedExplainers = map[string]string{
	"raw_attention":              "raw_attention",
	"onehead_attention":          "raw_attention:heads=one",
	"rollout":                    "rollout",
	"rollout_from1":              "rollout:from=1",
	"rollout_unnormalised":       "rollout:normalised=false",
	"chefer_last":                "chefer",
	"chefer_half":                "chefer:blocks=half",
	"chefer_all":                 "chefer:blocks=all",
	"chefer_all_cosine":          "chefer:blocks=8:target=cosine",
	"gradcam_ln1_signed":         "gradcam",
	"gradcam_ln1_softmax_signed": "gradcam:target=softmax",
	"gradcam_cls_signed":         "gradcam:layer=cls",
	"gradcam_eclip_signed":       "gradcam:layer=input",
	"gradcam_attention_signed":   "gradcam:layer=attention",
	"grad_eclip_signed":          "grad_eclip",
	"grad_eclip_raw_qk_signed":   "grad_eclip:qk=raw",
	"grad_eclip_no_ksim_signed":  "grad_eclip:ksim=false",
	"grad_eclip_native_signed":   "grad_eclip:heads=native",
	"legrad":                     "legrad",
	"legrad_all":                 "legrad:blocks=all",
	"clip_es_signed":             "clip_es",
	"gscorecam_13":               "gscorecam:k=13",
	"gscorecam_32":               "gscorecam:k=32",
	"scorecam":                   "gscorecam:k=0",
}

// recordedPoolExplainers are those of a ResNet.
var recordedPoolExplainers = map[string]string{
	"raw_attention":  "raw_attention",
	"gradcam_signed": "gradcam",
	"gscorecam_40":   "gscorecam:k=40",
	"gscorecam_296":  "gscorecam:k=296",
	"scorecam":       "gscorecam:k=0",
}

func TestRecordedExplainers(t *testing.T) {
	dir := golden(t)
	for model, c := range map[string]struct {
		methods map[string]string
		texts   tensor.Dense
		images  []string
	}{
		// The softmax targets are over all seven texts.
		"tiny-vit": {recordedExplainers, recordedTexts(t, filepath.Join(dir, "tiny-vit", "text_embedding.npy"), 0, 3, 1, 2, 4,
			5, 6), []string{"a_64", "b_64", "a_96x160", "b_96x160", "a_160"}},
		"tiny-rn": {recordedPoolExplainers, recordedTexts(t, filepath.Join(dir, "tiny-rn", "class_embedding.npy"), 0, 1),
			[]string{"a_64", "b_64", "a_128", "b_128"}},
	} {
		m, err := clip.Open(filepath.Join(dir, model, "hf"))
		if err != nil {
			if m, err = clip.Open(filepath.Join(dir, model, "openai.pt")); err != nil {
				t.Fatal(err)
			}
		}
		var ms []runners.Named
		for name, spec := range c.methods {
			method, err := methods.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, runners.Named{Name: name, Method: method})
		}
		for _, standard := range []bool{false, true} {
			if standard { // what searches runs the same graphs again and again
				ms = slices.DeleteFunc(ms, func(n runners.Named) bool { return strings.Contains(n.Name, "scorecam") })
			}
			compareExplainers(t, filepath.Join(dir, "explainers", model),
				images(t, m, ms, runners.ImageOptions{Similarities: true, StandardOps: standard}),
				c.texts, filepath.Join(dir, model), c.images)
		}
	}
}

// compareExplainers compares the values of all methods for the first two texts with those that were recorded under
// their names.
func compareExplainers(t *testing.T, recorded string, r *runners.Images, texts tensor.Dense, pictures string,
	names []string) {
	t.Helper()
	for _, image := range names {
		pixels := raw(load(t, filepath.Join(pictures, image+"_pixels.npy")))
		results := explained(t, r, pixels, runners.TextSet{Texts: texts, Explained: []int{0, 1}})
		for i, name := range r.Methods() {
			file := filepath.Join(recorded, image+"."+name+".npy")
			if _, err := os.Stat(file); err != nil && strings.Contains(name, "scorecam") {
				continue // recorded of some images only
			}
			want := load(t, file)
			equal(t, fmt.Sprintf("%s of %s", name, image), byText(results[i], len(want.Data)/(results[i].Rows*results[i].Cols)),
				want)
		}
	}
}

// explained are the values of one picture, method by method.
func explained(t *testing.T, r *runners.Images, pixels tensor.Dense, sets ...runners.TextSet) (out []runners.Maps) {
	t.Helper()
	scan, err := r.Scan(t.Context(), pixels, runners.Sliding{}, sets...)
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for _, s := range sets {
		texts += s.Texts.Shape[0]
	}
	for i := range r.Methods() {
		out = append(out, scan.Maps(i, 0, 0, texts))
	}
	return out
}

// byText are the values of the first texts [texts, rows, cols].
func byText(m runners.Maps, texts int) tensor.Dense {
	n := m.Rows * m.Cols
	all := len(m.Patches) / n
	out := tensor.New(texts, m.Rows, m.Cols)
	for k := range texts {
		for i := range n {
			out.Data[k*n+i] = m.Patches[i*all+k]
		}
	}
	if texts == 1 {
		out.Shape = out.Shape[1:]
	}
	return out
}
